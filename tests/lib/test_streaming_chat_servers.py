"""Chat streams of compatible servers: the identity of calls, strings that identify, and messages sent back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.lib.streaming.chat import ChatCompletionStreamState
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

from .feeding import decoded
from .test_streaming_chat import HEAD, fed, of_type, part

ALL = [1, 64]


def delta(arguments: Any = None, name: Any = None, **more: Any) -> dict[str, Any]:
    """A delta of a tool call, without the keys that are not given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**more, **({"function": function} if function else {})}


# Each delta is a chunk of its own; a list of them is one chunk. The calls: (id, name, arguments).
CALLS: dict[str, tuple[list[Any], list[tuple[str | None, str, str]]]] = {
    "as usual": (
        [
            delta("", "f", index=0, id="a", type="function"),
            delta('{"x"', index=0),
            delta(":1}", index=0),
            delta("", "g", index=1, id="b", type="function"),
            delta("{}", index=1),
        ],
        [("a", "f", '{"x":1}'), ("b", "g", "{}")],
    ),
    "one index, ids and names": (
        [delta("{}", "f", index=0, id="a"), delta("[]", "g", index=0, id="b")],
        [("a", "f", "{}"), ("b", "g", "[]")],
    ),
    "one index, ids and one name": (
        [delta('{"x":1}', "f", index=0, id="a"), delta('{"x":2}', "f", index=0, id="b")],
        [("a", "f", '{"x":1}'), ("b", "f", '{"x":2}')],
    ),
    "one index, ids and names, in pieces": (
        [
            delta("", "f", index=0, id="a"),
            delta('{"x"', index=0),
            delta(":1}", index=0),
            delta("", "g", index=0, id="b"),
            delta("{", index=0),
            delta("}", index=0),
        ],
        [("a", "f", '{"x":1}'), ("b", "g", "{}")],
    ),
    "one index in one chunk": (
        [[delta("{}", "f", index=0, id="a"), delta("{}", "g", index=0, id="b"), delta("{}", "h", index=0, id="c")]],
        [("a", "f", "{}"), ("b", "g", "{}"), ("c", "h", "{}")],
    ),
    "one index and names alone": (
        [delta("{}", "f", index=0), delta("{}", "g", index=0)],
        [(None, "f", "{}"), (None, "g", "{}")],
    ),
    "one index and one name alone, complete each": (
        [delta('{"x":1}', "f", index=0), delta('{"x":2}', "f", index=0)],
        [(None, "f", '{"x":1}'), (None, "f", '{"x":2}')],
    ),
    "names alone": (
        [delta("{}", "f"), delta("[]", "g"), delta("{}", "f")],
        [(None, "f", "{}"), (None, "g", "[]"), (None, "f", "{}")],
    ),
    "names alone, in pieces": (
        [delta("", "f"), delta('{"x"'), delta(":1}"), delta("{", "g"), delta("}")],
        [(None, "f", '{"x":1}'), (None, "g", "{}")],
    ),
    "ids alone number the calls": (
        [delta("{", "f", id="a"), delta("[", "g", id="b"), delta("}", id="a"), delta("]", id="b")],
        [("a", "f", "{}"), ("b", "g", "[]")],
    ),
    "a new id on each delta": (
        [delta("{", "f", index=0, id="a"), delta('"x":', index=0, id="b"), delta("1}", index=0, id="c")],
        [("a", "f", '{"x":1}')],
    ),
    "a new id on each delta, no index": (
        [delta("{", "f", id="a"), delta('"x":', id="b"), delta("1}", id="c")],
        [("a", "f", '{"x":1}')],
    ),
    "the id and name on each delta": (
        [delta(piece, "f", index=0, id="a", type="function") for piece in ("{", '"x":', "1}")],
        [("a", "f", '{"x":1}')],
    ),
    "the name on each delta": ([delta(piece, "f", index=0) for piece in ("{", '"x":', "1}")], [(None, "f", '{"x":1}')]),
    "the name on each delta, no index": (
        [delta(piece, "f") for piece in ("{", '"x":', "1}")],
        [(None, "f", '{"x":1}')],
    ),
    "empty strings and nulls": (
        [
            delta("{", "f", index=0, id="a", type="function"),
            delta("}", "", index=0, id="", type=""),
            {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": ""}},
            {"index": 0, "id": None, "type": None, "function": None},
        ],
        [("a", "f", "{}")],
    ),
    "an id that comes late": ([delta("", "f", index=0), delta("{}", index=0, id="a")], [("a", "f", "{}")]),
    "an id that comes late, with the name": (
        [delta("{", "f", index=0), delta("}", "f", index=0, id="a")],
        [("a", "f", "{}")],
    ),
    "another index for a known id": (
        [delta("{", "f", index=0, id="a"), delta("}", index=1, id="a")],
        [("a", "f", "{}")],
    ),
    "numbers that begin at one": (
        [delta("{}", "f", index=1, id="a"), delta("{}", "g", index=2, id="b")],
        [("a", "f", "{}"), ("b", "g", "{}")],
    ),
    "interleaved": (
        [
            [delta("", "f", index=0, id="a"), delta("", "g", index=1, id="b")],
            [delta("[", index=1), delta("{", index=0)],
            [delta("}", index=0), delta("]", index=1)],
        ],
        [("a", "f", "{}"), ("b", "g", "[]")],
    ),
    "one id for all": (
        [delta("{}", "f", index=0, id="call"), delta("[]", "g", index=1, id="call")],
        [("call", "f", "{}"), ("call", "g", "[]")],
    ),
    "a name in pieces": (
        [delta("", "get_", index=0, id="a"), {"index": 0, "function": {"name": "weather", "arguments": ""}}],
        [("a", "get_weather", "")],
    ),
    "one index, names alone, the first without arguments": (
        [delta("", "f", index=0), delta("{}", "g", index=0)],
        [(None, "f", ""), (None, "g", "{}")],
    ),
    "one index and names alone, all without arguments": (
        [delta("", "f", index=0), delta("", "g", index=0), delta(None, "h", index=0)],
        [(None, "f", ""), (None, "g", ""), (None, "h", "")],
    ),
    "one index, names without arguments, the first with an id": (
        [delta("", "f", index=0, id="a"), delta("{}", "g", index=0)],
        [("a", "f", ""), (None, "g", "{}")],
    ),
    "one index, names and empty arguments, then pieces": (
        [delta("", "f", index=0), delta('{"x"', index=0), delta(":1}", index=0), delta("", "g", index=0)],
        [(None, "f", '{"x":1}'), (None, "g", "")],
    ),
    "one index and one name again, without arguments": (
        [delta("", "f", index=0), delta("", "f", index=0), delta("{}", index=0)],
        [(None, "f", "{}")],
    ),
    "a name that comes late": (
        [{"index": 0, "id": "a", "function": None}, delta("{", index=0), delta("}", "f", index=0)],
        [("a", "f", "{}")],
    ),
    "a new id with the name on each delta": (
        [delta('{"x"', "f", index=0, id="a"), delta(":", "f", index=0, id="b"), delta("1}", "f", index=0, id="c")],
        [("a", "f", '{"x":1}')],
    ),
    "numbers as strings": (
        [
            [delta("{", "f", index="0", id="a"), delta("[", "g", index="1", id="b")],
            [delta("}", index="0")],
            [delta("]", index="1")],
        ],
        [("a", "f", "{}"), ("b", "g", "[]")],
    ),
    "names alone without arguments": (
        [delta("", "f"), delta("", "g"), delta(None, "h")],
        [(None, "f", ""), (None, "g", ""), (None, "h", "")],
    ),
    "one name alone twice, without arguments": ([delta("", "f"), delta("", "f")], [(None, "f", ""), (None, "f", "")]),
    "one name alone twice in one chunk": ([[delta(None, "f"), delta(None, "f")]], [(None, "f", ""), (None, "f", "")]),
    "one name alone, empty and then pieces": (
        [delta("", "f"), delta('{"x"', "f"), delta(":1}", "f")],
        [(None, "f", '{"x":1}')],
    ),
}

WEATHER: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_weather", "get_time", "get")
]
# With those tools. A tool's name in pieces is one call, and a tool's whole name is a call of its own.
NAMED_TOOLS: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "pieces without an id": (
        [delta("", "get_", index=0), delta("", "wea", index=0), delta("{}", "ther", index=0)],
        [("get_weather", "{}")],
    ),
    "pieces without an index": ([delta("", "get_"), delta("", "time"), delta("{}")], [("get_time", "{}")]),
    "whole names": (
        [delta("", "get", index=0), delta("", "get_time", index=0), delta("{}", "get_weather", index=0)],
        [("get", ""), ("get_time", ""), ("get_weather", "{}")],
    ),
    "a whole name after an id": (
        [delta("", "get", index=0, id="a"), delta("", "unknown", index=0)],
        [("get", ""), ("unknown", "")],
    ),
}


@pytest.mark.parametrize("together", [1, 64])
@pytest.mark.parametrize("title", NAMED_TOOLS)
def test_names_are_those_of_the_tools(title: str, together: int) -> None:
    chunks, expected = NAMED_TOOLS[title]
    lines = [part(role="assistant"), *(part(tool_calls=[each]) for each in chunks), part(finish="tool_calls")]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(input_tools=WEATHER)
    for chunk in decoded(ChatCompletionChunk, lines, together):
        state.handle_chunk(chunk)
    calls = state.current_completion_snapshot.choices[0].message.tool_calls
    assert calls is not None
    assert [(call.function.name, call.function.arguments) for call in calls] == expected


@pytest.mark.parametrize("finish", ["later", "in the last chunk"])
@pytest.mark.parametrize("together", ALL)
@pytest.mark.parametrize("title", CALLS)
def test_the_identity_of_calls(title: str, together: int, finish: str) -> None:
    chunks, expected = CALLS[title]
    lines = [part(role="assistant", content=None)]
    for number, each in enumerate(chunks, 1):
        last = finish != "later" and number == len(chunks)
        lines.append(part(tool_calls=each if isinstance(each, list) else [each], finish="tool_calls" if last else None))
    if finish == "later":
        lines.append(part(finish="tool_calls"))
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    events = [event for chunk in decoded(ChatCompletionChunk, lines, together) for event in state.handle_chunk(chunk)]
    calls = state.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert [(call.id, call.function.name, call.function.arguments or "") for call in calls] == expected
    assert {call.type for call in calls} == {"function"}
    done = of_type(events, "tool_calls.function.arguments.done")
    assert sorted((event.name, event.arguments) for event in done) == sorted(call[1:] for call in expected)
    numbers = [event.index for event in done]
    assert len(set(numbers)) == len(expected)
    pieces: dict[int, str] = {}
    for event in of_type(events, "tool_calls.function.arguments.delta"):
        pieces[event.index] = pieces.get(event.index, "") + event.arguments_delta
        assert event.arguments == pieces[event.index]
    assert [pieces[number] for number in sorted(numbers)] == [call[2] for call in expected]


@pytest.mark.parametrize("together", ALL)
def test_strings_that_identify_are_not_continued(together: int) -> None:
    detail = {"type": "reasoning.text", "format": "some-v1", "id": "rs_1", "index": 0, "provider_id": "p"}
    lines = [
        part(role="assistant", content="", reasoning_details=[{**detail, "text": "Let"}]),
        part(role="", content="", reasoning_details=[{**detail, "text": " me"}]),
        part(role=None, content=None, reasoning_details=[{**detail, "id": "rs_2", "format": "", "text": "."}]),
        part(content="Hi", role="", refusal=None, audio={"id": "audio_1", "transcript": "a", "format": "wav"}),
        part(content=None, audio={"id": "audio_1", "transcript": "b", "format": "wav"}),
        part(content="", finish="stop"),
    ]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in decoded(ChatCompletionChunk, lines, together):
        state.handle_chunk(chunk)
    message: Any = state.get_final_completion().choices[0].message
    assert message.role == "assistant"
    assert message.content == "Hi"
    assert message.to_dict()["reasoning_details"] == [{**detail, "text": "Let me."}]
    assert message.to_dict()["audio"] == {"id": "audio_1", "transcript": "ab", "format": "wav"}


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
CONTENTS: dict[str, tuple[list[Any], Any, str]] = {
    "parts, then an empty string": ([[THINKING], ""], [THINKING], ""),
    "an empty string first": (["", [THINKING], ""], [THINKING], ""),
    "parts of text": ([[{"type": "text", "text": "a"}], [{"type": "text", "text": "b"}], ""],
                      [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
    "parts, then text": ([[THINKING], "a", "b", ""], [THINKING, {"type": "text", "text": "ab"}], "ab"),
    "text, then parts": (["a", [THINKING], "b"],
                         [{"type": "text", "text": "a"}, THINKING, {"type": "text", "text": "b"}], "ab"),
    "null and text": ([None, "a", None, "b", None], "ab", "ab"),
}  # fmt: skip


@pytest.mark.parametrize("together", ALL)
@pytest.mark.parametrize("title", CONTENTS)
def test_content_in_parts(title: str, together: int) -> None:
    contents, whole, text = CONTENTS[title]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    lines = [*(part(content=content) for content in contents), part(finish="stop")]
    events = [event for chunk in decoded(ChatCompletionChunk, lines, together) for event in state.handle_chunk(chunk)]
    assert state.get_final_completion().choices[0].message.content == whole
    assert "".join(event.delta for event in of_type(events, "content.delta")) == text
    assert [event.snapshot for event in of_type(events, "content.delta")][-1:] in ([text], [])
    snapshots = [event.snapshot.choices[0].message.content for event in of_type(events, "chunk")]
    assert snapshots[-1] == whole


def test_usage_and_fingerprint_are_not_erased() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    state, _ = fed(
        part(content="a"),
        json.dumps({**HEAD, "choices": [], "usage": usage, "system_fingerprint": "fp"}),
        json.dumps({**HEAD, "choices": [], "usage": None, "system_fingerprint": ""}),
        json.dumps({**HEAD, "choices": []}),
    )
    final = state.get_final_completion()
    assert final.usage is not None
    assert final.usage.to_dict() == usage
    assert final.system_fingerprint == "fp"


FULL = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
DETAILS = {"prompt_tokens_details": {"cached_tokens": 4}}
USAGES: dict[str, tuple[list[Any], Any]] = {
    "an empty one": ([FULL, {}], FULL),
    "nulls": ([FULL, dict.fromkeys(FULL)], FULL),
    "zeros": ([FULL, dict.fromkeys(FULL, 0)], FULL),
    "empty ones first": ([{}, {}, FULL, {}, None], FULL),
    "rising": ([{**FULL, "completion_tokens": 1, "total_tokens": 6}, FULL], FULL),
    "in two parts": ([{"prompt_tokens": 5}, {"completion_tokens": 2, "total_tokens": 7}], FULL),
    "a cost after it": ([FULL, {"cost": 0.5}], {**FULL, "cost": 0.5}),
    "details after it": ([FULL, {**DETAILS, "prompt_tokens": None}], {**FULL, **DETAILS}),
    "empty details after it": ([{**FULL, **DETAILS}, {"prompt_tokens_details": {}}], {**FULL, **DETAILS}),
    "nothing but an empty one": ([None, {}], {}),
}


@pytest.mark.parametrize("title", USAGES)
def test_a_usage_without_counts_erases_none(title: str) -> None:
    usages, expected = USAGES[title]
    for lines in (
        [part(content="a"), *(json.dumps({**HEAD, "choices": [], "usage": usage}) for usage in usages)],
        [json.dumps({**json.loads(part(content="a")), "usage": usage}) for usage in usages],
    ):
        state, _ = fed(*lines)
        usage = state.get_final_completion().usage
        assert usage is not None
        assert usage.to_dict() == expected


def without_object(line: str, **more: Any) -> str:
    chunk = json.loads(line)
    del chunk["object"]
    return json.dumps({**chunk, **more})


async def final_of(client: AsyncOpenAI, server: Server, lines: list[str]) -> Any:
    text = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
    server.reply_with("/chat/completions", text.encode(), content_type="text/event-stream", chunk_size=60)
    async with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as events:
        return await events.get_final_completion()


@pytest.mark.parametrize("more", [{}, {"object": ""}, {"object": None}, {"object": "chat.completion"}])
async def test_chunks_without_their_object(more: Any, client: AsyncOpenAI, server: Server) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    for first in (0, 1):
        lines = [part(role="assistant", content="a"), part(content="b"), part(finish="stop")]
        lines.append(json.dumps({**HEAD, "choices": [], "usage": usage}))
        lines = [line if number < first else without_object(line, **more) for number, line in enumerate(lines)]
        final = await final_of(client, server, lines)
        assert final.choices[0].message.content == "ab"
        assert final.choices[0].finish_reason == "stop"
        assert final.object == "chat.completion"
        assert final.usage.to_dict() == usage


async def test_a_whole_message_in_place_of_a_delta(client: AsyncOpenAI, server: Server) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    final = await final_of(client, server, [json.dumps({**HEAD, "choices": [choice]})])
    assert final.choices[0].message.content == "Hi"


REPLAYED = {
    "text": [part(role="assistant", content="a"), part(content="b"), part(finish="stop")],
    "nulls": [part(role="assistant", content=None, refusal=None), part(content="b"), part(finish="stop")],
    "a call": [
        part(role="assistant", content=None),
        part(tool_calls=[delta("{", "f", index=0, id="a", type="function")]),
        part(tool_calls=[delta("}", index=0)]),
        part(finish="tool_calls"),
    ],
    "a call without an index": [part(role="assistant", tool_calls=[delta("{}", "f", id="a", type="function")])],
    "unknown fields": [part(role="assistant", content="", reasoning="a"), part(reasoning="b", x={"y": [1]})],
    "an empty role": [part(role="assistant", content="a"), part(role="", content="b")],
    "an empty role first": [part(role="", content="a"), part(role="assistant", content="b")],
    "no other role": [part(role="", content="a"), part(role="", content="b")],
}
SENT: dict[str, Any] = {
    "text": {"role": "assistant", "content": "ab"},
    "nulls": {"role": "assistant", "content": "b", "refusal": None},
    "a call": {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    "a call without an index": {
        "role": "assistant",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    "unknown fields": {"role": "assistant", "content": "", "reasoning": "ab", "x": {"y": [1]}},
    "an empty role": {"role": "assistant", "content": "ab"},
    "an empty role first": {"role": "assistant", "content": "ab"},
    "no other role": {"role": "assistant", "content": "ab"},
}


@pytest.mark.parametrize("title", REPLAYED)
async def test_a_message_is_sent_back_as_it_was_received(title: str, client: AsyncOpenAI, server: Server) -> None:
    message = (await final_of(client, server, REPLAYED[title])).choices[0].message
    server.reply_with("/chat/completions", b"{}")
    await client.chat.completions.create(model="m", messages=[message])
    (sent,) = server.journal[-1].json()["messages"]
    assert sent == SENT[title]
