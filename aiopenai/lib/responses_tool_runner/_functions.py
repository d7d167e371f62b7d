"""The functions of a tool runner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypedDict

from typing_extensions import Self

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.codec import decode_json
from aiopenai.lib.calls import awaited
from aiopenai.lib.responses_tool_runner._native import is_text
from aiopenai.lib.responses_tool_runner._outputs import checked_output
from aiopenai.lib.tool_callbacks import invoke, not_awaitable
from aiopenai.lib.tool_diagnostics import ToolDiagnosticObserver, emit_tool_diagnostic
from aiopenai.lib.tools import ResponsesPydanticFunctionTool, arguments_text

__all__ = ["AsyncRegisteredFunction", "EarlyExecution", "FunctionCall", "RegisteredFunction", "Registry"]


class EarlyExecution(TypedDict, total=False):
    """The functions, by name, that may run before their response is complete, and whether the computer may."""

    functions: list[str]
    computer: bool


@dataclass(frozen=True)
class _Registered:
    """A function tool of the responses API, and its executor.

    execute: takes the arguments of a call as a dict; with `from_tool` an object of the tool's type. It returns text or
    a list of content parts. With a parameter `cancelled` it gets the function of the run that tells of cancellation.
    allow_output_override: whether `supply_outputs` may answer calls in its place.
    independent: whether calls may run at the same time as other calls, with `eager=True`.
    """

    tool: Any
    execute: Callable[..., Any]
    allow_output_override: bool = False
    independent: bool = False
    _typed: ResponsesPydanticFunctionTool | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name of the tool; empty for an invalid one."""
        name: Any = self.tool.get("name") if is_mapping(self.tool) else None
        return name if isinstance(name, str) else ""

    def arguments(self, text: Any) -> Any:
        """Returns the arguments of a call. Raises ValueError for others than an object that fits."""
        if self._typed is not None:
            return self._typed.parse_arguments(text)
        given = decode_json(arguments_text(text))
        if not is_mapping(given):
            raise ValueError("The arguments of a call are a JSON object")
        return dict(given)

    def call(self, arguments: Any, cancelled: Callable[[], bool]) -> Any:
        """Calls the executor. The result may be an awaitable."""
        return invoke(self.execute, arguments, cancelled=cancelled)

    @classmethod
    def from_tool(
        cls,
        tool: Any,
        *,
        execute: Callable[..., Any],
        allow_output_override: bool = False,
        independent: bool = False,
    ) -> Self:
        """Registers a tool of `pydantic_responses_function_tool`. Its executor gets an object of the tool's type.

        Raises ValueError for another tool.
        """
        if not isinstance(tool, ResponsesPydanticFunctionTool) or not callable(execute):
            raise ValueError("`from_tool` needs a tool of `pydantic_responses_function_tool` and a function")
        typed: Any = tool
        return cls(dict(typed), execute, allow_output_override, independent, tool)


@dataclass(frozen=True)
class RegisteredFunction(_Registered):
    """A function tool of a `ResponsesToolRunner`."""

    execute: Callable[..., str | list[Any]]


@dataclass(frozen=True)
class AsyncRegisteredFunction(_Registered):
    """A function tool of an `AsyncResponsesToolRunner`. Its executor is asynchronous, or returns at once."""

    execute: Callable[..., Awaitable[str | list[Any]] | str | list[Any]]


class Registry:
    """The functions of a runner by name, and its computer. Raises ValueError for objects and names that do not fit."""

    def __init__(self, functions: Any, early: Any, computer: Any = None) -> None:
        self.computer = computer
        self.functions: dict[str, _Registered] = {}
        for each in functions or ():
            if not isinstance(each, _Registered) or not callable(each.execute):
                raise ValueError("Each of `functions` is a registered function with an executor")
            flags: tuple[Any, Any] = each.allow_output_override, each.independent
            if not all(isinstance(flag, bool) for flag in flags):
                raise ValueError("`allow_output_override` and `independent` are True or False")
            if not each.name or each.name in self.functions:
                raise ValueError(f"The names of `functions` must be unique and not empty: {each.name!r}")
            if each.tool.get("type") != "function":
                raise ValueError(f"The tool {each.name!r} is no function tool")
            self.functions[each.name] = each
        self.tools: list[Any] = [deepcopy(dict(each.tool)) for each in self.functions.values()]
        if computer is not None:
            self.tools.append({"type": "computer"})
        self.overrides = frozenset(name for name, each in self.functions.items() if each.allow_output_override)
        """The functions that the program may answer for."""
        self._check_early(early)
        self.early: frozenset[str] | None = None if early is None else frozenset(early.get("functions", ()))
        """The functions that may run early; None for all."""
        self.early_computer = early is None or early.get("computer", False)

    def _check_early(self, early: Any) -> None:
        if early is None:
            return
        if not is_mapping(early) or early.keys() - EarlyExecution.__annotations__.keys():
            raise ValueError("`early_execution` is a dict with the keys `functions` and `computer`")
        names: Any = early.get("functions", [])
        if not is_list(names) or len(self.functions.keys() & set(filter(is_text, names))) != len(names):
            raise ValueError(f"`early_execution` names functions that are not registered, or one twice: {names!r}")
        computer: Any = early.get("computer", False)
        if not isinstance(computer, bool) or (computer and self.computer is None):
            raise ValueError("`computer` of `early_execution` is True or False, and needs the computer of the runner")


class FunctionCall:
    """A call of a registered function, with the arguments as the model wrote them."""

    def __init__(
        self, item: Any, function: _Registered, arguments: Any, cancelled: Callable[[], bool], observer: Any
    ) -> None:
        self.item = item
        self._function = function
        self._arguments = arguments
        self._cancelled = cancelled
        self._observer: ToolDiagnosticObserver | None = observer

    @property
    def independent(self) -> bool:
        """Whether the call may run beside others."""
        return self._function.independent

    def make(self) -> Any:
        """Calls the function, and returns its checked output. Raises TypeError for an asynchronous one."""
        started = monotonic()
        try:
            result = self._function.call(self._arguments, self._cancelled)
            not_awaitable(result, "AsyncResponsesToolRunner")
        except (Exception, asyncio.CancelledError):
            self._emit("action", "driver_failed", started)
            raise
        return self._checked(result, started)

    async def make_async(self) -> Any:
        """Does the same as `make`, for functions that return awaitables too."""
        started = monotonic()
        try:
            result = await awaited(self._function.call(self._arguments, self._cancelled))
        except (Exception, asyncio.CancelledError):
            self._emit("action", "driver_failed", started)
            raise
        return self._checked(result, started)

    def _checked(self, result: Any, started: float) -> Any:
        returned = monotonic()
        try:
            output = checked_output(result)
        except ValueError:
            self._emit("action", "completed", started)
            self._emit("output", "invalid_output", returned)
            raise
        self._emit("action", "completed", started)
        return output

    def _emit(self, stage: Any, reason: Any, started: float) -> None:
        at = {"call_id": self.item["call_id"], "member": self.item["name"]}
        emit_tool_diagnostic(self._observer, "responses", stage, reason, started, **at)
