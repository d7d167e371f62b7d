"""Structured outputs: the output format of a type, and the object of the type in a reply.

`prepare_chat` and `prepare_response` adjust the request of `parse`, and add a function that finishes the reply. Streams
use the same functions for their accumulated replies. Mistakes in arguments raise before the request is sent. The error
for an answer that does not fit carries the whole reply, which is paid for.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._calls.request import Request
from aiopenai._data.structs import Model, recast
from aiopenai.errors import ContentFilterFinishReasonError, LengthFinishReasonError
from aiopenai.lib.schema import check_type, schema_name, strict_schema, validate_json
from aiopenai.lib.tool_calls import (
    get_input_tool_by_name,
    get_response_tool_by_name,
    make_tools,
    parse_function_tool_arguments,
    parse_response_tool_arguments,
    validate_input_tools,
)
from aiopenai.lib.tools import PydanticFunctionTool

if TYPE_CHECKING:
    from aiopenai.types.chat import ParsedChatCompletion
    from aiopenai.types.responses import ParsedResponse

__all__ = [
    "get_input_tool_by_name",
    "get_response_tool_by_name",
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

logger = logging.getLogger("aiopenai")


def prepare_chat(request: Request[Any]) -> None:
    """Turns a request of `chat.completions.parse` into `POST /chat/completions`.

    Raises TypeError for a `response_format` that is no type, ValueError for tools that are not strict functions.
    """
    body = request.body
    tools = validate_input_tools(body.get("tools", omit))
    if not is_left_out(tools):
        body["tools"] = tools
    response_format = body.get("response_format", omit)
    if not is_left_out(response_format):
        body["response_format"] = type_to_response_format_param(response_format)
    body.setdefault("stream", False)
    request.headers = {"X-Stainless-Helper-Method": "chat.completions.parse", **(request.headers or {})}
    request.finish = lambda completion: _finish_chat(completion, response_format, tools)


def prepare_response(request: Request[Any]) -> None:
    """Turns a request of `responses.parse` into `POST /responses`.

    Raises TypeError for a `text_format` or `parse_as` that is no type, or that contradicts other arguments.
    """
    body = request.body
    text_format = body.pop("text_format", omit)
    parse_as = body.pop("parse_as", omit)
    if body.get("stream"):
        raise TypeError("responses.parse() returns the whole reply: use responses.stream() for a stream")
    if not is_left_out(text_format):
        text: Mapping[str, Any] = body.get("text") or {}
        if "format" in text:
            raise TypeError("text_format sets text.format: give one of them")
        body["text"] = {**text, "format": type_to_text_format_param(text_format)}
    kind = _output_type(body, text_format, parse_as)
    if not is_left_out(kind):
        check_type(kind)
    tools = make_tools(body.get("tools", omit))
    if not is_left_out(tools):
        body["tools"] = tools
    request.finish = lambda response: _finish_response(response, kind, tools)


def _output_type(body: Mapping[str, Any], text_format: Any, parse_as: Any) -> Any:
    """Returns the type into which the text of the answer is parsed; `omit` where it stays text.

    The last `configuration_update` with a format among the input items decides the format of the answer. `parse_as` is
    the type for it. Raises TypeError for a contradiction between them.
    """
    if parse_as is None:
        return omit
    for update in _format_updates(body.get("input")):
        if update.get("type") == "text":
            if not is_left_out(parse_as):
                raise TypeError("parse_as cannot be used: the input sets the format to plain text")
            return omit
        if is_left_out(parse_as) and not is_left_out(text_format) and update != body["text"]["format"]:
            raise TypeError(
                "the input sets another format than text_format: give parse_as, the type for it, or parse_as=None"
            )
        break
    return text_format if is_left_out(parse_as) else parse_as


def _format_updates(items: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the formats that `configuration_update` items set, the last one first."""
    for item in reversed(items if is_list(items) else []):
        if is_mapping(item) and item.get("type") == "configuration_update":
            text = item.get("text")
            if is_mapping(text) and is_mapping(update := text.get("format")):
                yield update


# ---- formats


def type_to_response_format_param(response_format: Any) -> Any:
    """Returns the `response_format` of the chat API for a type; dicts and `omit` are returned unchanged.

    Its schema is made once per type and shared, so do not change it. Raises TypeError for other objects.
    """
    if not has_rich_response_format(response_format):
        return response_format
    schema = strict_schema(response_format)
    return {
        "type": "json_schema",
        "json_schema": {"schema": schema, "name": schema_name(response_format), "strict": True},
    }


def type_to_text_format_param(kind: Any) -> dict[str, Any]:
    """Returns the `text.format` of the responses API for a type. Raises TypeError for other objects."""
    check_type(kind)
    return {"type": "json_schema", "strict": True, "name": schema_name(kind), "schema": strict_schema(kind)}


def has_rich_response_format(response_format: Any) -> bool:
    """Returns whether a `response_format` is a type to parse content into."""
    return not is_left_out(response_format) and not isinstance(response_format, dict)


def has_parseable_input(*, response_format: Any, input_tools: Any = omit) -> bool:
    """Returns whether any part of a chat reply would be parsed."""
    if has_rich_response_format(response_format):
        return True
    functions: list[Any] = [tool.get("function") or {} for tool in input_tools or () if tool["type"] == "function"]
    return any(isinstance(each, PydanticFunctionTool) or each.get("strict") for each in functions)


# ---- replies


def maybe_parse_content(*, response_format: Any, message: Any) -> Any:
    """Returns the parsed content of a chat message; None without content, after a refusal, or without a type.

    Raises a ValueError for content that does not fit, as `schema.validate_json` does.
    """
    if not has_rich_response_format(response_format):
        return None
    content = _text_of(message.content)
    return None if not content or message.refusal else validate_json(response_format, content)


def _text_of(content: Any) -> str:
    """Returns the content of a message as text: a string, or the text parts of a list of parts, joined."""
    if isinstance(content, str):
        return content
    parts = content if is_list(content) else []
    texts = [_field(part, "text") for part in parts if _field(part, "type") in ("text", "output_text")]
    return "".join(text for text in texts if isinstance(text, str))


def _field(part: Any, name: str) -> Any:
    return part.get(name) if is_mapping(part) else getattr(part, name, None)


def parse_text(text: str | None, text_format: Any, *, phase: str | None) -> Any:
    """Returns the parsed text of a message of the responses API; None without a type.

    Of messages with a phase, only the `final_answer` is parsed. Commentary and unknown phases stay text. Raises a
    ValueError for text that does not fit, as `schema.validate_json` does.
    """
    if not isinstance(text, str) or (phase is not None and phase != "final_answer") or is_left_out(text_format):
        return None
    return validate_json(text_format, text)


def parse_chat_completion(*, response_format: Any, input_tools: Any, chat_completion: Any) -> ParsedChatCompletion[Any]:
    """Returns a copy of a chat reply with parsed content and parsed arguments of tool calls.

    Raises LengthFinishReasonError and ContentFilterFinishReasonError for answers that were cut off. Raises a ValueError
    (pydantic's ValidationError or OutputValidationError) for answers that do not fit. All carry `completion`.
    """
    parsed: ParsedChatCompletion[Any] = _finish_chat(_copy_chat(chat_completion), response_format, input_tools)
    return parsed


def parse_response(*, text_format: Any, input_tools: Any, response: Any) -> ParsedResponse[Any]:
    """Returns a copy of a reply of the responses API with parsed text and parsed arguments of tool calls.

    Raises a ValueError for text that does not fit. It carries the reply as `completion`.
    """
    parsed: ParsedResponse[Any] = _finish_response(_copy_response(response), text_format, input_tools)
    return parsed


def _finish_chat(completion: Any, response_format: Any, tools: Any) -> Any:
    with _carrying(completion):
        for choice in _nodes(completion, "choices"):
            reason = getattr(choice, "finish_reason", None)
            if reason == "length":
                raise LengthFinishReasonError(completion=completion)
            if reason == "content_filter":
                raise ContentFilterFinishReasonError(completion=completion)
            message = getattr(choice, "message", None)
            if not isinstance(message, Model):
                continue
            parsed: Any = message
            calls: Any = parsed.tool_calls
            if is_list(calls):
                parsed.tool_calls = [call for call in calls if _finish_call(call, tools)] or None
            parsed.parsed = maybe_parse_content(response_format=response_format, message=parsed)
    return completion


def _finish_call(call: Any, tools: Any) -> bool:
    """Parses the arguments of a tool call, and returns whether the call stays in the message."""
    kind = getattr(call, "type", None)
    if kind == "custom":
        # The input of a custom tool is no JSON, and `ParsedFunctionToolCall` has no field for it.
        logger.warning("parse leaves out a call of a custom tool: %s", getattr(call, "id", None))
        return False
    function: Any = getattr(call, "function", None)
    # A call without a type that has a function is a call of a function.
    if kind in ("function", "", None) and isinstance(function, Model):
        parsed: Any = function
        parsed.parsed_arguments = parse_function_tool_arguments(input_tools=tools, function=parsed)
    return True


def _finish_response(response: Any, text_format: Any, tools: Any) -> Any:
    if response.output is None:
        response.output = []
    with _carrying(response):
        for item in _nodes(response, "output"):
            kind = getattr(item, "type", None)
            if kind == "message":
                phase = getattr(item, "phase", None)
                for part in _nodes(item, "content"):
                    if getattr(part, "type", None) == "output_text":
                        part.parsed = parse_text(part.text, text_format, phase=phase)
            elif kind == "function_call":
                item.parsed_arguments = parse_response_tool_arguments(input_tools=tools, function_call=item)
    return response


@contextlib.contextmanager
def _carrying(completion: Any) -> Generator[None]:
    """Adds the whole reply to errors about its parts."""
    try:
        yield
    except ValueError as error:
        cast("Any", error).completion = completion
        raise


def _nodes(node: Any, name: str) -> list[Any]:
    """Returns the objects in a list of a reply. Servers may send other values in its place."""
    value: Any = getattr(node, name, None)
    return [item for item in value if isinstance(item, Model)] if is_list(value) else []


def _copy_chat(completion: Any) -> Any:
    from aiopenai.types.chat import (
        ParsedChatCompletion,
        ParsedChatCompletionMessage,
        ParsedChoice,
        ParsedFunction,
        ParsedFunctionToolCall,
    )

    twin = _cast(completion, ParsedChatCompletion)
    if not is_list(twin.choices):
        return twin
    twin.choices = [_cast(choice, ParsedChoice) for choice in twin.choices]
    for choice in _nodes(twin, "choices"):
        choice.message = message = _cast(choice.message, ParsedChatCompletionMessage)
        if is_list(calls := getattr(message, "tool_calls", None)):
            message.tool_calls = copies = [
                _cast(call, ParsedFunctionToolCall) if getattr(call, "type", None) == "function" else call
                for call in calls
            ]
            for call in copies:
                if isinstance(call, ParsedFunctionToolCall):
                    call.function = _cast(call.function, ParsedFunction)
    return twin


def _copy_response(response: Any) -> Any:
    from aiopenai.types.responses import (
        ParsedResponse,
        ParsedResponseFunctionToolCall,
        ParsedResponseOutputMessage,
        ParsedResponseOutputText,
    )

    twin = _cast(response, ParsedResponse)
    if not is_list(twin.output):
        return twin
    kinds: dict[Any, Any] = {"message": ParsedResponseOutputMessage, "function_call": ParsedResponseFunctionToolCall}
    twin.output = [
        _cast(item, kinds[kind]) if (kind := getattr(item, "type", None)) in kinds else item for item in twin.output
    ]
    for item in twin.output:
        if isinstance(item, ParsedResponseOutputMessage) and is_list(parts := cast("Any", item).content):
            cast("Any", item).content = [
                _cast(part, ParsedResponseOutputText) if getattr(part, "type", None) == "output_text" else part
                for part in parts
            ]
    return twin


def _cast(node: Any, cls: Any) -> Any:
    return recast(node, cls) if isinstance(node, Model) else node
