"""Lanes of response sockets on real loopback servers, in both clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import APIResponseValidationError, OpenAIError
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.lib.responses_websocket import (
    AsyncResponsesWebSocketSession,
    ResponsesWebSocketAccumulator,
    ResponsesWebSocketBufferError,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
    ResponsesWebSocketSession,
)
from aiopenai.testing import Server
from aiopenai.types.responses import Response
from tests.live.conftest import Both, Peer, Scripted

LIMITS = {
    "max_lanes": 8,
    "max_events_per_lane": 100,
    "max_events": 400,
    "max_bytes_per_lane": 1_000_000,
    "max_bytes": 4_000_000,
}
CREATE = {"type": "response.create", "model": "gpt-4o", "input": "Hi"}


@pytest.fixture(params=[False, True], ids=["async", "blocking"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    both = Both(request.param)
    yield both
    await both.close()


def session_of(both: Both, connection: Any, *, isolated: bool = False, **limits: int) -> Any:
    made: Any = ResponsesWebSocketSession if both.blocking else AsyncResponsesWebSocketSession
    return made(connection, limits=ResponsesWebSocketLimits(**{**LIMITS, **limits}), isolate_lane_overflow=isolated)


@contextlib.asynccontextmanager
async def lanes(both: Both, server: Any, options: dict[str, Any] | None = None, **given: Any) -> AsyncIterator[Any]:
    """An open session of either client."""
    connection = await both(both.client(server).responses.connect(**(options or {})).enter)
    session = session_of(both, connection, **given)
    await both(session.__enter__ if both.blocking else session.__aenter__)
    try:
        yield session
    finally:
        await both(session.close)


def event(kind: str, lane: str | None = None, **fields: Any) -> str:
    return json.dumps({"type": kind, "sequence_number": 0, **fields, **({} if lane is None else {"stream_id": lane})})


def created(lane: str | None = None, name: str = "r") -> str:
    return event("response.created", lane, response={"id": name, "status": "in_progress", "output": []})


def message(text: str = "ok") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}


def ended(lane: str | None = None, name: str = "r", kind: str = "completed", **response: Any) -> str:
    given = {"id": name, "status": kind, "output": [message()], **response}
    return event(f"response.{kind}", lane, response=given)


async def until_end(peer: Peer) -> None:
    async for _ in peer.socket:
        pass


def saying(*events: str) -> Any:
    """A script that sends events, and waits for the end of the connection."""

    async def script(peer: Peer) -> None:
        await peer.say(*events)
        await until_end(peer)

    return script


async def test_two_responses_at_once(both: Both, server: Server) -> None:
    async with lanes(both, server) as session:
        first, second = session.lane("one"), session.lane("two")
        for lane, text in ((first, "Hi"), (second, "Ho"), (session.default, "Ha")):
            await both(lane.send, {**CREATE, "input": text})
        for lane, text in ((second, "Ho"), (first, "Hi"), (session.default, "Ha")):
            response = await both(lane.get_final_response)
            assert isinstance(response, Response)
            assert response.output_text == f"You said: {text}"
            assert await both(lane.get_final_response) is response
        await both(first.send, {**CREATE, "input": "More", "previous_response_id": response.id})
        assert (await both(first.recv)).type == "response.created"
        assert (await both(first.get_final_response)).previous_response_id == response.id
    sent = [json.loads(each) for each in server.journal[0].messages]
    assert [each.get("stream_id") for each in sent] == ["one", "two", None, "one"]


async def test_events_of_their_lanes_and_of_none(both: Both) -> None:
    said = (event("x.y", "a", n=1), event("x.y", "b", n=2), event("x.y", n=3), event("x.y", "stranger", n=4), "[1]")
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection)
        # Before the session is entered, so that no event comes too early.
        first, second = session.lane("a"), session.lane("b")
        with pytest.raises(RuntimeError, match="Enter the session before events are received"):
            await both(first.recv)
        with pytest.raises(RuntimeError, match="Enter the session before events are sent"):
            await both(first.send, CREATE)
        await both(session.__enter__ if both.blocking else session.__aenter__)
        assert [(await both(lane.recv)).n for lane in (second, first, session.default)] == [2, 1, 3]
        stranger = await both(session.default.recv)
        assert (stranger.n, stranger.stream_id) == (4, "stranger")
        assert await both(session.default.recv) == [1]
        await both(session.close)
        with pytest.raises(EOFError):
            await both(first.recv)
        with pytest.raises(RuntimeError, match="closed, or its session is not open"):
            await both(first.send, CREATE)
        with pytest.raises(RuntimeError, match="has ended"):
            session.lane("c")


@pytest.mark.parametrize("name", ["max_lanes", "max_bytes", "max_response_bytes"])
@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "1"], ids=str)
def test_wrong_limits(name: str, limit: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive int"):
        ResponsesWebSocketLimits(**{**LIMITS, name: limit})


async def test_wrong_lanes_and_sessions(both: Both) -> None:
    async with Scripted(until_end) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, max_lanes=3)
        for name in ("", "ä", "a b", "a\n", "x" * 257, 5):
            with pytest.raises(ValueError, match="stream_id must be None, or 1 to 256"):
                session.lane(name)
        session.lane("x" * 256)
        for taken in ("x" * 256, None):
            with pytest.raises(ValueError, match="exists already"):
                session.lane(taken)
        session.lane("A-z_0.9")
        with pytest.raises(ResponsesWebSocketBufferError, match="max_lanes=3"):
            session.lane("more")
        enter = "__enter__" if both.blocking else "__aenter__"
        await both(getattr(session, enter))
        with pytest.raises(RuntimeError, match="entered once"):
            await both(getattr(session, enter))
        with pytest.raises(RuntimeError, match="has a session already"):
            await both(getattr(session_of(both, connection), enter))
        await both(session.close)
        unused = session_of(both, connection)
        await both(unused.close)
        with pytest.raises(RuntimeError, match="entered once"):
            await both(getattr(unused, enter))
        with pytest.raises(TypeError, match=r"connection must be one of this client's responses\.connect\(\)"):
            session_of(both, object())
        with pytest.raises(TypeError, match="limits must be ResponsesWebSocketLimits"):
            type(session)(connection, limits=LIMITS)


async def test_one_response_at_a_time(both: Both) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hear()
        await go_on.wait()
        await peer.say(ended("a"))
        await until_end(peer)

    async with Scripted(script) as server, lanes(both, server) as session:
        lane = session.lane("a")
        for wrong in ({**CREATE, "stream_id": "b"}, {**CREATE, "stream_id": None}):
            with pytest.raises(ValueError, match="on the lane 'a'"):
                await both(lane.send, wrong)
        with pytest.raises(TypeError, match="must be a dict or an event object"):
            await both(lane.send, 5)
        await both(lane.send, {**CREATE, "stream_id": "a"})
        with pytest.raises(RuntimeError, match="in flight"):
            await both(lane.send, CREATE)
        await both(lane.send, {"type": "response.steer", "previous_response_id": "r", "input": "More"})
        go_on.set()
        # A terminal without a begin.
        assert (await both(lane.get_final_response)).output_text == "ok"
        await both(lane.send, CREATE)


async def test_final_responses(both: Both) -> None:
    item = event("response.output_item.done", "a", output_index=1, item=message("second"))
    early = event("response.output_item.done", "a", output_index=0, item=message("first"))
    said = (
        created("a", "r1"), ended("a", "r1", "failed", output=None, error={"code": "server_error", "message": "x"}),
        created("a", "r2"), item, early, ended("a", "r2", "incomplete", output=None),
        created("a", "r3"), item, early, ended("a", "r3", output=None),
        event("error", "a", error={"code": "previous_response_not_found", "message": "secret"}),
        event("response.completed", "a", response=None),
        created("a", "r4"), ended("a", "r4"),
    )  # fmt: skip
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection)
        lane = session.lane("a")
        await both(session.__enter__ if both.blocking else session.__aenter__)
        found = await both(lane.get_final_response)
        assert (found.id, found.status, found.output) == ("r1", "failed", [])
        for name, status in (("r2", "incomplete"), ("r3", "completed")):
            # The begin of the next response may still be on its way.
            assert (await both(lane.recv)).response.id == name
            found = await both(lane.get_final_response)
            assert (found.id, found.status, found.output_text) == (name, status, "firstsecond")
        error = await both(lane.recv)
        with pytest.raises(ResponsesWebSocketError, match="see `event`") as caught:
            await both(lane.get_final_response)
        assert caught.value.event is error
        assert "secret" not in str(caught.value)
        assert isinstance(caught.value, OpenAIError)
        assert (await both(lane.recv)).response is None
        with pytest.raises(ResponsesWebSocketError):
            await both(lane.get_final_response)
        await both(lane.recv)
        assert (await both(lane.get_final_response)).id == "r4"
        await both(session.close)


async def test_a_later_response_replaces_the_cached_one(both: Both) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(created(name="r1"), ended(name="r1"))
        await go_on.wait()
        await peer.say(created(name="r2"), ended(name="r2"), event("x.y", "other"))
        await until_end(peer)

    async with Scripted(script) as server, lanes(both, server) as session:
        other = session.lane("other")
        lane = session.default
        assert (await both(lane.get_final_response)).id == "r1"
        assert (await both(lane.get_final_response)).id == "r1"
        go_on.set()
        await both(other.recv)
        assert (await both(lane.get_final_response)).id == "r2"


async def test_a_response_over_its_limit(both: Both) -> None:
    said = (created("a"), ended("a", output=[message("long" * 100)]), created("b"), ended("b"))
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, max_response_bytes=500)
        first, second = session.lane("a"), session.lane("b")
        await both(session.__enter__ if both.blocking else session.__aenter__)
        with pytest.raises(ResponsesWebSocketBufferError, match="max_response_bytes=500"):
            await both(first.get_final_response)
        assert (await both(second.get_final_response)).output_text == "ok"
        await both(session.close)


async def test_unread_events_over_the_limits_end_the_session(both: Both) -> None:
    said = [event("x.y", "a", n=number) for number in range(20)]
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, max_events_per_lane=5)
        lane = session.lane("a")
        await both(session.__enter__ if both.blocking else session.__aenter__)
        with pytest.raises(ResponsesWebSocketBufferError, match="limits"):
            await both(session.default.recv)
        # The events that were kept can be received.
        assert [(await both(lane.recv)).n for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(ResponsesWebSocketBufferError):
            await both(lane.recv)
        assert repr(connection).endswith("closed>")
        await both(session.close)


async def test_an_isolated_lane_fails_alone(both: Both) -> None:
    said = [event("x.y", "slow", n=number) for number in range(20)] + [event("x.y", "b", n=1)]
    async with Scripted(saying(*said)) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection, isolated=True, max_events_per_lane=5)
        slow, other = session.lane("slow"), session.lane("b")
        await both(session.__enter__ if both.blocking else session.__aenter__)
        assert (await both(other.recv)).n == 1
        for _ in range(2):
            with pytest.raises(ResponsesWebSocketBufferError, match="its events are lost"):
                await both(slow.recv)
        with pytest.raises(ResponsesWebSocketBufferError):
            await both(slow.get_final_response)
        await both(session.close)


async def test_a_burst_does_not_fail_a_lane_that_is_being_read(both: Both) -> None:
    said = [event("x.y", n=number) for number in range(500)]
    async with Scripted(saying(*said)) as server, lanes(both, server, max_events_per_lane=20) as session:

        def read() -> list[int]:
            return [session.default.recv(timeout=60).n for _ in said]

        async def read_here() -> list[int]:
            return [(await session.default.recv()).n for _ in said]

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


async def test_the_exception_of_a_block_wins(both: Both) -> None:
    async with Scripted(until_end) as server:
        connection = await both(both.client(server).responses.connect().enter)
        session = session_of(both, connection)

        async def run_here() -> None:
            async with session:
                raise LookupError("mine")

        def run() -> None:
            with session:
                raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            await both(run if both.blocking else run_here)
        assert repr(connection).endswith("closed>")


async def test_an_accumulator_on_a_lane(both: Both, server: Server) -> None:
    async with lanes(both, server) as session:
        lane = session.lane("a")
        await both(lane.send, CREATE)
        accumulator = ResponsesWebSocketAccumulator()
        texts = []
        while accumulator.snapshot().terminal_type is None:
            accumulator.add_event(await both(lane.recv))
            texts.append(accumulator.snapshot().output_text)
        assert texts[-1] == "You said: Hi"
        assert all(texts[-1].startswith(each) for each in texts)
        assert accumulator.snapshot().stream_id == "a"
        assert accumulator.get_final_response().output_text == "You said: Hi"
        with pytest.raises(RuntimeError, match=r"call reset\(\)"):
            accumulator.add_event(session.connection.parse_event(created("a")))
        accumulator.reset()
        accumulator.add_event(session.connection.parse_event(created("a")))
        with pytest.raises(RuntimeError, match="has not ended"):
            accumulator.get_final_response()
        with pytest.raises(ValueError, match="another lane"):
            accumulator.add_event(session.connection.parse_event(created("b")))


def test_a_snapshot_is_a_copy() -> None:
    accumulator = ResponsesWebSocketAccumulator()
    add: Any = accumulator.add_event
    add({"type": "response.output_item.added", "output_index": 0, "item": message("a")})
    before = accumulator.snapshot()
    details = accumulator.detailed_snapshot()
    details["output"][0]["content"][0]["part"]["text"] = "changed"
    add({"type": "response.output_text.delta", "output_index": 0, "item_id": "m", "content_index": 0, "delta": "b"})
    assert (before.output_text, accumulator.snapshot().output_text) == ("a", "ab")
    assert hash(before) != hash(accumulator.snapshot())
    assert accumulator.detailed_snapshot()["output"][0]["content"][0]["part"]["text"] == "ab"
