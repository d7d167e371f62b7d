from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.http import CHAT, Api, raw, raw_request, until

CHAT_BYTES = json.dumps(CHAT).encode()


async def test_a_status_with_headers_for_some_times(api: Api) -> None:
    fault = api.server.fault(status=429, headers={"Retry-After": "1"}, times=2)
    for _ in range(2):
        got = await api("POST", "/chat/completions", CHAT)
        assert got.status == 429
        assert got.headers["retry-after"] == "1"
        assert got.error()["code"] == "rate_limit_exceeded"
    await api.ok("POST", "/chat/completions", CHAT)
    assert fault.applied == 2
    assert [request.fault for request in api.server.journal] == [fault, fault, None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 599])
async def test_statuses_have_the_error_body_of_the_api(api: Api, status: int) -> None:
    api.server.fault(status=status)
    error = await api.fails(status, "GET", "/models")
    assert error["message"]
    assert error["type"]


async def test_faults_come_in_order_and_by_match(api: Api) -> None:
    api.server.fault(status=500, match="/embeddings")
    api.server.fault(status=502, match=lambda request: request.query.get("x") == "1", times=None)
    api.server.fault(status=503)
    await api.fails(503, "GET", "/models")
    await api.ok("GET", "/models")
    for _ in range(3):
        await api.fails(502, "GET", "/models?x=1")
    await api.fails(500, "POST", "/embeddings?x=1")
    await api.fails(502, "POST", "/embeddings?x=1")
    api.server.clear_faults()
    await api.ok("GET", "/models?x=1")


async def test_bodies_of_ones_own(api: Api) -> None:
    api.server.fault(body=b"<html>Log in</html>", content_type="text/html")
    api.server.fault(body={"error": {"message": "x", "code": "insufficient_quota"}}, status=429)
    api.server.fault(body="")
    api.server.fault(status=204)
    got = await api("POST", "/chat/completions", CHAT)
    assert (got.status, got.headers["content-type"], got.body) == (200, "text/html", b"<html>Log in</html>")
    got = await api("POST", "/chat/completions", CHAT)
    assert (got.status, got.json()["error"]["code"]) == (429, "insufficient_quota")
    got = await api("POST", "/chat/completions", CHAT)
    assert (got.status, got.body) == (200, b"")
    got = await api("POST", "/chat/completions", CHAT)
    assert (got.status, got.body) == (204, b"")
    assert "content-length" not in got.headers
    assert api.server.connections == 1


async def test_headers_replace_the_servers_own(api: Api) -> None:
    api.server.fault(headers={"X-Request-Id": "mine", "Content-Type": "text/plain", "x-should-retry": "false"})
    got = await api("POST", "/chat/completions", CHAT)
    assert got.headers.getall("x-request-id") == ["mine"]
    assert got.headers.getall("content-type") == ["text/plain"]
    assert got.headers["x-should-retry"] == "false"
    assert got.json()["object"] == "chat.completion"


async def test_headers_may_lie_about_the_length(api: Api) -> None:
    api.server.fault(headers={"content-length": "9999", "connection": "close"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("POST", "/chat/completions", CHAT)
    got = await raw(api.server, raw_request("/models/gpt-4o", b"", "connection: close", verb="GET"))
    assert got.count(b"connection: close") == 1


async def test_delay(api: Api) -> None:
    api.server.fault(delay=0.1)
    started = time.monotonic()
    await api.ok("POST", "/chat/completions", CHAT)
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("stream", [False, True])
async def test_cut_at_every_byte(server: Server, stream: bool) -> None:
    request = raw_request("/chat/completions", json.dumps({**CHAT, "stream": stream}).encode())
    ended = request.replace(b"content-length", b"connection: close\r\ncontent-length")
    # The length of the head depends on the time that a reply took.
    fixed = {"openai-processing-ms": "1"}
    server.fault(headers=fixed)
    whole = await raw(server, ended)
    without = len(whole.replace(b"connection: close\r\n", b""))
    for size in [*range(40), *range(40, without, 37), without - 1, without]:
        server.fault(cut_after=size, headers=fixed)
        got = await raw(server, request)
        assert len(got) == size
    server.fault(cut_after=len(whole) + 1, headers=fixed)
    assert len(await raw(server, ended)) == len(whole)


async def test_what_a_client_sees_of_a_cut(api: Api) -> None:
    api.server.fault(cut_after=0)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await api("POST", "/chat/completions", CHAT)
    api.server.fault(cut_after=600)
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("POST", "/chat/completions", CHAT)
    api.server.fault(cut_after=900)
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("POST", "/chat/completions", {**CHAT, "stream": True})
    api.server.fault(status=500, body="x" * 1000, cut_after=700)
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("POST", "/chat/completions", CHAT)
    await api.ok("POST", "/chat/completions", CHAT)


async def test_a_big_reply_is_cut_exactly(server: Server) -> None:
    server.reply_with("/big", b"x" * 3_000_000)
    server.fault(cut_after=2_000_000)
    assert len(await raw(server, raw_request("/big", b"", verb="GET"))) == 2_000_000


async def test_reset(server: Server) -> None:
    server.fault(reset=True)
    with pytest.raises(ConnectionResetError):
        await raw(server, raw_request("/chat/completions", CHAT_BYTES))


@pytest.mark.parametrize("size", [0, 5, 700])
async def test_stall(server: Server, size: int) -> None:
    server.fault(stall_after=size)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw_request("/chat/completions", json.dumps({**CHAT, "stream": True}).encode()))
    assert len(await reader.readexactly(size)) == size
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.05)
    assert server.open_connections == 1
    writer.close()
    await writer.wait_closed()
    await until(lambda: not server.open_connections)


@pytest.mark.parametrize(
    "options",
    [
        {"status": 100},
        {"status": 600},
        {"times": 0},
        {"delay": -1},
        {"cut_after": -1},
        {"stall_after": -1},
        {"cut_after": 1, "stall_after": 1},
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"": "b"}},
    ],
)
def test_faults_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|either|count|header"):
        Server().fault(**options)  # type: ignore[arg-type]


# Prepared replies


@pytest.mark.parametrize("size", [1, 7, 4096, None])
async def test_reply_with_bytes_in_chunks(api: Api, size: int | None) -> None:
    body = b"data: {}\n\n" * 50 + b"data: [DONE]\n\n"
    api.server.reply_with("/chat/completions", body, content_type="text/event-stream", chunk_size=size)
    async with api.session.post(api.server.base_url + "/chat/completions", json=CHAT) as response:
        assert response.headers["content-type"] == "text/event-stream"
        chunks = [data async for data, _ in response.content.iter_chunks()]
    assert b"".join(chunks) == body
    if size is None:
        assert response.headers["content-length"] == str(len(body))
    elif size < 4096:
        assert all(len(chunk) <= size for chunk in chunks)


async def test_replies_queue_up(api: Api) -> None:
    reply = api.server.reply_with("/models", "one", times=2)
    api.server.reply_with("/models", {"two": 2}, status=201, headers={"x-a": "b"})
    assert [(await api("GET", "/models")).body for _ in range(4)] == [b"one", b"one", b'{"two":2}', b'{"two":2}']
    got = await api("DELETE", "/models")
    assert (got.status, got.headers["x-a"], got.headers["content-type"]) == (201, "b", "application/json")
    assert reply.applied == 2
    api.server.reply_with("/models", [3])
    assert (await api("GET", "/models")).body == b"[3]"
    api.server.reply_with("/made/up", "four")
    assert (await api("GET", "/made/up")).body == b"four"
    await api.ok("GET", "/models/gpt-4o")
    api.server.clear_replies()
    await api.fails(404, "GET", "/made/up")


async def test_faults_go_before_prepared_replies(api: Api) -> None:
    api.server.reply_with("/models", "one", headers={"x-a": "b"})
    api.server.fault(status=500)
    api.server.fault(headers={"x-b": "c"})
    await api.fails(500, "GET", "/models")
    got = await api("GET", "/models")
    assert (got.body, got.headers["x-a"], got.headers["x-b"]) == (b"one", "b", "c")


@pytest.mark.parametrize("options", [{"status": 99}, {"chunk_size": 0}, {"times": 0}, {"headers": {"a": "\n"}}])
def test_replies_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|header"):
        Server().reply_with("/models", "", **options)  # type: ignore[arg-type]
