"""The loop of requests and tool calls, whole and as a stream of events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, cast

from typing_extensions import Self, TypeVar

from aiopenai._base.sentinels import omit
from aiopenai.lib.calls import awaited
from aiopenai.lib.running._channel import EventChannel
from aiopenai.lib.running._dialogues import ChatDialogue, Dialogue, ResponsesDialogue
from aiopenai.lib.running._execution import Executions, Report, join, refuse
from aiopenai.lib.running._records import (
    MaxTurnsError,
    ToolCallError,
    ToolExecution,
    ToolFinishedEvent,
    ToolRun,
    ToolTurn,
    TurnFinishedEvent,
)
from aiopenai.lib.running._usage import total_usage
from aiopenai.lib.streaming.chat import AsyncChatCompletionStream
from aiopenai.lib.streaming.foreign import async_native_stream
from aiopenai.lib.streaming.responses import AsyncResponseStream

__all__ = ["AsyncToolRunStream", "LoopOptions", "ToolLoop", "ToolRunStream"]

EventT = TypeVar("EventT", default=Any)
ReplyT = TypeVar("ReplyT", default=Any)
UsageT = TypeVar("UsageT", default=Any)


@dataclass(frozen=True)
class LoopOptions:
    """The limits of a run."""

    max_turns: int
    max_parallel: int
    tool_timeout: float | Mapping[str, float] | None
    raise_errors: bool
    approve_mcp: Callable[[Any], bool | Awaitable[bool]] | None

    def timeout_of(self, name: str) -> float | None:
        """Returns the timeout of a tool in seconds."""
        limit = self.tool_timeout
        return limit.get(name) if isinstance(limit, Mapping) else limit


class _Turn:
    """The turn under way: the calls that have begun, in the order of the model."""

    def __init__(self, executions: Executions) -> None:
        self.executions = executions
        self.begun: list[ToolExecution] = []


class ToolLoop:
    """One run. `create` sends a request, as `responses.create` and `chat.completions.create` do."""

    def __init__(self, create: Callable[..., Any], dialogue: Dialogue, options: LoopOptions) -> None:
        self._create = create
        self._dialogue = dialogue
        self._options = options
        self.run: ToolRun[Any, Any] = ToolRun(dialogue.transcript)

    async def whole(self) -> ToolRun[Any, Any]:
        """Runs to the end."""
        return await self._turns(self._ask, None)

    async def events(self) -> AsyncGenerator[Any]:
        """Yields the events of the API and of the tools. Its end cancels the tools that are running."""
        channel = EventChannel()
        task = asyncio.create_task(self._turns(self._ask_streaming, channel.put))
        task.add_done_callback(channel.close)
        try:
            while True:
                try:
                    event = await channel.get()
                except StopAsyncIteration:
                    break
                yield event
            await task
        finally:
            await join([task])
            if not task.cancelled():
                # Looked at, so that asyncio does not report it as lost.
                task.exception()

    async def _turns(self, ask: Callable[[_Turn, Report], Awaitable[Any]], report: Report | None) -> ToolRun[Any, Any]:
        try:
            for _ in range(self._options.max_turns):
                if await self._take_turn(ask, report):
                    return self.run
        except (Exception, asyncio.CancelledError) as error:
            # Classes with slots take no further attributes.
            with contextlib.suppress(AttributeError):
                cast("Any", error).run = self.run
            raise
        raise MaxTurnsError(
            f"The model has called tools in each of {self._options.max_turns} turns: raise `max_turns`, or continue "
            "with `error.run.transcript`.",
            run=self.run,
        )

    async def _take_turn(self, ask: Callable[[_Turn, Report], Awaitable[Any]], report: Report | None) -> bool:
        """Makes one request and the calls of its reply. Returns whether the run has ended."""
        turn = _Turn(Executions(self._options.max_parallel, report))
        try:
            reply = await ask(turn, report or _unreported)
            record: ToolTurn[Any] = ToolTurn(reply)
            self.run.turns.append(record)
            self.run.usage = total_usage(self.run.usage, getattr(reply, "usage", None))
            for execution in self._dialogue.calls(reply):
                # By id: a stream begins functions early, and an approval before them shifts their positions.
                # Some servers send one id for several calls.
                begun = (each for each in turn.begun if not any(each is other for other in record.executions))
                known = next((each for each in begun if each.call_id == execution.call_id), None)
                if known is None:
                    known = execution
                    await self._begin(turn, execution, report)
                record.executions.append(known)
            await turn.executions.settle(lambda: self._failure(turn))
        except BaseException:
            await turn.executions.abort()
            raise
        self._dialogue.add(reply, record.executions)
        ended = not record.executions or bool(self.run.pending)
        if ended:
            record.reply = self._dialogue.parsed(reply)
        if report is not None:
            await report(TurnFinishedEvent(record))
        return ended

    def _failure(self, turn: _Turn) -> BaseException | None:
        """Returns the error of the first failed call, if it is to be raised."""
        if not self._options.raise_errors:
            return None
        for execution in turn.begun:
            if execution.error is not None:
                error = ToolCallError(str(execution.output), run=self.run, execution=execution)
                error.__cause__ = execution.error
                return error
        return None

    async def _begin(self, turn: _Turn, execution: ToolExecution, report: Report | None) -> None:
        """Starts a call, or notes the reason for which it cannot be made."""
        turn.begun.append(execution)
        if getattr(execution.item, "type", None) == "mcp_approval_request":
            await self._approve(execution)
            return
        box = self._dialogue.toolbox
        tool = box.find(execution.name, getattr(execution.item, "namespace", None))
        is_function = getattr(execution.item, "type", None) in ("function_call", "function", None, "")
        if tool is None and is_function:
            reason = f"there is no tool of this name. The tools are: {', '.join(box.names) or 'none'}"
            refuse(execution, LookupError(f"unknown tool {execution.name!r}"), reason)
        elif tool is None:
            execution.status = "pending"
        else:
            try:
                given = tool.validated(execution.arguments_json)
            except ValueError as error:
                refuse(execution, error, f"the arguments do not fit: {error}")
            else:
                execution.arguments = tool.shown(given)
                if tool.call is not None:
                    turn.executions.start(execution, tool, given, self._options.timeout_of(tool.name))
                    return
                execution.status = "pending"
        if report is not None:
            await report(ToolFinishedEvent(execution))

    async def _approve(self, execution: ToolExecution) -> None:
        if self._options.approve_mcp is None:
            execution.status = "pending"
            return
        answer = await awaited(self._options.approve_mcp(execution.item))
        if not isinstance(answer, bool):
            raise TypeError(f"approve_mcp returns True or False, not {type(answer).__name__}")
        execution.result, execution.status = answer, "completed"

    async def _ask(self, _: _Turn, __: Report) -> Any:
        return await awaited(self._create(**self._dialogue.request()))

    async def _ask_streaming(self, turn: _Turn, report: Report) -> Any:
        """Makes a request, and starts each call as soon as its arguments are complete."""
        request = self._dialogue.request()
        is_chat = isinstance(self._dialogue, ChatDialogue)
        if is_chat and "stream_options" not in request:
            request["stream_options"] = {"include_usage": True}
        raw = await awaited(self._create(**{**request, "stream": True}))
        read = self._read_chat if is_chat else self._read_response
        return await read(async_native_stream(raw), turn, report)

    async def _read_response(self, raw: Any, turn: _Turn, report: Report) -> Any:
        dialogue = cast("ResponsesDialogue", self._dialogue)
        async with AsyncResponseStream[None](raw_stream=raw, input_tools=omit) as stream:
            async for event in stream:
                await report(event)
                if event.type == "response.output_item.done":
                    item: Any = event.item
                    if getattr(item, "type", None) == "function_call" and (call := dialogue.call_of(item)):
                        await self._begin(turn, call, report)
            return await stream.get_final_response()

    async def _read_chat(self, raw: Any, turn: _Turn, report: Report) -> Any:
        async with AsyncChatCompletionStream[None](raw_stream=raw, input_tools=omit) as stream:
            async for event in stream:
                await report(event)
                if event.type == "tool_calls.function.arguments.done":
                    calls = self._dialogue.calls(stream.current_completion_snapshot)
                    number = len(turn.begun)
                    if number < len(calls) and calls[number].name == event.name:
                        await self._begin(turn, calls[number], report)
            return stream.current_completion_snapshot


async def _unreported(_: Any) -> None:
    """Takes an event of which no reader wants to know."""


class AsyncToolRunStream(Generic[EventT, ReplyT, UsageT]):
    """The events of a run in the order in which they happen. Use it as a context manager, or read it to its end."""

    def __init__(self, loop: ToolLoop) -> None:
        self._loop = loop
        self._events = loop.events()

    @property
    def run(self) -> ToolRun[ReplyT, UsageT]:
        """The run as far as it has come."""
        return self._loop.run

    def __aiter__(self) -> AsyncIterator[EventT]:
        return self

    async def __anext__(self) -> EventT:
        event: EventT = await self._events.__anext__()
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the run: the request and the tools that are running are cancelled and awaited."""
        await self._events.aclose()

    aclose = close

    async def get_final_run(self) -> ToolRun[ReplyT, UsageT]:
        """Reads the events to their end, and returns the run."""
        async for _ in self:
            pass
        return self.run


class ToolRunStream(Generic[EventT, ReplyT, UsageT]):
    """The events of a run in the order in which they happen. Use it as a context manager, or read it to its end."""

    def __init__(self, loop: ToolLoop, client: Any) -> None:
        self._loop = loop
        self._events = client._iterate(loop.events())

    @property
    def run(self) -> ToolRun[ReplyT, UsageT]:
        """The run as far as it has come."""
        return self._loop.run

    def __iter__(self) -> Iterator[EventT]:
        return self

    def __next__(self) -> EventT:
        event: EventT = next(self._events)
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the run: the request and the tools that are running are cancelled and awaited."""
        self._events.close()

    def get_final_run(self) -> ToolRun[ReplyT, UsageT]:
        """Reads the events to their end, and returns the run."""
        for _ in self:
            pass
        return self.run
