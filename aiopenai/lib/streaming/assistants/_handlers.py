"""The event handlers of streamed runs: a program overrides their callbacks, which tell of messages and steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from aiopenai.errors import APITimeoutError
from aiopenai.lib.streaming.assistants._state import Callback, RunState
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.beta.threads import ImageFile, Message, MessageDelta, Run, Text, TextDelta
from aiopenai.types.beta.threads.runs import RunStep, RunStepDelta, ToolCall, ToolCallDelta

if TYPE_CHECKING:
    from aiopenai._http.messages import HTTPResponse

__all__ = [
    "AssistantEventHandler",
    "AssistantEventHandlerT",
    "AsyncAssistantEventHandler",
    "AsyncAssistantEventHandlerT",
]

_TIMEOUTS = (APITimeoutError, asyncio.TimeoutError, TimeoutError)


def _text_pieces(event: Any) -> Iterator[str]:
    """Yields the pieces of text in an event."""
    if event.event == "thread.message.delta":
        for part in event.data.delta.content or ():
            if part.type == "text" and part.text and part.text.value:
                yield part.text.value


class _Handler:
    """The part that both handlers share: the state, its properties, and the callbacks after a failure."""

    def __init__(self) -> None:
        self._state = RunState(self._overrides)
        self._stream: Any = None
        self._ended = False

    def _overrides(self, name: str) -> bool:
        """Whether a program has given a callback something to do."""
        own = getattr(type(self), name)
        return name in vars(self) or all(own is not getattr(base, name) for base in _BASES)

    def start(self, stream: Any) -> None:
        """Takes the stream to handle. Raises RuntimeError for a second one."""
        if self._stream is not None:
            raise RuntimeError("An event handler handles one stream: make another handler for another stream")
        self._stream = stream

    def _started(self) -> Any:
        if self._stream is None:
            raise RuntimeError("The stream has not been started: enter the block of the stream manager first")
        return self._stream

    def _after(self, error: BaseException) -> Iterator[Callback]:
        """Yields the callbacks after a failure of the stream or of a callback, before `on_end`."""
        if isinstance(error, _TIMEOUTS):
            yield "on_timeout", ()
        if isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration)):
            yield "on_exception", (error,)

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`."""
        response: HTTPResponse = self._started().response
        return response

    @property
    def current_event(self) -> AssistantStreamEvent | None:
        """The event that the running callback belongs to."""
        return self._state.event

    @property
    def current_run(self) -> Run | None:
        """The run as of the last event about it."""
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
    """An iterator over the events of a run that calls its `on_...` methods. Override those you need in a subclass."""

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
        except BaseException as error:
            try:
                for name, arguments in self._after(error):
                    getattr(self, name)(*arguments)
            finally:
                self._ended = True
                self.on_end()
            raise
        return event

    @cached_property
    def text_deltas(self) -> Iterable[str]:
        """The pieces of text of the messages, as they come."""
        return (text for event in self for text in _text_pieces(event))

    def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        if self._stream is not None:
            self._stream.close()

    def until_done(self) -> None:
        """Reads the stream to its end."""
        for _ in self:
            pass

    def get_final_run(self) -> Run:
        """Reads the stream to its end, and returns the run. Raises RuntimeError without one."""
        self.until_done()
        return self._final_run()

    def get_final_run_steps(self) -> list[RunStep]:
        """Reads the stream to its end, and returns the steps of the run. Raises RuntimeError without any."""
        self.until_done()
        return self._final_run_steps()

    def get_final_messages(self) -> list[Message]:
        """Reads the stream to its end, and returns the messages of the run. Raises RuntimeError without any."""
        self.until_done()
        return self._final_messages()

    def on_event(self, event: AssistantStreamEvent) -> None:
        """Called for every event, before the callbacks for its content."""

    def on_run_step_created(self, run_step: RunStep) -> None:
        """Called when a step begins."""

    def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """Called for more of a step; `snapshot` is the step so far."""

    def on_run_step_done(self, run_step: RunStep) -> None:
        """Called when a step has ended."""

    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """Called when a tool call begins."""

    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """Called for more of a tool call; `snapshot` is the call so far."""

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """Called when a tool call is complete, and again at the end of its step and of its run, as in the reference."""

    def on_message_created(self, message: Message) -> None:
        """Called when a message begins."""

    def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """Called for more of a message; `snapshot` is the message, which continues to grow."""

    def on_message_done(self, message: Message) -> None:
        """Called when a message is complete."""

    def on_text_created(self, text: Text) -> None:
        """Called when a text begins."""

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """Called for more of a text; `snapshot` is the text so far."""

    def on_text_done(self, text: Text) -> None:
        """Called when a text is complete."""

    def on_image_file_done(self, image_file: ImageFile) -> None:
        """Called when an image is complete."""

    def on_timeout(self) -> None:
        """Called when a time limit of the stream is reached, before `on_exception`."""

    def on_exception(self, exception: Exception) -> None:
        """Called when the stream or a callback fails. The exception is raised afterwards."""

    def on_end(self) -> None:
        """Called at the end of the stream, also after a failure."""


class AsyncAssistantEventHandler(_Handler):
    """An async iterator over the events of a run that awaits its `on_...` methods. Override those you need."""

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
        except BaseException as error:
            try:
                for name, arguments in self._after(error):
                    await getattr(self, name)(*arguments)
            finally:
                self._ended = True
                await self.on_end()
            raise
        return event

    @cached_property
    def text_deltas(self) -> AsyncIterator[str]:
        """The pieces of text of the messages, as they come."""
        return _TextDeltas(self)

    async def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        if self._stream is not None:
            await self._stream.close()

    async def until_done(self) -> None:
        """Reads the stream to its end."""
        async for _ in self:
            pass

    async def get_final_run(self) -> Run:
        """Reads the stream to its end, and returns the run. Raises RuntimeError without one."""
        await self.until_done()
        return self._final_run()

    async def get_final_run_steps(self) -> list[RunStep]:
        """Reads the stream to its end, and returns the steps of the run. Raises RuntimeError without any."""
        await self.until_done()
        return self._final_run_steps()

    async def get_final_messages(self) -> list[Message]:
        """Reads the stream to its end, and returns the messages of the run. Raises RuntimeError without any."""
        await self.until_done()
        return self._final_messages()

    async def on_event(self, event: AssistantStreamEvent) -> None:
        """Called for every event, before the callbacks for its content."""

    async def on_run_step_created(self, run_step: RunStep) -> None:
        """Called when a step begins."""

    async def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """Called for more of a step; `snapshot` is the step so far."""

    async def on_run_step_done(self, run_step: RunStep) -> None:
        """Called when a step has ended."""

    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """Called when a tool call begins."""

    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """Called for more of a tool call; `snapshot` is the call so far."""

    async def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """Called when a tool call is complete, and again at the end of its step and of its run, as in the reference."""

    async def on_message_created(self, message: Message) -> None:
        """Called when a message begins."""

    async def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """Called for more of a message; `snapshot` is the message, which continues to grow."""

    async def on_message_done(self, message: Message) -> None:
        """Called when a message is complete."""

    async def on_text_created(self, text: Text) -> None:
        """Called when a text begins."""

    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """Called for more of a text; `snapshot` is the text so far."""

    async def on_text_done(self, text: Text) -> None:
        """Called when a text is complete."""

    async def on_image_file_done(self, image_file: ImageFile) -> None:
        """Called when an image is complete."""

    async def on_timeout(self) -> None:
        """Called when a time limit of the stream is reached, before `on_exception`."""

    async def on_exception(self, exception: Exception) -> None:
        """Called when the stream or a callback fails. The exception is raised afterwards."""

    async def on_end(self) -> None:
        """Called at the end of the stream, also after a failure."""


_BASES = (AssistantEventHandler, AsyncAssistantEventHandler)


class _TextDeltas:
    """The text of an async handler's events. An async generator would need its loop to be closed, which may be gone."""

    def __init__(self, events: AsyncIterator[AssistantStreamEvent]) -> None:
        self._events = events
        self._ready: Iterator[str] = iter(())

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while True:
            for text in self._ready:
                return text
            self._ready = _text_pieces(await self._events.__anext__())


AssistantEventHandlerT = TypeVar("AssistantEventHandlerT", bound=AssistantEventHandler)
AsyncAssistantEventHandlerT = TypeVar("AsyncAssistantEventHandlerT", bound=AsyncAssistantEventHandler)
