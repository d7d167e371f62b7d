"""The start of a tool loop, for both APIs and both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out
from aiopenai.lib.calls import check_count
from aiopenai.lib.running._dialogues import ChatDialogue, Dialogue, ResponsesDialogue
from aiopenai.lib.running._loop import AsyncToolRunStream, LoopOptions, ToolLoop, ToolRunStream
from aiopenai.lib.running._registry import Toolbox, ToolForm

__all__ = ["run_chat_tools", "run_response_tools"]


def run_response_tools(responses: Any, /, **arguments: Any) -> Any:
    """`responses.run_tools`, for any object with the `create` of `client.responses`.

    Returns an awaitable of a `ToolRun`, with `stream=True` of an `AsyncToolRunStream`. For a resource of the blocking
    client it returns the object itself. Arguments are those of `create`, and `tools` (functions, types and dicts),
    `max_turns` (10), `max_parallel` (8), `tool_timeout`, `raise_errors`, `approve_mcp` and `text_format`.

    Raises TypeError and ValueError for wrong arguments, MaxTurnsError, and ToolCallError with `raise_errors`.
    """
    return _started(responses, "responses", ResponsesDialogue, arguments)


def run_chat_tools(completions: Any, /, **arguments: Any) -> Any:
    """`chat.completions.run_tools`, for any object with the `create` of `client.chat.completions`.

    As `run_response_tools`, with `response_format` in the place of `text_format`, and without `approve_mcp`.
    """
    return _started(completions, "chat", ChatDialogue, arguments)


def _started(resource: Any, form: ToolForm, kind: type[Dialogue], arguments: dict[str, Any]) -> Any:
    given = {name: value for name, value in arguments.items() if not is_left_out(value)}
    stream = bool(given.pop("stream", False))
    toolbox = Toolbox(given.pop("tools", ()), form)
    options = _options(given, toolbox)
    dialogue = kind(toolbox, given)
    if getattr(resource, "_blocking", False):
        client: Any = resource._client
        loop = ToolLoop(resource._asynchronous().create, dialogue, options)
        return ToolRunStream(loop, client) if stream else client.run(loop.whole())
    loop = ToolLoop(resource.create, dialogue, options)
    return _ready_stream(loop) if stream else loop.whole()


async def _ready_stream(loop: ToolLoop) -> AsyncToolRunStream[Any, Any, Any]:
    return AsyncToolRunStream(loop)


def _options(given: dict[str, Any], toolbox: Toolbox) -> LoopOptions:
    """Takes the options of the loop from the arguments. Raises TypeError and ValueError for wrong ones."""
    numbers = {name: given.pop(name, default) for name, default in (("max_turns", 10), ("max_parallel", 8))}
    for name, number in numbers.items():
        check_count(name, number)
    timeout = given.pop("tool_timeout", None)
    for seconds in timeout.values() if is_mapping(timeout) else () if timeout is None else (timeout,):
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds > 0:
            raise ValueError(f"tool_timeout is a number of seconds above 0, or one by tool name, not {seconds!r}")
    if is_mapping(timeout) and (unknown := sorted(map(str, timeout.keys() - set(toolbox.names)))):
        known = ", ".join(toolbox.names) or "none"
        raise ValueError(
            f"tool_timeout names {', '.join(unknown)}, which is no function of this run. They are: {known}"
        )
    approve: Any = given.pop("approve_mcp", None)
    function: Any = approve
    if approve is not None and not callable(approve):
        raise TypeError(f"approve_mcp is a function, not {type(approve).__name__}")
    limits: Mapping[str, float] | float | None = timeout
    return LoopOptions(
        max_turns=numbers["max_turns"],
        max_parallel=numbers["max_parallel"],
        tool_timeout=limits,
        raise_errors=bool(given.pop("raise_errors", False)),
        approve_mcp=function,
    )
