from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from aiopenai.testing import Server
from tests.testing.http import CHAT, raw, raw_request
from tests.testing.recording.conftest import content, files, player, recorder, stored

STREAM = {**CHAT, "stream": True}


@pytest.fixture
async def calls(folder: Path, upstream: Server) -> Path:
    """A recording of some calls."""
    async with recorder(folder, upstream.base_url) as recording:
        for body in (CHAT, STREAM, {**CHAT, "temperature": 0.5, "metadata": {"run": "1", "kind": "a"}}):
            await recording("POST", "/chat/completions", body)
        await recording.ok("GET", "/models?limit=1&order=asc")
    return folder


def messages(text: str) -> dict[str, Any]:
    return {**CHAT, "messages": [{"role": "user", "content": text}]}


async def test_replies_come_back_to_the_byte(calls: Path) -> None:
    async with player(calls) as replaying:
        whole = await replaying("POST", "/chat/completions", CHAT)
        stream = await replaying("POST", "/chat/completions", STREAM)
    assert whole.body == content(calls, "0001-chat-completions.reply.json")
    assert stream.body == content(calls, "0002-chat-completions.reply.sse")
    assert whole.headers["content-length"] == str(len(whole.body))
    assert whole.headers["x-request-id"] == stored(calls)["reply"]["headers"]["x-request-id"]
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_accidents_of_a_client_do_not_count(calls: Path) -> None:
    spaced = b'{ "messages" : [{"content":"hi\\u0020there", "role":"user"}],\n"model":"gpt-4o"}'
    async with player(calls) as replaying:
        got = await replaying("POST", "/chat/completions", data=spaced, headers={"x-any": "1", "user-agent": "curl"})
        assert got.status == 200
        # The order of a query does not count either.
        await replaying.ok("GET", "/models?order=asc&limit=1")


@pytest.mark.parametrize(
    ("method", "path", "body", "line"),
    [
        ("POST", "/chat/completions", messages("bye"), 'json.messages[0].content is "bye", and is "hi there" in'),
        ("POST", "/chat/completions", {**CHAT, "n": 2}, "json.n is 2, and is not in the recording"),
        ("POST", "/chat/completions", {"model": "gpt-4o"}, 'json.messages is missing, and is [{"role": "user"'),
        ("POST", "/chat/completions", {**STREAM, "stream": 1}, "json.stream is 1, and is "),
        ("GET", "/models?limit=2&order=asc", None, 'query.limit is "2", and is "1" in the recording'),
        ("GET", "/models", None, 'query is missing, and is {"limit": "1", "order": "asc"} in the recording'),
        ("GET", "/model", None, "the nearest recorded request is 0004-models.json, GET /v1/models:"),
        ("DELETE", "/models", None, 'method is "DELETE", and is "GET" in the recording'),
    ],
    ids=["text", "more", "less", "kind", "query", "no-query", "path", "method"],
)
async def test_unknown_requests_show_the_nearest_one(method: str, path: str, body: Any, line: str, calls: Path) -> None:
    async with player(calls) as replaying:
        got = await replaying(method, path, body)
        error = got.error()
        assert (got.status, error["code"]) == (404, "not_recorded")
        assert error["message"].startswith(f"no recorded reply for {method} /v1{path.partition('?')[0]}; the nearest")
        assert line in error["message"]
        # Neither the clients of the API nor others repeat it.
        assert got.headers["x-should-retry"] == "false"
        assert replaying.server.unknown_requests == [error["message"]]


async def test_long_values_are_shortened(calls: Path) -> None:
    many = {f"field{number}": "x" for number in range(20)}
    async with player(calls) as replaying:
        error = (await replaying("POST", "/chat/completions", {**messages("y" * 1000), **many})).error()
    assert len(error["message"]) < 1500
    assert "y ... y" in error["message"]
    assert error["message"].endswith("and 16 more differences")


async def record_polls(folder: Path, upstream: Server, count: int) -> None:
    """Records equal requests, each with the number of its reply."""
    async with recorder(folder, upstream.base_url) as recording:
        for number in range(count):
            upstream.reply_with("/poll", {"number": number}, times=1)
            await recording.ok("GET", "/poll")


async def test_equal_requests_get_their_replies_in_order(folder: Path, upstream: Server) -> None:
    await record_polls(folder, upstream, 3)
    async with player(folder) as replaying:
        got = [(await replaying.ok("GET", "/poll"))["number"] for _ in range(5)]
    assert got == [0, 1, 2, 2, 2]
    async with player(folder, repeat=False) as replaying:
        for _ in range(3):
            await replaying.ok("GET", "/poll")
        message = (await replaying.fails(404, "GET", "/poll"))["message"]
    assert message == (
        "no recorded reply for GET /v1/poll: all recorded replies to it are used, the last one is 0003-poll.json"
    )


async def test_at_once_each_reply_is_used_once(folder: Path, upstream: Server) -> None:
    await record_polls(folder, upstream, 20)
    async with player(folder, repeat=False) as replaying:
        got = await asyncio.gather(*(replaying.ok("GET", "/poll") for _ in range(20)))
    assert sorted(each["number"] for each in got) == list(range(20))


@pytest.mark.parametrize(
    ("ignore", "body"),
    [
        (["temperature"], {"temperature": 1.5, "metadata": {"run": "1", "kind": "a"}}),
        (["temperature"], {"metadata": {"run": "1", "kind": "a"}}),
        (["metadata.run"], {"temperature": 0.5, "metadata": {"run": "2", "kind": "a"}}),
        (["run", "kind", "temperature"], {"metadata": {}}),
        (["messages.content"], {"temperature": 0.5, "metadata": {"run": "1", "kind": "a"}, **messages("bye")}),
    ],
    ids=["other", "missing", "path", "names", "through-lists"],
)
async def test_ignored_keys(ignore: list[str], body: Any, calls: Path) -> None:
    async with player(calls, ignore=ignore) as replaying:
        got = await replaying("POST", "/chat/completions", {**CHAT, **body})
        assert got.body == content(calls, "0003-chat-completions.reply.json")


async def test_ignored_parameters_of_the_query(calls: Path) -> None:
    async with player(calls, ignore=["order"]) as replaying:
        await replaying.ok("GET", "/models?limit=1&order=desc")
        await replaying.ok("GET", "/models?limit=1")


async def test_unused_recordings(calls: Path) -> None:
    async with Server() as server:
        player = server.replay(calls)
        await raw(server, raw_request("/models?limit=1&order=asc", b"", "connection: close", verb="GET"))
        assert player.unused == [f"000{number}-chat-completions.json" for number in (1, 2, 3)]


async def test_own_answers_to_unknown_requests(calls: Path) -> None:
    async with player(calls, unknown="answer") as replaying:
        got = await replaying.ok("POST", "/chat/completions", messages("Paris"))
        assert got["choices"][0]["message"]["content"] == "You said: Paris"
        assert replaying.server.unknown_requests == []


async def test_unknown_requests_are_added_to_the_folder(calls: Path, upstream: Server) -> None:
    before = upstream.request_count
    async with player(calls, unknown="record", upstream=upstream.base_url) as replaying:
        await replaying.ok("POST", "/chat/completions", CHAT)
        assert upstream.request_count == before
        await replaying.ok("POST", "/chat/completions", messages("Paris"))
        assert upstream.request_count == before + 1
    assert stored(calls, 5)["request"]["json"]["messages"][0]["content"] == "Paris"
    async with player(calls) as replaying:
        await replaying.ok("POST", "/chat/completions", messages("Paris"))


async def test_a_new_folder_is_filled_by_unknown_requests(folder: Path, upstream: Server) -> None:
    for _ in range(2):
        async with player(folder, unknown="record", upstream=upstream.base_url) as replaying:
            await replaying.ok("GET", "/models")
    assert files(folder) == ["0001-models.json", "0001-models.reply.json"]
    assert upstream.request_count == 1


async def test_credentials_do_not_count(folder: Path, upstream: Server) -> None:
    body = {**CHAT, "tools": [{"type": "mcp", "authorization": "first-secret"}], "user": "key sk-abcdefghijklmnop"}
    upstream.reply_with("/chat/completions", {"a": 1})
    async with recorder(folder, upstream.base_url) as recording:
        await recording("POST", "/chat/completions?api-key=first-secret", body)
    other = {**CHAT, "tools": [{"type": "mcp", "authorization": "other"}], "user": "key sk-ponmlkjihgfedcba"}
    async with player(folder) as replaying:
        await replaying.ok("POST", "/chat/completions?api-key=second-secret", other)


@pytest.mark.parametrize(("speed", "least"), [(1.0, 0.3), (2.0, 0.15)])
async def test_recorded_times(speed: float, least: float, folder: Path) -> None:
    async with (
        Server(latency=0.1, token_delay=0.05, answer="a b c") as upstream,
        recorder(folder, upstream.base_url) as recording,
    ):
        await recording("POST", "/chat/completions", STREAM)
    async with player(folder, speed=speed) as replaying:
        start = time.monotonic()
        async with replaying.session.post(replaying.server.base_url + "/chat/completions", json=STREAM) as reply:
            first = await reply.content.readany()
            early = time.monotonic() - start
            await reply.read()
        late = time.monotonic() - start
    assert first.count(b"\n\n") < 5
    assert early >= 0.09 / speed
    assert late >= least


async def test_edited_bodies_are_replayed(calls: Path) -> None:
    edited = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    write(calls / "0002-chat-completions.reply.sse", edited)
    async with player(calls) as replaying:
        assert (await replaying("POST", "/chat/completions", STREAM)).body == edited


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def test_old_clients_get_no_chunks(calls: Path) -> None:
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi there"}],"stream":true}'
    async with player(calls) as replaying:
        request = raw_request("/chat/completions", body, "content-type: application/json")
        reply = await raw(replaying.server, request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    head, _, received = reply.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert received == content(calls, "0002-chat-completions.reply.sse")


async def test_faults_apply_to_replays(calls: Path) -> None:
    async with player(calls) as replaying:
        replaying.server.fault(headers={"x-extra": "1"})
        assert (await replaying("POST", "/chat/completions", CHAT)).headers["x-extra"] == "1"
        replaying.server.fault(status=503)
        await replaying.fails(503, "POST", "/chat/completions", CHAT)


async def test_a_fault_replaces_the_framing_of_a_replay(calls: Path) -> None:
    async with player(calls) as replaying:
        replaying.server.fault(headers={"content-length": "3", "connection": "close"})
        request = raw_request("/models?limit=1&order=asc", b"", verb="GET")
        reply = await asyncio.wait_for(raw(replaying.server, request), 30)
    head = reply.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert [line for line in head if line.startswith((b"content-length", b"connection"))] == [
        b"content-length: 3",
        b"connection: close",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore": "user"}, r"ignore is a list of names: give \['user'\]"),
        ({"speed": 0}, "speed must be above 0"),
        ({"speed": -1.0}, "speed must be above 0"),
        ({"speed": float("nan")}, "speed must be above 0"),
        ({"unknown": "pass"}, "unknown must be one of fail, answer, record: not 'pass'"),
        ({"unknown": "record", "upstream": "x"}, "upstream 'x' is no base URL"),
    ],
)
def test_options_are_checked(options: Any, message: str, calls: Path) -> None:
    with pytest.raises(ValueError, match=message):
        Server().replay(calls, **options)


def test_folders_without_a_recording(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(FileNotFoundError, match="has no recording: make one with `record`"):
            Server().replay(path)


async def test_missing_files_are_named(calls: Path) -> None:
    remove(calls / "0001-chat-completions.reply.json")
    async with player(calls) as replaying:
        error = await replaying.fails(500, "POST", "/chat/completions", CHAT)
        assert replaying.server.unknown_requests == [error["message"]]
    assert "0001-chat-completions.reply.json cannot be read" in error["message"]


def remove(path: Path) -> None:
    path.unlink()


async def test_clear_ends_the_replay(calls: Path) -> None:
    async with player(calls) as replaying:
        replaying.server.clear()
        # Without its recording the server answers by itself.
        await replaying.ok("GET", "/models")
