from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, OpenAI
from aiopenai._data.structs import Model
from aiopenai.lib import streaming
from aiopenai.lib.streaming import (
    AssistantEventHandler,
    AsyncAssistantEventHandler,
    create_and_run_stream,
    create_and_stream,
    stream,
    submit_tool_outputs_stream,
)
from aiopenai.testing import Server
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.beta.threads import Text

from .feeding import Blocking, BlockingResource, decoded, document_streams, named_of

CALLBACKS = [
    name for name, _ in inspect.getmembers(AssistantEventHandler, inspect.isfunction) if name.startswith("on_")
]


def event(name: str, **data: Any) -> dict[str, Any]:
    return {"event": name, "data": data}


def message(*content: Any, status: str = "in_progress") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1,
        "thread_id": "thread_1",
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "role": "assistant",
        "status": status,
        "content": [*content],
        "metadata": {},
        "attachments": [],
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": None,
    }


def message_delta(*content: Any) -> dict[str, Any]:
    return event("thread.message.delta", id="msg_1", object="thread.message.delta", delta={"content": [*content]})


def text(value: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "type": "text", "text": {"value": value, **more}}


def step(*calls: Any, status: str = "in_progress") -> dict[str, Any]:
    return {
        "id": "step_1",
        "object": "thread.run.step",
        "created_at": 1,
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "type": "tool_calls",
        "status": status,
        "step_details": {"type": "tool_calls", "tool_calls": [*calls]},
        "usage": None,
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "metadata": None,
        "expires_at": 2,
    }


def step_delta(*calls: Any) -> dict[str, Any]:
    details = {"type": "tool_calls", "tool_calls": [*calls]}
    return event("thread.run.step.delta", id="step_1", object="thread.run.step.delta", delta={"step_details": details})


def interpreter(input: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "type": "code_interpreter", "code_interpreter": {"input": input}, **more}


def run(status: str) -> dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "status": status, "thread_id": "thread_1", "tools": []}


CITATION = {
    "index": 0,
    "type": "file_citation",
    "text": "[1]",
    "start_index": 0,
    "end_index": 3,
    "file_citation": {"file_id": "file_1"},
}
RUN = [
    event("thread.run.created", **run("queued")),
    event("thread.run.queued", **run("queued")),
    event("thread.run.in_progress", **run("in_progress")),
    event("thread.run.step.created", **step()),
    event("thread.run.step.in_progress", **step()),
    step_delta(interpreter("", id="call_1")),
    step_delta(interpreter("import")),
    step_delta(interpreter(" math")),
    step_delta(interpreter("print(1)", 1, id="call_2")),
    event("thread.run.step.completed", **step(status="completed")),
    event("thread.message.created", **message()),
    event("thread.message.in_progress", **message()),
    message_delta(text("Hel", annotations=[])),
    message_delta(text("lo")),
    message_delta(text(" [1]", annotations=[CITATION])),
    message_delta(text("!")),
    message_delta({"index": 1, "type": "image_file", "image_file": {"file_id": "file_2"}}, text("Below", 2)),
    event(
        "thread.message.completed",
        **message(
            {"type": "text", "text": {"value": "Hello [1]!", "annotations": [CITATION]}},
            {"type": "image_file", "image_file": {"file_id": "file_2"}},
            {"type": "text", "text": {"value": "Below", "annotations": []}},
            status="completed",
        ),
    ),
    event("thread.run.completed", **run("completed")),
]
STREAMS: dict[str, list[dict[str, Any]]] = {
    "made up": RUN,
    "unfinished message": [
        *RUN[:16],
        event("thread.message.incomplete", **message(RUN[17]["data"]["content"][0], status="incomplete")),
    ],
    **{title: named_of(each) for title, each in document_streams("/threads").items()},
}


def as_now(value: Any) -> Any:
    """A copy of a callback's argument without nulls: the argument may go on growing."""
    if isinstance(value, Exception):
        return type(value).__name__
    return without_nulls(value.model_dump() if isinstance(value, Model) else value.model_dump(warnings=False))


def recorder(base: Any) -> Any:
    """A handler that notes its callbacks, with the properties that each of them sees."""
    calls: list[Any] = []

    def noting(name: str) -> Callable[..., Any]:
        def note(self: Any, *arguments: Any) -> None:
            sees = [getattr(self, f"current_{what}") for what in ("run", "message_snapshot", "run_step_snapshot")]
            what = self.current_event and self.current_event.event
            calls.append((name, [as_now(each) for each in arguments], what, [each and each.id for each in sees]))

        async def note_soon(self: Any, *arguments: Any) -> None:
            note(self, *arguments)

        return note_soon if inspect.iscoroutinefunction(base.on_end) else note

    handler = type("Recorder", (base,), {name: noting(name) for name in CALLBACKS})()
    handler.calls = calls
    return handler


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("title", STREAMS)
def test_callbacks_equal_the_reference(title: str) -> None:
    openai = pytest.importorskip("openai")
    from openai._models import construct_type
    from openai.types.beta import AssistantStreamEvent as Theirs

    theirs = recorder(openai.AssistantEventHandler)
    events = [construct_type(type_=Theirs, value=json.loads(json.dumps(each))) for each in STREAMS[title]]
    theirs._init(Blocking(iter(events)))
    theirs.until_done()
    ours = recorder(AssistantEventHandler)
    ours.start(Blocking(decoded(AssistantStreamEvent, STREAMS[title])))
    ours.until_done()
    assert len(ours.calls) == len(theirs.calls) > len(STREAMS[title])
    for mine, other in zip(ours.calls, theirs.calls, strict=True):
        assert mine == other
    for final in ("get_final_run", "get_final_messages", "get_final_run_steps"):
        try:
            expected = getattr(theirs, final)()
        except RuntimeError:
            with pytest.raises(RuntimeError):
                getattr(ours, final)()
        else:
            mine = getattr(ours, final)()
            several = isinstance(mine, list)
            pairs = zip(mine, expected, strict=True) if several else [(mine, expected)]
            for one, other in pairs:
                assert as_now(one) == as_now(other)


def handled(events: list[Any], handler: Any = None) -> Any:
    handler = handler or AssistantEventHandler()
    handler.start(Blocking(decoded(AssistantStreamEvent, events)))
    return handler


def test_snapshots_of_a_text_are_as_of_their_callback() -> None:
    class Handler(AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.texts: list[Any] = []

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.texts.append(snapshot)

    handler = handled(RUN, Handler())
    handler.until_done()
    assert [each.value for each in handler.texts] == ["Hel", "Hello", "Hello [1]", "Hello [1]!", "Below"]
    assert [len(each.annotations or ()) for each in handler.texts] == [0, 0, 1, 1, 0]
    assert type(handler.texts[1]).__name__ == "Text"
    assert handler.texts[1].to_dict() == {"annotations": [], "value": "Hello"}
    again = pickle.loads(pickle.dumps(handler.texts[1]))
    assert again == copy.copy(handler.texts[1])
    assert (type(again), again.value) == (Text, "Hello")


def test_text_deltas() -> None:
    handler = handled(RUN)
    assert next(iter(handler.text_deltas)) == "Hel"
    assert [*handler.text_deltas] == ["lo", " [1]", "!", "Below"]


def test_the_event_itself_is_not_changed() -> None:
    handler = handled(RUN)
    events = [*handler]
    assert [each.event for each in events] == [each["event"] for each in RUN]
    created = next(each for each in events if each.event == "thread.message.created")
    assert created.data.content == []


def test_unknown_fields_of_a_text_are_kept() -> None:
    handler = handled([*RUN[10:14], message_delta(text("!", own="a")), message_delta(text("?"))])
    handler.until_done()
    block = handler.current_message_snapshot.content[0]
    assert (block.text.value, block.text.own) == ("Hello!?", "a")


@pytest.mark.parametrize("odd", [event("thread.something.new", x=1), event("error", message="x"), event("done")])
def test_events_that_nobody_knows_are_handed_on(odd: dict[str, Any]) -> None:
    handler = handled([*RUN[:3], odd, RUN[-1]])
    assert [each.event for each in handler][3] == odd["event"]
    assert handler.get_final_run().status == "completed"


@pytest.mark.parametrize("first", [RUN[12], RUN[5]])
def test_deltas_of_what_has_not_begun(first: dict[str, Any]) -> None:
    handler = recorder(AssistantEventHandler)
    with pytest.raises(RuntimeError, match="before"):
        handled([first], handler).until_done()
    assert [name for name, *_ in handler.calls] == ["on_event", "on_exception", "on_end"]


def test_a_long_stream_costs_what_it_is_long() -> None:
    class Handler(AssistantEventHandler):
        last: Any = None

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.last = snapshot

    count = 30_000
    handler = handled([*RUN[10:13], *[message_delta(text(" token"))] * count], Handler())
    start = time.thread_time()
    handler.until_done()
    assert (time.thread_time() - start) / count < 100e-6
    assert handler.last.value == "Hel" + " token" * count


def test_steps_are_made_for_those_who_look() -> None:
    handler = handled(RUN[:9])
    handler.until_done()
    details = handler.current_run_step_snapshot.step_details
    assert [call.code_interpreter.input for call in details.tool_calls] == ["import math", "print(1)"]


# ---- ends


class Failing:
    """A stream that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __next__(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("x"), ["on_exception", "on_end"]),
        (asyncio.TimeoutError(), ["on_timeout", "on_exception", "on_end"]),
        (TimeoutError(), ["on_timeout", "on_exception", "on_end"]),
        (KeyboardInterrupt(), ["on_end"]),
    ],
)
def test_failures_are_told_and_go_on(error: BaseException, told: list[str]) -> None:
    names: list[str] = []

    class Handler(AssistantEventHandler):
        def on_exception(self, exception: Exception) -> None:
            assert exception is error
            names.append("on_exception")

        def on_timeout(self) -> None:
            names.append("on_timeout")

        def on_end(self) -> None:
            names.append("on_end")

    handler = Handler()
    handler.start(Failing(error))
    with pytest.raises(type(error)):
        next(handler)
    assert names == told
    with pytest.raises(StopIteration):
        next(handler)
    assert names == told


def test_a_callback_that_fails() -> None:
    told: list[str] = []

    class Handler(AssistantEventHandler):
        def on_message_created(self, message: Any) -> None:
            raise LookupError("mine")

        def on_exception(self, exception: Exception) -> None:
            told.append(str(exception))

    with pytest.raises(LookupError, match="mine"):
        handled(RUN, Handler()).until_done()
    assert told == ["mine"]


def test_one_handler_for_one_stream() -> None:
    handler = handled(RUN)
    with pytest.raises(RuntimeError, match="another"):
        handler.start(Blocking(iter(())))
    with pytest.raises(RuntimeError, match="not been started"):
        next(AssistantEventHandler())
    AssistantEventHandler().close()


def test_nothing_was_told() -> None:
    handler = handled([])
    for final in (handler.get_final_run, handler.get_final_messages, handler.get_final_run_steps):
        with pytest.raises(RuntimeError, match="told of no"):
            final()
    assert handler.current_run is handler.current_message_snapshot is handler.current_run_step_snapshot is None


def test_names() -> None:
    assert {*streaming.__all__} <= {*dir(streaming)}
    with pytest.raises(AttributeError):
        _ = streaming.no_such


# ---- the two clients


def serve(server: Server, path: str, events: list[dict[str, Any]], done: bool = True) -> None:
    lines = [f"event: {each['event']}\ndata: {json.dumps(each['data'])}\n\n" for each in events]
    body = "".join(lines) + ("event: done\ndata: [DONE]\n\n" if done else "")
    server.reply_with(path, body.encode(), content_type="text/event-stream", chunk_size=200)


CALLS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], dict[str, Any], str]] = {
    "stream": (
        stream,
        lambda client: client.beta.threads.runs,
        {"thread_id": "thread_1", "assistant_id": "asst_1"},
        "/threads/thread_1/runs",
    ),
    "create_and_stream": (
        create_and_stream,
        lambda client: client.beta.threads.runs,
        {"thread_id": "thread_1", "assistant_id": "asst_1"},
        "/threads/thread_1/runs",
    ),
    "submit": (
        submit_tool_outputs_stream,
        lambda client: client.beta.threads.runs,
        {"thread_id": "thread_1", "run_id": "run_1", "tool_outputs": []},
        "/threads/thread_1/runs/run_1/submit_tool_outputs",
    ),
    "create_and_run": (
        create_and_run_stream,
        lambda client: client.beta.threads,
        {"assistant_id": "asst_1"},
        "/threads/runs",
    ),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", CALLS)
async def test_async(client: AsyncOpenAI, server: Server, name: str, own: bool) -> None:
    call, resource, arguments, path = CALLS[name]
    serve(server, path, RUN)
    handler = recorder(AsyncAssistantEventHandler) if own else None
    manager = call(resource(client), **arguments, event_handler=handler)
    async with manager as events:
        assert events.response.status_code == 200
        assert (await events.__anext__()).event == "thread.run.created"
        assert [text async for text in events.text_deltas] == ["Hel", "lo", " [1]", "!", "Below"]
        assert (await events.get_final_run()).status == "completed"
        assert len(await events.get_final_messages()) == 1
        assert len(await events.get_final_run_steps()) == 1
    if handler is not None:
        assert events is handler
        blocking = recorder(AssistantEventHandler)
        handled(RUN, blocking).until_done()
        assert handler.calls == blocking.calls
    request = server.journal[-1]
    assert request.json()["stream"] is True
    assert request.headers["openai-beta"] == "assistants=v2"
    assert request.headers["x-stainless-custom-event-handler"] == str(own).lower()


async def test_async_breaks_off(client: AsyncOpenAI, server: Server) -> None:
    call, resource, arguments, path = CALLS["stream"]
    serve(server, path, RUN[:14], done=False)
    handler = recorder(AsyncAssistantEventHandler)
    async with call(resource(client), **arguments, event_handler=handler) as events:
        with pytest.raises(APIConnectionError):
            await events.until_done()
        with pytest.raises(StopAsyncIteration):
            await events.__anext__()
    assert events.current_message_snapshot.content[0].text.value == "Hello"
    await AsyncAssistantEventHandler().close()
    await handler.close()


async def test_blocking(client: AsyncOpenAI) -> None:
    call, resource, arguments, _ = CALLS["stream"]
    raw = Blocking(decoded(AssistantStreamEvent, RUN))
    with call(BlockingResource(resource(client), raw), **arguments) as events:
        assert isinstance(events, AssistantEventHandler)
        assert events.response == "the response"
        assert events.get_final_run().status == "completed"
        events.close()
    assert raw.closed


# ---- as users call it


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_methods_of_the_async_client(client: AsyncOpenAI, server: Server) -> None:
    for name, (_, resource, arguments, path) in CALLS.items():
        serve(server, path, RUN)
        group = resource(client)
        method = {"submit": "submit_tool_outputs_stream", "create_and_run": "create_and_run_stream"}.get(name, name)
        async with getattr(group, method)(**arguments) as events:
            assert (await events.get_final_run()).status == "completed"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_method_of_the_blocking_client() -> None:
    with Server() as server, OpenAI(api_key="sk-test", base_url=server.base_url) as client:
        _, resource, arguments, path = CALLS["stream"]
        serve(server, path, RUN)
        handler = recorder(AssistantEventHandler)
        with resource(client).stream(**arguments, event_handler=handler) as events:
            assert events is handler
            assert [*events.text_deltas] == ["Hel", "lo", " [1]", "!", "Below"]
        assert handler.calls[-1][0] == "on_end"
