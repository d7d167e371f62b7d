"""Responses of the local server over websockets: contexts, lanes, steering."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.sockets import KEY, RESPONSES, kinds, talk, unchecked

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


async def input_of(server: Server, identity: str) -> list[dict[str, Any]]:
    """The input items of a response, the oldest first."""
    url = f"{server.base_url}/responses/{identity}/input_items?order=asc"
    async with aiohttp.ClientSession(headers=KEY) as session, session.get(url) as reply:
        found: list[dict[str, Any]] = (await reply.json())["data"]
        return found


def text_of(response: dict[str, Any]) -> str:
    return str(response["output"][0]["content"][0]["text"])


@pytest.mark.parametrize("lane", [None, "lane"])
async def test_steering_ends_the_running_response_and_goes_on(server: Server, lane: str | None) -> None:
    # Long enough that the input always finds it running.
    server.answer = "a long answer " * 50
    server.token_delay = 0.002
    named = {} if lane is None else {"stream_id": lane}
    async with talk(server, "/responses", RESPONSES) as talker:
        request = {"model": "gpt-4o", "instructions": "Be brief.", "metadata": {"k": "v"}}
        await talker.send("response.create", input="Hi", **request, **named)
        await talker.send("response.create", input="Later", model="gpt-4o", **named)
        events = await talker.until("response.output_text.delta")
        first = events[0]["response"]["id"]
        server.answer = None
        for given in ("Rather this", [{"type": "message", "role": "user", "content": "And that"}]):
            await talker.send("response.steer", input=given, previous_response_id=first)
        events += await talker.until("response.incomplete")
        accepted = [event for event in events if event["type"] == "response.steer.accepted"]
        assert {event["steer"]["previous_response_id"] for event in accepted} == {first}
        ended = events[-1]["response"]
        assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "steered"})
        own = [event for event in events if not event["type"].startswith("response.steer")]
        assert [event["sequence_number"] for event in own] == list(range(len(own)))
        said = "".join(event["delta"] for event in own if event["type"] == "response.output_text.delta")
        assert said == text_of(ended)
        assert 0 < len(said) < len("a long answer " * 50)
        # The successor has the settings of its parent, and goes before the request that waited.
        successor = (await talker.until("response.completed"))[-1]["response"]
        assert successor["previous_response_id"] == first
        assert (successor["instructions"], successor["metadata"]) == ("Be brief.", {"k": "v"})
        events += [{"stream_id": lane, **event} for event in await talker.until("response.completed")]
        assert text_of(events[-1]["response"]) == "You said: Later"
        assert {event.get("stream_id") for event in events} == {lane}
        await talker.send("response.steer", input="Too late", previous_response_id=first)
        failed = await talker.next()
        assert failed["error"]["code"] == "response_already_completed"
        assert failed["steer"] == {"previous_response_id": first, "input": "Too late"}


async def test_steering_lets_an_item_finish(server: Server) -> None:
    """Reasoning and calls are not cut: the response ends behind them, or waits for the results."""
    server.token_delay = 0.002
    async with talk(server, "/responses", RESPONSES) as talker:
        tools = [{**TOOL, "name": name} for name in ("f", "g")]
        await talker.send("response.create", model="gpt-4o", input="Use f and g", tools=tools, parallel_tool_calls=True)
        events = await talker.until("response.output_item.added")
        first = events[0]["response"]["id"]
        await talker.send("response.steer", input="More", previous_response_id=first)
        events += await talker.until("response.steer.pending")
        ended = next(event["response"] for event in events if event["type"] in ("response.incomplete", *ENDS))
        calls = [item["call_id"] for item in ended["output"]]
        assert [stub["call_id"] for stub in events[-1]["required_input"]] == calls
        results = [{"type": "function_call_output", "call_id": call, "output": "1"} for call in calls]
        await talker.send("response.create", model="gpt-4o", input=results, previous_response_id=first)
        done = (await talker.until(*ENDS))[-1]["response"]
        await talker.send("response.steer", input="Again", previous_response_id=first)
        assert (await talker.next())["error"]["code"] == "response_already_completed"
    assert "More" in str(await input_of(server, done["id"]))


async def test_input_for_a_response_that_waits_for_results(server: Server) -> None:
    async with talk(server, "/responses", RESPONSES) as talker:
        await talker.send("response.create", model="gpt-4o", input="Use f", tools=[TOOL])
        called = (await talker.until(*ENDS))[-1]["response"]
        call = called["output"][0]["call_id"]
        for text in ("one", "two"):
            await talker.send("response.steer", input=text, previous_response_id=called["id"])
            assert (await talker.next())["type"] == "response.steer.accepted"
            pending = await talker.next()
            assert pending["type"] == "response.steer.pending"
            assert pending["required_input"] == [{"type": "function_call_output", "call_id": call, "name": "f"}]
        result = {"type": "function_call_output", "call_id": call, "output": "1"}
        await talker.send("response.create", model="gpt-4o", input=[result], previous_response_id=called["id"])
        done = (await talker.until(*ENDS))[-1]["response"]
    *_, one, two, last = await input_of(server, done["id"])
    assert [one["content"][0]["text"], two["content"][0]["text"], last["output"]] == ["one", "two", "1"]


async def test_steering_that_is_refused(server: Server) -> None:
    server.answer = "a long answer " * 50
    server.token_delay = 0.002
    # Unchecked: the events have the refused input.
    async with talk(server, "/responses", unchecked) as talker:
        await talker.send("response.steer", input="x", previous_response_id="resp_none")
        failed = await talker.next()
        assert failed["error"]["code"] == "response_not_found"
        assert "id" not in failed["steer"]
        await talker.send("response.create", model="gpt-4o", input="Hi")
        first = (await talker.next())["response"]["id"]
        assistant = {"role": "assistant", "content": "x"}
        result = {"type": "function_call_output", "call_id": "c", "output": "1"}
        for given in ("", [], [assistant], [result], [{"role": "user", "content": "x", "id": "m"}]):
            await talker.send("response.steer", input=given, previous_response_id=first)
            assert (await talker.until("response.steer.failed"))[-1]["error"]["code"] == "invalid_input"
        # None of them has ended the response.
        assert (await talker.until(*ENDS, "response.incomplete"))[-1]["type"] == "response.completed"


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
