"""The calls of functions in the events of an agent's session: their handlers, and the results that go back.

`ToolDispatch` decides, and makes no requests. The streams of the two clients send its results by `answer_call` and
`answer_call_blocking`.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import decode_json
from aiopenai.errors import APIStatusError
from aiopenai.lib.beta.agents._tools import AgentFunctionTool, ToolErrorStage, compact_json
from aiopenai.lib.calls import awaited

if TYPE_CHECKING:
    from aiopenai.types.beta import InputContentParam
else:
    # The types of parameters are not imported at run time.
    InputContentParam = Any

__all__ = [
    "AgentToolError",
    "AsyncToolErrorHandler",
    "AsyncToolHandler",
    "ToolDispatch",
    "ToolErrorHandler",
    "ToolHandler",
    "ToolOutput",
    "answer_call",
    "answer_call_blocking",
]

ToolOutput: TypeAlias = str | Mapping[str, Any] | Iterable[InputContentParam] | None
"""The result of a handler: text, a mapping that becomes JSON, content parts, or nothing."""

ToolHandler: TypeAlias = Callable[[dict[str, Any]], ToolOutput]
"""A function from the arguments of a call to its result."""

AsyncToolHandler: TypeAlias = Callable[[dict[str, Any]], ToolOutput | Awaitable[ToolOutput]]
"""A function, plain or asynchronous, from the arguments of a call to its result."""

# The service may announce a call shortly before it accepts the result. Pauses in seconds before further attempts.
_PAUSES = (0.1, 0.3, 0.6)
_FAILURE = "Tool handler failed."


@dataclass(frozen=True)
class AgentToolError:
    """A failed call of a function, as `on_tool_error` gets it. The agent is told only that the call failed.

    stage: `arguments` if they are no JSON object or do not fit, `execution` in the handler, `output` if the result
    cannot be sent.
    """

    error: Exception
    tool_name: str
    session_id: str
    turn_id: str
    call_id: str
    stage: ToolErrorStage


ToolErrorHandler: TypeAlias = Callable[[AgentToolError], object]
AsyncToolErrorHandler: TypeAlias = Callable[[AgentToolError], Awaitable[object] | object]


class _Call:
    """One call of a function. `key` is the idempotency key of its result, the same in all attempts."""

    def __init__(self, event: Any, handler: Any) -> None:
        item = event.item
        self.name: str = item.name
        self.session_id: str = event.session_id
        self.turn_id: str = item.turn_id
        self.call_id: str = item.call_id
        self.key = str(uuid.uuid4())
        self.stage: ToolErrorStage = "arguments"
        self._handler = handler
        self._has_stages = isinstance(handler, AgentFunctionTool)
        # Copied now: the program gets the event before the handler runs, and may change it.
        self._arguments = copy.deepcopy(item.arguments)

    def begin(self) -> Any:
        """Calls the handler, and returns its result or an awaitable of it."""
        arguments = self._arguments
        if isinstance(arguments, str):
            arguments = decode_json(arguments)
        if not is_mapping(arguments):
            raise ValueError("The arguments of a call must be a JSON object")
        given = dict(arguments)
        if self._has_stages:
            return self._handler.call_in_stages(given, self._enter)
        self.stage = "execution"
        return self._handler(given)

    def _enter(self, stage: ToolErrorStage) -> None:
        self.stage = stage

    def succeeded(self, value: Any) -> dict[str, Any]:
        """Returns the input for a result. Raises TypeError and ValueError for a result that cannot be sent."""
        self.stage = "output"
        if is_mapping(value):
            value = compact_json(value)
        elif value is not None and not isinstance(value, str):
            value = list(value)
            # Raises for a part that cannot be sent.
            compact_json(value)
        return {**self._input(), "success": True, "output": value}

    def failed(self) -> dict[str, Any]:
        """Returns the input for a failure, without its reason: error texts may hold secrets."""
        return {**self._input(), "success": False, "error": _FAILURE}

    def _input(self) -> dict[str, Any]:
        return {"type": "agent.session.input.tool_result", "turn_id": self.turn_id, "call_id": self.call_id}

    def error(self, error: Exception) -> AgentToolError:
        """Returns the description of a failure."""
        return AgentToolError(error, self.name, self.session_id, self.turn_id, self.call_id, self.stage)


class ToolDispatch:
    """The handlers of a stream, and the call that is due.

    handlers: the functions by the names of their tools. Calls of other tools are left to the program.
    options: the options of the requests that send results.
    """

    def __init__(
        self,
        handlers: Mapping[str, Any] | None,
        on_error: Callable[[Any], Any] | None,
        options: Mapping[str, Any],
    ) -> None:
        self.handlers: dict[str, Any] = dict(handlers or {})
        self.options = options
        self.on_error = on_error
        self.due: _Call | None = None
        """The call of the last event, which is answered before the next one is read."""
        self._seen: set[tuple[str, str]] = set()

    def note(self, event: Any) -> None:
        """Notes the call of an event, each call once."""
        if not self.handlers or getattr(event, "type", None) != "agent.session.turn.item.added":
            return
        item = event.item
        if getattr(item, "type", None) != "function_call" or item.name not in self.handlers:
            return
        if (known := (item.turn_id, item.call_id)) not in self._seen:
            self._seen.add(known)
            self.due = _Call(event, self.handlers[item.name])

    def take(self) -> _Call | None:
        """Returns the call that is due, once."""
        call, self.due = self.due, None
        return call


async def answer_call(dispatch: ToolDispatch, events: Any) -> None:
    """Runs the handler of the call that is due, and sends the result by `events.create`.

    Raises the errors of the request; a result that the service does not expect yet is sent again.
    """
    call = dispatch.take()
    if call is None:
        return
    try:
        result = call.succeeded(await awaited(call.begin()))
    except Exception as error:
        result = call.failed()
        await _report(dispatch.on_error, call.error(error))
    for pause in _attempts():
        try:
            await events.create(call.session_id, events=[result], idempotency_key=call.key, **dispatch.options)
        except APIStatusError as error:
            if pause is None or not _is_early(error, call):
                raise
            await asyncio.sleep(pause)
        else:
            return


def answer_call_blocking(dispatch: ToolDispatch, events: Any) -> None:
    """Does the same as `answer_call` with the blocking client."""
    call = dispatch.take()
    if call is None:
        return
    try:
        value = call.begin()
        if inspect.isawaitable(value):
            _discard(value)
            raise TypeError("A handler with coroutines needs AsyncOpenAI")
        result = call.succeeded(value)
    except Exception as error:
        result = call.failed()
        _report_blocking(dispatch.on_error, call.error(error))
    for pause in _attempts():
        try:
            events.create(call.session_id, events=[result], idempotency_key=call.key, **dispatch.options)
        except APIStatusError as error:
            if pause is None or not _is_early(error, call):
                raise
            time.sleep(pause)
        else:
            return


def _attempts() -> Iterator[float | None]:
    """Yields the pause after each attempt; None for the last one."""
    yield from _PAUSES
    yield None


def _is_early(error: APIStatusError, call: _Call) -> bool:
    """Returns whether the service does not know the call yet."""
    body: Any = error.body
    told = body.get("message") if is_mapping(body) else None
    expected = f"Unknown pending tool call: {call.call_id}"
    return error.status_code == 400 and error.code == "invalid_request_error" and told == expected


def _discard(value: Any) -> None:
    # A coroutine that was never awaited would give a warning of its own.
    if inspect.iscoroutine(value):
        value.close()


# Errors of `on_tool_error` are ignored: the call has failed, and the agent has to be told.


async def _report(on_error: Callable[[Any], Any] | None, failure: AgentToolError) -> None:
    if on_error is None:
        return
    try:
        await awaited(on_error(failure))
    except Exception:
        _log_ignored(failure)


def _report_blocking(on_error: Callable[[Any], Any] | None, failure: AgentToolError) -> None:
    if on_error is None:
        return
    try:
        _discard(on_error(failure))
    except Exception:
        _log_ignored(failure)


def _log_ignored(failure: AgentToolError) -> None:
    import logging

    logging.getLogger("aiopenai").debug("on_tool_error failed for a call of %s", failure.tool_name, exc_info=True)
