"""The functions of a tool runner."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict

from typing_extensions import Self

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import decode_json
from aiopenai.lib.tools import ResponsesPydanticFunctionTool, arguments_text, is_content

__all__ = ["AsyncRegisteredFunction", "EarlyExecution", "RegisteredFunction", "Registry"]


class EarlyExecution(TypedDict, total=False):
    """The functions, by name, that may run before their response is complete. `computer` has no effect yet."""

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
        if self._takes_cancelled:
            return self.execute(arguments, cancelled=cancelled)
        return self.execute(arguments)

    @cached_property
    def _takes_cancelled(self) -> bool:
        try:
            parameters = list(inspect.signature(self.execute).parameters.values())
        except (TypeError, ValueError):
            # Some functions of C have no signature.
            return False
        # The first parameter takes the arguments of a call, under any name.
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return any(each.name == "cancelled" and each.kind in kinds for each in parameters[1:])

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
    """The functions of a runner by name. Raises ValueError for an entry that is none, and for a name used twice."""

    def __init__(self, functions: Any, early: Mapping[str, Any] | None) -> None:
        self.functions: dict[str, _Registered] = {}
        for each in functions or ():
            if not isinstance(each, _Registered) or not callable(each.execute):
                raise ValueError("Each of `functions` is a registered function with an executor")
            if not each.name or each.name in self.functions:
                raise ValueError(f"The names of `functions` must be unique and not empty: {each.name!r}")
            if each.tool.get("type") != "function":
                raise ValueError(f"The tool {each.name!r} is no function tool")
            self.functions[each.name] = each
        names: Any = None if early is None else early.get("functions", [])
        for name in names or ():
            if name not in self.functions:
                raise ValueError(f"`early_execution` names the function {name!r}, which is not registered")
        self._early = None if names is None else frozenset(names)

    @property
    def tools(self) -> list[Any]:
        """The definitions for the API."""
        return [each.tool for each in self.functions.values()]

    def may_run_early(self, name: str) -> bool:
        """Returns whether calls of a function may begin before their response is complete."""
        return name in self.functions and (self._early is None or name in self._early)


def check_result(result: Any) -> str | list[Any]:
    """Returns the result of an executor. Raises TypeError unless it is text or a list of content parts."""
    if isinstance(result, str):
        return result
    if is_content(result):
        return list(result)
    raise TypeError("The result of a function is a str or a list of content parts")
