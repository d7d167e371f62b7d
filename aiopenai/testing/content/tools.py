"""Which tools a model calls, and with what.

Without a word from the caller (`tool_choice` absent or `auto`) the model calls every function whose name occurs in
the user's text (only the first of them when `parallel_tool_calls` is false), else the first one; after a tool's
result it answers with text, so that a loop of calls ends. Arguments are an example of the function's schema.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aiopenai.testing.content.examples import example
from aiopenai.testing.engine.params import wrong_type
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import encode, is_array, is_object

__all__ = ["Tool", "ToolUse", "choose_tools", "named_tools"]


class Tool(NamedTuple):
    """A tool that a model can call: a function with a schema, or a custom one that takes text."""

    name: str
    custom: bool
    schema: object


class ToolUse(NamedTuple):
    """A call of a tool; `payload` is JSON for functions and text for custom tools."""

    name: str
    custom: bool
    payload: str


def named_tools(tools: object, *, nested: bool) -> list[Tool]:
    """The functions and custom tools of a request; hosted tools (web search and others) are passed over.

    nested: chat completions put the definition below the key `function` or `custom`, responses beside `type`.
    Raises `ApiError` 400 where a definition has no name.
    """
    found: list[Tool] = []
    for number, tool in enumerate(tools if is_array(tools) else ()):
        if not is_object(tool):
            raise wrong_type(f"tools[{number}]", "an object", tool)
        kind = tool.get("type")
        if kind not in ("function", "custom"):
            if nested:
                message = f"Invalid value: '{kind}'. Supported values are: 'function' and 'custom'."
                raise ApiError(400, message, param=f"tools[{number}].type", code="invalid_value")
            continue
        where = f"tools[{number}].{kind}.name" if nested else f"tools[{number}].name"
        definition = tool.get(kind) if nested else tool
        name = definition.get("name") if is_object(definition) else None
        if type(name) is not str or not is_object(definition):
            raise ApiError(
                400, f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter"
            )
        found.append(Tool(name, kind == "custom", definition.get("parameters")))
    return found


def choose_tools(tools: list[Tool], choice: object, *, text: str, after_result: bool, parallel: bool) -> list[ToolUse]:
    """The calls that the model makes, or nothing if it answers with text.

    choice: the request's `tool_choice`. Raises `ApiError` 400 for a choice that names no known tool.
    """
    if choice == "none":
        return []
    forced = choice == "required"
    if is_object(choice):
        allowed = choice.get("allowed_tools", choice) if choice.get("type") == "allowed_tools" else None
        if is_object(allowed):
            names = {_name(tool) for tool in allowed.get("tools") or ()}
            tools = [tool for tool in tools if tool.name in names]
            forced = allowed.get("mode") == "required"
        elif (name := _name(choice)) is not None:
            named = [tool for tool in tools if tool.name == name]
            if not named:
                message = f"Invalid value for 'tool_choice': no tool is named '{name}'."
                raise ApiError(400, message, param="tool_choice", code="invalid_value")
            return [_use(named[0])]
    if not tools:
        if forced:
            message = "'tool_choice' is only allowed when 'tools' are specified."
            raise ApiError(400, message, param="tool_choice", code="invalid_value")
        return []
    if after_result and not forced:
        return []
    wanted = [tool for tool in tools if tool.name in text] or tools[:1]
    return [_use(tool) for tool in (wanted if parallel else wanted[:1])]


def _name(choice: object) -> str | None:
    """The name in a choice such as `{"type": "function", "function": {"name": ...}}`, or beside its type."""
    if not is_object(choice):
        return None
    kind = choice.get("type")
    inner = choice.get(kind) if kind in ("function", "custom") else None
    name: Any = inner.get("name") if is_object(inner) else choice.get("name")
    return name if type(name) is str else None


def _use(tool: Tool) -> ToolUse:
    if tool.custom:
        return ToolUse(tool.name, True, "string")
    payload = encode(example(tool.schema)).decode() if is_object(tool.schema) else "{}"
    return ToolUse(tool.name, False, payload)
