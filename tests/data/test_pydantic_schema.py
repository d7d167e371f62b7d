"""aiopenai._data.pydantic_schema: reply types as types of pydantic."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from aiopenai._data.codec import Decoder
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from aiopenai.types.responses import Response, ResponseStreamEvent
from tests.data.samples import CHAT, decode
from tests.data.test_fidelity import KINDS, Maker, is_node, same

pydantic: Any = pytest.importorskip("pydantic", reason="types of pydantic")


class Kept(pydantic.BaseModel):  # type: ignore[misc]
    reply: ChatCompletion
    messages: list[ChatCompletionMessage] = []  # noqa: RUF012 - pydantic copies it
    either: Response | ChatCompletionChunk | None = None


def test_fields_take_objects_and_dicts() -> None:
    reply = decode(ChatCompletion, CHAT)
    kept = Kept(reply=reply, messages=[reply.choices[0].message, {"role": "assistant", "content": "a"}])
    assert kept.reply is reply
    assert [message.content for message in kept.messages] == [None, "a"]
    made = Kept(reply=CHAT)
    assert made.reply == reply
    assert made.reply.provider == CHAT["provider"]
    mixed = Kept(reply=CHAT | {"choices": [reply.choices[0]]})
    assert mixed.reply.choices[0] == reply.choices[0]


def test_dumps() -> None:
    kept = Kept(reply=CHAT)
    assert kept.model_dump(exclude_unset=True)["reply"] == CHAT
    assert json.loads(kept.model_dump_json(exclude_unset=True))["reply"] == CHAT
    assert kept.model_dump()["reply"]["service_tier"] is None
    assert "service_tier" not in kept.model_dump(exclude_none=True)["reply"]
    assert kept.model_dump(include={"reply": {"id"}}) == {"reply": {"id": CHAT["id"]}}
    assert Kept.model_validate_json(kept.model_dump_json(exclude_unset=True)) == kept
    assert Kept.model_construct(reply="odd").model_dump()["reply"] == "odd"


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, CHAT | {"id": 1}, CHAT | {"choices": [{}]}])
def test_wrong_values_are_validation_errors(value: Any) -> None:
    with pytest.raises(pydantic.ValidationError, match="not a ChatCompletion"):
        Kept(reply=value)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_json_schema(mode: Any) -> None:
    schema = Kept.model_json_schema(mode=mode)
    assert schema["properties"]["reply"] == {"$ref": "#/$defs/ChatCompletion"}
    chat = schema["$defs"]["ChatCompletion"]
    assert chat["required"] == ["id", "choices", "created", "model", "object"]
    assert chat["properties"]["choices"]["items"] == {"$ref": "#/$defs/ChatCompletionChoice"}
    call = schema["$defs"]["ChatCompletionMessageFunctionToolCall"]
    assert call["properties"]["type"]["const"] == "function"


def test_vectors_are_numbers_in_the_schema() -> None:
    schema = pydantic.TypeAdapter(CreateEmbeddingResponse).json_schema()
    assert schema["$defs"]["Embedding"]["properties"]["embedding"]["items"] == {"type": "number"}


def test_adapters_of_unions_and_lists() -> None:
    events = pydantic.TypeAdapter(list[ResponseStreamEvent])
    value = {"type": "response.output_text.delta", "delta": "a", "item_id": "i", "sequence_number": 1}
    value |= {"output_index": 0, "content_index": 0, "logprobs": []}
    (event,) = events.validate_python([value])
    assert type(event).__name__ == "ResponseTextDeltaEvent"
    assert json.loads(events.dump_json([event], exclude_unset=True)) == [value]
    assert events.json_schema()["type"] == "array"


# In parts: pydantic takes long for a thousand types, and a busy machine takes many times as long.
@pytest.mark.parametrize("part", range(6))
def test_every_reply_type_is_a_type_of_pydantic(part: int) -> None:
    for name, kind in [*KINDS.items()][part::6]:
        if is_node(kind) and isinstance(kind, type):
            adapter = pydantic.TypeAdapter(kind)
            value = Maker(f"pydantic {name}").valid(kind)
            reply = Decoder.of(kind)(json.dumps(value).encode())
            assert adapter.validate_python(reply) is reply
            assert same(adapter.dump_python(reply, exclude_unset=True, by_alias=True), value)
            assert adapter.json_schema()["type"] == "object"


def test_pydantic_is_not_imported_by_the_package() -> None:
    script = "import sys; from aiopenai.types.chat import ChatCompletion; ChatCompletion.model_construct(id='a')"
    script += "; assert not any(name.startswith('pydantic') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
