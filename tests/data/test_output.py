"""aiopenai._data.output: the text and the parsed value of replies with output items."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from aiopenai._data.codec import Decoder
from aiopenai.types.chat import (
    ChatCompletion,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedFunctionToolCall,
)
from aiopenai.types.responses import (
    ParsedResponse,
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    Response,
)
from tests.data.samples import decode


def test_output_text() -> None:
    text = {"type": "output_text", "text": "a", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text, text]}
    unknown = {"type": "news", "content": "x"}
    refused = message | {"content": [{"type": "refusal", "refusal": "no"}]}
    assert decode(Response, {"output": [message, unknown, refused, message]}).output_text == "aaaa"
    for output in (
        None,
        [],
        [None, 3, "x"],
        [{}],
        "text",
        [message | {"content": None}],
        [message | {"content": "a"}],
        5,
    ):
        assert decode(Response, {"output": output}).output_text == ""
    assert decode(Response, {}).output_text == ""
    assert (
        decode(Response, {"output": [message | {"content": [text | {"text": None}, text | {"text": 5}]}]}).output_text
        == ""
    )


@pytest.mark.parametrize("kind", [ParsedResponse, ParsedResponse[object], ParsedResponse[dict[str, int]]])
def test_output_parsed(kind: Any) -> None:
    text = {"type": "output_text", "text": "{}", "annotations": []}
    parsed = text | {"parsed": {"a": 1}}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    refused = message | {"content": [{"type": "refusal", "refusal": "no"}]}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = [call, refused, message, message | {"content": [text, parsed, text | {"parsed": {"b": 2}}]}]
    reply = decode(kind, {"output": output})
    assert reply.output_parsed == {"a": 1}
    assert reply.output_text == "{}{}{}{}"
    assert type(reply) is ParsedResponse
    assert type(reply.output[0]) is ParsedResponseFunctionToolCall
    assert reply.output[0].parsed_arguments is None
    assert type(reply.output[2]) is ParsedResponseOutputMessage
    assert reply.to_dict() == {"output": output}
    for output in (None, 5, [message], [{"type": "message", "content": None}], [refused], []):
        assert decode(kind, {"output": output}).output_parsed is None
    # What is falsy was parsed all the same.
    reply.output[3].content[1].parsed = {}
    assert reply.output_parsed == {}
    assert pickle.loads(pickle.dumps(reply)).output_parsed == {}


@pytest.mark.parametrize("kind", [ParsedChatCompletion, ParsedChatCompletion[object], ParsedChatCompletion[str]])
@pytest.mark.parametrize("strict", [True, False])
def test_parsed_chat(kind: Any, strict: bool) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "{}", "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    value = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    decoder = Decoder.of(kind)
    reply = (decoder.validate if strict else decoder.lenient)(json.dumps(value).encode())
    assert isinstance(reply, ChatCompletion)
    assert type(reply) is ParsedChatCompletion
    said = reply.choices[0].message
    assert (said.parsed, said.tool_calls[0].function.parsed_arguments) == (None, None)
    assert (type(said), type(said.tool_calls[0])) == (ParsedChatCompletionMessage, ParsedFunctionToolCall)
    assert reply.to_dict() == value
    said.parsed = answer = object()
    assert said.parsed is answer
    assert Decoder.of(kind) is decoder
