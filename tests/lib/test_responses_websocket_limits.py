"""Lanes over their limits, closed lanes, and the end of the connection, in both clients."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from aiopenai import APIResponseValidationError
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.lib.responses_websocket import ResponsesWebSocketBufferError, sessions
from tests.lib.response_lanes import (
    CREATE,
    created,
    ended,
    event,
    lanes,
    message,
    saying,
    session_of,
    until_end,
)
from tests.live.conftest import Both, Peer, Scripted


async def test_a_response_over_its_limit(both: Both) -> None:
    said = (created("a"), ended("a", output=[message("long" * 100)]), created("b"), ended("b"))
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, max_response_bytes=500)
        first, second = session.lane("a"), session.lane("b")
        async with both.inside(session):
            with pytest.raises(ResponsesWebSocketBufferError, match="max_response_bytes=500"):
                await both(first.get_final_response)
            assert (await both(second.get_final_response)).output_text == "ok"


async def test_unread_events_over_the_limits_end_the_session(both: Both) -> None:
    said = [event("x.y", "a", n=number) for number in range(20)]
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, max_events_per_lane=5)
        lane = session.lane("a")
        async with both.inside(session):
            with pytest.raises(ResponsesWebSocketBufferError, match="limits"):
                await both(session.default.recv)
            # The events that were kept can be received.
            assert [(await both(lane.recv)).n for _ in range(5)] == [0, 1, 2, 3, 4]
            with pytest.raises(ResponsesWebSocketBufferError):
                await both(lane.recv)
        assert repr(connection).endswith("closed>")


async def test_an_isolated_lane_fails_alone(both: Both) -> None:
    said = [event("x.y", "slow", n=number) for number in range(20)] + [event("x.y", "b", n=1)]
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, isolated=True, max_events_per_lane=5)
        slow, other = session.lane("slow"), session.lane("b")
        async with both.inside(session):
            assert (await both(other.recv)).n == 1
            for _ in range(2):
                with pytest.raises(ResponsesWebSocketBufferError, match="its events are lost"):
                    await both(slow.recv)
            with pytest.raises(ResponsesWebSocketBufferError):
                await both(slow.get_final_response)


async def test_a_burst_does_not_fail_a_lane_that_is_being_read(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine a reader may be later than the usual time.
    monkeypatch.setattr(sessions, "_PATIENCE_SECONDS", 60)
    said = [event("x.y", n=number) for number in range(500)]
    async with Scripted(saying(*said)) as server, lanes(both, server, max_events_per_lane=20) as session:

        def read() -> list[int]:
            return [session.default.recv(timeout=60).n for _ in said]

        async def read_here() -> list[int]:
            # Before Python 3.12 each one is a task, which takes several turns of the loop.
            return [(await asyncio.wait_for(session.default.recv(), 60)).n for _ in said]

        assert await both(read if both.blocking else read_here) == [*range(500)]


async def test_closed_lanes(both: Both) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(event("x.y", "a", n=1))
        await go_on.wait()
        await peer.say(created("a"), event("x.y", "a", n=2), event("x.y", n=3))
        await until_end(peer)

    async with Scripted(script) as server, lanes(both, server) as session:
        lane = session.lane("a")
        lane.close()
        lane.close()
        with pytest.raises(EOFError, match="lane is closed"):
            await both(lane.recv)
        with pytest.raises(RuntimeError, match="closed"):
            await both(lane.send, CREATE)
        # The server knows the id still.
        with pytest.raises(ValueError, match="exists already"):
            session.lane("a")
        go_on.set()
        seen = [await both(session.default.recv) for _ in range(3)]
        if seen[0].type == "x.y" and seen[0].n == 1:
            # It came before the lane was closed, or after.
            seen = [*seen[1:], await both(session.default.recv)]
        assert [getattr(each, "n", None) for each in seen] == [None, 2, 3]
        assert not session.default._state.in_flight


async def test_a_waiting_reader_is_woken_by_close(both: Both) -> None:
    async with Scripted(until_end) as server, lanes(both, server) as session:
        lane = session.lane("a")
        reading = asyncio.create_task(both(lane.recv))
        await asyncio.sleep(0)
        lane.close()
        with pytest.raises(EOFError):
            await reading
        reading = asyncio.create_task(both(session.default.get_final_response))
        await asyncio.sleep(0)
        await both(session.close)
        with pytest.raises(EOFError, match="connection is closed"):
            await reading


async def test_timeouts_and_cancellations_lose_nothing(both: Both) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await go_on.wait()
        await peer.say(created(), ended())
        await until_end(peer)

    async with Scripted(script) as server, lanes(both, server) as session:
        lane = session.default
        for method in (lane.recv, lane.get_final_response):
            with pytest.raises((TimeoutError, asyncio.TimeoutError)):
                await (both(method, timeout=0.02) if both.blocking else asyncio.wait_for(method(), 0.02))
        go_on.set()
        assert (await both(lane.get_final_response)).output_text == "ok"


async def test_the_end_of_the_connection(both: Both) -> None:
    async def clean(peer: Peer) -> None:
        await peer.say(event("x.y", n=1))
        await peer.end()

    async def broken(peer: Peer) -> None:
        await peer.say(event("x.y", n=1))
        await peer.end(1011)

    for script, expected in ((clean, EOFError), (broken, WebSocketConnectionClosedError)):
        async with Scripted(script) as server, lanes(both, server) as session:
            assert (await both(session.default.recv)).n == 1
            for _ in range(2):
                with pytest.raises(expected):
                    await both(session.default.recv)


async def test_a_message_that_is_no_json_ends_the_session(both: Both) -> None:
    async with Scripted(saying("{")) as server, lanes(both, server) as session:
        with pytest.raises(APIResponseValidationError, match="not the JSON"):
            await both(session.default.recv)


async def test_a_send_on_a_lost_connection_leaves_the_lane_free(both: Both) -> None:
    async with Scripted(until_end) as server, lanes(both, server) as session:
        session._core.link.socket.abort()
        for _ in range(2):
            with pytest.raises((WebSocketConnectionClosedError, RuntimeError)):
                await both(session.default.send, CREATE)
        assert not session.default._state.in_flight


async def test_reconnects(both: Both) -> None:
    """Open lanes stay, closed ones are freed, and commands are refused meanwhile and never repeated."""
    reconnecting, go_on = threading.Event(), threading.Event()

    async def first(peer: Peer) -> None:
        await peer.hear()
        await peer.say(created("a"))
        await peer.end(1012)

    async def second(peer: Peer) -> None:
        await peer.say(event("x.y", "a"))
        assert json.loads(await peer.hear()) == {**CREATE, "stream_id": "b"}
        await peer.say(created("b"), ended("b"))
        await until_end(peer)

    def on_reconnecting(_: Any) -> None:
        reconnecting.set()
        assert go_on.wait(30)

    async def on_reconnecting_here(_: Any) -> None:
        await asyncio.to_thread(on_reconnecting, None)

    options = {"initial_delay": 0.0, "on_reconnecting": on_reconnecting if both.blocking else on_reconnecting_here}
    async with Scripted(first, second) as server, lanes(both, server, options) as session:
        lane, gone = session.lane("a"), session.lane("b")
        gone.close()
        session.default.close()
        await both(lane.send, CREATE)
        assert (await both(lane.recv)).type == "response.created"
        assert await asyncio.to_thread(reconnecting.wait, 30)
        with pytest.raises(RuntimeError, match="being replaced"):
            await both(lane.send, {"type": "response.steer", "previous_response_id": "r", "input": "x"})
        go_on.set()
        assert (await both(lane.recv)).type == "x.y"
        # Its response is not known to have ended.
        with pytest.raises(RuntimeError, match="in flight"):
            await both(lane.send, CREATE)
        again = session.lane("b")
        default = session.lane()
        assert session.default is default
        await both(again.send, CREATE)
        assert (await both(again.get_final_response)).output_text == "ok"
