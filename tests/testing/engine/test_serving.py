from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import RateLimits, Server
from aiopenai.testing.engine.wire import Connection
from tests.testing.http import CHAT, Api, raw, raw_request, until

CHAT_BYTES = json.dumps(CHAT).encode()


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
    async with Server(latency=0.2) as server, aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session:
        api = Api(server, session)
        started = time.monotonic()
        await asyncio.gather(*(api.ok("GET", "/models/gpt-4o") for _ in range(50)))
        # One after another they take ten seconds.
        assert 0.2 <= time.monotonic() - started < 8


async def test_a_thousand_connections_at_once() -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with Server(latency=0.2) as server, aiohttp.ClientSession(connector=connector) as session:
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        await asyncio.gather(*(api.ok("GET", "/models/gpt-4o", headers=headers) for _ in range(400)))
        assert server.connections > 100
    assert server.open_connections == 0


DEEP = 100_000
JSON = {"content-type": "application/json"}


def deep(levels: int) -> dict[str, bytes]:
    """Bodies that nest so deeply, in several shapes."""
    arrays = b"[" * levels + b"]" * levels
    objects = b'{"a":' * levels + b"1" + b"}" * levels
    return {
        "array": arrays,
        "object": objects,
        "inside": b'{"model": "gpt-4o", "messages": ' + arrays + b', "input": "x", "tools": ' + objects + b"}",
        "unclosed": b"[" * levels,
    }


@pytest.mark.parametrize("shape", sorted(deep(1)))
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings", "/threads", "/vector_stores"])
async def test_a_body_that_nests_too_deeply(api: Api, path: str, shape: str, caplog: pytest.LogCaptureFixture) -> None:
    error = await api.fails(400, "POST", path, data=deep(DEEP)[shape], headers=JSON)
    assert error["type"] == "invalid_request_error"
    with pytest.raises(ValueError, match=r"nests too deeply|Expecting value|Extra data"):
        api.server.journal[-1].json()
    assert not caplog.records


@pytest.mark.parametrize("levels", [200, 500, 900, 1_000, 2_000, 20_000])
async def test_nesting_at_the_edge_is_no_server_error(api: Api, levels: int) -> None:
    filters = b'{"query": "x", "filters": ' + b'{"type": "and", "filters": [' * levels + b"]}" * levels + b"}"
    store = await api.ok("POST", "/vector_stores", {})
    file = await api.ok("POST", "/files", data=_form())
    await api.ok("POST", f"/vector_stores/{store['id']}/files", {"file_id": file["id"]})
    for _ in range(3):
        await api.ok("GET", f"/vector_stores/{store['id']}")
    got = await api("POST", f"/vector_stores/{store['id']}/search", data=filters, headers=JSON)
    assert got.status in (200, 400)
    for body in deep(levels).values():
        for path in ("/chat/completions", "/responses"):
            assert (await api("POST", path, data=body, headers=JSON)).status == 400
    tools = b'{"model": "gpt-4o", "input": "x", "metadata": {}, "prompt": ' + deep(levels)["object"] + b"}"
    assert (await api("POST", "/responses", data=tools, headers=JSON)).status in (200, 400)


def _form() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("purpose", "assistants")
    form.add_field("file", b"some x", filename="x.txt")
    return form


async def test_deep_bodies_with_rate_limits_and_in_batches() -> None:
    async with (
        Server(limits=RateLimits(rpm=60, tpm=1_000_000)) as server,
        aiohttp.ClientSession(headers={"authorization": "Bearer test"}) as session,
    ):
        api = Api(server, session)
        await api.fails(400, "POST", "/chat/completions", data=b"[" * DEEP, headers=JSON)
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", b"[" * DEEP, filename="x.jsonl")
        file = await api.ok("POST", "/files", data=form)
        window = {"completion_window": "24h", "endpoint": "/v1/responses"}
        batch = await api.ok("POST", "/batches", {"input_file_id": file["id"], **window})
        batch = await api.ok("GET", f"/batches/{batch['id']}")
        assert batch["errors"]["data"][0]["code"] == "invalid_json_line"


async def test_an_endless_answer_is_a_server_error(api: Api) -> None:
    def endless(text: str) -> str:
        return endless(text)

    api.server.answer = endless
    error = await api.fails(500, "POST", "/chat/completions", CHAT)
    assert "RecursionError" in error["message"]


async def test_events_keep_their_schedule_after_a_pause(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []

    async def passes_late(self: Connection, end: float | None) -> None:
        assert end is not None
        ends.append(end)
        await asyncio.sleep(0.01)

    monkeypatch.setattr(Connection, "sleep_until", passes_late)
    api.server.token_delay, api.server.latency = 100, 50
    got = await api("POST", "/chat/completions", {**CHAT, "stream": True})
    # The first wait is the latency.
    gaps = [round(later - earlier, 6) for earlier, later in itertools.pairwise(ends)]
    assert len(gaps) == len(got.events())
    assert set(gaps) == {100}
