"""The way of each call of a pool: over a socket, or over HTTP, in both clients."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import mock

import pytest

from aiopenai import APITimeoutError, OpenAIError, Timeout
from aiopenai._http.interface import Settings
from aiopenai._live.pool_attempts import _PooledSession, _PooledSessions, _start_of
from aiopenai._live.pool_sockets import SocketPool
from aiopenai.testing import Server

from .conftest import Both, Peer
from .played import PlayedSocket
from .pooling import ASK, Answering, all_of, finished, pooled


async def test_other_methods_and_calls_with_headers_of_their_own_go_over_http(both: Both, server: Server) -> None:
    async with pooled(both, server) as responses:
        made = await both(responses.create, **ASK, extra_headers={"x-own": "1"})
        assert (await both(responses.retrieve, made.id)).id == made.id
        await both(responses.create, **ASK, extra_query={"a": "b"})
        await both(responses.create, **ASK, background=True)
        await both(responses.create, **ASK, idempotency_key="k")
    assert [each.method for each in server.journal] == ["POST", "GET", "POST", "POST", "POST"]
    assert server.journal[0].headers["x-own"] == "1"


async def test_an_error_is_retried_as_a_call_is(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say('{"type": "error", "status": 503, "error": {"message": "busy"}}')
        await peer.hear()
        await peer.say(*finished(1))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server, max_retries=1) as responses:
        assert (await both(responses.create, **ASK)).output_text == "ok"
        assert (len(server.requests), server.posted) == (1, [])


async def test_a_failed_handshake_leads_to_http(both: Both, server: Server) -> None:
    server.fault(status=503, match=lambda request: request.method == "GET", times=None)
    async with pooled(both, server) as responses:
        made = await asyncio.gather(*(both(responses.create, **ASK) for _ in range(9)))
        events = await all_of(both, await both(responses.create, **ASK, stream=True))
    assert {each.output_text for each in made} == {"You said: Hi"}
    assert events[-1].type == "response.completed"
    methods = [each.method for each in server.journal]
    assert methods.count("POST") == 10
    # After the first failures no call waits for another handshake.
    assert methods.count("GET") <= 2


async def test_a_socket_lost_before_the_first_event_leads_to_http(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        peer.cut()

    async with Answering(script) as server, pooled(both, server) as responses:
        assert (await both(responses.create, **ASK)).output_text == "by http"
        assert server.posted == [ASK]


async def test_the_wait_for_a_socket_has_a_limit() -> None:
    heard = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.socket.receive()

    both = Both(blocking=False)
    async with Answering(silent) as server, pooled(both, server, size=1) as responses:
        running = asyncio.create_task(responses.create(**ASK))
        await heard.wait()
        with pytest.raises(APITimeoutError, match="no socket of the pool"):
            await responses.create(**ASK, timeout=Timeout(read=10, connect=10, pool=0.05))
        running.cancel()
    await both.close()


@pytest.mark.parametrize(
    ("body", "context", "stream", "sent_fields"),
    [
        ({"input": "Hi"}, None, False, {"input": "Hi"}),
        ({"input": "Hi", "stream": True}, None, True, {"input": "Hi"}),
        ({"input": "Hi", "stream": False, "background": False}, None, False, {"input": "Hi"}),
        ({"input": "Hi", "stream": None, "background": None}, None, False, {"input": "Hi"}),
        ({"previous_response_id": "r"}, "r", False, {"previous_response_id": "r"}),
        # The server judges values of a wrong type.
        ({"previous_response_id": 5}, None, False, {"previous_response_id": 5}),
        ({"stream": "yes"}, None, True, {}),
        ({"type": "mine"}, None, False, {}),
    ],
    ids=["plain", "stream", "off", "null", "context", "number", "word", "type"],
)
def test_bodies_as_events(body: Any, context: str | None, stream: bool, sent_fields: dict[str, Any]) -> None:
    start = _start_of(json.dumps(body).encode())
    assert start is not None
    assert (start.context, start.stream) == (context, stream)
    assert json.loads(start.frame) == {"type": "response.create", **sent_fields}


@pytest.mark.parametrize(
    "body",
    [b'{"background": true}', b'{"background": 1}', b"[]", b"", b"no json", b"\xff", b'{"a":', "{}", None, object()],
    ids=["background", "number", "list", "empty", "text", "bytes", "cut", "str", "none", "upload"],
)
def test_bodies_that_no_socket_carries(body: Any) -> None:
    assert _start_of(body) is None


def test_a_context_that_no_reader_takes() -> None:
    assert _start_of(b'{"previous_response_id": "\xff"}') is None


class Plain:
    """A session over HTTP that notes what it is asked for."""

    closed = False

    def __init__(self) -> None:
        self.settings = Settings()
        self.asked: list[str] = []

    async def send(self, *given: Any) -> Any:
        self.asked.append("send")
        return given

    def general(self) -> Any:
        self.asked.append("general")
        return "general"

    async def shut(self) -> None:
        self.asked.append("shut")

    def forget(self) -> None:
        self.asked.append("forget")


async def test_a_pooled_session_is_its_session_in_all_else() -> None:
    plain: Any = Plain()
    session = _PooledSession(plain, SocketPool(PlayedSocket, 1))  # type: ignore[arg-type]
    assert session.settings is plain.settings
    given: tuple[Any, ...] = ("POST", "http://x/responses", {"a": "b"}, b"[]", Timeout(5))
    assert await session.send(*given) == given
    assert session.general() == "general"
    session.forget()
    await session.shut()
    assert plain.asked == ["send", "general", "forget", "shut"]
    assert not session.closed
    plain.closed = True
    assert session.closed


async def test_sessions_are_those_of_the_client() -> None:
    plain: Any = Plain()

    class Shared:
        block = "block"
        closed_error = "closed"
        found: Any = None

        def current(self) -> Any:
            return self.found

        async def open(self, method: str, url: str) -> Any:
            self.found = plain
            return plain

    shared: Any = Shared()
    sessions = _PooledSessions(shared, SocketPool(PlayedSocket, 1))  # type: ignore[arg-type]
    assert (sessions.block, sessions.closed_error, sessions.current()) == ("block", "closed", None)
    opened: Any = await sessions.open("POST", "u")
    current: Any = sessions.current()
    assert opened._session is current._session is plain


async def test_a_call_of_another_loop_goes_over_http(server: Server) -> None:
    both = Both(blocking=False)
    async with pooled(both, server) as responses:
        await responses.create(**ASK)

        async def call() -> str:
            return (await responses.create(**ASK)).output_text  # type: ignore[no-any-return]

        assert await asyncio.to_thread(lambda: asyncio.run(call())) == "You said: Hi"
    assert [each.method for each in server.journal] == ["GET", "POST"]
    await both.close()


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({"extra_headers": {"X-Stainless-Helper-Method": "mine"}}, "GET"),
        ({"extra_headers": {"X-Stainless-Raw": "1", "other": "1"}}, "POST"),
        ({"extra_query": {}}, "GET"),
        ({"extra_body": {"background": False}}, "GET"),
        ({"extra_body": {"background": True}}, "POST"),
    ],
    ids=["helper", "own", "no query", "foreground", "background"],
)
async def test_headers_queries_and_bodies_choose_the_way(server: Server, given: dict[str, Any], method: str) -> None:
    both = Both(blocking=False)
    async with pooled(both, server) as responses:
        await responses.create(**ASK, **given)
    assert [each.method for each in server.journal] == [method]
    await both.close()


async def test_a_socket_that_is_lost_in_the_send_leads_to_http(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(*finished(1))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server, size=1) as responses:
        await both(responses.create, **ASK)
        # The pool cannot know of it before the send.
        sockets: Any = responses._client._attempts._pool
        (socket,) = sockets._free
        refuse = mock.AsyncMock(side_effect=socket.websocket.closed_error())
        with mock.patch.object(type(socket.websocket), "send", refuse):
            assert (await both(responses.create, **ASK)).output_text == "by http"
        assert (refuse.call_count, server.posted) == (1, [ASK])


async def test_after_the_pool_not_even_http_is_used(server: Server) -> None:
    both = Both(blocking=False)
    async with pooled(both, server) as responses:
        await responses.create(**ASK)
    for given in ({}, {"extra_headers": {"x-own": "1"}}):
        with pytest.raises(OpenAIError, match="pool of sockets is closed"):
            await responses.create(**ASK, **given)
    assert len(server.journal) == 1
    await both.close()
