from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from aiopenai.testing import Server
from tests.testing.http import Api
from tests.testing.recording.conftest import player, recorder, stored

Serve = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, **options: Any) -> AsyncIterator[str]:
    """A server whose sockets a test writes."""

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(**options)
        await socket.prepare(request)
        await serve(socket)
        return socket

    app = web.Application()
    app.router.add_get("/v1/realtime", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/v1"))


@asynccontextmanager
async def talking(api: Api, query: str = "", **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
    async with api.session.ws_connect(f"{api.server.base_url}/realtime{query}", **options) as socket:
        yield socket


async def echo(socket: web.WebSocketResponse) -> None:
    """Answers each message with two."""
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data * 2)
        else:
            await socket.send_str(message.data)
            await socket.send_str(json.dumps({"again": json.loads(message.data)}))


async def ask(socket: aiohttp.ClientWebSocketResponse[bool], number: int) -> list[str]:
    await socket.send_str(json.dumps({"number": number}))
    return [str((await socket.receive()).data) for _ in range(2)]


async def record_echo(folder: Path, *numbers: int) -> list[list[str]]:
    """Records a socket on which a client asks with each number, and returns the answers."""
    async with serving(echo) as url, recorder(folder, url) as recording, talking(recording) as socket:
        return [await ask(socket, number) for number in numbers]


def lines(folder: Path) -> list[Any]:
    (path,) = folder.glob("*.messages.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_messages_of_both_kinds_come_back_to_the_letter(folder: Path) -> None:
    async def talk(api: Api) -> list[Any]:
        async with talking(api, "?model=m") as socket:
            await socket.send_str('{"a":  1.0}')
            got: list[Any] = [(await socket.receive()).data for _ in range(2)]
            await socket.send_bytes(b"\x00\xff")
            return [*got, (await socket.receive()).data]

    async with serving(echo) as url, recorder(folder, url) as recording:
        recorded = await talk(recording)
    assert recorded == ['{"a":  1.0}', '{"again": {"a": 1.0}}', b"\x00\xff\x00\xff"]
    async with player(folder) as replaying:
        assert await talk(replaying) == recorded
        assert replaying.server.journal[0].messages == ['{"a":  1.0}', b"\x00\xff"]
    request = stored(folder)["request"]
    assert request["websocket"] is True
    assert request["query"] == {"model": "m"}
    assert [line["from"] for line in lines(folder)] == ["client", "server", "server", "client", "server", "client"]


async def test_messages_pass_as_they_arrive(folder: Path) -> None:
    answers = await record_echo(folder, *range(5))
    assert answers == [[f'{{"number": {number}}}', f'{{"again": {{"number": {number}}}}}'] for number in range(5)]


async def test_answers_wait_for_their_question(folder: Path) -> None:
    recorded = await record_echo(folder, 0, 1, 2)
    async with player(folder) as replaying, talking(replaying) as socket:
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(timeout=0.05)
        assert [await ask(socket, number) for number in range(3)] == recorded


async def test_messages_of_the_client_may_come_in_another_order(folder: Path) -> None:
    recorded = await record_echo(folder, 0, 1)
    async with player(folder) as replaying, talking(replaying) as socket:
        await socket.send_str('{"number": 1}')
        await socket.send_str('{"number": 0}')
        assert [(await socket.receive()).data for _ in range(4)] == [*recorded[0], *recorded[1]]


async def test_the_code_of_a_close_comes_back(folder: Path) -> None:
    async def close(socket: web.WebSocketResponse) -> None:
        await socket.send_str("{}")
        await socket.close(code=4001, message=b"over")

    async def talk(api: Api) -> Any:
        async with talking(api) as socket:
            assert (await socket.receive()).data == "{}"
            end = await socket.receive()
            return end.type, end.data, end.extra

    async with serving(close) as url, recorder(folder, url) as recording:
        assert await talk(recording) == (WSMsgType.CLOSE, 4001, "over")
    async with player(folder) as replaying:
        assert await talk(replaying) == (WSMsgType.CLOSE, 4001, "over")


async def test_the_upstream_sees_how_the_client_closes(folder: Path) -> None:
    codes: list[int | None] = []
    seen = asyncio.Event()

    async def wait(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        codes.append(socket.close_code)
        seen.set()

    async with serving(wait) as url, recorder(folder, url) as recording:
        async with talking(recording) as socket:
            await socket.close(code=4002)
        await asyncio.wait_for(seen.wait(), 30)
    assert codes == [4002]
    assert lines(folder)[-1]["close"] == 4002


async def test_broken_sockets_break_again(folder: Path) -> None:
    update = '{"type":"session.update","session":{"type":"realtime"}}'
    async with Server() as upstream:
        upstream.socket_fault(cut=True, after=1)
        async with recorder(folder, upstream.base_url) as recording, talking(recording, "?model=m") as socket:
            first = (await socket.receive()).data
            await socket.send_str(update)
            assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
    assert lines(folder)[-1]["close"] is None
    async with player(folder) as replaying, talking(replaying, "?model=m") as socket:
        assert (await socket.receive()).data == first
        if lines(folder)[1]["from"] == "client":
            await socket.send_str(update)
        assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_clients_that_vanish_are_recorded_so_far(folder: Path) -> None:
    async with serving(echo) as url, recorder(folder, url) as recording:
        session = aiohttp.ClientSession()
        socket = await session.ws_connect(f"{recording.server.base_url}/realtime")
        await ask(socket, 1)
        await recording.server.close()
        assert len(lines(folder)) == 4
        await session.close()


@pytest.mark.parametrize("answer", ["fail", "answer"])
async def test_unknown_messages(answer: str, folder: Path) -> None:
    await record_echo(folder, 1)
    async with player(folder, unknown=answer) as replaying:
        async with talking(replaying) as socket:
            await socket.send_str('{"number": 2}')
            if answer == "answer":
                assert len(await ask(socket, 1)) == 2
                assert replaying.server.unknown_requests == []
                return
            error = json.loads((await socket.receive()).data)
            end = await socket.receive()
        assert (error["type"], error["error"]["code"]) == ("error", "not_recorded")
        assert "message.number is 2, and is 1 in the recording" in error["error"]["message"]
        assert (end.type, end.data) == (WSMsgType.CLOSE, 1008)
        assert replaying.server.unknown_requests == [error["error"]["message"]]


async def test_further_messages_are_unknown(folder: Path) -> None:
    await record_echo(folder, 1)
    async with player(folder) as replaying, talking(replaying) as socket:
        await ask(socket, 1)
        await socket.send_str('{"number": 1}')
        error = json.loads((await socket.receive()).data)
    assert error["error"]["message"].endswith('which has no further message of the client: {"number": 1}')


async def test_ignored_keys_of_messages(folder: Path) -> None:
    (recorded,) = await record_echo(folder, 1)
    async with player(folder, ignore=["number"]) as replaying, talking(replaying) as socket:
        assert await ask(socket, 2) == recorded


async def test_keys_in_messages_and_protocols(folder: Path) -> None:
    key = "ek-a-key-of-a-browser"
    protocols = ("realtime", f"openai-insecure-api-key.{key}")
    async with (
        serving(echo, protocols=("realtime",)) as url,
        recorder(folder, url) as recording,
        talking(recording, protocols=protocols) as socket,
    ):
        assert socket.protocol == "realtime"
        await socket.send_str(json.dumps({"key": key}))
        recorded = [(await socket.receive()).data for _ in range(2)]
        assert key in recorded[0]
    assert key not in json.dumps([stored(folder), lines(folder)])
    others = ("realtime", "openai-insecure-api-key.another-key")
    async with player(folder) as replaying, talking(replaying, protocols=others) as socket:
        assert socket.protocol == "realtime"
        await socket.send_str(json.dumps({"key": "another-key"}))
        assert (await socket.receive()).data == recorded[0].replace(key, "<redacted>")


async def test_refused_handshakes(folder: Path) -> None:
    async def refusal(api: Api) -> tuple[int, bytes]:
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        upgrade["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        got = await api("GET", "/realtime?model=x", headers=upgrade)
        return got.status, got.body

    async with Server() as upstream:
        upstream.fault(status=429)
        async with recorder(folder, upstream.base_url) as recording:
            recorded = await refusal(recording)
    assert recorded[0] == 429
    assert b"rate_limit_exceeded" in recorded[1]
    async with player(folder) as replaying:
        assert await refusal(replaying) == recorded


async def test_an_upstream_that_is_gone(folder: Path, upstream: Server) -> None:
    await upstream.close()
    async with recorder(folder, upstream.base_url) as recording:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
            async with talking(recording):
                pass


async def test_sockets_and_calls_do_not_match(folder: Path) -> None:
    await record_echo(folder, 1)
    async with player(folder) as replaying:
        message = (await replaying.fails(404, "GET", "/realtime"))["message"]
    assert "websocket is false, and is true in the recording" in message


async def test_recorded_times(folder: Path) -> None:
    async def slow(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await asyncio.sleep(0.2)
        await socket.send_str("{}")
        await socket.receive()

    loop = asyncio.get_running_loop()
    async with serving(slow) as url, recorder(folder, url) as recording, talking(recording) as socket:
        await socket.send_str("{}")
        await socket.receive()
    async with player(folder, speed=1) as replaying, talking(replaying) as socket:
        start = loop.time()
        await socket.send_str("{}")
        await socket.receive()
        assert loop.time() - start >= 0.15
