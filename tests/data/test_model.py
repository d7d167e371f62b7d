"""aiopenai._data.model: attributes, copies and comparison of reply objects."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import re
import sys
import tracemalloc
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI
from aiopenai._data.codec import Decoder
from aiopenai._data.structs import let_go, recast
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import ChatCompletion, ChatCompletionMessage, ParsedChatCompletionMessage
from aiopenai.types.responses import (
    ResponseFormatTextJSONSchemaConfig,
)
from tests.data.samples import CHAT, decode
from tests.data.test_fidelity import KINDS, is_node


@pytest.fixture
def chat() -> Any:
    return decode(ChatCompletion, CHAT)


def test_unknown_fields_are_readable_on_every_level(chat: Any) -> None:
    assert chat.provider == CHAT["provider"]
    assert chat.choices[1].native_finish_reason == "STOP"
    assert chat.choices[0].message.reasoning_content == "hm"
    assert chat.choices[2].message.tool_calls[0].function.n == 2
    assert chat.usage.queue_time == 0.5
    assert chat.model_extra == {"provider": CHAT["provider"]}
    assert chat.choices[0].message.model_extra == {"reasoning_content": "hm"}
    assert chat.usage.model_extra == {"queue_time": 0.5}
    with pytest.raises(AttributeError, match="'ChatCompletionMessage' object has no attribute 'reasoning'"):
        _ = chat.choices[0].message.reasoning
    assert not hasattr(chat, "__deepcopy__")
    assert decode(ChatCompletion, CHAT | {"_hidden": 1})._hidden == 1


def test_null_and_missing_are_told_apart_on_every_level(chat: Any) -> None:
    assert chat.system_fingerprint is None
    assert chat.service_tier is None
    assert "system_fingerprint" in chat.model_fields_set
    assert "service_tier" not in chat.model_fields_set
    assert "provider" in chat.model_fields_set
    message = chat.choices[0].message
    assert message.model_fields_set == {"role", "content", "reasoning_content", "tool_calls"}
    assert message.refusal is None
    assert message.tool_calls[0].model_fields_set == {"id", "type", "function"}
    # The same by way of plain values.
    lenient = decode(ChatCompletion, CHAT | {"object": ""})
    assert lenient.object == ""
    assert lenient.model_fields_set == chat.model_fields_set
    assert lenient.choices[0].message.model_fields_set == message.model_fields_set


def test_names_of_the_api_and_of_python() -> None:
    schema = {"name": "n", "schema": {"a": 1}, "type": "json_schema"}
    config = decode(ResponseFormatTextJSONSchemaConfig, schema)
    assert config.schema_ == {"a": 1}
    assert config.to_dict() == schema
    assert config.to_dict(use_api_names=False) == {"name": "n", "schema_": {"a": 1}, "type": "json_schema"}
    assert config.model_dump(exclude_unset=True) == {"name": "n", "schema_": {"a": 1}, "type": "json_schema"}
    assert config.model_dump(exclude_unset=True, by_alias=True) == schema
    assert config.model_fields_set == {"name", "schema_", "type"}


@pytest.mark.parametrize("lenient", [False, True])
def test_changes_show_in_dumps(lenient: bool) -> None:
    received = CHAT | {"object": ""} if lenient else CHAT
    chat = decode(ChatCompletion, received)
    chat.model = "other"
    chat.service_tier = "flex"
    chat.anything = [1]
    chat.choices[0].message.content = "said"
    chat.choices[0].message.reasoning_content = "thought"
    del chat.choices[1].native_finish_reason
    chat.choices.pop()
    chat.provider["name"] = "y"
    chat.usage = None
    expected = copy.deepcopy(received)
    expected.update({"model": "other", "service_tier": "flex", "anything": [1], "usage": None})
    expected["choices"].pop()
    expected["choices"][0]["message"].update({"content": "said", "reasoning_content": "thought"})
    del expected["choices"][1]["native_finish_reason"]
    expected["provider"]["name"] = "y"
    assert chat.to_dict() == expected
    assert json.loads(chat.to_json()) == expected
    assert pickle.loads(pickle.dumps(chat)).to_dict() == expected
    assert "service_tier" in chat.model_fields_set
    with pytest.raises(AttributeError):
        del chat.never_there
    with pytest.raises(AttributeError):
        del chat.model


def test_a_tag_is_what_the_class_says(chat: Any) -> None:
    call = chat.choices[0].message.tool_calls[0]
    assert type(call).type == call.type == "function"
    call.type = "function"
    with pytest.raises(AttributeError, match="always 'function'"):
        call.type = "custom"
    assert call.to_dict() == CHAT["choices"][0]["message"]["tool_calls"][0]


def test_copies(chat: Any) -> None:
    shallow = chat.model_copy()
    assert shallow == chat
    assert shallow is not chat
    assert shallow.choices is chat.choices
    deep = chat.model_copy(deep=True)
    assert deep == chat
    assert deep.choices[0].message is not chat.choices[0].message
    updated = chat.model_copy(update={"model": "other", "extra": 1}, deep=True)
    assert (updated.model, updated.extra, chat.model) == ("other", 1, "m")
    assert updated.to_dict() == CHAT | {"model": "other", "extra": 1}
    assert chat.to_dict() == CHAT
    assert copy.deepcopy(chat.choices[0]).to_dict() == CHAT["choices"][0]
    if sys.version_info >= (3, 13):
        assert copy.replace(chat, model="other").to_dict() == CHAT | {"model": "other"}


def test_pickles(chat: Any) -> None:
    object.__setattr__(chat, "_request_id", "req_1")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(chat, protocol))
        assert twin == chat
        assert twin.to_dict() == CHAT
        assert twin._request_id == "req_1"
        assert twin.model_fields_set == chat.model_fields_set
    assert copy.deepcopy(chat)._request_id == "req_1"
    opened = decode(ChatCompletionMessage, CHAT["choices"][0]["message"] | {"tool_calls": [{"type": "new", "a": 1}]})
    assert pickle.loads(pickle.dumps(opened)).tool_calls[0].a == 1


def test_equality(chat: Any) -> None:
    assert chat == decode(ChatCompletion, CHAT)
    assert chat != decode(ChatCompletion, CHAT | {"model": "x"})
    assert chat != decode(ChatCompletion, CHAT | {"more": 1})
    assert chat.choices[0] != chat.choices[1]
    assert chat != CHAT
    with pytest.raises(TypeError, match="unhashable"):
        hash(chat)


def test_repr(chat: Any) -> None:
    shown = repr(chat.choices[0].message)
    assert shown.startswith("ChatCompletionMessage(content=None, refusal=None, role='assistant', annotations=None")
    assert "tool_calls=[ChatCompletionMessageFunctionToolCall(id='c', function=" in shown
    assert "type='function'" in shown
    assert shown.endswith("reasoning_content='hm')")
    assert str(chat) == repr(chat)
    assert dict(chat.usage.__rich_repr__())["queue_time"] == 0.5
    assert dict(chat)["model"] == "m"


async def test_request_id(server: Server, client: AsyncOpenAI) -> None:
    server.reply_with("/chat/completions", CHAT, headers={"x-request-id": "req_7"})
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert reply._request_id == "req_7"
    assert not hasattr(reply.choices[0], "_request_id")
    assert reply.to_dict() == CHAT


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("kind", [ChatCompletion, ChatCompletionMessage])
def test_replies_are_trees(asked: bool, kind: Any) -> None:
    """Reference counting alone frees a reply, as objects without GC demand."""

    def use() -> None:
        reply = decode(kind, CHAT if kind is ChatCompletion else CHAT | {"role": "assistant"})
        if asked:
            reply.model_fields_set, reply.to_dict(), copy.deepcopy(reply), reply == reply, repr(reply)
        assert sys.getrefcount(reply) <= 2
        assert not gc.is_tracked(reply)

    use()
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(200):
            use()
        assert gc.collect() == 0  # which empties Python's free lists, too
        after, _ = tracemalloc.get_traced_memory()
        assert after - before < 200 * 50  # less than the smallest object for each
    finally:
        tracemalloc.stop()
        gc.enable()


# Names of the API that Python has otherwise


@pytest.mark.parametrize("lenient", [False, True])
def test_fields_are_readable_by_the_name_of_the_api_too(lenient: bool) -> None:
    scores = {"harassment/threatening": 0.5, "self-harm": 0.25}
    categories: Any = decode(KINDS["ModerationCategoryScores"], scores | ({"sexual": "odd"} if lenient else {}))
    assert getattr(categories, "harassment/threatening") == categories.harassment_threatening == 0.5
    assert getattr(categories, "self-harm") == 0.25
    assert getattr(categories, "hate/threatening") is None
    setattr(categories, "harassment/threatening", 1.0)
    assert categories.harassment_threatening == 1.0
    assert categories.to_dict()["harassment/threatening"] == 1.0
    assert "harassment_threatening" in categories.model_fields_set


def renamed() -> dict[str, tuple[Any, str, str]]:
    """A reply type for each field whose name in Python is not that of the API."""
    found: dict[str, tuple[Any, str, str]] = {}
    for name, kind in KINDS.items():
        if is_node(kind) and isinstance(kind, type):
            for info in msgspec.structs.fields(kind):
                if info.name != info.encode_name:
                    found[f"{name}.{info.name}"] = (kind, info.name, info.encode_name)
    return found


def test_every_renamed_field_has_both_names() -> None:
    assert len(renamed()) > 10
    for kind, own, wire in renamed().values():
        if hasattr(kind, wire):
            continue  # a method, as `schema` could be
        reply = decode(kind, {wire: ["odd"]})
        assert getattr(reply, own) == getattr(reply, wire) == ["odd"]
        reply = decode(kind, {})
        assert getattr(reply, wire) is None
        setattr(reply, wire, "set")
        assert getattr(reply, own) == "set"
        assert reply.to_dict() == {wire: "set"}
        made = kind.model_construct(**{wire: 1}).to_dict()
        assert made == kind.model_construct(**{own: 1}).to_dict()
        assert made[wire] == 1
        assert own not in made


def test_names_that_python_looks_up_are_no_fields() -> None:
    reply = decode(ChatCompletion, CHAT | {"__nothing__": 1, "_source": 2, "_request_id": 3, "_mine": 4})
    assert not hasattr(reply, "__nothing__")
    assert not hasattr(reply, "_request_id")
    assert reply._mine == 4
    assert reply.to_dict() == CHAT | {"__nothing__": 1, "_source": 2, "_request_id": 3, "_mine": 4}
    assert (reply == 5) is False


@pytest.mark.parametrize("lenient", [False, True])
def test_recast_and_let_go(lenient: bool) -> None:
    value = {"role": "assistant", "content": 5 if lenient else "a", "parsed": {"a": 1}, "more": 2}
    message = decode(ChatCompletionMessage, value)
    let_go(message)
    parsed: Any = recast(message, ParsedChatCompletionMessage)
    assert type(parsed) is ParsedChatCompletionMessage
    assert (parsed.parsed, parsed.more) == (None, 2) or parsed.parsed == {"a": 1}
    assert parsed.to_dict() == message.to_dict() | {"parsed": parsed.parsed}


@pytest.mark.parametrize(
    ("kind", "key", "cure"),
    [
        (ChatCompletion, "choices", "write `.choices`"),
        (ChatCompletion, 0, "its fields are attributes"),
        (CreateEmbeddingResponse, 0, "write `.data[0]`"),
        (CreateEmbeddingResponse, "data", "write `.data`"),
    ],
    ids=["field", "number", "item", "data"],
)
def test_a_reply_is_no_dict(kind: Any, key: Any, cure: str) -> None:
    reply: Any = Decoder.of(kind)(b"{}")
    with pytest.raises(TypeError, match=f"'{kind.__name__}' object is not subscriptable: {re.escape(cure)}; `to_dict"):
        reply[key]


def test_private_attributes_are_no_fields(chat: Any) -> None:
    chat._request_id = "req_1"
    assert chat._request_id == "req_1"
    assert "_request_id" not in chat.model_fields_set
    assert "_request_id" not in chat.to_dict()
    assert dict(chat).keys() >= {"id", "choices"}


@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
def test_the_document_of_a_reply_can_be_dropped(lenient: bool) -> None:
    document = {"id": 7 if lenient else "c", "choices": [], "new": 1, "created": None}
    reply: Any = Decoder.of(ChatCompletion)(json.dumps(document).encode())
    let_go(reply)
    assert (type(reply._source) is dict) is False
    assert reply.to_dict() == document
    assert (reply.new, reply.model_fields_set) == (1, {"id", "choices", "created", "new"})
    # A second time there is nothing to drop.
    let_go(reply)
    assert reply.to_dict() == document


def test_replies_of_different_classes_or_unknown_fields_are_not_equal() -> None:
    decode = Decoder.of(ChatCompletion)
    one: Any = decode(b'{"id": "c", "new": 1}')
    assert one == decode(b'{"new": 1, "id": "c"}')
    assert one != decode(b'{"id": "c", "new": 2}')
    assert one != decode(b'{"id": "d", "new": 1}')
    assert one != {"id": "c", "new": 1}
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_a_copy_with_changes(chat: Any) -> None:
    twin = chat.model_copy(update={"model": "other", "new": [1]})
    assert (twin.model, twin.new, twin.model_extra["new"]) == ("other", [1], [1])
    assert chat.model != "other"
    assert not hasattr(chat, "new")
    assert twin.choices is chat.choices
    deep = chat.model_copy(deep=True)
    assert deep == chat
    assert deep.choices is not chat.choices
    assert chat.__replace__(model="third").model == "third"
