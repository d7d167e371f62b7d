"""Functions of `openai.lib._parsing` that aiopenai has no use for itself: choices among tools, types of formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._reference.models import is_basemodel_type
from aiopenai.lib.strictness import tighten
from aiopenai.lib.tools import PydanticFunctionTool

__all__ = [
    "_ensure_strict_json_schema",
    "is_dataclass_like_type",
    "is_parseable_tool",
    "is_response_format_param",
    "is_strict_chat_completion_tool_param",
    "materialize_input_tools",
    "resolve_ref",
    "select_strict_chat_completion_tools",
    "validate_response_format",
]


def is_strict_chat_completion_tool_param(tool: Mapping[str, Any]) -> bool:
    """Returns whether a tool of a chat call is a function with strict arguments."""
    return tool["type"] == "function" and tool["function"].get("strict") is True


def select_strict_chat_completion_tools(tools: Any = omit) -> Any:
    """Returns the functions with strict arguments among tools; `omit` without tools."""
    return omit if is_left_out(tools) else [each for each in tools if is_strict_chat_completion_tool_param(each)]


def materialize_input_tools(tools: Iterable[Any] | Any = omit) -> Any:
    """Returns tools as a list, because an iterator can be read once only; `omit` without tools."""
    return omit if is_left_out(tools) else list(tools)


def is_parseable_tool(input_tool: Mapping[str, Any]) -> bool:
    """Returns whether the arguments of a tool are parsed: those of strict functions, and of functions from models."""
    if input_tool["type"] != "function":
        return False
    function: Any = input_tool.get("function")
    return isinstance(function, PydanticFunctionTool) or bool(function.get("strict"))


def is_response_format_param(response_format: object) -> bool:
    """Returns whether a response format is plain values, and no type."""
    return isinstance(response_format, dict)


def is_dataclass_like_type(kind: Any) -> bool:
    """Returns whether a type is a dataclass of pydantic."""
    return hasattr(kind, "__pydantic_config__")


def _ensure_strict_json_schema(json_schema: object, *, path: tuple[str, ...], root: dict[str, Any]) -> dict[str, Any]:
    """Makes a JSON schema strict, in place, and returns it. Raises TypeError for other values."""
    if not isinstance(json_schema, dict):
        raise TypeError(f"Expected {json_schema} to be a dictionary; path={path}")
    tighten(json_schema, cast("Any", root), "schema")
    return cast("dict[str, Any]", json_schema)


def resolve_ref(*, root: Mapping[str, Any], ref: str) -> object:
    """Returns the part of a JSON schema that a reference such as `#/$defs/Item` names. Raises ValueError for others."""
    if not ref.startswith("#/"):
        raise ValueError(f"Unexpected $ref format {ref!r}; Does not start with #/")
    found: Any = root
    for key in ref[2:].split("/"):
        found = found[key]
        if not is_mapping(found):
            raise TypeError(f"encountered a value that is no object while resolving {ref}: {found!r}")
    return found


def validate_response_format(response_format: object) -> None:
    """Raises TypeError for a model class, which only `parse` takes."""
    if is_basemodel_type(response_format):
        raise TypeError(
            "You tried to pass a `BaseModel` class to `chat.completions.create()`; You must use "
            "`chat.completions.parse()` instead"
        )
