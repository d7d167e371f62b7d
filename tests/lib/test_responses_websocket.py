"""Lanes of response sockets on real loopback servers, in both clients."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aiopenai import OpenAIError
from aiopenai.lib.responses_websocket import (
    ResponsesWebSocketAccumulator,
    ResponsesWebSocketBufferError,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
)
from aiopenai.testing import Server
from aiopenai.types.responses import Response
from tests.lib.response_lanes import (
    CREATE,
    LIMITS,
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
        async with both.inside(session):
            assert [(await both(lane.recv)).n for lane in (second, first, session.default)] == [2, 1, 3]
            stranger = await both(session.default.recv)
            assert (stranger.n, stranger.stream_id) == (4, "stranger")
            assert await both(session.default.recv) == [1]
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
        async with both.inside(session):
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


def test_events_of_pydantic_are_taken_as_received_ones() -> None:
    """Those of the reference's classes, which programs make for their own tests."""
    pydantic = pytest.importorskip("pydantic")
    kind = pydantic.create_model("Event", __config__=pydantic.ConfigDict(extra="allow"), type=(str, ...))
    accumulator = ResponsesWebSocketAccumulator()
    add: Any = accumulator.add_event
    response = {"id": "r", "object": "response", "model": "m", "output": [], "status": "in_progress"}
    add(kind(type="response.created", sequence_number=0, response=response))
    add(kind(type="response.output_item.added", output_index=0, item=message("a")))
    add(kind(type="response.unknown", item=[]))
    assert accumulator.snapshot().output_text == "a"
    add(kind(type="response.completed", sequence_number=1, response={**response, "status": "completed"}))
    assert accumulator.get_final_response().status == "completed"


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
