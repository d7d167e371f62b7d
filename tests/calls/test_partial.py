"""The record of a stream, without a network: its texts, its number of events and its progress."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai._calls.partial import Partial, StreamRecord
from aiopenai._data.codec import Decoder
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.chat import ChatCompletionChunk
from aiopenai.types.completions import Completion
from aiopenai.types.responses import ResponseStreamEvent


def chunk(*choices: Any, **more: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [*choices], **more}


def choice(text: Any = None, finish: Any = None, index: Any = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": finish, **more}


def recorded(kind: Any, events: list[Any], together: int) -> tuple[StreamRecord, list[Any]]:
    record = StreamRecord(kind)
    decoder = Decoder[Any].of(kind)
    raws = [json.dumps(event).encode() for event in events]
    kept: list[Any] = []
    for start in range(0, len(raws), together):
        made: list[Any] = []
        found, failure = decoder.many(raws[start : start + together], made=made)
        assert failure is None
        kept += record.note(found, made)
    return record, kept


CHAT: dict[str, tuple[list[Any], dict[int, str], bool]] = {
    "text": ([chunk(choice("a")), chunk(choice("b")), chunk(choice(None, "stop"))], {0: "ab"}, True),
    "no finish": ([chunk(choice("a")), chunk(choice("b"))], {0: "ab"}, False),
    "no text": ([chunk(choice(None)), chunk(choice("")), chunk(choice(None, "stop"))], {}, True),
    "a finish in the middle": ([chunk(choice("a", "stop")), chunk(choice("b")), chunk(choice("c"))], {0: "abc"}, True),
    "a batch of finishes": ([chunk(choice("a", "stop")), chunk(choice("b", "length"))], {0: "ab"}, True),
    "usage last": ([chunk(choice("a")), chunk(choice("", "stop")), chunk(usage={"total_tokens": 1})], {0: "a"}, True),
    "two choices": (
        [chunk(choice("a"), choice("b", index=1)), chunk(choice("c", "stop", 1)), chunk(choice("d", "stop"))],
        {0: "ad", 1: "bc"},
        True,
    ),
    "one of two choices": (
        [chunk(choice("a"), choice("b", index=1)), chunk(choice("", "stop", 1))],
        {0: "a", 1: "b"},
        False,
    ),
    "two choices and none": (
        [chunk(choice("a"), choice("b", index=1)), chunk(), chunk(choice("c", "stop"))],
        {0: "ac", 1: "b"},
        False,
    ),
    "as many objects as usual": (
        [
            chunk(choice("a")),
            chunk(usage={"total_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0}}),
            chunk(choice("b")),
        ],
        {0: "ab"},
        False,
    ),
    "log probabilities in place of a delta": (
        [chunk({"index": 0, "logprobs": {"content": [], "refusal": None}}), chunk(choice("a"))],
        {0: "a"},
        False,
    ),
    "only the second": ([chunk(choice("a", index=1)), chunk(choice("b", "stop", 1))], {1: "ab"}, True),
    "no numbers": ([chunk(choice("a", index=None)), chunk(choice("b", "stop", None))], {0: "ab"}, True),
    "odd numbers": ([chunk(choice("a", index="x")), chunk(choice("b", "stop", 1.5))], {0: "ab"}, True),
    "parts": (
        [chunk(choice([{"type": "text", "text": "a"}, {"type": "x"}, 5])), chunk(choice("b", "stop"))],
        {0: "ab"},
        True,
    ),
    "odd contents": ([chunk(choice(5)), chunk(choice({"a": 1})), chunk(choice("a", "stop"))], {0: "a"}, True),
    "no delta": ([chunk({"index": 0, "finish_reason": None}), chunk(choice("a", "stop"))], {0: "a"}, True),
    "no choices": ([{"id": "c", "choices": None}, {"id": "c", "choices": 5}, chunk(), {"x": 1}], {}, False),
    "no objects": ([chunk(None, 5), chunk(choice("a", "stop"))], {0: "a"}, True),
}


@pytest.mark.parametrize("together", [1, 2, 64])
@pytest.mark.parametrize("title", CHAT)
def test_chat(title: str, together: int) -> None:
    events, texts, complete = CHAT[title]
    record, kept = recorded(ChatCompletionChunk, events, together)
    partial = record.partial()
    assert partial.texts == texts
    assert partial.text == texts.get(0, "")
    assert partial.events == record.count == len(events) == len(kept)
    assert partial.last is kept[-1]
    assert record.end.is_complete(record.count) is complete


@pytest.mark.parametrize("together", [1, 64])
@pytest.mark.parametrize("kind", [ChatCompletionChunk, ResponseStreamEvent, object])
def test_null_is_dropped(kind: Any, together: int) -> None:
    events = [None, chunk(choice("a")), None, None, chunk(choice("", "stop")), None]
    record, kept = recorded(kind, events, together)
    assert record.count == len(kept) == 2
    assert None not in kept
    assert recorded(kind, [None, None], together)[0].count == 0
    assert recorded(kind, [[], False, 5, "keepalive"], together)[0].count == (4 if kind is object else 0)


RESPONSES = [
    {"type": "response.created", "sequence_number": 0, "response": {}},
    {"type": "response.output_text.delta", "delta": "a", "item_id": "m", "output_index": 0, "content_index": 0},
    {"type": "response.output_text.delta", "delta": 5},
    {"type": "keepalive"},
    {"type": "response.output_text.delta", "delta": "b"},
    {"type": "response.output_text.done", "text": "ab"},
]


@pytest.mark.parametrize("together", [1, 3, 64])
def test_responses(together: int) -> None:
    record, _ = recorded(ResponseStreamEvent, RESPONSES, together)
    assert record.partial().texts == {0: "ab"}
    assert not record.end.is_complete(record.count)
    for end in ("completed", "incomplete", "failed"):
        events = [*RESPONSES, {"type": f"response.{end}", "response": {}}, {"type": "keepalive"}]
        record, _ = recorded(ResponseStreamEvent, events, together)
        assert record.end.is_complete(record.count)


@pytest.mark.parametrize("together", [1, 64])
def test_completions(together: int) -> None:
    events = [
        {"id": "c", "choices": [{"index": 0, "text": "a", "finish_reason": None}]},
        {"id": "c", "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}, {"index": 1, "text": "c"}]},
    ]
    record, _ = recorded(Completion, events, together)
    assert record.partial().texts == {0: "ab", 1: "c"}
    assert not record.end.is_complete(2)


def test_named_events() -> None:
    events = [{"event": "thread.run.created", "data": {}}, {"event": "thread.run.completed", "data": {}}]
    record, _ = recorded(AssistantStreamEvent, events[:1], 1)
    assert not record.end.is_complete(1)
    record, _ = recorded(AssistantStreamEvent, events, 2)
    assert record.end.is_complete(2)


def test_the_text_of_a_partial() -> None:
    assert Partial(texts={}, events=0, last=None).text == ""
    assert Partial(texts={0: "a", 1: "b"}, events=2, last=None).text == "a"
