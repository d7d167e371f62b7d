"""The tools of a request, and the arguments of the calls that a model makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.codec import decode_json
from aiopenai.errors import OutputValidationError
from aiopenai.lib.tools import PydanticFunctionTool, ResponsesPydanticFunctionTool, arguments_text

__all__ = [
    "get_input_tool_by_name",
    "get_response_tool_by_name",
    "make_tools",
    "parse_function_tool_arguments",
    "parse_response_tool_arguments",
    "validate_input_tools",
]


def validate_input_tools(tools: Any = omit) -> Any:
    """Returns the tools of the chat API as a list. `parse` needs strict functions.

    Raises ValueError for other tools, TypeError for an object that is no tool.
    """
    if tools is None or is_left_out(tools):
        return tools
    checked: list[Any] = []
    for tool in tools:
        kind = _tool_type(tool)
        if kind != "function":
            raise ValueError(f"only tools of the type `function` can be parsed, not `{kind}`")
        function = tool.get("function")
        if not is_mapping(function):
            raise TypeError("a function tool of the chat API has its definition in `function`")
        if function.get("strict") is not True:
            raise ValueError(f"the tool `{function.get('name')}` is not strict: only `strict` ones can be parsed")
        checked.append(tool)
    return checked


def _tool_type(tool: Any) -> Any:
    if not is_mapping(tool):
        given = tool.__name__ if isinstance(tool, type) else f"an object of type {type(tool).__name__}"
        raise TypeError(f"a tool is a dict, and not {given}: function_tool() and pydantic_function_tool() make some")
    return tool.get("type")


def make_tools(tools: Any) -> Any:
    """Returns the tools of the responses API as a list. Tools that were made for the chat API are translated.

    Raises TypeError for an object that is no tool, and for a plain dict in the form of the chat API.
    """
    if tools is None or is_left_out(tools):
        return tools
    return [_response_tool(tool) for tool in tools]


def _response_tool(tool: Any) -> Any:
    kind = _tool_type(tool)
    if kind == "namespace":
        return {**tool, "tools": list(tool["tools"])}
    if kind != "function" or "function" not in tool:
        return tool
    function = tool["function"]
    if not isinstance(function, PydanticFunctionTool):
        raise TypeError("a function tool of the responses API has `name` and `parameters` beside `type`")
    definition: dict[str, Any] = {
        "type": "function",
        "name": function["name"],
        "description": function.get("description"),
        "parameters": function["parameters"],
        "strict": function.get("strict") or False,
    }
    return ResponsesPydanticFunctionTool({**cast("dict[str, Any]", function), **definition}, function.model)


def get_input_tool_by_name(*, input_tools: Iterable[Any], name: str) -> Any:
    """Returns the function tool of the chat API with this name, or None."""
    for tool in input_tools:
        function: Any = tool.get("function") or {}
        if tool["type"] == "function" and function.get("name") == name:
            return tool
    return None


def get_response_tool_by_name(*, input_tools: Iterable[Any], name: str, namespace: str | None = None) -> Any:
    """Returns the function tool of the responses API with this name, in a namespace or outside of all, or None."""
    tools = list(input_tools)
    if namespace is not None:
        for tool in tools:
            if tool["type"] == "namespace" and tool["name"] == namespace:
                return _named(tool["tools"], name)
        # The namespace of a tool that a tool search found is its own name.
        if namespace != name:
            return None
    return _named(tools, name)


def _named(tools: Iterable[Any], name: str) -> Any:
    return next((tool for tool in tools if tool["type"] == "function" and tool.get("name") == name), None)


def parse_function_tool_arguments(*, input_tools: Any, function: Any) -> object:
    """Returns the parsed arguments of a call of a chat tool; None for a tool that is unknown or not strict.

    function: has `name` and `arguments`.
    Raises a ValueError for arguments that do not fit, as `schema.validate_json` does.
    """
    if not input_tools:
        return None
    tool = get_input_tool_by_name(input_tools=input_tools, name=function.name)
    return None if tool is None else _parse_arguments(tool["function"], function.arguments)


def parse_response_tool_arguments(*, input_tools: Any, function_call: Any) -> object:
    """Returns the parsed arguments of a call of the responses API; `function_call` may have a `namespace` too."""
    if not input_tools:
        return None
    namespace = getattr(function_call, "namespace", None)
    tool = get_response_tool_by_name(input_tools=input_tools, name=function_call.name, namespace=namespace)
    return None if tool is None else _parse_arguments(tool, function_call.arguments)


def _parse_arguments(definition: Any, arguments: object) -> object:
    if isinstance(definition, (PydanticFunctionTool, ResponsesPydanticFunctionTool)):
        return definition.parse_arguments(arguments)
    if not definition.get("strict"):
        return None
    text = arguments_text(arguments)
    try:
        return decode_json(text)
    except msgspec.DecodeError as error:
        name = definition.get("name")
        raise OutputValidationError(f"the arguments of {name} are not JSON: {error}", content=text) from error
