from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from aiopenai.testing import Server
from aiopenai.testing.recording.upstream import Upstream
from tests.conftest import RawServer
from tests.testing.http import CHAT, Api, Got, raw, raw_request, until
from tests.testing.recording.conftest import content, files, player, recorder, stored

STREAM = {**CHAT, "stream": True}
Starts = Callable[..., Awaitable[RawServer]]


async def test_requests_reach_the_upstream_as_they_were_sent(recording: Api, upstream: Server) -> None:
    await recording.ok("POST", "/chat/completions", CHAT, headers={"x-mine": "1", "user-agent": "me/1"})
    await raw(recording.server, raw_request("/files?limit=2&after=file%2Fx", b"", "connection: close", verb="GET"))
    chat, files = upstream.journal
    assert chat.json() == CHAT
    assert chat.headers["authorization"] == "Bearer test"
    assert (chat.headers["x-mine"], chat.headers["user-agent"]) == ("1", "me/1")
    assert chat.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert files.raw_path == "/v1/files?limit=2&after=file%2Fx"
    # aiohttp adds none of its own.
    assert not {"user-agent", "accept", "content-type"} & {name.lower() for name in files.headers}


async def test_cookies_of_the_upstream_stay_with_their_client(upstream: Server, folder: Path) -> None:
    upstream.reply_with("/anything", {"a": 1}, headers={"set-cookie": "a=b"})
    # A jar of aiohttp keeps no cookies of addresses.
    async with recorder(folder, f"http://localhost:{upstream.port}/v1") as recording:
        for _ in range(2):
            await recording.ok("GET", "/anything")
    assert "cookie" not in upstream.journal[-1].headers


async def test_replies_pass_with_all_their_headers(recording: Api, upstream: Server, folder: Path) -> None:
    headers = {"set-cookie": "a=b", "openai-organization": "org-1", "x-mine": "1"}
    upstream.reply_with("/anything", {"a": 1}, status=201, headers=headers)
    got = await recording("GET", "/anything")
    assert (got.status, got.json()) == (201, {"a": 1})
    assert {name: got.headers[name] for name in headers} == headers
    kept = stored(folder)["reply"]["headers"]
    assert kept["x-mine"] == "1"
    assert not kept.keys() & {"set-cookie", "openai-organization", "date", "server"}


async def test_events_arrive_one_by_one(recording: Api, upstream: Server) -> None:
    # The stream stalls for good after its first events, and those are here.
    upstream.fault(stall_after=1500)
    async with recording.session.post(recording.server.base_url + "/chat/completions", json=STREAM) as reply:
        assert (await reply.content.readuntil(b"\n\n")).startswith(b"data: {")


async def test_errors_are_replayed_with_the_headers_that_clients_obey(
    recording: Api, upstream: Server, folder: Path
) -> None:
    upstream.fault(status=429, headers={"retry-after": "7", "x-ratelimit-remaining-requests": "0"})
    error = await recording.fails(429, "POST", "/chat/completions", CHAT)
    assert error["code"] == "rate_limit_exceeded"
    async with player(folder) as replaying:
        got = await replaying("POST", "/chat/completions", CHAT)
        assert (got.status, got.error()) == (429, error)
        assert (got.headers["retry-after"], got.headers["x-ratelimit-remaining-requests"]) == ("7", "0")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "bare deflate"])
async def test_compressed_replies_are_stored_readable(encoding: str, upstream: Server, folder: Path) -> None:
    body = b'{"a": "' + b"x" * 1000 + b'"}'
    bare = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "bare deflate": bare.compress(body) + bare.flush(),
    }
    name = encoding.rpartition(" ")[2]
    upstream.reply_with("/packed", packed[encoding], headers={"content-encoding": name}, chunk_size=7)
    async with recorder(folder, upstream.base_url) as recording:
        got = await recording("GET", "/packed")
        assert (got.body, got.headers["content-encoding"]) == (body, name)
    assert content(folder, "0001-packed.reply.json") == body
    async with player(folder) as replaying:
        got = await replaying("GET", "/packed")
        assert got.body == body
        assert "content-encoding" not in got.headers


@pytest.mark.parametrize("encoding", ["gzip", "x-strange"])
async def test_unreadable_encodings_are_replayed_as_they_are(encoding: str, upstream: Server, folder: Path) -> None:
    upstream.reply_with("/packed", b"not compressed", headers={"content-encoding": encoding})

    async def ask(api: Api) -> tuple[bytes, str]:
        reply = await raw(api.server, raw_request("/packed", b"", "connection: close", verb="GET"))
        head, _, body = reply.partition(b"\r\n\r\n")
        return body, head.decode().lower()

    async with recorder(folder, upstream.base_url) as recording:
        assert (await ask(recording))[0] == b"not compressed"
    async with player(folder) as replaying:
        body, head = await ask(replaying)
        assert body == b"not compressed"
        assert f"content-encoding: {encoding}\r\n" in head


async def test_the_upstream_is_asked_for_encodings_that_can_be_read(recording: Api, upstream: Server) -> None:
    for wanted, asked in {"br, gzip": "gzip", "zstd": "identity", "deflate, gzip;q=0.5": "gzip, deflate"}.items():
        await recording("GET", "/models", headers={"accept-encoding": wanted})
        assert upstream.journal[-1].headers["accept-encoding"] == asked


async def test_compressed_requests(recording: Api, upstream: Server, folder: Path) -> None:
    body = gzip.compress(b'{"model":"text-embedding-3-small","input":"hi"}')
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    await recording.ok("POST", "/embeddings", data=body, headers=headers)
    assert stored(folder)["request"]["json"]["input"] == "hi"


@pytest.mark.parametrize("verb", ["HEAD", "GET"])
async def test_replies_without_a_body(verb: str, upstream: Server, folder: Path) -> None:
    upstream.reply_with("/empty", b"", status=204 if verb == "GET" else 200)
    async with recorder(folder, upstream.base_url) as recording:
        got = await recording(verb, "/empty")
    async with player(folder) as replaying:
        again = await replaying(verb, "/empty")
    assert (again.status, again.body) == (got.status, got.body) == (204 if verb == "GET" else 200, b"")


async def test_broken_replies_break_again(upstream: Server, folder: Path) -> None:
    async def until_the_end(api: Api) -> bytes:
        got = b""
        async with api.session.post(api.server.base_url + "/chat/completions", json=STREAM) as reply:
            try:
                async for piece in reply.content.iter_any():
                    got += piece
            except aiohttp.ClientPayloadError:
                return got
        raise AssertionError("the reply is complete")

    upstream.fault(cut_after=1500)
    async with recorder(folder, upstream.base_url) as recording:
        got = await until_the_end(recording)
    assert got
    assert stored(folder)["reply"]["cut"] is True
    async with player(folder) as replaying:
        assert await until_the_end(replaying) == got


async def test_streams_that_the_client_leaves_are_recorded_so_far(upstream: Server, folder: Path) -> None:
    upstream.fault(stall_after=1500)
    async with recorder(folder, upstream.base_url) as recording:
        async with recording.session.post(recording.server.base_url + "/chat/completions", json=STREAM) as reply:
            first = await reply.content.readuntil(b"\n\n")
        await until(lambda: any(name.endswith(".sse") for name in files(folder)))
        # The connection to the upstream server ends as well.
        await until(lambda: upstream.open_connections == 0)
    assert stored(folder)["reply"]["cut"] is True
    async with (
        player(folder) as replaying,
        replaying.session.post(replaying.server.base_url + "/chat/completions", json=STREAM) as reply,
    ):
        assert await reply.content.readuntil(b"\n\n") == first


async def test_closing_the_server_writes_the_streams_in_progress(upstream: Server, folder: Path) -> None:
    upstream.fault(stall_after=1500)
    async with recorder(folder, upstream.base_url) as recording:
        reply = await recording.session.post(recording.server.base_url + "/chat/completions", json=STREAM)
        await reply.content.readuntil(b"\n\n")
        await recording.server.close()
        assert any(name.endswith(".sse") for name in files(folder))
        reply.close()


async def test_an_upstream_that_is_gone(folder: Path, upstream: Server) -> None:
    await upstream.close()
    async with recorder(folder, upstream.base_url) as recording:
        got = await recording("GET", "/models")
        assert got.status == 502
        assert got.error()["code"] == "upstream_unreachable"
        assert got.headers["x-should-retry"] == "false"
    assert files(folder) == []


async def test_waiting_for_an_upstream_ends_with_the_connection(raw_server: Starts, folder: Path) -> None:
    async def silent(server: RawServer, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.request(reader)
        await server.watch(reader)

    other = await raw_server(silent)
    async with recorder(folder, other.base_url) as recording:
        call = asyncio.ensure_future(recording("GET", "/models"))
        await until(lambda: other.requests)
        call.cancel()
        await asyncio.wait_for(other.gone.wait(), 30)
        await asyncio.wait([call])
    assert files(folder) == []


async def test_redirects_lead_to_the_recording_server(recording: Api, upstream: Server, folder: Path) -> None:
    upstream.reply_with("/moved", b"", status=307, headers={"location": f"{upstream.base_url}/models"})
    upstream.reply_with("/away", b"", status=307, headers={"location": "https://example.com/x"})
    got = await recording("GET", "/moved", allow_redirects=False)
    assert got.headers["location"] == "/v1/models"
    assert stored(folder)["reply"]["headers"]["location"] == "/v1/models"
    assert (await recording("GET", "/away", allow_redirects=False)).headers["location"] == "https://example.com/x"
    assert (await recording.ok("GET", "/moved"))["object"] == "list"


async def test_uploads_match_whatever_their_boundary(upstream: Server, folder: Path) -> None:
    async def upload(api: Api, data: bytes) -> Got:
        form = aiohttp.FormData()
        form.add_field("purpose", "user_data")
        form.add_field("file", data, filename="a.bin", content_type="application/octet-stream")
        return await api("POST", "/files", data=form)

    data = bytes(range(256)) * 500
    async with recorder(folder, upstream.base_url) as recording:
        got = await upload(recording, data)
        assert got.json()["bytes"] == len(data)
    assert stored(folder)["request"]["form"]["file"].keys() == {"filename", "sha256", "bytes"}
    async with player(folder) as replaying:
        assert (await upload(replaying, data)).body == got.body
        assert (await upload(replaying, data[:-1])).status == 404


async def test_faults_and_prepared_replies_go_first(recording: Api, upstream: Server, folder: Path) -> None:
    recording.server.fault(status=500)
    recording.server.reply_with("/mine", {"a": 1})
    await recording.fails(500, "GET", "/models")
    assert await recording.ok("GET", "/mine") == {"a": 1}
    recording.server.fault(cut_after=20)
    with pytest.raises(aiohttp.ClientError):
        await recording("POST", "/embeddings", {"model": "m", "input": "x"})
    assert upstream.request_count == 1


async def test_recordings_are_numbered_by_arrival(recording: Api, upstream: Server, folder: Path) -> None:
    upstream.fault(delay=0.2)
    await asyncio.gather(*(recording("GET", f"/models/m{number}") for number in range(5)))
    asked = [request.path.removeprefix("/v1/models/") for request in recording.server.journal]
    assert [stored(folder, number)["request"]["path"] for number in range(1, 6)] == [
        f"/v1/models/{name}" for name in asked
    ]


async def test_an_earlier_recording_is_not_lost(upstream: Server, folder: Path) -> None:
    async with Server() as server:
        made = server.record(folder, upstream=upstream.base_url)
        for path in ("/models", "/files"):
            await raw(server, raw_request(path, b"", "connection: close", verb="GET"))
    assert made.recorded == 2
    async with Server() as server:
        with pytest.raises(FileExistsError, match="has a recording already: delete it, or replace it"):
            server.record(folder, upstream=upstream.base_url)
    async with recorder(folder, upstream.base_url, replace=True) as recording:
        await recording("GET", "/batches")
    assert files(folder) == ["0001-batches.json", "0001-batches.reply.json"]


async def test_clear_ends_the_recording(recording: Api, upstream: Server) -> None:
    recording.server.clear()
    await recording.ok("GET", "/models")
    assert upstream.request_count == 0


@pytest.mark.parametrize(
    "url", ["", "api.openai.com", "ftp://x/v1", "http://", "http://x/v1?a=b", "http://me:pw@x/v1", "http://[x"]
)
def test_urls_that_are_no_base_url(url: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"^upstream '.*' (is no base URL|has a user in it)") as caught:
        Server().record(folder, upstream=url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://api.openai.com/v1", "/v1/models?a=%2F", "https://api.openai.com/v1/models?a=%2F"),
        ("https://api.openai.com/v1/", "/v1/models", "https://api.openai.com/v1/models"),
        ("https://api.openai.com", "/v1/models", "https://api.openai.com/v1/models"),
        ("https://openrouter.ai/api/v1", "/v1/models", "https://openrouter.ai/api/v1/models"),
        ("https://x.openai.azure.com", "/openai/deployments/d/x", "https://x.openai.azure.com/openai/deployments/d/x"),
        ("http://localhost:8000/v1", "/v10/x", "http://localhost:8000/v10/x"),
        ("http://localhost:8000/v1", "/", "http://localhost:8000/"),
    ],
)
def test_addresses(base: str, path: str, url: str) -> None:
    assert Upstream(base).url_of(path) == url
