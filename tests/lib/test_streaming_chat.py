from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from aiopenai import (
    APIConnectionError,
    AsyncOpenAI,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    OpenAI,
)
from aiopenai._data.codec import Decoder
from aiopenai._data.pydantic_methods import PydanticMethods
from aiopenai.lib.streaming.chat import (
    ChatCompletionStream,
    ChatCompletionStreamState,
    ContentDeltaEvent,
    stream,
)
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk
from tests.parity.compare import differences

from .feeding import RECORDINGS, Blocking, BlockingResource, decoded, document_streams, lines_of

each_recording = pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
STREAMS = {file.stem: lines_of(file) for file in RECORDINGS}
for title, text in document_streams("/chat/completions").items():
    STREAMS[title] = [line[6:] for line in text.splitlines() if line.startswith("data: {")]

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


class Answer(msgspec.Struct):
    city: str
    temperature: float


def part(index: int = 0, finish: str | None = None, **delta: Any) -> str:
    """A chunk of one choice."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return json.dumps({**HEAD, "choices": [choice]})


def fed(*chunks: str, **options: Any) -> tuple[ChatCompletionStreamState[Any], list[Any]]:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(**options)
    events: list[Any] = []
    for chunk in decoded(ChatCompletionChunk, chunks):
        events += state.handle_chunk(chunk)
    return state, events


def of_type(events: list[Any], type: str) -> list[Any]:
    return [event for event in events if event.type == type]


# ---- against the reference


def reference_state(**options: Any) -> Any:
    return pytest.importorskip("openai.lib.streaming.chat").ChatCompletionStreamState(**options)


def reference_chunk(line: str) -> Any:
    from openai._models import construct_type
    from openai.types.chat import ChatCompletionChunk as Chunk

    return construct_type(type_=Chunk, value=json.loads(line))


@pytest.mark.skipif(not STREAMS, reason="there is no ../shared")
@pytest.mark.parametrize("together", [1, 64])
@pytest.mark.parametrize("title", STREAMS)
@pytest.mark.parametrize("options", [{}, {"input_tools": [WEATHER_TOOL]}], ids=["plain", "tools"])
def test_all_events_and_the_completion_equal_the_reference(title: str, together: int, options: dict[str, Any]) -> None:
    theirs = reference_state(**options)
    ours: ChatCompletionStreamState[Any] = ChatCompletionStreamState(**options)
    lines = STREAMS[title]
    for chunk, line in zip(decoded(ChatCompletionChunk, lines, together), lines, strict=True):
        mine, others = ours.handle_chunk(chunk), [*theirs.handle_chunk(reference_chunk(line))]
        assert list(differences(mine, others)) == []
    assert list(differences(ours.get_final_completion(), theirs.get_final_completion())) == []


@pytest.mark.skipif(not RECORDINGS, reason="there is no ../shared/recordings")
def test_parsed_content_equals_the_reference() -> None:
    pydantic = pytest.importorskip("pydantic")
    lines = next(lines_of(file) for file in RECORDINGS if file.stem == "chat_three_choices_json")
    known: dict[str, Any] = json.loads(
        "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines if '"index":0' in line)
    )
    model = pydantic.create_model("Location", **{name: (type(value), ...) for name, value in known.items()})
    theirs = reference_state(response_format=model)
    ours: ChatCompletionStreamState[Any] = ChatCompletionStreamState(response_format=model)
    compared = 0
    for number, (chunk, line) in enumerate(zip(decoded(ChatCompletionChunk, lines), lines, strict=True)):
        mine, others = ours.handle_chunk(chunk), [*theirs.handle_chunk(reference_chunk(line))]
        assert [event.type for event in mine] == [event.type for event in others]
        if number:
            for event, other in zip(mine, others, strict=True):
                if "content" in event.type:
                    compared += 1
                    assert event.parsed == other.parsed
    assert compared > 20
    final = ours.get_final_completion()
    assert [choice.message.parsed for choice in final.choices] == [
        choice.message.parsed for choice in theirs.get_final_completion().choices
    ]
    assert isinstance(final.choices[0].message.parsed, model)


# ---- snapshots


def test_a_snapshot_is_as_of_its_event_whenever_it_is_looked_at() -> None:
    chunks = [
        part(role="assistant", content="", refusal=None),
        part(content="Hel"),
        part(content="lo", reasoning="hm"),
        part(1, content="other"),
        part(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]),
        part(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
        part(tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}]),
        part(finish="tool_calls"),
        json.dumps({**HEAD, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}),
    ]

    def shown(event: Any) -> Any:
        return event.to_dict() if event.type != "chunk" else event.snapshot.to_dict()

    at_once: list[Any] = []
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in decoded(ChatCompletionChunk, chunks):
        at_once += [shown(event) for event in state.handle_chunk(chunk)]
    state, events = fed(*chunks)
    assert [shown(event) for event in events] == at_once
    assert [event.snapshot for event in of_type(events, "content.delta")] == ["", "Hel", "Hello", "other"]
    assert [event.arguments for event in of_type(events, "tool_calls.function.arguments.delta")] == [
        "",
        '{"a"',
        '{"a":1}',
    ]
    snapshot = state.current_completion_snapshot
    assert snapshot is state.current_completion_snapshot
    assert snapshot.usage is not None
    assert snapshot.usage.total_tokens == 3
    assert snapshot.choices[0].finish_reason == "tool_calls"


def test_no_snapshot_before_the_first_chunk() -> None:
    with pytest.raises(RuntimeError, match="no chunk"):
        _ = ChatCompletionStreamState().current_completion_snapshot


def test_events_look_like_other_objects() -> None:
    _, events = fed(part(content="a"), part(content="b"))
    event = of_type(events, "content.delta")[1]
    assert isinstance(event, ContentDeltaEvent)
    assert repr(event) == "ContentDeltaEvent(type='content.delta', delta='b', snapshot='ab', parsed=None)"
    assert json.loads(event.to_json()) == {"type": "content.delta", "delta": "b", "snapshot": "ab", "parsed": None}
    assert pickle.loads(pickle.dumps(event)) == copy.deepcopy(event) == event
    event.snapshot = "changed"
    assert event.snapshot == "changed"


def test_a_long_stream_costs_what_it_is_long() -> None:
    """A quadratic way takes minutes for this."""
    count = 100_000
    chunks = [part(role="assistant", content=""), *[part(content=" token")] * count, part(finish="stop")]
    feed = decoded(ChatCompletionChunk, chunks)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    spent = 0.0
    last: Any = None
    for chunk in feed:
        start = time.thread_time()
        for event in state.handle_chunk(chunk):
            last = event
        spent += time.thread_time() - start
    start = time.thread_time()
    completion = state.get_final_completion()
    spent += time.thread_time() - start
    assert completion.choices[0].message.content == " token" * count
    assert last.type == "content.done"
    # A few microseconds on any machine of today, with room for a busy one.
    assert spent / count < 25e-6


def test_the_first_batch_is_plain_although_its_first_chunk_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raws = [
        b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"x"}}]}'
    ] * 20
    chunks, _ = Decoder.of(ChatCompletionChunk).many(raws)
    asked: list[Any] = []
    extra = vars(PydanticMethods)["model_extra"]
    monkeypatch.setattr(PydanticMethods, "model_extra", property(lambda node: asked.append(node) or extra.fget(node)))
    state = ChatCompletionStreamState[None]()
    for chunk in chunks:
        state.handle_chunk(chunk)
    # The second chunk begins the flow of the text; no later one is asked for fields beyond those of its type.
    assert len(asked) <= 1
    assert state.current_completion_snapshot.choices[0].message.content == "x" * 20


def test_looking_at_every_snapshot_of_a_text_is_no_more_than_copying_it() -> None:
    count = 5_000
    _, events = fed(*[part(content="abcd")] * count)
    deltas = of_type(events, "content.delta")
    start = time.thread_time()
    assert sum(len(event.snapshot) for event in deltas) == 4 * count * (count + 1) // 2
    assert time.thread_time() - start < 1


# ---- streams of compatible servers


@pytest.mark.parametrize("together", [1, 64])
def test_unknown_fields_of_a_delta_are_continued(together: int) -> None:
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    chunks = [part(role="assistant", content=None, reasoning_content="Let me")]
    chunks += [part(content=None, reasoning_content=f" {word}") for word in ("think", "about", "it")]
    chunks += [part(content="42", audio={"transcript": "for"}), part(content="!", audio={"transcript": "ty"})]
    for chunk in decoded(ChatCompletionChunk, [*chunks, part(finish="stop")], together):
        state.handle_chunk(chunk)
    message: Any = state.get_final_completion().choices[0].message
    assert (message.content, message.reasoning_content) == ("42!", "Let me think about it")
    assert message.audio.transcript == "forty"


def test_names_that_are_sent_again_are_not_repeated() -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}
    state, _ = fed(
        part(role="assistant", tool_calls=[call]),
        part(role="assistant", tool_calls=[{**call, "function": {"name": "f", "arguments": "}"}}]),
        part(role="assistant", content="", finish="tool_calls"),
    )
    message = state.get_final_completion().choices[0].message
    assert message.role == "assistant"
    assert message.tool_calls is not None
    assert message.tool_calls[0].to_dict() == {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "parsed_arguments": None},
    }


def test_tool_calls_without_numbers_or_kinds() -> None:
    state, events = fed(
        part(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{"}}]),
        part(tool_calls=[{"function": {"arguments": "}"}}]),
        part(tool_calls=[{"id": "b", "function": {"name": "g", "arguments": "[]"}}]),
        part(finish="tool_calls"),
    )
    calls = state.current_completion_snapshot.choices[0].message.tool_calls
    assert calls is not None
    assert [(call.id, call.type, call.function.name, call.function.arguments) for call in calls] == [
        ("a", "function", "f", "{}"),
        ("b", "function", "g", "[]"),
    ]
    done = of_type(events, "tool_calls.function.arguments.done")
    assert [(event.index, event.name) for event in done] == [(0, "f"), (1, "g")]


@pytest.mark.parametrize(
    "odd",
    [
        json.dumps({**HEAD, "choices": None}),
        json.dumps({**HEAD, "choices": [None, 5]}),
        json.dumps({**HEAD, "choices": [{"index": None, "delta": {"content": 5}, "finish_reason": ["x"]}]}),
        part(tool_calls=[None, {"index": 0, "function": "f"}]),
        part(tool_calls="x"),
        json.dumps({**HEAD, "choices": [{"index": 0, "delta": None, "finish_reason": None}]}),
        json.dumps({**HEAD, "choices": [{"index": 0, "finish_reason": ""}]}),
        json.dumps({**HEAD, "choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "x"}]}}]}),
        part(tool_calls=[{"index": 0, "type": "custom", "custom": {"name": "x", "input": "y"}}]),
        part(tool_calls=[{"index": 3}]),
        part(logprobs={"content": None, "refusal": None}),
    ],
)
def test_odd_chunks_break_nothing(odd: str) -> None:
    state, events = fed(part(content="a"), odd, part(content="b"), part(finish="stop"))
    assert of_type(events, "chunk")[1].chunk is not None
    assert state.current_completion_snapshot.choices[0].finish_reason == "stop"
    for event in events:
        event.to_dict()


def test_choices_that_begin_late_and_out_of_order() -> None:
    state, _ = fed(part(2, content="c"), part(0, content="a"), part(1, content="b"))
    choices = state.current_completion_snapshot.choices
    assert [(choice.index, choice.message.content) for choice in choices] == [(0, "a"), (1, "b"), (2, "c")]


def test_refusals_and_log_probabilities() -> None:
    def token(text: str) -> dict[str, Any]:
        return {"token": text, "logprob": -1.0, "bytes": None, "top_logprobs": []}

    def chunk(name: str, text: str, finish: str | None = None) -> str:
        choice = {
            "index": 0,
            "delta": {name: text},
            "finish_reason": finish,
            "logprobs": {name: [token(text)]},
        }
        return json.dumps({**HEAD, "choices": [choice]})

    for name in ("content", "refusal"):
        state, events = fed(chunk(name, "No"), chunk(name, "!"), part(finish="stop"))
        assert [event.type for event in events] == [
            *["chunk", f"{name}.delta", f"logprobs.{name}.delta"] * 2,
            *["chunk", f"{name}.done", f"logprobs.{name}.done"],
        ]
        deltas = of_type(events, f"logprobs.{name}.delta")
        assert [[each.token for each in event.snapshot] for event in deltas] == [["No"], ["No", "!"]]
        assert getattr(state.get_final_completion().choices[0].message, name) == "No!"


# ---- structured outputs


def test_content_is_parsed_as_far_as_it_has_come() -> None:
    chunks = [part(content=piece) for piece in ("", ' {"city"', ': "Par', 'is", "temper', 'ature": 21', ".5}")]
    state, events = fed(*chunks, part(finish="stop"), response_format=Answer)
    deltas = of_type(events, "content.delta")
    assert [event.parsed for event in deltas] == [
        None,
        {},
        {},
        {"city": "Paris"},
        {"city": "Paris", "temperature": 21},
        {"city": "Paris", "temperature": 21.5},
    ]
    (done,) = of_type(events, "content.done")
    assert done.parsed == Answer("Paris", 21.5)
    assert of_type(events, "chunk")[3].snapshot.choices[0].message.parsed == {"city": "Paris"}
    assert state.current_completion_snapshot.choices[0].message.parsed == Answer("Paris", 21.5)
    assert state.get_final_completion().choices[0].message.parsed == Answer("Paris", 21.5)


def test_content_that_does_not_fit_raises_with_the_completion() -> None:
    with pytest.raises(ValueError, match="city") as caught:
        fed(part(content='{"temperature": 1}'), part(finish="stop"), response_format=Answer)
    assert caught.value.completion.choices[0].message.content == '{"temperature": 1}'  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("reason", "error"), [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)]
)
@pytest.mark.parametrize("options", [{"response_format": Answer}, {"input_tools": [WEATHER_TOOL]}])
def test_what_is_to_be_parsed_and_ends_early_raises(reason: str, error: Any, options: dict[str, Any]) -> None:
    with pytest.raises(error) as caught:
        fed(part(content='{"city": '), part(finish=reason), **options)
    assert caught.value.completion.choices[0].message.content == '{"city": '
    assert caught.value.completion.choices[0].finish_reason == reason
    state, events = fed(part(content="plain"), part(finish=reason))
    assert of_type(events, "content.done")[0].content == "plain"
    with pytest.raises(error):
        state.get_final_completion()


def test_arguments_of_strict_tools_are_parsed() -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    pieces = ['{"city"', ': "Rome"', "}"]
    chunks = [
        part(tool_calls=[call]),
        *(part(tool_calls=[{"index": 0, "function": {"arguments": each}}]) for each in pieces),
        part(tool_calls=[{**call, "index": 1, "id": "call_2", "function": {"name": "other", "arguments": "{}"}}]),
        part(finish="tool_calls"),
    ]
    state, events = fed(*chunks, input_tools=iter([WEATHER_TOOL]))
    deltas = of_type(events, "tool_calls.function.arguments.delta")
    assert [event.parsed_arguments for event in deltas] == [None, {}, {"city": "Rome"}, {"city": "Rome"}, None]
    done = of_type(events, "tool_calls.function.arguments.done")
    assert [event.parsed_arguments for event in done] == [{"city": "Rome"}, None]
    calls = state.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.parsed_arguments for call in calls] == [{"city": "Rome"}, None]


# ---- the two clients


def serve(server: Server, events: list[str], done: bool = True) -> None:
    text = "".join(f"data: {event}\n\n" for event in [*events, *(["[DONE]"] if done else [])])
    server.reply_with("/chat/completions", text.encode(), content_type="text/event-stream", chunk_size=50)


ANSWER = [part(role="assistant", content=""), part(content='{"city": "Oslo", '), part(content='"temperature": 3}')]


async def test_async(client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
    serve(server, [*ANSWER, part(finish="stop")])
    manager: Any = stream(client.chat.completions, **chat, response_format=Answer, extra_headers={"x-own": "1"})
    async with manager as events:
        assert events.response.status_code == 200
        first = await events.__anext__()
        assert first.type == "chunk"
        assert events.current_completion_snapshot.choices[0].message.content == ""
        seen = [event.type async for event in events]
        completion = await events.get_final_completion()
    assert seen == ["content.delta", "chunk", "content.delta", "chunk", "content.delta", "chunk", "content.done"]
    assert completion.choices[0].message.parsed == Answer("Oslo", 3)
    request = server.journal[-1]
    body = request.json()
    assert body["stream"] is True
    assert body["response_format"]["json_schema"]["name"] == "Answer"
    assert request.headers["x-stainless-helper-method"] == "chat.completions.stream"
    assert request.headers["x-own"] == "1"


async def test_async_leaves_early(client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
    serve(server, [part(content="x")] * 1_000)
    async with stream(client.chat.completions, **chat) as events:  # type: ignore[union-attr]
        async for event in events:
            if event.type == "content.delta":
                break
    with pytest.raises(StopAsyncIteration):
        await events.__anext__()


async def test_a_stream_that_breaks_off_raises_with_what_came(
    client: AsyncOpenAI, server: Server, chat: dict[str, Any]
) -> None:
    serve(server, ANSWER, done=False)
    async with stream(client.chat.completions, **chat) as events:  # type: ignore[union-attr]
        with pytest.raises(APIConnectionError) as caught:
            await events.get_final_completion()
        assert caught.value.partial.text == '{"city": "Oslo", "temperature": 3}'
        assert events.current_completion_snapshot.choices[0].message.content == caught.value.partial.text


async def test_objects_that_are_no_chunks_are_passed_over(
    client: AsyncOpenAI, server: Server, chat: dict[str, Any]
) -> None:
    """Azure's asynchronous content filter."""
    odd = json.dumps({**HEAD, "object": "", "id": "", "choices": [], "prompt_filter_results": []})
    serve(server, [odd, part(content="x"), part(finish="stop"), odd])
    async with stream(client.chat.completions, **chat) as events:  # type: ignore[union-attr]
        assert [event.type async for event in events] == ["chunk", "content.delta", "chunk", "content.done"]
        assert (await events.get_final_completion()).id == "chatcmpl-1"


async def test_blocking(client: AsyncOpenAI, chat: dict[str, Any]) -> None:
    raw = Blocking(decoded(ChatCompletionChunk, [*ANSWER, part(finish="stop")]))
    resource = BlockingResource(client.chat.completions, raw)
    manager: Any = stream(resource, **chat, response_format=Answer, tools=iter([WEATHER_TOOL]))
    assert resource.requests == []
    with manager as events:
        assert isinstance(events, ChatCompletionStream)
        assert events.response == "the response"
        assert next(events).type == "chunk"
        assert events.current_completion_snapshot.choices[0].message.content == ""
        assert [event.type for event in events][-1] == "content.done"
        assert events.get_final_completion().choices[0].message.parsed == Answer("Oslo", 3)
        assert not raw.closed
    assert raw.closed
    (request,) = resource.requests
    assert request.stream is True
    assert request.body["tools"] == [WEATHER_TOOL]


def test_a_blocking_stream_is_a_context_manager_itself() -> None:
    raw = Blocking(decoded(ChatCompletionChunk, ANSWER))
    with ChatCompletionStream(raw_stream=raw) as events:
        assert next(events).type == "chunk"
    assert raw.closed
    never = Blocking(iter(()))
    assert not never.closed


async def test_wrong_arguments_are_refused_at_once(client: AsyncOpenAI, chat: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no_such"):
        stream(client.chat.completions, **chat, no_such=1)
    with pytest.raises(TypeError):
        stream(client.chat.completions, **chat, response_format=5)


# ---- as users call it


async def test_the_method_of_the_async_client(client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
    serve(server, [*ANSWER, part(finish="stop")])
    async with client.chat.completions.stream(**chat, response_format=Answer) as events:
        assert [event.type async for event in events][-1] == "content.done"
        assert (await events.get_final_completion()).choices[0].message.parsed == Answer("Oslo", 3)


@pytest.fixture
def blocking_server() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_the_method_of_the_blocking_client(blocking_server: Server, chat: dict[str, Any]) -> None:
    serve(blocking_server, [*ANSWER, part(finish="stop")])
    with OpenAI(api_key="sk-test", base_url=blocking_server.base_url) as client:
        with client.chat.completions.stream(**chat, response_format=Answer) as events:
            assert events.response.status_code == 200
            assert [event.type for event in events][-1] == "content.done"
            assert events.get_final_completion().choices[0].message.parsed == Answer("Oslo", 3)
        serve(blocking_server, ANSWER, done=False)
        with (
            client.chat.completions.stream(**chat) as events,
            pytest.raises(APIConnectionError) as caught,
        ):
            events.until_done()
        assert caught.value.partial.text == '{"city": "Oslo", "temperature": 3}'
        # Left in the middle: the client goes on working.
        serve(blocking_server, [part(content="x")] * 1_000)
        with client.chat.completions.stream(**chat) as events:
            assert next(events).type == "chunk"
        serve(blocking_server, [*ANSWER, part(finish="stop")])
        with client.chat.completions.stream(**chat) as events:
            assert events.get_final_completion().choices[0].finish_reason == "stop"
