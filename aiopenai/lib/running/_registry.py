"""The tools of a run: their definitions for the API, and the functions behind them."""

# Tools are callable dicts and values of any type, which the type system does not have.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.schema import type_name, validate_json
from aiopenai.lib.tool_calls import make_tools
from aiopenai.lib.tools import (
    FunctionTool,
    PydanticFunctionTool,
    ResponsesFunctionTool,
    ResponsesPydanticFunctionTool,
    arguments_text,
    function_tool,
    pydantic_function_tool,
    pydantic_responses_function_tool,
    responses_function_tool,
)

__all__ = ["RunnableTool", "ToolForm", "Toolbox"]

ToolForm: TypeAlias = Literal["chat", "responses"]


class RunnableTool(NamedTuple):
    """A function of the model: `model` is the type of its arguments, `call` takes an object of it.

    Without `call` the program answers the calls. `is_async`: `call` returns a coroutine and runs on the loop.
    """

    name: str
    model: Any
    call: Callable[[Any], Any] | None
    is_async: bool

    def validated(self, arguments: object) -> Any:
        """Returns the arguments as an object of the tool's type. Raises a ValueError for others."""
        return None if self.model is None else validate_json(self.model, arguments_text(arguments))

    def shown(self, given: Any) -> Any:
        """Returns validated arguments for the record of a call: those of a function as a dict."""
        if isinstance(self.call, (FunctionTool, ResponsesFunctionTool)):
            return {name: getattr(given, name) for name in self.model.__struct_fields__}
        return given


class Toolbox:
    """The tools of a run, from functions, types and dicts.

    Raises TypeError for an object that is no tool, ValueError for a name that two tools have.
    """

    def __init__(self, tools: Any, form: ToolForm) -> None:
        self._form = form
        self._tools: dict[tuple[str | None, str], RunnableTool] = {}
        if isinstance(tools, (str, bytes)) or is_mapping(tools) or not isinstance(tools, Iterable):
            raise TypeError(f"`tools` is a list of functions, types and dicts, not {type(tools).__name__}")
        self.definitions: list[Any] = [self._take(tool, None) for tool in tools]

    def find(self, name: str, namespace: str | None = None) -> RunnableTool | None:
        """Returns the tool of a call."""
        found = self._tools.get((namespace, name))
        # The namespace of a tool that a tool search found is its own name.
        return self._tools.get((None, name)) if found is None and namespace in (None, name) else found

    @property
    def names(self) -> list[str]:
        """The names of the functions."""
        return [name for _, name in self._tools]

    def _take(self, tool: Any, namespace: str | None) -> Any:
        definition = self._definition(tool)
        if not is_mapping(definition):
            raise TypeError(f"a tool is a function, a type or a dict, not {type_name(tool)}")
        kind = definition.get("type")
        if kind == "namespace" and self._form == "responses" and is_list(inner := definition.get("tools")):
            return {**definition, "tools": [self._take(each, definition.get("name")) for each in inner]}
        if kind == "function":
            self._register(definition, namespace)
        return definition

    def _definition(self, tool: Any) -> Any:
        """Returns the tool as a dict in the form of the API."""
        chat = self._form == "chat"
        if isinstance(tool, FunctionTool):
            if chat:
                return tool
            inner: Any = tool["function"]
            return ResponsesFunctionTool(tool.function, inner, tool.model)
        if isinstance(tool, ResponsesFunctionTool):
            return FunctionTool(tool.function, _of_chat(tool), tool.model) if chat else tool
        if isinstance(tool, ResponsesPydanticFunctionTool) and chat:
            return {"type": "function", "function": PydanticFunctionTool(_of_chat(tool), tool.model)}
        if is_mapping(tool):
            return tool if chat else make_tools([tool])[0]
        if inspect.isclass(tool):
            return pydantic_function_tool(tool) if chat else pydantic_responses_function_tool(tool)
        if callable(tool):
            return function_tool(tool) if chat else responses_function_tool(tool)
        return None

    def _register(self, definition: Mapping[str, Any], namespace: str | None) -> None:
        described: Any = definition.get("function") if self._form == "chat" else definition
        name = described.get("name") if is_mapping(described) else None
        if not isinstance(name, str) or not name:
            raise TypeError("a function tool needs a name")
        if (namespace, name) in self._tools:
            raise ValueError(f"two tools have the name {name!r}")
        model: Any = getattr(described, "model", None)
        call: Callable[[Any], Any] | None = None
        is_async = False
        if isinstance(definition, (FunctionTool, ResponsesFunctionTool)):
            call, model = definition, definition.model
            is_async = _is_async(definition.function)
        elif (own := _own_call(model)) is not None:
            call, is_async = own, _is_async(own)
        self._tools[namespace, name] = RunnableTool(name, model, call, is_async)


def _of_chat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the definition of a tool of the responses API without the keys that chat does not have."""
    return {key: tool[key] for key in ("name", "description", "parameters", "strict") if key in tool}


def _own_call(model: Any) -> Callable[[Any], Any] | None:
    """Returns the `__call__` that a type defines for its objects."""
    if not inspect.isclass(model):
        return None
    return next((vars(cls)["__call__"] for cls in model.__mro__ if "__call__" in vars(cls)), None)


def _is_async(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - the function itself is wanted
    )
