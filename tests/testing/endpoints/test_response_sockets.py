"""Responses of the local server over websockets: contexts, lanes, steering."""

from __future__ import annotations

import time
from typing import Any

from aiopenai.testing import Server
from tests.testing.sockets import RESPONSES, kinds, talk, unchecked

ENDS = ("response.completed", "error")
TOOL: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


async def test_a_response(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", model="gpt-4o", input="Hi")
        events = await talker.until(*ENDS)
    assert kinds(events)[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "You said: Hi"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert all("stream_id" not in event for event in events)


async def test_contexts_are_kept_by_the_connection(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", model="gpt-4o", input="Hi", store=False)
        first = (await talker.until(*ENDS))[-1]["response"]["id"]
        await talker.send("response.create", model="gpt-4o", input="And?", previous_response_id=first, store=False)
        assert (await talker.until(*ENDS))[-1]["type"] == "response.completed"
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", model="gpt-4o", input="And?", previous_response_id=first)
        error = (await talker.until(*ENDS))[-1]
    assert error["error"]["code"] == "previous_response_not_found"
    assert error["status"] == 400


async def test_a_new_context_costs_the_latency(server: Server) -> None:
    async with talk(server, "/responses", unchecked) as talker:
        await talker.send("response.create", model="gpt-4o", input="Hi")
        first = (await talker.until(*ENDS))[-1]["response"]["id"]
        waited: list[float] = []
        server.latency = lambda: waited.append(time.monotonic()) or 0.0
        await talker.send("response.create", model="gpt-4o", input="And?", previous_response_id=first)
        await talker.until(*ENDS)
        assert waited == []
    async with talk(server, "/responses", unchecked) as talker:
        waited.clear()
        await talker.send("response.create", model="gpt-4o", input="And?", previous_response_id=first)
        await talker.until(*ENDS)
        assert len(waited) == 1


async def test_a_context_without_output(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", model="gpt-4o", input="Hi", generate=False)
        events = await talker.until(*ENDS)
        assert kinds(events) == ["response.created", "response.in_progress", "response.completed"]
        assert events[-1]["response"]["output"] == []


async def test_lanes_run_at_once(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        for lane in ("a", "b"):
            for text in ("one", "two"):
                await talker.send("response.create", model="gpt-4o", input=f"{lane} {text}", stream_id=lane)
        events: list[dict[str, Any]] = []
        while sum(event["type"] == "response.completed" for event in events) < 4:
            events.append(await talker.next())
    for lane in ("a", "b"):
        own = [event for event in events if event["stream_id"] == lane]
        texts = [event["text"] for event in own if event["type"] == "response.output_text.done"]
        assert texts == [f"You said: {lane} one", f"You said: {lane} two"]
        created = [at for at, event in enumerate(own) if event["type"] == "response.created"]
        ended = [at for at, event in enumerate(own) if event["type"] == "response.completed"]
        assert created[1] > ended[0]
    lanes = [event["stream_id"] for event in events]
    assert lanes[:4] != ["a"] * 4


async def test_limits_and_errors(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", input="Hi", stream_id="lane")
        error = await talker.next()
        assert error["stream_id"] == "lane"
        assert error["error"]["param"] == "model"
        for bad in ("", "a b", "x" * 257, 1):
            await talker.send("response.create", model="gpt-4o", input="Hi", stream_id=bad)
            assert (await talker.next())["error"]["param"] == "stream_id"
        await talker.send("no.such")
        assert (await talker.next())["error"]["param"] == "type"
        for number in range(32):
            await talker.send("response.create", model="gpt-4o", input="Hi", stream_id=f"{number}")
            await talker.until(*ENDS)
        await talker.send("response.create", model="gpt-4o", input="Hi", stream_id="another")
        assert (await talker.until("error"))[-1]["error"]["code"] == "too_many_streams"


async def test_steering(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.steer", input="x", previous_response_id="resp_none")
        assert (await talker.next())["error"]["code"] == "response_not_found"
        await talker.send("response.create", model="gpt-4o", input="Hi")
        first = (await talker.until(*ENDS))[-1]["response"]["id"]
        await talker.send("response.steer", input=[], previous_response_id=first)
        assert (await talker.next())["error"]["code"] == "invalid_input"
        await talker.send("response.steer", input="Rather this", previous_response_id=first)
        assert (await talker.next())["type"] == "response.steer.accepted"
        await talker.send("response.create", model="gpt-4o", input="Go", previous_response_id=first)
        done = (await talker.until(*ENDS))[-1]["response"]
        assert done["output"][0]["content"][0]["text"] == "You said: Rather this"
        await talker.send("response.create", model="gpt-4o", input="Use f", tools=[TOOL])
        called = (await talker.until(*ENDS))[-1]["response"]
        await talker.send("response.steer", input="More", previous_response_id=called["id"])
        pending = await talker.next()
        assert pending["type"] == "response.steer.pending"
        assert pending["required_input"][0]["call_id"] == called["output"][0]["call_id"]


async def test_injection(server: Server) -> None:
    # Long enough that the injection always finds it running.
    server.answer = "a long answer " * 20
    server.token_delay = 0.002
    item = {"type": "message", "role": "user", "content": "more"}
    async with talk(server, "/responses?beta=true", unchecked) as talker:
        await talker.send("response.create", model="gpt-4o", input="Hi")
        created = await talker.next()
        await talker.send("response.inject", input=[item], response_id=created["response"]["id"])
        events = await talker.until("response.completed")
        assert "response.inject.created" in kinds(events)
        for identity, code in ((created["response"]["id"], "response_already_completed"), ("x", "response_not_found")):
            await talker.send("response.inject", input=[item], response_id=identity)
            assert (await talker.next())["error"]["code"] == code
