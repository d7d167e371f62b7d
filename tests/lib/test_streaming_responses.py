from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, OpenAI, OutputValidationError
from aiopenai._base.sentinels import omit
from aiopenai.lib.streaming.responses import (
    ResponseStream,
    ResponseStreamState,
    ResponseTextDeltaEvent,
    stream,
)
from aiopenai.testing import Server
from aiopenai.types.responses import ResponseStreamEvent
from aiopenai.types.responses import ResponseTextDeltaEvent as RawResponseTextDeltaEvent
from tests.parity.compare import differences

from .feeding import Blocking, BlockingResource, data_of, decoded, document_streams


class Answer(msgspec.Struct):
    city: str


def response(output: Any = (), status: str = "in_progress", id: str = "resp_1") -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o",
        "output": output if output is None else [*output],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def message(text: str | None = None, **more: Any) -> dict[str, Any]:
    content = [] if text is None else [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    status = "in_progress" if text is None else "completed"
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content, **more}


def call(arguments: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": arguments, **more}


def numbered(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"sequence_number": number, **event} for number, event in enumerate(events)]


def lifecycle(kind: str, *output: Any, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": response(output, status=kind, **more)}


CREATED = {"type": "response.created", "response": response()}
PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def item(kind: str, item: Any, index: int = 0) -> dict[str, Any]:
    return {"type": f"response.output_item.{kind}", "output_index": index, "item": item}


def at(kind: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "item_id": "msg_1", "output_index": index, "content_index": 0, **more}


def text_delta(piece: str) -> dict[str, Any]:
    return at("output_text.delta", delta=piece, logprobs=[])


TEXT = [
    CREATED,
    item("added", message(phase="final_answer")),
    at("content_part.added", part=PART),
    text_delta('{"city": '),
    text_delta('"Bern"}'),
    at("output_text.done", text='{"city": "Bern"}', logprobs=[]),
    item("done", message('{"city": "Bern"}', phase="final_answer")),
]
CALL = [
    CREATED,
    item("added", call()),
    at("function_call_arguments.delta", delta='{"a"'),
    at("function_call_arguments.delta", delta=":1}"),
    at("function_call_arguments.done", arguments='{"a":1}'),
    item("done", call('{"a":1}')),
]
WHOLE_TEXT = numbered(*TEXT, lifecycle("completed", message('{"city": "Bern"}', phase="final_answer")))
WHOLE_CALL = numbered(*CALL, lifecycle("completed", call('{"a":1}')))
TOOL = {
    "type": "function",
    "name": "f",
    "strict": True,
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
}


def fed(events: list[Any], **options: Any) -> tuple[ResponseStreamState[Any], list[Any]]:
    state: ResponseStreamState[Any] = ResponseStreamState(**options)
    return state, [each for event in decoded(ResponseStreamEvent, events) for each in state.handle_event(event)]


# ---- against the reference

ALL = {
    **{title: numbered(*data_of(text)) for title, text in document_streams("/responses").items()},
    "text": WHOLE_TEXT,
    "call": WHOLE_CALL,
    "output left out at the end": numbered(*TEXT, {**lifecycle("completed"), "response": response(None)}),
    "output left out": numbered(
        {"type": "response.created", "response": response(None)},
        *TEXT[1:5],
        {"type": "response.in_progress", "response": response(None)},
        {"type": "response.incomplete", "response": response(None)},
    ),
    "failed": numbered(*CALL[:3], lifecycle("failed")),
    "an empty item": numbered(
        CREATED, {**item("added", None), "item": None}, *[{**e, "output_index": 1} for e in TEXT[1:]]
    ),
    "resumed": numbered({"type": "response.created", "response": response([call('{"a"')])}, *CALL[2:4]),
    "known again": numbered(*TEXT, lifecycle("in_progress", message("changed", phase="final_answer"))),
}


def without_call(event: Any) -> Any:
    """The event as the API sends it, for one that has the call's name, id and parsed arguments as well."""
    if event.type != "response.function_call_arguments.done":
        return event
    plain = event.to_dict()
    for added in ("name", "call_id", "parsed_arguments"):
        plain.pop(added, None)
    return next(iter(decoded(ResponseStreamEvent, [plain])))


@pytest.mark.parametrize("title", ALL)
@pytest.mark.parametrize("tools", [False, True])
def test_all_events_equal_the_reference(title: str, tools: bool) -> None:
    theirs_module = pytest.importorskip("openai.lib.streaming.responses")
    from openai._models import construct_type
    from openai.types.responses import ResponseStreamEvent as Raw

    options: dict[str, Any] = {"input_tools": [TOOL] if tools else []}
    ours: ResponseStreamState[Any] = ResponseStreamState(**options)
    theirs = theirs_module.ResponseStreamState(**options, text_format=theirs_module._responses.omit)
    for event, plain in zip(decoded(ResponseStreamEvent, ALL[title]), ALL[title], strict=True):
        mine = [without_call(each) for each in ours.handle_event(event)]
        others = theirs.handle_event(construct_type(type_=Raw, value=json.loads(json.dumps(plain))))
        assert list(differences(mine, others)) == []
    assert (ours.completed_response is None) is (theirs._completed_response is None)


# The reference raises RuntimeError in the middle of these streams.
ODD = {
    "begins late": TEXT[1:],
    "begins with a keepalive": [{"type": "keepalive"}, *TEXT],
    "begins in progress": [{"type": "response.in_progress", "response": response()}, *TEXT],
    "created twice": [CREATED, *TEXT],
    "another response": [*TEXT, lifecycle("in_progress", id="resp_2")],
    "content without item": [CREATED, *TEXT[3:]],
    "content without anything": TEXT[3:],
    "item begins twice": [*TEXT[:3], TEXT[1], *TEXT[3:]],
    "part begins twice": [*TEXT[:4], TEXT[2], *TEXT[4:]],
    "item is announced after its content": [CREATED, *TEXT[3:5], *TEXT[1:3], *TEXT[5:]],
    "item changes its id": [*TEXT[:6], item("done", message('{"city": "Bern"}', id="msg_2", phase="final_answer"))],
    "each event has another id": [
        {**event, **({"item_id": f"msg_{number}"} if "item_id" in event else {})} for number, event in enumerate(TEXT)
    ],
    "events without ids": [{name: value for name, value in event.items() if name != "item_id"} for event in TEXT],
    "events without numbers": [
        {name: value for name, value in event.items() if name not in ("output_index", "content_index")}
        for event in TEXT
    ],
    "item done twice": [*TEXT, TEXT[-1]],
    "no done events": TEXT[:5],
    "no item events": [CREATED, *TEXT[3:5]],
    "events of a foreign item": [*TEXT, text_delta("x") | {"output_index": 5}],
    "events that are no events": [*TEXT, {"type": None}, {"x": 1}, {"type": 5}],
    "null in place of objects": [
        {**CREATED, "response": None},
        {**TEXT[1], "item": None},
        {**TEXT[2], "part": None},
        *TEXT,
        {**TEXT[-1], "item": None},
    ],
}
FINAL = message('{"city": "Bern"}', phase="final_answer")


@pytest.mark.parametrize("title", ODD)
@pytest.mark.parametrize("output", ["whole", "empty", "null", "missing"])
def test_odd_streams_end_with_the_response_of_the_ending_event(title: str, output: str) -> None:
    end = lifecycle("completed", FINAL, id="resp_9")
    if output == "missing":
        del end["response"]["output"]
    elif output != "whole":
        end["response"]["output"] = [] if output == "empty" else None
    state, events = fed(numbered(*ODD[title], end))
    final: Any = state.final_response()
    assert final is state.completed_response is state._completed_response  # pyright: ignore[reportPrivateUsage]
    state._completed_response = None  # pyright: ignore[reportPrivateUsage]
    assert state.completed_response is None
    assert final.id == "resp_9"
    assert final.status == "completed"
    if title != "events of a foreign item" or output == "whole":
        assert [each.type for each in final.output] == ["message"]
        assert final.output_text == '{"city": "Bern"}'
    assert events[-1].response is final
    for event in events:
        event.to_dict()
    texts = [event.snapshot for event in events if isinstance(event, ResponseTextDeltaEvent)]
    assert texts[-1] == ("x" if title == "events of a foreign item" else '{"city": "Bern"}')


def text_part(text: str = "a") -> dict[str, Any]:
    return {"type": "output_text", "text": text}


def piece(subject: str, delta: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{subject}.delta", "item_id": "i", "output_index": index, "delta": delta, **more}


def whole(subject: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{subject}.done", "item_id": "i", "output_index": index, **more}


def a_message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"id": "i", "type": "message", "role": "assistant", "content": [*content]}


FIRST = {"content_index": 0}
SUMMARY = {"summary_index": 0}
# The events of items that are never announced, and the items.
UNANNOUNCED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "a refusal": (
        [piece("refusal", "I ca", **FIRST), piece("refusal", "n't", **FIRST)],
        [a_message({"type": "refusal", "refusal": "I can't"})],
    ),
    "a refusal, whole": (
        [whole("refusal", refusal="I can't", **FIRST)],
        [a_message({"type": "refusal", "refusal": "I can't"})],
    ),
    "a refusal, cut and whole": (
        [piece("refusal", "I", **FIRST), whole("refusal", refusal="I can't", **FIRST)],
        [a_message({"type": "refusal", "refusal": "I can't"})],
    ),
    "an empty whole": (
        [piece("refusal", "I can't", **FIRST), whole("refusal", refusal="", **FIRST)],
        [a_message({"type": "refusal", "refusal": "I can't"})],
    ),
    "text and a refusal": (
        [piece("output_text", "a", **FIRST), piece("refusal", "no", content_index=1)],
        [a_message(text_part(), {"type": "refusal", "refusal": "no"})],
    ),
    "a text, whole": ([whole("output_text", text="a", **FIRST)], [a_message(text_part())]),
    "text without numbers": (
        [piece("output_text", "a"), whole("output_text", text="ab")],
        [a_message(text_part("ab"))],
    ),
    "arguments, whole": (
        [whole("function_call_arguments", name="f", arguments="{}")],
        [{"id": "i", "type": "function_call", "name": "f", "arguments": "{}"}],
    ),
    "a reasoning": (
        [
            piece("reasoning_summary_text", "Hm", **SUMMARY),
            piece("reasoning_summary_text", ".", **SUMMARY),
            piece("reasoning_text", "long", **FIRST),
            whole("reasoning_text", text="longer", **FIRST),
        ],
        [
            {
                "id": "i",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "content": [{"type": "reasoning_text", "text": "longer"}],
            }
        ],
    ),
    "a custom call": (
        [piece("custom_tool_call_input", "x"), piece("custom_tool_call_input", "y")],
        [{"id": "i", "type": "custom_tool_call", "input": "xy"}],
    ),
    "a call of a server's tool": (
        [piece("mcp_call_arguments", "{"), whole("mcp_call_arguments", arguments="{}")],
        [{"id": "i", "type": "mcp_call", "arguments": "{}"}],
    ),
    "code": (
        [piece("code_interpreter_call_code", "1"), whole("code_interpreter_call_code", code="1+1")],
        [{"id": "i", "type": "code_interpreter_call", "code": "1+1"}],
    ),
    "two items": (
        [piece("reasoning_text", "a", **FIRST), piece("refusal", "no", 1, **FIRST)],
        [
            {
                "id": "i",
                "type": "reasoning",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "a"}],
            },
            a_message({"type": "refusal", "refusal": "no"}),
        ],
    ),
}


@pytest.mark.parametrize("output", [(), None], ids=["empty", "null"])
@pytest.mark.parametrize("title", UNANNOUNCED)
def test_items_without_their_own_events(title: str, output: Any) -> None:
    events, items = UNANNOUNCED[title]
    ending = {"type": "response.completed", "response": response(output, status="completed")}
    state, seen = fed(numbered(CREATED, *events, ending))
    assert [item.to_dict(exclude_none=True) for item in state.final_response().output] == items
    assert [event.type for event in seen] == [event["type"] for event in [CREATED, *events, ending]]


@pytest.mark.parametrize("title", ["of the ending event", "of the item's event", "of the part's event"])
def test_messages_without_content_erase_no_text(title: str) -> None:
    blank = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    output = [blank] if title == "of the ending event" else []
    events = [item("added", message()), piece("output_text", "a", **FIRST)]
    if title == "of the item's event":
        events.append(item("done", blank))
    elif title == "of the part's event":
        events[1:] = [at("content_part.done", part=text_part())]
    ending = {"type": "response.completed", "response": response(output, status="completed")}
    state, _ = fed(numbered(CREATED, *events, ending))
    assert state.final_response().output_text == "a"
    assert state.final_response().output[0].id == "msg_1"  # type: ignore[union-attr]


def test_an_announced_refusal_and_summary() -> None:
    reasoning = {"type": "reasoning", "id": "i", "summary": []}
    part = {"type": "summary_text", "text": "H"}
    refused = {"type": "refusal", "refusal": ""}
    state, _ = fed(
        numbered(
            CREATED,
            item("added", reasoning),
            {"type": "response.reasoning_summary_part.added", "output_index": 0, "part": part, **SUMMARY},
            piece("reasoning_summary_text", "m", **SUMMARY),
            item("added", message(), 1),
            at("content_part.added", 1, part=refused),
            piece("refusal", "no", 1, **FIRST),
            {"type": "response.completed", "response": response(None, status="completed")},
        )
    )
    first, second = (each.to_dict() for each in state.final_response().output)
    assert first == {**reasoning, "summary": [{**part, "text": "Hm"}]}
    assert second["content"] == [{**refused, "refusal": "no"}]


def test_texts_in_turn() -> None:
    """Each delta continues the text of its own item and part, with numbers and with ids alone."""
    pieces = [(0, 0, "a"), (1, 0, "b"), (1, 0, "c"), (0, 0, "d"), (0, 1, "e"), (0, 0, "f"), (1, 0, "g")]
    numbered_deltas = [at("output_text.delta", o, delta=d, content_index=c, item_id=f"m{o}") for o, c, d in pieces]
    _, events = fed(numbered(CREATED, *numbered_deltas))
    assert [event.snapshot for event in events[1:]] == ["a", "b", "bc", "ad", "e", "adf", "bcg"]
    items = [item("added", message(id=f"m{index}"), index) for index in (0, 1)]
    plain = [{"type": "response.output_text.delta", "item_id": f"m{o}", "delta": d} for o, c, d in pieces if not c]
    _, events = fed(numbered(CREATED, *items, *plain))
    assert [event.snapshot for event in events[3:]] == ["a", "b", "bc", "ad", "adf", "bcg"]


def test_calls_that_change_their_ids() -> None:
    changed = [{**event, "item_id": f"fc_{number}"} for number, event in enumerate(CALL)]
    changed[-1]["item"] = call('{"a":1}', id="fc_9")
    for end in (lifecycle("completed", call('{"a":1}', id="fc_7")), lifecycle("completed")):
        state, events = fed(numbered(*changed, end))
        assert [event.snapshot for event in events[2:4]] == ['{"a"', '{"a":1}']
        (made,) = state.final_response().output
        assert (made.call_id, made.name, made.arguments) == ("call_1", "f", '{"a":1}')


def test_items_under_one_number() -> None:
    """A server that numbers all its items 0."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    events = [CREATED, item("added", reasoning), item("done", reasoning), *TEXT[1:], lifecycle("completed")]
    state, _ = fed(numbered(*events))
    assert [each.type for each in state.final_response().output] == ["reasoning", "message"]
    assert state.final_response().output_text == '{"city": "Bern"}'


@pytest.mark.parametrize("status", ["incomplete", "failed", "cancelled", "done"])
def test_a_response_that_ends_otherwise(status: str) -> None:
    cut = message('{"ci', status="incomplete")
    state, events = fed(numbered(*TEXT[:4], item("done", cut), lifecycle(status, cut)), text_format=Answer)
    final = state.final_response()
    assert state.completed_response is None
    assert final.status == status
    assert final.output_text == '{"ci'
    assert final.output_parsed is None
    assert events[-1].type == f"response.{status}"
    whole, _ = fed(numbered(*TEXT, lifecycle(status, FINAL)), text_format=Answer)
    assert whole.final_response().output_parsed == Answer("Bern")
    empty, _ = fed(numbered(*TEXT, lifecycle(status)))
    assert empty.final_response().output_text == '{"city": "Bern"}'


def test_text_that_is_cut_raises_with_the_response() -> None:
    events = [*TEXT[:4], at("output_text.done", text='{"city": ', logprobs=[])]
    with pytest.raises(OutputValidationError) as caught:
        fed(numbered(*events), text_format=Answer)
    completion: Any = caught.value.completion  # type: ignore[attr-defined]
    assert completion.id == "resp_1"
    assert completion.output_text == '{"city": '
    with pytest.raises(OutputValidationError) as caught:
        fed(numbered(CREATED, lifecycle("completed", message("{}"))), text_format=Answer)
    assert caught.value.completion.status == "completed"  # type: ignore[attr-defined]


def test_no_response_without_an_end() -> None:
    state, _ = fed(numbered(*TEXT))
    with pytest.raises(RuntimeError, match="completed"):
        state.final_response()


# ---- snapshots and results


def test_snapshots_and_parsed_text() -> None:
    state, events = fed(WHOLE_TEXT, text_format=Answer)
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert [event.snapshot for event in deltas] == ['{"city": ', '{"city": "Bern"}']
    assert isinstance(deltas[0], ResponseTextDeltaEvent)
    assert isinstance(deltas[0], RawResponseTextDeltaEvent)
    assert deltas[1].to_dict()["snapshot"] == '{"city": "Bern"}'
    assert events[5].parsed == Answer("Bern")
    assert events[-1].response is state.final_response()
    assert state.final_response().output_parsed == Answer("Bern")


def test_commentary_stays_text() -> None:
    events = [{**event, "item": message(phase="commentary")} if "item" in event else event for event in TEXT[:6]]
    _, seen = fed(numbered(*events), text_format=Answer)
    assert seen[5].text == '{"city": "Bern"}'
    assert seen[5].parsed is None


def test_text_that_does_not_fit_raises() -> None:
    with pytest.raises(ValueError, match="city"):
        fed(numbered(*TEXT[:5], at("output_text.done", text="{}", logprobs=[])), text_format=Answer)


def done_event(events: list[Any]) -> Any:
    return next(event for event in events if event.type == "response.function_call_arguments.done")


def test_arguments_are_parsed_before_the_response_ends() -> None:
    upto = [event["type"] for event in WHOLE_CALL].index("response.function_call_arguments.done") + 1
    _, events = fed(WHOLE_CALL[:upto], input_tools=[TOOL])
    done = done_event(events)
    assert (done.name, done.call_id, done.arguments) == ("f", "call_1", '{"a":1}')
    assert done.parsed_arguments == {"a": 1}
    assert (done.sequence_number, done.output_index) == (upto - 1, 0)


def test_arguments_that_no_tool_can_parse_stay_text() -> None:
    other = {**TOOL, "name": "g"}
    for tools in (omit, [], [other], [{**TOOL, "strict": False}]):
        _, events = fed(WHOLE_CALL, input_tools=tools)
        assert done_event(events).parsed_arguments is None
        assert done_event(events).arguments == '{"a":1}'


def test_arguments_that_are_cut_do_not_end_the_stream() -> None:
    cut = numbered(*CALL[:2], at("function_call_arguments.done", arguments='{"a"'), lifecycle("incomplete"))
    _, events = fed(cut, input_tools=[TOOL])
    assert done_event(events).parsed_arguments is None
    assert events[-1].type == "response.incomplete"


def test_a_call_that_was_never_announced() -> None:
    _, events = fed(numbered(CREATED, at("function_call_arguments.done", arguments="{}")), input_tools=[TOOL])
    done = done_event(events)
    assert (done.name, done.call_id, done.arguments, done.parsed_arguments) == (None, None, "{}", None)


def test_arguments_of_strict_tools_are_parsed() -> None:
    state, events = fed(WHOLE_CALL, input_tools=iter([TOOL]))
    assert [event.snapshot for event in events[2:4]] == ['{"a"', '{"a":1}']
    assert state.final_response().output[0].parsed_arguments == {"a": 1}


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "response.something.new", "x": 1},
        {"type": "keepalive"},
        at("output_text.delta", delta="x", logprobs=[], content_index=7),
        at("output_text.delta", 1, delta="x", logprobs=[]),
        at("function_call_arguments.delta", delta="x"),
        at("content_part.added", 1, part=PART),
    ],
)
def test_odd_events_are_handed_on(odd: dict[str, Any]) -> None:
    reasoning = item("added", {"type": "reasoning", "id": "rs_1", "summary": []}, 1)
    _, events = fed(numbered(*TEXT[:3], reasoning, odd, *TEXT[3:5]))
    assert events[4].type == odd["type"]
    assert events[-1].snapshot == '{"city": "Bern"}'


def test_a_long_stream_costs_what_it_is_long() -> None:
    """A quadratic way takes minutes for this."""
    count = 100_000
    events = [*TEXT[:3], *[text_delta(" token")] * count]
    state: ResponseStreamState[Any] = ResponseStreamState()
    spent = 0.0
    last: Any = None
    for event in decoded(ResponseStreamEvent, numbered(*events)):
        start = time.thread_time()
        (last,) = state.handle_event(event)
        spent += time.thread_time() - start
    assert last.snapshot == " token" * count
    assert spent / count < 25e-6


# ---- the two clients


def serve(server: Server, path: str, events: list[dict[str, Any]]) -> None:
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    server.reply_with(path, text.encode(), content_type="text/event-stream", chunk_size=100)


CREATE: dict[str, Any] = {"model": "gpt-4o", "input": "Where?"}


async def test_async(client: AsyncOpenAI, server: Server) -> None:
    serve(server, "/responses", WHOLE_TEXT)
    manager: Any = stream(client.responses, **CREATE, text_format=Answer, text={"verbosity": "low"}, tools=iter([TOOL]))
    async with manager as events:
        assert events.response.status_code == 200
        assert (await events.__anext__()).type == "response.created"
        final = await events.get_final_response()
    assert final.output_parsed == Answer("Bern")
    body = server.journal[-1].json()
    assert body["stream"] is True
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["name"] == "Answer"
    assert body["tools"] == [TOOL]


async def test_an_existing_response(client: AsyncOpenAI, server: Server) -> None:
    serve(server, "/responses/resp_1", WHOLE_TEXT)
    manager: Any = stream(client.responses, response_id="resp_1", starting_after=3, text_format=Answer)
    async with manager as events:
        seen = [event async for event in events]
        final = await events.get_final_response()
    assert [event.sequence_number for event in seen] == [4, 5, 6, 7]
    # The text is all of it, with the part before `starting_after`.
    assert seen[0].snapshot == '{"city": "Bern"}'
    assert final.output_parsed == Answer("Bern")
    assert server.journal[-1].query == {"stream": "true"}


async def test_a_response_that_was_not_completed(client: AsyncOpenAI, server: Server) -> None:
    serve(server, "/responses", numbered(*TEXT, lifecycle("incomplete")))
    async with stream(client.responses, **CREATE) as events:  # type: ignore[union-attr]
        assert (await events.get_final_response()).status == "incomplete"
    serve(server, "/responses", WHOLE_TEXT[:5])
    async with stream(client.responses, **CREATE) as events:  # type: ignore[union-attr]
        with pytest.raises(APIConnectionError) as caught:
            await events.until_done()
    assert caught.value.partial.text == '{"city": "Bern"}'


async def test_blocking(client: AsyncOpenAI) -> None:
    raw = Blocking(decoded(ResponseStreamEvent, WHOLE_TEXT))
    resource = BlockingResource(client.responses, raw)
    with stream(resource, **CREATE, text_format=Answer) as events:  # type: ignore[union-attr]
        assert isinstance(events, ResponseStream)
        assert next(events).type == "response.created"
        assert events.until_done() is events
        assert events.get_final_response().output_parsed == Answer("Bern")
    assert raw.closed
    assert resource.requests[0].body["input"] == "Where?"


async def test_options_go_with_an_existing_response(client: AsyncOpenAI, server: Server) -> None:
    """All options of a call, whichever they are."""
    from aiopenai import HedgePolicy

    options: dict[str, Any] = {"deadline": 5, "timeout": 3, "max_retries": 1, "hedge": HedgePolicy(after=1.0)}
    for own in ({"response_id": "resp_1", "include": ["reasoning.encrypted_content"]}, CREATE):
        path = "/responses" if "model" in own else "/responses/resp_1"
        serve(server, path, WHOLE_TEXT)
        async with stream(client.responses, **own, **options, extra_headers={"x-own": "1"}) as events:  # type: ignore[union-attr]
            assert (await events.get_final_response()).output_text == '{"city": "Bern"}'
        assert server.journal[-1].headers["x-own"] == "1"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, ValueError),
        ({"starting_after": 3}, ValueError),
        ({"model": "m"}, ValueError),
        ({"input": "x"}, ValueError),
        ({**CREATE, "response_id": "resp_1"}, ValueError),
        ({**CREATE, "starting_after": 3}, ValueError),
        ({**CREATE, "text_format": Answer, "text": {"format": {"type": "text"}}}, TypeError),
        ({**CREATE, "no_such": 1}, TypeError),
        ({"response_id": ""}, ValueError),
    ],
)
async def test_wrong_arguments_are_refused_at_once(client: AsyncOpenAI, arguments: dict[str, Any], error: Any) -> None:
    with pytest.raises(error):
        stream(client.responses, **arguments)


# ---- as users call it


async def test_the_method_of_the_async_client(client: AsyncOpenAI, server: Server) -> None:
    serve(server, "/responses", WHOLE_TEXT)
    async with client.responses.stream(**CREATE, text_format=Answer) as events:
        assert (await events.get_final_response()).output_parsed == Answer("Bern")


def test_the_method_of_the_blocking_client() -> None:
    with Server() as server, OpenAI(api_key="sk-test", base_url=server.base_url) as client:
        serve(server, "/responses/resp_1", WHOLE_TEXT)
        with client.responses.stream(response_id="resp_1", text_format=Answer, starting_after=5) as events:
            assert [event.sequence_number for event in events] == [6, 7]
            assert events.get_final_response().output_parsed == Answer("Bern")
