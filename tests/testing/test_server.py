from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import testing
from aiopenai.testing import ReceivedRequest, Server, serve_forever

from .http import CHAT, Api, raw, raw_request, until

CHAT_BYTES = json.dumps(CHAT).encode()


# Life


async def test_starts_on_a_free_port_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    assert "not running" in repr(server)
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.base_url
    assert server.connections == server.open_connections == 0
    await server.close()
    async with server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
        assert server.base_url in repr(server)
        with pytest.raises(RuntimeError, match="already running"):
            await server.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.close()
    async with server:
        pass
    assert not caplog.records


async def test_names_hosts_that_clients_can_reach() -> None:
    async with Server(host="0.0.0.0") as server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"


async def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    async with Server(host="::1") as server:
        assert server.base_url == f"http://[::1]:{server.port}/v1"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, "req", *kind, *name, *files], check=True, capture_output=True)
    return certificate, key


async def test_https(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trust = ssl.create_default_context(cafile=certificate[0])
    connector = aiohttp.TCPConnector(ssl=trust)
    async with Server(ssl=context) as server, aiohttp.ClientSession(connector=connector) as session:
        assert server.base_url.startswith("https://127.0.0.1:")
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        got = await api("POST", "/chat/completions", {**CHAT, "stream": True}, headers=headers)
        assert got.events()[-1] == "[DONE]"
        server.fault(cut_after=700)
        # Not by aiohttp's client: on Python 3.10 it leaves a TLS transport unclosed that the server has closed.
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
        writer.write(raw_request("/chat/completions", CHAT_BYTES))
        assert len(await reader.read()) == 700
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_handshake_that_never_ends_keeps_no_server_from_closing(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    started = time.monotonic()
    async with Server(ssl=context) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert time.monotonic() - started < 10.0
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_the_repr_holds_no_key() -> None:
    async with Server(api_key="sk-canary") as server, aiohttp.ClientSession() as session:
        async with session.get(server.base_url + "/models", headers={"authorization": "Bearer sk-canary"}) as response:
            assert response.status == 200
        assert "canary" not in repr(server)
        assert "canary" not in repr(server.journal)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="latency"):
        Server(latency=-1)
    with pytest.raises(ValueError, match="journal"):
        Server(max_journal_entries=0)


def test_runs_in_a_thread() -> None:
    with Server() as server:
        for number in range(1, 4):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request("POST", "/v1/chat/completions", CHAT_BYTES, {"Authorization": "Bearer x"})
            reply = json.loads(connection.getresponse().read())
            connection.close()
            assert reply["choices"][0]["message"]["content"] == "You said: hi there"
            assert server.connections == number
        assert len(server.journal) == 3
        with pytest.raises(RuntimeError, match="already running"):
            server.__enter__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_thread_reports_why_it_cannot_start() -> None:
    with Server() as server, pytest.raises(OSError, match="in use"), Server(port=server.port):
        pass


async def test_serve_forever_until_cancelled() -> None:
    ready: asyncio.Queue[Server] = asyncio.Queue()
    task = asyncio.create_task(serve_forever(port=0, on_ready=ready.put_nowait, answer="x"))
    server = await ready.get()
    async with aiohttp.ClientSession() as session:
        assert (await Api(server, session)("GET", "/models", headers={"authorization": "Bearer x"})).status == 200
    assert server.journal == []
    assert server.request_count == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize("trouble", ["stream", "stall", "delay", "upload", "slow reader", "idle"])
async def test_closes_at_once_whatever_is_going_on(trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with Server(token_delay=60.0 if trouble == "stream" else 0.0) as server:
        if trouble == "stall":
            server.fault(stall_after=10)
        if trouble == "delay":
            server.fault(delay=60)
        if trouble == "slow reader":
            server.reply_with("/chat/completions", b"x" * 64_000_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        if trouble == "upload":
            writer.write(
                raw_request("/files", b"")[:-4].replace(b"content-length: 0", b"content-length: 99") + b"\r\n\r\nx"
            )
        elif trouble != "idle":
            writer.write(raw_request("/chat/completions", json.dumps({**CHAT, "stream": trouble == "stream"}).encode()))
        if trouble in ("stream", "stall", "slow reader"):
            assert await reader.readexactly(10) == b"HTTP/1.1 2"
        else:
            await until(lambda: server.journal if trouble == "delay" else server.connections)
        started = time.monotonic()
    assert time.monotonic() - started < 5.0
    assert server.open_connections == 0
    writer.close()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(100_000_000)
    assert not caplog.records
    assert all(task is asyncio.current_task() for task in asyncio.all_tasks())


# Headers, authorization, errors


async def test_every_reply_has_the_headers_of_the_api(api: Api) -> None:
    first = await api("POST", "/chat/completions", CHAT)
    second = await api("GET", "/nothing")
    third = await api("POST", "/chat/completions", {**CHAT, "stream": True})
    ids = [got.headers["x-request-id"] for got in (first, second, third)]
    assert len(set(ids)) == 3
    assert all(identity.startswith("req_") and len(identity) == 36 for identity in ids)
    for got in (first, second, third):
        assert got.headers["openai-version"] == "2020-10-01"
        assert int(got.headers["openai-processing-ms"]) >= 0
        assert int(got.headers["x-ratelimit-limit-requests"]) > int(got.headers["x-ratelimit-remaining-requests"])
        assert got.headers["x-ratelimit-reset-requests"].endswith("ms")
        assert got.headers["x-ratelimit-reset-tokens"].endswith("ms")
    limit = int(first.headers["x-ratelimit-limit-tokens"])
    assert limit - int(first.headers["x-ratelimit-remaining-tokens"]) == first.json()["usage"]["total_tokens"]
    assert int(second.headers["x-ratelimit-remaining-tokens"]) == limit


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic abc"])
async def test_a_key_is_needed(server: Server, value: str | None) -> None:
    headers = {} if value is None else {"authorization": value}
    async with aiohttp.ClientSession() as session:
        error = await Api(server, session).fails(401, "GET", "/models", headers=headers)
    assert error["code"] == "invalid_api_key"


async def test_a_certain_key_may_be_needed() -> None:
    async with Server(api_key="right") as server, aiohttp.ClientSession() as session:
        for key, status in (("wrong", 401), ("right", 200)):
            async with session.get(server.base_url + "/models", headers={"authorization": f"Bearer {key}"}) as response:
                assert response.status == status
                assert b"wrong" not in await response.read()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "unknown_url"),
        ("GET", "/chat/completions/a/b/c", 404, "unknown_url"),
        ("GET", "/chat/completions//messages", 404, "unknown_url"),
        ("PUT", "/chat/completions", 405, "method_not_supported"),
        ("PATCH", "/files/file-1", 405, "method_not_supported"),
        ("GET", "/embeddings", 405, "method_not_supported"),
    ],
)
async def test_unknown_paths_and_verbs(api: Api, method: str, path: str, status: int, code: str) -> None:
    error = await api.fails(status, method, path)
    assert error["code"] == code
    assert error["type"] == "invalid_request_error"


async def test_a_wrong_verb_names_the_right_ones(api: Api) -> None:
    assert (await api("PUT", "/files/x")).headers["allow"] == "DELETE, GET"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b'{"a": "\xff"}'])
async def test_bodies_that_are_not_json_objects(api: Api, body: bytes) -> None:
    got = await api("POST", "/chat/completions", data=body)
    assert got.status == 400
    assert got.error()["type"] == "invalid_request_error"


async def test_an_empty_body_misses_everything(api: Api) -> None:
    error = await api.fails(400, "POST", "/chat/completions")
    assert (error["param"], error["code"]) == ("messages", "missing_required_parameter")


async def test_bodies_are_bounded() -> None:
    async with Server(max_body_bytes=100) as server, aiohttp.ClientSession() as session:
        for size, status in ((100, 400), (101, 413), (1_000_000, 413)):
            url = server.base_url + "/chat/completions"
            async with session.post(url, data=b"x" * size, headers={"authorization": "Bearer x"}) as response:
                assert response.status == status
                assert (await response.json())["error"]["code"] == ("request_too_large" if status == 413 else None)


async def test_a_failing_answer_is_a_server_error(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def fail(prompt: str) -> str:
        raise LookupError("no answer")

    api.server.answer = fail
    error = await api.fails(500, "POST", "/chat/completions", CHAT)
    assert error["type"] == "server_error"
    assert "LookupError" in error["message"]
    (record,) = caplog.records
    assert record.exc_info is not None


# HTTP


async def test_one_connection_serves_many_requests(api: Api) -> None:
    for _ in range(20):
        await api.ok("POST", "/chat/completions", CHAT)
        await api("POST", "/chat/completions", {**CHAT, "stream": True})
        await api("GET", "/nothing")
    assert api.server.connections == api.server.open_connections == 1
    assert {request.connection for request in api.server.journal} == {1}


async def test_pipelined_requests(server: Server) -> None:
    last = raw_request("/models/gpt-4o", b"", "connection: close", verb="GET")
    got = await raw(server, raw_request("/chat/completions", CHAT_BYTES) * 3 + last)
    assert got.count(b"HTTP/1.1 200 OK") == 4


async def test_connection_close_is_obeyed(server: Server) -> None:
    got = await raw(server, raw_request("/chat/completions", CHAT_BYTES, "connection: close"))
    assert b"\r\nconnection: close\r\n" in got


async def test_http_1_0(server: Server) -> None:
    stream = json.dumps({**CHAT, "stream": True}).encode()
    got = await raw(server, raw_request("/chat/completions", stream).replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")
    got = await raw(server, raw_request("/chat/completions", CHAT_BYTES).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert json.loads(got.partition(b"\r\n\r\n")[2])["object"] == "chat.completion"


async def test_head_has_no_body(server: Server) -> None:
    got = await raw(server, raw_request("/models", b"", "connection: close", verb="HEAD"))
    assert got.startswith(b"HTTP/1.1 405 ")
    assert got.endswith(b"\r\n\r\n")


async def test_expect_100_continue(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    request = raw_request("/chat/completions", CHAT_BYTES, "expect: 100-continue")
    writer.write(request[: -len(CHAT_BYTES)])
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(CHAT_BYTES)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_a_body_with_a_broken_encoding(api: Api) -> None:
    error = await api.fails(400, "POST", "/models", data=b"nonsense" * 100, headers={"content-encoding": "gzip"})
    assert "body" in error["message"]


async def test_a_client_that_goes_away_does_no_harm(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.server.token_delay = 60.0
    async with api.session.post(api.server.base_url + "/chat/completions", json={**CHAT, "stream": True}) as response:
        await response.content.readany()
        response.close()
    await until(lambda: not api.server.open_connections)
    api.server.token_delay = 0.0
    await api.ok("POST", "/chat/completions", CHAT)
    assert not caplog.records


@pytest.mark.parametrize("stream", [False, True])
async def test_a_slow_reader_gets_everything(stream: bool) -> None:
    # Every event of a stream names the model: a long name makes big events.
    async with Server(models=["m" * 100_000], answer="word " * 200) as server:
        if not stream:
            server.reply_with("/chat/completions", b"x" * 20_000_000)
        body = json.dumps({**CHAT, "model": "m" * 100_000, "stream": stream}).encode()
        await read_slowly(server, raw_request("/chat/completions", body, "connection: close"), stream)


async def read_slowly(server: Server, request: bytes, stream: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
    writer.write(request)
    # The server has to wait for us, and then goes on.
    (connection,) = await paused(server)
    received = await reader.read()
    assert not connection.paused
    assert received.endswith(b"0\r\n\r\n" if stream else b"x")
    assert len(received) > 20_000_000
    writer.close()
    await writer.wait_closed()


async def paused(server: Server) -> Any:
    """The server's connections, as soon as one of them is held up by its client."""
    listener = server._listener
    assert listener is not None
    await until(lambda: any(connection.paused for connection in listener.connections))  # type: ignore[attr-defined]
    return listener.connections


async def test_every_event_is_a_chunk_of_its_own(api: Api) -> None:
    async with api.session.post(api.server.base_url + "/chat/completions", json={**CHAT, "stream": True}) as response:
        chunks: list[bytes] = []
        part = b""
        async for data, end in response.content.iter_chunks():
            part += data
            if end and part:
                chunks.append(part)
                part = b""
    assert len(chunks) == 8
    assert all(chunk.startswith(b"data: ") and chunk.count(b"\n\n") == 1 for chunk in chunks)


async def test_token_delay_paces_streams(api: Api) -> None:
    api.server.token_delay = 0.01
    started = time.monotonic()
    got = await api("POST", "/chat/completions", {**CHAT, "stream": True})
    assert time.monotonic() - started >= 0.01 * len(got.events())


async def test_latency_comes_before_every_reply() -> None:
    async with Server(latency=0.05) as server, aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session:
        api = Api(server, session)
        started = time.monotonic()
        await asyncio.gather(*(api.ok("GET", "/models/gpt-4o") for _ in range(50)))
        assert 0.05 <= time.monotonic() - started < 2.5


async def test_a_thousand_connections_at_once() -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with Server(latency=0.05) as server, aiohttp.ClientSession(connector=connector) as session:
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        await asyncio.gather(*(api.ok("GET", "/models/gpt-4o", headers=headers) for _ in range(400)))
        assert server.connections > 100
    assert server.open_connections == 0


# The journal


async def test_the_journal(api: Api) -> None:
    before = time.monotonic()
    await api.ok("POST", "/chat/completions?a=1&b=&a=%20x", CHAT, headers={"X-One": "two"})
    await api("GET", "/chat/completions/a%2Fb")
    first, second = api.server.journal
    assert isinstance(first, ReceivedRequest)
    assert (first.method, first.path) == ("POST", "/v1/chat/completions")
    assert first.query_list == [("a", "1"), ("b", ""), ("a", " x")]
    assert first.query == {"a": " x", "b": ""}
    assert first.headers["x-one"] == first.headers["X-ONE"] == "two"
    assert first.json() == CHAT
    assert json.loads(first.body) == CHAT
    assert first.fault is None
    assert before <= first.arrived <= second.arrived <= time.monotonic()
    assert second.path == "/v1/chat/completions/a/b"
    assert "POST /v1/chat/completions" in repr(first)
    assert api.server.requests_for("/chat/completions") == [first]
    assert api.server.requests_for("/chat/completions", "post") == [first]
    assert api.server.requests_for("/chat/completions", "GET") == []
    api.server.clear()
    assert api.server.journal == []
    assert api.server.request_count == 2
    with pytest.raises(ValueError, match="Expecting value"):
        second.json()
    with pytest.raises(ValueError, match="multipart"):
        second.multipart()


async def test_the_journal_is_bounded() -> None:
    async with (
        Server(max_journal_entries=3, max_journal_bytes=100) as server,
        aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session,
    ):
        api = Api(server, session)
        for number in range(5):
            await api("GET", f"/models/{number}")
        assert [request.path[-1] for request in server.journal] == ["2", "3", "4"]
        for size in (60, 40, 30):
            await api("POST", "/files", data=b"x" * size)
        assert [len(request.body) for request in server.journal] == [40, 30]
        await api("POST", "/files", data=b"x" * 500)
        assert [len(request.body) for request in server.journal] == [500]


async def test_no_journal() -> None:
    async with Server(journal=False) as server, aiohttp.ClientSession() as session:
        await Api(server, session)("GET", "/models")
        server.clear()
        assert server.journal == []
        assert server.request_count == 1


async def test_clear_forgets_what_was_stored(api: Api) -> None:
    stored = await api.ok("POST", "/chat/completions", {**CHAT, "store": True})
    await api.ok("DELETE", "/models/ft:gpt-4o-mini-2024-07-18:local::test")
    api.server.fault(status=500, times=None)
    api.server.reply_with("/models", "x")
    api.server.clear()
    await api.fails(404, "GET", f"/chat/completions/{stored['id']}")
    await api.ok("GET", "/models/ft:gpt-4o-mini-2024-07-18:local::test")
    assert (await api.ok("GET", "/models"))["object"] == "list"


async def test_same_input_same_output() -> None:
    outputs: list[Any] = []
    for _ in range(2):
        async with Server() as server, aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session:
            api = Api(server, session)
            outputs.append(
                [
                    (await api("POST", "/chat/completions", CHAT)).body,
                    (await api("POST", "/chat/completions", {**CHAT, "stream": True})).body,
                    (await api("POST", "/responses", {"model": "gpt-4o", "input": "x", "stream": True})).body,
                    (await api("POST", "/embeddings", {"model": "text-embedding-3-small", "input": "x"})).body,
                ]
            )
    assert outputs[0] == outputs[1]


async def test_a_clock_and_models_of_ones_own() -> None:
    async with Server(clock=lambda: 12.9, models=["mine"]) as server, aiohttp.ClientSession() as session:
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        reply = await api.ok("POST", "/chat/completions", {**CHAT, "model": "mine"}, headers=headers)
        assert (reply["created"], reply["model"]) == (12, "mine")
        assert [model["id"] for model in (await api.ok("GET", "/models", headers=headers))["data"]] == ["mine"]
        await api.fails(404, "POST", "/chat/completions", CHAT, headers=headers)


# The package


def test_public_names() -> None:
    assert set(testing.__all__) <= set(dir(testing))
    for name in testing.__all__:
        assert getattr(testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = testing.no_such_name
