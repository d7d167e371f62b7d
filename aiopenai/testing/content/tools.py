"""The tool calls of models.

With `tool_choice` absent or `auto`, a model calls every function that the text of the user names, else the first one.
It calls only one of them if `parallel_tool_calls` is false. After the result of a tool it answers with text, so that a
loop of calls ends. The arguments are an example of the schema.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aiopenai.testing.content.examples import example
from aiopenai.testing.content.strict_schemas import check_strict_schema
from aiopenai.testing.engine.params import missing, wrong_type
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import encode, is_array, is_object

__all__ = ["Tool", "ToolUse", "choose_tools", "named_tools"]


class Tool(NamedTuple):
    """A tool that a model can call: a function with a schema, or a custom one that takes text."""

    name: str
    custom: bool
    schema: object


class ToolUse(NamedTuple):
    """A call of a tool. `payload` is JSON for functions and text for custom tools."""

    name: str
    custom: bool
    payload: str


def named_tools(tools: object, *, nested: bool, hosted: bool, where: str = "tools") -> list[Tool]:
    """Returns the functions and custom tools of a request, without the hosted ones (web search and others).

    nested: whether a definition stands below the key `function` or `custom` (chat), or beside `type` (responses).
    hosted: whether tools of other types are allowed.
    where: the parameter that holds the tools.
    Raises `ApiError` 400 for a definition without a name, and for a strict function with a schema that is not strict.
    """
    found: list[Tool] = []
    for number, tool in enumerate(tools if is_array(tools) else ()):
        if not is_object(tool):
            raise wrong_type(f"{where}[{number}]", "an object", tool)
        kind = tool.get("type")
        if kind == "namespace" and hosted:
            # The models of this server call no tool of a namespace, but its definitions are checked.
            named_tools(tool.get("tools"), nested=nested, hosted=hosted, where=f"{where}[{number}].tools")
        if kind not in ("function", "custom"):
            if not hosted:
                message = f"Invalid value: '{kind}'. Supported values are: 'function' and 'custom'."
                raise ApiError(400, message, param=f"{where}[{number}].type", code="invalid_value")
            continue
        param = f"{where}[{number}].{kind}" if nested else f"{where}[{number}]"
        definition = tool.get(kind) if nested else tool
        name = definition.get("name") if is_object(definition) else None
        if type(name) is not str or not is_object(definition):
            raise missing(f"{param}.name")
        schema = definition.get("parameters")
        if schema is not None and not is_object(schema):
            raise wrong_type(f"{param}.parameters", "an object", schema)
        if kind == "function" and definition.get("strict") is True and schema is not None:
            check_strict_schema(
                schema, f"function '{name}'", param=f"{param}.parameters", code="invalid_function_parameters"
            )
        found.append(Tool(name, kind == "custom", schema))
    return found


def choose_tools(tools: list[Tool], choice: object, *, text: str, after_result: bool, parallel: bool) -> list[ToolUse]:
    """Returns the calls that the model makes; none if it answers with text.

    choice: the `tool_choice` of the request. Raises `ApiError` 400 for a choice that names no known tool.
    """
    if choice == "none":
        return []
    forced = choice == "required"
    if is_object(choice):
        allowed = choice.get("allowed_tools", choice) if choice.get("type") == "allowed_tools" else None
        if is_object(allowed):
            names = {_chosen_name(tool) for tool in allowed.get("tools") or ()}
            tools = [tool for tool in tools if tool.name in names]
            forced = allowed.get("mode") == "required"
        elif (name := _chosen_name(choice)) is not None:
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


def _chosen_name(choice: object) -> str | None:
    """Returns the name in a choice, below the key of its type or beside the type; None for others."""
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
