"""One blocking request: from any thread, without redirects, with limits and typed errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIResponseValidationError, APITimeoutError
from aiopenai._http import fetch as fetch_module
from aiopenai._http.fetch import fetch
from aiopenai.testing import Server
from tests.conftest import RawServer


@pytest.fixture
def web() -> Iterator[Server]:
    with Server() as server:
        server.reply_with("/x", {"a": 1})
        yield server


def from_a_thread(*arguments: Any, **options: Any) -> Any:
    return fetch(*arguments, **options)


def from_a_coroutine(*arguments: Any, **options: Any) -> Any:
    async def main() -> Any:
        return fetch(*arguments, **options)

    return asyncio.run(main())


@pytest.fixture(params=[from_a_thread, from_a_coroutine], ids=["thread", "coroutine"])
def fetched(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_whole_reply(fetched: Any, web: Server) -> None:
    headers = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
    reply = fetched("POST", f"{web.base_url}/x", headers=headers, content=b'{"q": 1}', timeout=60)
    assert (reply.status_code, reply.reason_phrase, reply.json()) == (200, "OK", {"a": 1})
    assert reply.headers["content-type"].startswith("application/json")
    assert (reply.request.method, reply.request.url) == ("POST", f"{web.base_url}/x")
    assert 0 < reply.elapsed.total_seconds() < 60
    (received,) = web.journal
    assert (received.method, received.body, received.headers["metadata-flavor"]) == ("POST", b'{"q": 1}', "Google")


def test_without_a_body(fetched: Any, web: Server) -> None:
    assert fetched("GET", f"{web.base_url}/x", headers={}, timeout=60).json() == {"a": 1}
    assert (web.journal[0].method, web.journal[0].body) == ("GET", b"")


def test_errors_of_the_server_are_replies(fetched: Any, web: Server) -> None:
    web.fault(status=403, body={"error": "denied"})
    reply = fetched("GET", f"{web.base_url}/x", headers={}, timeout=60)
    assert (reply.status_code, reply.json()) == (403, {"error": "denied"})


def test_redirects_are_replies(fetched: Any, web: Server) -> None:
    """A metadata endpoint does not redirect; credentials must not follow to another place."""
    web.fault(status=302, headers={"location": f"{web.base_url}/x"})
    reply = fetched("GET", f"{web.base_url}/x", headers={}, timeout=60)
    assert (reply.status_code, reply.headers["location"]) == (302, f"{web.base_url}/x")
    assert web.request_count == 1


def test_no_server(fetched: Any) -> None:
    with Server() as gone:
        url = f"{gone.base_url}/x"
    with pytest.raises(APIConnectionError) as caught:
        fetched("GET", url, headers={}, timeout=60)
    assert not isinstance(caught.value, APITimeoutError)


def test_a_silent_server(fetched: Any, web: Server) -> None:
    web.fault(delay=60)
    with pytest.raises(APITimeoutError):
        fetched("GET", f"{web.base_url}/x", headers={}, timeout=0.05)


async def test_the_limit_is_for_the_whole_request(raw_server: Any) -> None:
    """A server that sends a byte now and then never lets a wait for the next byte time out."""

    async def dribble(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(server.head(length=2**20))
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)
            await writer.drain()

    server = await raw_server(dribble)
    with pytest.raises(APITimeoutError):
        await asyncio.to_thread(fetch, "GET", server.base_url, headers={}, timeout=0.2)


def test_a_long_reply_is_refused(web: Server) -> None:
    web.fault(body=b"x" * 2**20)
    assert len(fetch("GET", f"{web.base_url}/x", headers={}, timeout=60).content) == 2**20
    web.fault(body=b"x" * (2**20 + 1))
    with pytest.raises(APIResponseValidationError, match=f"max_response_bytes={2**20}"):
        fetch("GET", f"{web.base_url}/x", headers={}, timeout=60)


def test_wiring_reaches_the_session(web: Server) -> None:
    with pytest.raises(APIConnectionError):
        fetch("GET", f"{web.base_url}/x", headers={}, timeout=60, proxy="http://127.0.0.1:1")
    assert web.request_count == 0


def test_connections_are_closed(fetched: Any, web: Server) -> None:
    before = threading.active_count()
    fetched("GET", f"{web.base_url}/x", headers={}, timeout=60)
    web.fault(reset=True, times=None)
    with pytest.raises(APIConnectionError):
        fetched("GET", f"{web.base_url}/x", headers={}, timeout=60)
    assert threading.active_count() == before


async def test_an_interrupt_in_the_other_thread_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def interrupted(coroutine: Any) -> None:
        threads.append(threading.current_thread())
        coroutine.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch_module.asyncio, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("GET", "http://127.0.0.1:1/", headers={}, timeout=60)
    # A second Ctrl-C ends the program although the request still runs.
    assert [(thread.name, thread.daemon) for thread in threads] == [("aiopenai-fetch", True)]
