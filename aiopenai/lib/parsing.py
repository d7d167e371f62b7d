"""Structured outputs: from a type to the format that is asked for, and from the answer to an object of the type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiopenai.request import Request
from aiopenai.types.chat import ParsedChatCompletion
from aiopenai.types.responses import ParsedResponse
from aiopenai.values import omit

__all__ = [
    "get_input_tool_by_name",
    "has_parseable_input",
    "has_rich_response_format",
    "make_tools",
    "maybe_parse_content",
    "parse_chat_completion",
    "parse_function_tool_arguments",
    "parse_response",
    "parse_response_tool_arguments",
    "parse_text",
    "prepare_chat",
    "prepare_response",
    "type_to_response_format_param",
    "type_to_text_format_param",
    "validate_input_tools",
]


def prepare_chat(request: Request[Any]) -> None:
    raise NotImplementedError


def prepare_response(request: Request[Any]) -> None:
    raise NotImplementedError


def validate_input_tools(tools: Any = omit) -> Any:
    raise NotImplementedError


def type_to_response_format_param(response_format: Any) -> Any:
    raise NotImplementedError


def type_to_text_format_param(kind: Any) -> dict[str, Any]:
    raise NotImplementedError


def parse_chat_completion(*, response_format: Any, input_tools: Any, chat_completion: Any) -> ParsedChatCompletion[Any]:
    raise NotImplementedError


def maybe_parse_content(*, response_format: Any, message: Any) -> Any:
    raise NotImplementedError


def has_rich_response_format(response_format: Any) -> bool:
    raise NotImplementedError


def has_parseable_input(*, response_format: Any, input_tools: Any = omit) -> bool:
    raise NotImplementedError


def get_input_tool_by_name(*, input_tools: Iterable[Any], name: str) -> Any:
    raise NotImplementedError


def parse_function_tool_arguments(*, input_tools: Iterable[Any], function: Any) -> object:
    raise NotImplementedError


def make_tools(tools: Any) -> Any:
    raise NotImplementedError


def parse_response(*, text_format: Any, input_tools: Any, response: Any) -> ParsedResponse[Any]:
    raise NotImplementedError


def parse_text(text: str, text_format: Any, *, phase: str | None) -> Any:
    raise NotImplementedError


def parse_response_tool_arguments(*, input_tools: Any, function_call: Any) -> object:
    raise NotImplementedError
