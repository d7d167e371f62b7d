"""aiopenai._data.open_objects: objects of unknown kinds, readable at every level."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import OpenObject
from aiopenai.types.chat import ChatCompletionMessage
from aiopenai.types.responses import Response

CALL = {
    "id": "c1",
    "type": "builtin_function",
    "function": {"name": "$web_search", "arguments": "{}", "items": [{"keys": {"get": 1}}, None, [{"deep": {"x": 2}}]]},
}


@pytest.fixture
def call() -> Any:
    raw = json.dumps({"role": "assistant", "content": None, "tool_calls": [CALL]}).encode()
    message: Any = Decoder.of(ChatCompletionMessage)(raw)
    return message.tool_calls[0]


def test_attributes_at_every_level(call: Any) -> None:
    assert type(call) is type(call.function) is OpenObject
    assert call.function.name == "$web_search"
    assert call.function.items[0].keys.get == 1
    assert call.function.items[1] is None
    assert call.function.items[2][0].deep.x == 2
    assert call.function is call.function
    with pytest.raises(AttributeError, match="no attribute 'nmae'"):
        _ = call.function.nmae


def test_it_can_be_taken_for_a_dict(call: Any) -> None:
    assert call.function["name"] == "$web_search"
    assert call.function == CALL["function"]
    assert call == CALL
    assert call != {"id": "c1"}
    assert call == copy.deepcopy(call)
    assert call != call.function
    with pytest.raises(KeyError):
        call.function["nmae"]
    with pytest.raises(TypeError, match="unhashable"):
        hash(call)


def test_it_is_given_back_as_received(call: Any) -> None:
    assert call.to_dict() == CALL
    assert json.loads(call.to_json()) == CALL
    assert call.model_extra == CALL
    json.dumps(call.model_extra)
    assert json.loads(encode({"messages": [{"tool_calls": [call]}]}, ("messages",))) == {
        "messages": [{"tool_calls": [CALL]}]
    }
    assert pickle.loads(pickle.dumps(call)).function.name == "$web_search"
    assert call.model_fields_set == CALL.keys()


def test_changes_show_in_dumps(call: Any) -> None:
    call.function.name = "other"
    call.function.items[0].keys.more = [1]
    del call.id
    expected: Any = copy.deepcopy(CALL)
    expected["function"]["name"] = "other"
    expected["function"]["items"][0]["keys"]["more"] = [1]
    del expected["id"]
    assert call.to_dict() == expected


def test_unknown_output_items() -> None:
    item = {"type": "news", "id": "n", "articles": [{"title": "a", "source": {"url": "u"}}]}
    reply: Any = Decoder.of(Response)(json.dumps({"id": "r", "output": [item]}).encode())
    assert reply.output[0].articles[0].source.url == "u"
    assert reply.to_dict()["output"] == [item]
