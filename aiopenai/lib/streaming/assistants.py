"""Runs of assistants as streams: handlers whose callbacks are told what happens, with messages and steps so far.

`_RunState` is the logic, without any I/O: an event in, the callbacks to call out, one at a time, so that what a
handler's properties show is what is true at each callback. The two handlers call them, or await them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec
from typing_extensions import override

from aiopenai._base.aliases import is_list
from aiopenai._data.lenient import fitter
from aiopenai.errors import APITimeoutError
from aiopenai.lib.streaming.growing import Event, OnlyKnown, Strings, Tree, late
from aiopenai.lib.streaming.wrappers import AsyncManager, Manager, with_headers
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.beta.threads import (
    ImageFile,
    Message,
    MessageContent,
    MessageDelta,
    Run,
    Text,
    TextContentBlock,
    TextDelta,
)
from aiopenai.types.beta.threads.runs import RunStep, RunStepDelta, ToolCall, ToolCallDelta

if TYPE_CHECKING:
    from aiopenai._calls.request import Request
    from aiopenai._http.messages import HTTPResponse

__all__ = [
    "AssistantEventHandler",
    "AssistantEventHandlerT",
    "AssistantStreamManager",
    "AsyncAssistantEventHandler",
    "AsyncAssistantEventHandlerT",
    "AsyncAssistantStreamManager",
    "create_and_run_stream",
    "create_and_stream",
    "stream",
    "submit_tool_outputs_stream",
]

# A callback to call: its name and its arguments.
_Call = tuple[str, tuple[Any, ...]]

_TIMEOUTS = (APITimeoutError, asyncio.TimeoutError, TimeoutError)

_RUN_ENDS = frozenset(
    f"thread.run.{end}" for end in ("completed", "cancelled", "expired", "failed", "requires_action", "incomplete")
)
_RUN_GOES_ON = frozenset(f"thread.run.{step}" for step in ("created", "in_progress", "cancelling", "queued"))
_STEP_ENDS = frozenset(f"thread.run.step.{end}" for end in ("completed", "cancelled", "expired", "failed"))


@late("value")
class _TextSoFar(Text, metaclass=Event):
    """The text of a content block: joined when somebody looks."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]

    @override
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # A copy does not grow: it is the type that this one stands for.
        restore, (_, *state) = super().__reduce__()
        return restore, (Text, *state)


_text_so_far: Any = _TextSoFar
# To type checkers, and in the reprs of programs, it is the type that it stands for.
_TextSoFar.__name__ = _TextSoFar.__qualname__ = "Text"


# The part of an event that nearly all deltas of a message consist of: see `OnlyKnown`.
class _PlainText(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: str


class _PlainBlock(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    index: int
    type: str
    text: _PlainText


class _PlainDelta(msgspec.Struct, gc=False):
    content: list[_PlainBlock] | None = None


class _PlainData(msgspec.Struct, gc=False):
    delta: _PlainDelta | None = None


class _PlainEvent(msgspec.Struct, gc=False):
    data: _PlainData


class _Block:
    """One content block of a message."""

    __slots__ = ("_plain", "_tree", "_value")

    def __init__(self, plain: dict[str, Any]) -> None:
        self._tree = Tree(0, plain)
        self._look()

    def _look(self) -> None:
        text = self._tree.nodes.get("text")
        self._value: Strings | None = text.strings("value") if isinstance(text, Tree) else None
        self._plain = isinstance(text, Tree) and text.nodes.keys() <= {"value", "annotations"}

    def merge(self, delta: dict[str, Any]) -> Any:
        """Take any delta; the block with it."""
        self._tree.merge(0, delta)
        self._look()
        return self.made()

    def made(self) -> Any:
        """The block."""
        return _fit_content(self._tree.upto(0))

    def extend(self, block: Any, delta: Any) -> bool:
        """Take a delta of nothing but text, and bring the block up to date; False if it cannot be done so."""
        value = self._value
        if value is None or not self._plain or not isinstance(block, TextContentBlock):
            return False
        value.append(delta.text.value)
        block.text = _text_so_far(annotations=block.text.annotations, value=(value, value.size))
        return True


_fit_content = fitter(MessageContent)


class _Step:
    """One step of a run."""

    __slots__ = ("_made", "_tree", "_whole")

    def __init__(self, step: RunStep) -> None:
        self._whole = step
        self._made: RunStep | None = step
        self._tree: Tree | None = None

    def merge(self, delta: dict[str, Any]) -> None:
        """Take a delta."""
        if self._tree is None:
            self._tree = Tree(0, self._whole.to_dict())
        self._tree.merge(0, delta)
        self._made = None

    @property
    def now(self) -> RunStep:
        """The step with all that it has received."""
        if self._made is None:
            assert self._tree is not None
            self._made = _fit_step(self._tree.upto(0))
        assert self._made is not None
        return self._made

    def tool_call(self, index: int) -> Any:
        """A tool call of the step; None where there is none."""
        calls: Any = getattr(self.now.step_details, "tool_calls", None)
        return calls[index] if is_list(calls) and 0 <= index < len(calls) else None


_fit_step = fitter(RunStep)


class _RunState:
    """What a stream of a run has told so far."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        # Whether a callback does anything: what only it would be shown need not be made else.
        self._wanted = wanted
        self._only_text = OnlyKnown(_PlainEvent)
        self.event: AssistantStreamEvent | None = None
        self.run: Run | None = None
        self.message: Message | None = None
        self.messages: dict[str, Message] = {}
        self.steps: dict[str, _Step] = {}
        self.step: str | None = None
        self._blocks: dict[int, _Block] = {}
        # What is being received: a content block of the message, and a tool call of a step.
        self._content: int | None = None
        self._tool: tuple[_Step, int] | None = None

    def take(self, event: Any) -> Iterator[_Call]:
        """The callbacks that an event calls for, in their order."""
        self.event = event
        yield "on_event", (event,)
        takes = self._takes.get(event.event)
        if takes is not None:
            yield from takes(self, event)
        self.event = None

    def _run_goes_on(self, event: Any) -> Iterator[_Call]:
        self.run = event.data
        yield from ()

    def _run_ends(self, event: Any) -> Iterator[_Call]:
        self.run = event.data
        yield from self._tool_call_done()

    def _tool_call_done(self) -> Iterator[_Call]:
        if self._tool is not None and self._wanted("on_tool_call_done"):
            step, index = self._tool
            yield "on_tool_call_done", (step.tool_call(index),)

    def _message_created(self, event: Any) -> Iterator[_Call]:
        # The event stays what was received; the copy grows.
        self.message = message = event.data.model_copy()
        message.content = [*message.content] if is_list(message.content) else []
        self.messages[message.id] = message
        self._blocks = {index: _Block(block.to_dict()) for index, block in enumerate(message.content)}
        yield "on_message_created", (event.data,)

    def _message_delta(self, event: Any) -> Iterator[_Call]:
        message = self.message
        if message is None:
            raise RuntimeError("A message's delta came before the message")
        delta = event.data.delta
        content: list[Any] = delta.content or []
        for index in self._grow(message, content, self._only_text(event)):
            begun: Any = message.content[index]
            if begun.type == "text":
                yield "on_text_created", (begun.text,)
        for part in content:
            at: int = part.index
            block: Any = message.content[at]
            if part.type == "text" and part.text and self._wanted("on_text_delta"):
                yield "on_text_delta", (part.text, block.text)
            if at != self._content:
                if self._content is not None:
                    yield from _content_done(message, self._content)
                self._content = at
        yield "on_message_delta", (delta, message)

    def _grow(self, message: Message, content: list[Any], only_text: bool) -> list[int]:
        """Add what a delta brings to a message; the numbers of the blocks that are new."""
        new: list[int] = []
        for part in content:
            index: int = part.index
            grown = self._blocks.get(index)
            if grown is None or index >= len(message.content):
                self._blocks[index] = grown = _Block(part.to_dict())
                message.content.insert(index, grown.made())
                new.append(index)
            elif not (only_text and grown.extend(message.content[index], part)):
                message.content[index] = grown.merge(part.to_dict())
        return new

    def _message_ends(self, event: Any) -> Iterator[_Call]:
        self.message = event.data
        self.messages[event.data.id] = event.data
        if self._content is not None:
            yield from _content_done(event.data, self._content)
        yield "on_message_done", (event.data,)

    def _step_created(self, event: Any) -> Iterator[_Call]:
        self.step = event.data.id
        self.steps[event.data.id] = _Step(event.data)
        yield "on_run_step_created", (event.data,)

    def _step_in_progress(self, event: Any) -> Iterator[_Call]:
        self.step = event.data.id
        self.steps.setdefault(event.data.id, _Step(event.data))
        yield from ()

    def _step_delta(self, event: Any) -> Iterator[_Call]:
        step = self.steps.get(event.data.id)
        if step is None:
            raise RuntimeError("A run step's delta came before the step")
        delta = event.data.delta
        step.merge(delta.to_dict())
        calls: Any = getattr(delta.step_details, "tool_calls", None)
        for call in calls if is_list(calls) else ():
            if self._tool is not None and call.index == self._tool[1]:
                if self._wanted("on_tool_call_delta"):
                    yield "on_tool_call_delta", (call, step.tool_call(call.index))
            else:
                yield from self._tool_call_done()
                if self._wanted("on_tool_call_created"):
                    yield "on_tool_call_created", (step.tool_call(call.index),)
            self._tool = step, call.index
        if self._wanted("on_run_step_delta"):
            yield "on_run_step_delta", (delta, step.now)

    def _step_ends(self, event: Any) -> Iterator[_Call]:
        yield from self._tool_call_done()
        yield "on_run_step_done", (event.data,)
        self.step = None

    _takes: ClassVar[dict[str, Callable[[Any, Any], Iterator[_Call]]]] = {
        **dict.fromkeys(_RUN_ENDS, _run_ends),
        **dict.fromkeys(_RUN_GOES_ON, _run_goes_on),
        **dict.fromkeys(_STEP_ENDS, _step_ends),
        "thread.message.created": _message_created,
        "thread.message.delta": _message_delta,
        "thread.message.completed": _message_ends,
        "thread.message.incomplete": _message_ends,
        "thread.run.step.created": _step_created,
        "thread.run.step.in_progress": _step_in_progress,
        "thread.run.step.delta": _step_delta,
    }


def _content_done(message: Any, index: int) -> Iterator[_Call]:
    block: Any = message.content[index] if index < len(message.content) else None
    kind = getattr(block, "type", None)
    if kind == "text":
        yield "on_text_done", (block.text,)
    elif kind == "image_file":
        yield "on_image_file_done", (block.image_file,)


def _texts(event: Any) -> Iterator[str]:
    """The pieces of text that an event brings."""
    if event.event == "thread.message.delta":
        for part in event.data.delta.content or ():
            if part.type == "text" and part.text and part.text.value:
                yield part.text.value


class _Handler:
    """What both handlers show."""

    def __init__(self) -> None:
        self._state = _RunState(self._overrides)
        self._stream: Any = None
        self._ended = False

    def _overrides(self, name: str) -> bool:
        """Whether a program gave a callback something to do."""
        own = getattr(type(self), name)
        return name in vars(self) or all(own is not getattr(base, name) for base in _BASES)

    def start(self, stream: Any) -> None:
        """Take the stream to handle. Raises RuntimeError where there is one already."""
        if self._stream is not None:
            raise RuntimeError("An event handler handles one stream; make another one for another stream")
        self._stream = stream

    def _started(self) -> Any:
        if self._stream is None:
            raise RuntimeError("The stream has not been started yet")
        return self._stream

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`."""
        response: HTTPResponse = self._started().response
        return response

    @property
    def current_event(self) -> AssistantStreamEvent | None:
        """The event whose callbacks are being called."""
        return self._state.event

    @property
    def current_run(self) -> Run | None:
        """The run as the last event told it."""
        return self._state.run

    @property
    def current_run_step_snapshot(self) -> RunStep | None:
        """The step that is being received, as far as it has come."""
        state = self._state
        return state.steps[state.step].now if state.step is not None else None

    @property
    def current_message_snapshot(self) -> Message | None:
        """The last message, as far as it has come."""
        return self._state.message

    def _final_run(self) -> Run:
        if self._state.run is None:
            raise RuntimeError("The stream told of no run")
        return self._state.run

    def _final_run_steps(self) -> list[RunStep]:
        if not self._state.steps:
            raise RuntimeError("The stream told of no run steps")
        return [step.now for step in self._state.steps.values()]

    def _final_messages(self) -> list[Message]:
        if not self._state.messages:
            raise RuntimeError("The stream told of no messages")
        return [*self._state.messages.values()]


class AssistantEventHandler(_Handler):
    """An iterator over a run's events that calls its methods for them; make a subclass with the ones you need."""

    def __iter__(self) -> Iterator[AssistantStreamEvent]:
        return self

    def __next__(self) -> AssistantStreamEvent:
        stream = self._started()
        if self._ended:
            raise StopIteration
        try:
            event: AssistantStreamEvent = next(stream)
            for name, arguments in self._state.take(event):
                getattr(self, name)(*arguments)
        except StopIteration:
            self._end()
            raise
        except Exception as error:
            try:
                if isinstance(error, _TIMEOUTS):
                    self.on_timeout()
                self.on_exception(error)
            finally:
                self._end()
            raise
        except BaseException:
            self._end()
            raise
        return event

    def _end(self) -> None:
        self._ended = True
        self.on_end()

    @cached_property
    def text_deltas(self) -> Iterable[str]:
        """The pieces of text of the messages, as they come."""
        return (text for event in self for text in _texts(event))

    def close(self) -> None:
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        if self._stream is not None:
            self._stream.close()

    def until_done(self) -> None:
        """Read the stream to its end."""
        for _ in self:
            pass

    def get_final_run(self) -> Run:
        """Read the stream to its end; the run. Raises RuntimeError if there was none."""
        self.until_done()
        return self._final_run()

    def get_final_run_steps(self) -> list[RunStep]:
        """Read the stream to its end; the run's steps. Raises RuntimeError if there were none."""
        self.until_done()
        return self._final_run_steps()

    def get_final_messages(self) -> list[Message]:
        """Read the stream to its end; the run's messages. Raises RuntimeError if there were none."""
        self.until_done()
        return self._final_messages()

    def on_event(self, event: AssistantStreamEvent) -> None:
        """Any event, before the callbacks for what it means."""

    def on_run_step_created(self, run_step: RunStep) -> None:
        """A step begins."""

    def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """More of a step; `snapshot` is the step with it."""

    def on_run_step_done(self, run_step: RunStep) -> None:
        """A step is over."""

    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """A tool call begins."""

    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """More of a tool call; `snapshot` is the call with it."""

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """A tool call is whole. Called again when its step and its run are over, as in the reference."""

    def on_message_created(self, message: Message) -> None:
        """A message begins."""

    def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """More of a message; `snapshot` is the message, which goes on growing."""

    def on_message_done(self, message: Message) -> None:
        """A message is whole."""

    def on_text_created(self, text: Text) -> None:
        """A text begins."""

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """More of a text; `snapshot` is the text with it."""

    def on_text_done(self, text: Text) -> None:
        """A text is whole."""

    def on_image_file_done(self, image_file: ImageFile) -> None:
        """An image is whole."""

    def on_timeout(self) -> None:
        """The stream took too long; `on_exception` follows."""

    def on_exception(self, exception: Exception) -> None:
        """The stream, or a callback, failed; the exception goes on to whoever iterates."""

    def on_end(self) -> None:
        """The stream is over, whichever way."""


class AsyncAssistantEventHandler(_Handler):
    """An async iterator over a run's events that awaits its methods for them; make a subclass with those you need."""

    def __aiter__(self) -> AsyncIterator[AssistantStreamEvent]:
        return self

    async def __anext__(self) -> AssistantStreamEvent:
        stream = self._started()
        if self._ended:
            raise StopAsyncIteration
        try:
            event: AssistantStreamEvent = await stream.__anext__()
            for name, arguments in self._state.take(event):
                await getattr(self, name)(*arguments)
        except StopAsyncIteration:
            await self._end()
            raise
        except Exception as error:
            try:
                if isinstance(error, _TIMEOUTS):
                    await self.on_timeout()
                await self.on_exception(error)
            finally:
                await self._end()
            raise
        except BaseException:
            await self._end()
            raise
        return event

    async def _end(self) -> None:
        self._ended = True
        await self.on_end()

    @cached_property
    def text_deltas(self) -> AsyncIterator[str]:
        """The pieces of text of the messages, as they come."""
        return _TextDeltas(self)

    async def close(self) -> None:
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        if self._stream is not None:
            await self._stream.close()

    async def until_done(self) -> None:
        """Read the stream to its end."""
        async for _ in self:
            pass

    async def get_final_run(self) -> Run:
        """Read the stream to its end; the run. Raises RuntimeError if there was none."""
        await self.until_done()
        return self._final_run()

    async def get_final_run_steps(self) -> list[RunStep]:
        """Read the stream to its end; the run's steps. Raises RuntimeError if there were none."""
        await self.until_done()
        return self._final_run_steps()

    async def get_final_messages(self) -> list[Message]:
        """Read the stream to its end; the run's messages. Raises RuntimeError if there were none."""
        await self.until_done()
        return self._final_messages()

    async def on_event(self, event: AssistantStreamEvent) -> None:
        """Any event, before the callbacks for what it means."""

    async def on_run_step_created(self, run_step: RunStep) -> None:
        """A step begins."""

    async def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """More of a step; `snapshot` is the step with it."""

    async def on_run_step_done(self, run_step: RunStep) -> None:
        """A step is over."""

    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """A tool call begins."""

    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """More of a tool call; `snapshot` is the call with it."""

    async def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """A tool call is whole. Called again when its step and its run are over, as in the reference."""

    async def on_message_created(self, message: Message) -> None:
        """A message begins."""

    async def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """More of a message; `snapshot` is the message, which goes on growing."""

    async def on_message_done(self, message: Message) -> None:
        """A message is whole."""

    async def on_text_created(self, text: Text) -> None:
        """A text begins."""

    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """More of a text; `snapshot` is the text with it."""

    async def on_text_done(self, text: Text) -> None:
        """A text is whole."""

    async def on_image_file_done(self, image_file: ImageFile) -> None:
        """An image is whole."""

    async def on_timeout(self) -> None:
        """The stream took too long; `on_exception` follows."""

    async def on_exception(self, exception: Exception) -> None:
        """The stream, or a callback, failed; the exception goes on to whoever iterates."""

    async def on_end(self) -> None:
        """The stream is over, whichever way."""


_BASES = (AssistantEventHandler, AsyncAssistantEventHandler)


class _TextDeltas:
    """No async generator: one that is left half-read must be closed by its loop, which may be gone by then."""

    def __init__(self, events: AsyncIterator[AssistantStreamEvent]) -> None:
        self._events = events
        self._ready: Iterator[str] = iter(())

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while True:
            for text in self._ready:
                return text
            self._ready = _texts(await self._events.__anext__())


AssistantEventHandlerT = TypeVar("AssistantEventHandlerT", bound=AssistantEventHandler)
AsyncAssistantEventHandlerT = TypeVar("AsyncAssistantEventHandlerT", bound=AsyncAssistantEventHandler)


class AssistantStreamManager(Manager[AssistantEventHandlerT], Generic[AssistantEventHandlerT]):
    """`with client.beta.threads.runs.stream(...) as stream:`; the block gets the event handler."""

    def __init__(self, api_request: Callable[[], Any], *, event_handler: AssistantEventHandlerT) -> None:
        def wrap(raw: Any) -> AssistantEventHandlerT:
            event_handler.start(raw)
            return event_handler

        super().__init__(api_request, wrap)


class AsyncAssistantStreamManager(AsyncManager[AsyncAssistantEventHandlerT], Generic[AsyncAssistantEventHandlerT]):
    """`async with client.beta.threads.runs.stream(...) as stream:`; the block gets the event handler."""

    def __init__(self, api_request: Awaitable[Any], *, event_handler: AsyncAssistantEventHandlerT) -> None:
        def wrap(raw: Any) -> AsyncAssistantEventHandlerT:
            event_handler.start(raw)
            return event_handler

        super().__init__(api_request, wrap)


_AnyManager = AssistantStreamManager[Any] | AsyncAssistantStreamManager[Any]


def _managed(resource: Any, request: Request[Any], method: str, event_handler: Any) -> _AnyManager:
    own = "true" if event_handler else "false"
    with_headers(request, {"X-Stainless-Stream-Helper": method, "X-Stainless-Custom-Event-Handler": own})
    if resource._mode.blocking:
        handler: Any = event_handler or AssistantEventHandler()
        return AssistantStreamManager(lambda: resource._call(request), event_handler=handler)
    handler = event_handler or AsyncAssistantEventHandler()
    return AsyncAssistantStreamManager(resource._call(request), event_handler=handler)


def stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.runs.stream`: what `create` takes, and a handler for the events."""
    request = resource.create.request(**arguments, stream=True)
    return _managed(resource, request, "threads.runs.create_and_stream", event_handler)


create_and_stream = stream


def submit_tool_outputs_stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.runs.submit_tool_outputs_stream`: what `submit_tool_outputs` takes, and a handler."""
    request = resource.submit_tool_outputs.request(**arguments, stream=True)
    return _managed(resource, request, "threads.runs.submit_tool_outputs_stream", event_handler)


def create_and_run_stream(resource: Any, /, *, event_handler: Any = None, **arguments: Any) -> _AnyManager:
    """`beta.threads.create_and_run_stream`: what `create_and_run` takes, and a handler for the events."""
    request = resource.create_and_run.request(**arguments, stream=True)
    return _managed(resource, request, "threads.create_and_run_stream", event_handler)
