"""aiopenai._data.pydantic_methods: reply objects behave as the pydantic models that they stand in for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai._data.structs import OpenObject
from aiopenai.types.chat import (
    ChatCompletion,
    ChatCompletionMessage,
)
from aiopenai.types.responses import (
    ResponseFormatTextJSONSchemaConfig,
    ResponseOutputMessage,
)
from tests.data.samples import CHAT, decode


@pytest.fixture
def chat() -> Any:
    return decode(ChatCompletion, CHAT)


def test_validation(chat: Any) -> None:
    assert ChatCompletion.model_validate(CHAT) == chat
    assert ChatCompletion.model_validate(chat) is chat
    assert ChatCompletion.model_validate_json(json.dumps(CHAT)) == chat
    assert ChatCompletion.model_validate_json(json.dumps(CHAT).encode()) == chat
    assert ChatCompletionMessage.model_validate(OpenObject.model_validate({"role": "assistant"})).role == "assistant"
    for wrong in (CHAT | {"created": "now"}, {"id": "1"}, [], None, CHAT | {"object": ""}):
        with pytest.raises(ValueError, match="not a ChatCompletion"):
            ChatCompletion.model_validate(wrong)
    for text in ("", "{", "[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match="not a ChatCompletion"):
            ChatCompletion.model_validate_json(text)


def test_construction() -> None:
    message = ChatCompletionMessage(role="assistant", content="a", reasoning="b")  # type: ignore[call-arg]
    assert message.to_dict() == {"role": "assistant", "content": "a", "reasoning": "b"}
    assert message.model_extra == {"reasoning": "b"}
    assert not hasattr(message, "_request_id")
    item = ResponseOutputMessage(id="1", content=[], role="assistant", status="completed")  # type: ignore[call-arg]
    assert item.type == "message"
    assert item.to_dict()["type"] == "message"
    nested: Any = ChatCompletion.model_construct(**CHAT)
    assert nested == decode(ChatCompletion, CHAT)
    with pytest.raises(TypeError, match=r"ChatCompletionMessage\(\) is missing: role"):
        ChatCompletionMessage(content="a")  # type: ignore[call-arg]
    loose: Any = ChatCompletion.model_construct(id=7, model=None)
    assert (loose.id, loose.choices) == (7, None)
    assert loose.to_dict() == {"id": 7, "model": None}
    assert ChatCompletion.model_construct({"id"}, id="x", model="m").model_fields_set == {"id"}
    assert ChatCompletion.construct(id="x").id == "x"
    aliased: Any = ResponseFormatTextJSONSchemaConfig(name="n", schema_={"a": 1})  # type: ignore[call-arg]
    assert aliased.to_dict() == {"name": "n", "schema": {"a": 1}, "type": "json_schema"}


def test_validation_of_objects_of_the_user() -> None:
    class Looks:
        def model_dump(self, **_: Any) -> Any:
            return {"role": "assistant", "content": "a"}

    assert ChatCompletionMessage.model_validate(Looks()).content == "a"
    with pytest.raises(ValueError, match="not a ChatCompletionMessage"):
        ChatCompletionMessage.model_validate({"role": 1j})
    with pytest.raises(ValueError, match="not a ChatCompletionMessage"):
        ChatCompletionMessage.model_validate({(1, 2): 3})


class Other:
    """An object of another library with pydantic's method."""

    def model_dump(self, *, mode: str, **_: Any) -> dict[str, Any]:
        return {"mode": mode}


def test_objects_inside_are_asked_for_the_same_mode() -> None:
    made: Any = ChatCompletion.model_construct(id=Other())
    assert made.model_dump()["id"] == {"mode": "python"}
    assert made.model_dump(mode="json")["id"] == {"mode": "json"}
    assert json.loads(made.model_dump_json())["id"] == {"mode": "json"}
