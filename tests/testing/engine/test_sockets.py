"""The faults of websockets, and the lives of their connections."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server
from tests.testing.sockets import KEY, talk

PATH = "/realtime?model=gpt-realtime"


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 4000])
async def test_close_codes(server: Server, code: int, after: int) -> None:
    fault = server.socket_fault(close_code=code, reason="why", after=after)
    async with talk(server, PATH) as talker:
        if after:
            await talker.next()
        end = await talker.end()
        assert (end.type, end.data, end.extra) == (aiohttp.WSMsgType.CLOSE, code, "why")
    assert fault.applied == 1
    async with talk(server, PATH) as talker:
        assert (await talker.next())["type"] == "session.created"


async def test_a_cut_in_the_middle_of_a_frame(server: Server) -> None:
    server.socket_fault(cut=True, after=1)
    async with talk(server, PATH) as talker:
        await talker.next()
        await talker.send("response.create")
        assert (await talker.end()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert talker.socket.close_code == 1006


@pytest.mark.parametrize("message", ["no json", "[1]", b"\x00\xff"])
async def test_odd_messages(server: Server, message: str | bytes) -> None:
    server.socket_fault(message=message, after=1, match="/realtime")
    async with talk(server, PATH) as talker:
        await talker.next()
        assert (await talker.socket.receive()).data == message
        await talker.send("response.cancel")
        assert (await talker.next())["type"] == "error"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "answering"])
async def test_open_sockets_break_on_demand(server: Server, busy: bool) -> None:
    server.answer = "a long answer " * 200
    server.token_delay = 0.002
    async with talk(server, PATH) as talker, talk(server, "/live/sessions") as other:
        await talker.next()
        if busy:
            await talker.send("response.create")
            await talker.until("response.output_audio_transcript.delta")
        assert server.break_sockets(message="no json", match="/realtime") == 1
        while (message := await talker.socket.receive()).data != "no json":
            assert message.type is aiohttp.WSMsgType.TEXT
        assert server.break_sockets(cut=True, match="/realtime") == 1
        assert (await talker.end()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert talker.socket.close_code == 1006
        assert server.break_sockets(close_code=1012, reason="restart") == 1
        end = await other.end()
        assert (end.data, end.extra) == (1012, "restart")
    assert server.break_sockets(stall=True, match="/none") == 0
    with pytest.raises(ValueError, match="exactly one"):
        server.break_sockets()
    # The next socket has no fault.
    async with talk(server, PATH) as talker:
        assert (await talker.next())["type"] == "session.created"


async def test_a_socket_that_breaks_twice_is_replaced_twice(server: Server) -> None:
    """A program that reconnects, seen from a test of it."""
    seen: list[int] = []
    options: dict[str, Any] = {"on_reconnecting": lambda event: seen.append(event.close_code), "initial_delay": 0.001}
    async with (
        AsyncOpenAI(api_key="sk-test", base_url=server.base_url) as client,
        client.realtime.connect(model="gpt-realtime", **options) as connection,
    ):
        kinds = []
        async for event in connection:
            kinds.append(event.type)
            if len(kinds) == 3:
                break
            assert server.break_sockets(**({"cut": True} if len(kinds) == 1 else {"close_code": 1012})) == 1
    assert kinds == ["session.created"] * 3
    assert seen == [1006, 1012]


async def test_a_stall_ends_with_the_server() -> None:
    async with Server() as server:
        server.socket_fault(stall=True)
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(server.base_url + PATH, headers=KEY)
            await server.close()
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_refused_and_slow_handshakes(server: Server) -> None:
    server.fault(status=429, headers={"retry-after": "1"})
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with talk(server, PATH):
            pass
    assert (caught.value.status, (caught.value.headers or {})["retry-after"]) == (429, "1")
    server.fault(delay=0.05)
    began = time.monotonic()
    async with talk(server, PATH) as talker:
        assert time.monotonic() - began >= 0.05
        assert (await talker.next())["type"] == "session.created"


async def test_an_answer_that_fails(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def answer(_: str) -> str:
        raise LookupError("no answer")

    server.answer = answer
    async with talk(server, PATH) as talker:
        await talker.next()
        await talker.send("response.create")
        assert (await talker.end()).data == 1011
    assert "failed" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give exactly"),
        ({"cut": True, "stall": True}, "give exactly"),
        ({"close_code": 1005}, "close_code must"),
        ({"close_code": 999}, "close_code must"),
        ({"cut": True, "after": -1}, "after is"),
        ({"cut": True, "times": 0}, "times must"),
    ],
)
async def test_wrong_faults(server: Server, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        server.socket_fault(**arguments)


async def test_faults_are_cleared(server: Server) -> None:
    server.socket_fault(cut=True)
    server.clear_faults()
    async with talk(server, PATH) as talker:
        assert (await talker.next())["type"] == "session.created"


async def test_a_server_in_a_thread() -> None:
    with Server() as server:
        async with talk(server, PATH) as talker:
            assert (await talker.next())["type"] == "session.created"
    assert server.open_connections == 0
