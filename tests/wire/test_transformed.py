"""One good stream of a response, transformed at random: the result is that of its `response.completed`.

Ids and numbers change, events are missing, doubled, late, early or of another response. `completed` itself stays.
More examples: `python -m pytest tests/wire/test_transformed.py --hypothesis-profile=default`.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiopenai._data.codec import Decoder
from aiopenai.lib.streaming.responses import ResponseStreamState
from aiopenai.types.responses import ResponseStreamEvent

from .payloads import payloads

STREAMS = {
    payload.id: payload.events
    for payload in payloads()
    if payload.id.startswith(("openai-responses-stream", "vllm-responses-stream"))
}
FOREIGN: list[dict[str, Any]] = [
    {"type": "keepalive"},
    {"type": "ping", "cost": 1},
    {"type": "response.something.new", "output_index": 0, "item_id": "x"},
    {"type": "response.in_progress", "response": {"id": "resp_other", "object": "response", "output": []}},
    {"type": "response.created", "response": {"id": "resp_other", "object": "response"}},
    {"type": "response.output_text.delta", "item_id": "other", "output_index": 9, "content_index": 0, "delta": "!"},
    {"type": "response.output_text.delta", "item_id": "other", "output_index": 0, "content_index": 3, "delta": "!"},
    {"type": "response.function_call_arguments.delta", "item_id": "other", "output_index": 8, "delta": "{"},
    {"type": "response.output_item.done", "output_index": 7, "item": {"type": "message", "id": "m", "content": []}},
    {"type": "response.output_item.added", "output_index": 6, "item": None},
    {"type": "response.content_part.added", "output_index": 5, "content_index": 0, "part": {"type": "refusal"}},
    {"type": "response.output_text.done", "text": "!"},
    {"type": "response.refusal.delta", "delta": "!"},
    {"x": 1},
]
IDS = ("id", "item_id", "call_id")
NUMBERS = ("output_index", "content_index", "sequence_number")


def changed(value: Any, names: tuple[str, ...], new: Any) -> Any:
    """A copy in which the fields of these names have other values, on every level."""
    if isinstance(value, dict):
        return {name: new(each) if name in names else changed(each, names, new) for name, each in value.items()}
    return [changed(each, names, new) for each in value] if isinstance(value, list) else value


@st.composite
def transformed(draw: st.DrawFn) -> tuple[list[Any], dict[str, Any]]:
    """The events, and the response of the last one."""
    events = copy.deepcopy(STREAMS[draw(st.sampled_from(sorted(STREAMS)))])
    *events, completed = events
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(len(events) - 1, 0)))
        change = draw(st.sampled_from(["ids", "numbers", "null", "missing", "doubled", "late", "early", "foreign"]))
        if not events:
            break
        if change == "ids":
            events[at] = changed(events[at], IDS, lambda _: f"id_{draw(st.integers(0, 3))}")
        elif change == "numbers":
            events[at] = changed(events[at], NUMBERS, lambda _: draw(st.none() | st.integers(-1, 5)))
        elif change == "null":
            name = draw(st.sampled_from(sorted(events[at])))
            if name != "type":
                events[at] = {**events[at], name: None}
        elif change == "missing":
            del events[at]
        elif change == "doubled":
            events.insert(at, copy.deepcopy(events[at]))
        elif change in ("late", "early"):
            moved = events.pop(at)
            events.insert(draw(st.integers(0, len(events))), moved)
        else:
            events.insert(at, draw(st.sampled_from(FOREIGN)))
    if draw(st.booleans()):
        completed = changed(completed, IDS, lambda old: f"{old}_other")
    return [*events, completed, *draw(st.lists(st.sampled_from(FOREIGN[:4]), max_size=2))], completed["response"]


def fed(events: list[Any]) -> tuple[ResponseStreamState[Any], list[Any]]:
    state: ResponseStreamState[Any] = ResponseStreamState()
    decoder = Decoder[Any].of(ResponseStreamEvent)
    return state, [made for event in events for made in state.handle_event(decoder(json.dumps(event).encode()))]


def plain(response: Any) -> Any:
    """A response as it was received, without parsed values."""
    found = response.to_dict()
    for item in found["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    return found


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(transformed())
def test_the_result_is_that_of_the_ending_event(stream: tuple[list[Any], dict[str, Any]]) -> None:
    events, due = stream
    state, made = fed(events)
    assert plain(state.final_response()) == due
    assert state.final_response() is state.completed_response
    for event in made:
        event.to_dict()
        repr(event)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(transformed(), st.sampled_from([None, []]))
def test_without_an_output_nothing_raises(stream: tuple[list[Any], dict[str, Any]], output: Any) -> None:
    events, _ = stream
    events = [
        {**event, "response": {**event["response"], "output": output}}
        if event.get("type") == "response.completed"
        else event
        for event in events
    ]
    state, _ = fed(events)
    assert isinstance(state.final_response().output, list)
    state.final_response().to_dict()


@pytest.mark.parametrize("output", [None, []])
@pytest.mark.parametrize("title", sorted(STREAMS))
def test_without_an_output_it_is_that_of_the_items(title: str, output: Any) -> None:
    *events, completed = STREAMS[title]
    state, _ = fed([*events, {**completed, "response": {**completed["response"], "output": output}}])
    found, due = state.final_response(), completed["response"]["output"]
    # The ids are those of the items: this server changes them at the end.
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert plain(found)["output"] == done
    assert [item["type"] for item in done] == [item["type"] for item in due]
    assert found.output_text == "".join(
        part["text"] for item in due if item["type"] == "message" for part in item["content"]
    )
