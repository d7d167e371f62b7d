"""aiopenai._data.structs: reply objects behave as the pydantic models that they stand in for."""

from __future__ import annotations

import base64
import copy
import gc
import json
import os
import pickle
import random
import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI
from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model, ModelMeta, OpenObject
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import (
    ChatCompletion,
    ChatCompletionMessage,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedFunctionToolCall,
)
from aiopenai.types.responses import (
    ParsedResponse,
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    Response,
    ResponseFormatTextJSONSchemaConfig,
    ResponseOutputMessage,
)
from tests.data.test_fidelity import KINDS, Maker, is_node, same

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1730000000,
    "model": "m",
    "system_fingerprint": None,
    "provider": {"name": "x", "regions": [{"id": 1, "zone": None}, {"id": 2}]},
    "choices": [
        {
            "index": index,
            "finish_reason": "tool_calls",
            "logprobs": None,
            "native_finish_reason": "STOP",
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "n": index}}
                ],
            },
        }
        for index in range(3)
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "queue_time": 0.5},
}


def decode(kind: Any, value: Any) -> Any:
    return Decoder.of(kind)(json.dumps(value).encode())


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


def test_dumps_give_back_what_was_received(chat: Any) -> None:
    assert chat.to_dict() == CHAT
    assert json.loads(chat.to_json()) == CHAT
    assert json.loads(chat.model_dump_json(exclude_unset=True)) == CHAT
    assert chat.to_json().startswith('{\n  "id": "chatcmpl-1",\n  "choices"')
    assert "\n" not in chat.to_json(indent=None)
    assert chat.model_dump()["service_tier"] is None
    assert "service_tier" not in chat.model_dump(exclude_none=True)
    assert chat.to_dict(exclude_none=True).keys() == CHAT.keys() - {"system_fingerprint"}


def test_names_of_the_api_and_of_python() -> None:
    schema = {"name": "n", "schema": {"a": 1}, "type": "json_schema"}
    config = decode(ResponseFormatTextJSONSchemaConfig, schema)
    assert config.schema_ == {"a": 1}
    assert config.to_dict() == schema
    assert config.to_dict(use_api_names=False) == {"name": "n", "schema_": {"a": 1}, "type": "json_schema"}
    assert config.model_dump(exclude_unset=True) == {"name": "n", "schema_": {"a": 1}, "type": "json_schema"}
    assert config.model_dump(exclude_unset=True, by_alias=True) == schema
    assert config.model_fields_set == {"name", "schema_", "type"}


def test_dumps_are_copies(chat: Any) -> None:
    dumped = chat.model_dump()
    dumped["provider"]["regions"][0]["id"] = 9
    dumped["choices"][0]["message"]["content"] = "changed"
    assert chat.to_dict() == CHAT


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


def test_msgspec_and_json_see_a_plain_struct() -> None:
    message = ChatCompletionMessage(role="assistant", content="a")
    assert msgspec.json.decode(msgspec.json.encode(message)) == {"role": "assistant", "content": "a"}
    made = msgspec.convert({"role": "assistant", "content": None}, ChatCompletionMessage)
    assert made.to_dict() == {"role": "assistant"}
    assert decode(ChatCompletionMessage, {"role": "assistant"}).to_dict() == {"role": "assistant"}


def test_what_json_can_hold_and_utf_8_cannot() -> None:
    raw = rb'{"role": "assistant", "content": "cut \ud83d", "score": NaN, "far": 1e999, "big": 1180591620717411303424}'
    message: Any = Decoder.of(ChatCompletionMessage)(raw)
    assert message.content == "cut \ud83d"
    assert message.score != message.score
    assert message.far == float("inf")
    assert message.big == 2**70
    assert json.loads(message.to_json(exclude_defaults=True))["content"] == "cut \ud83d"
    assert pickle.loads(pickle.dumps(message)).content == message.content


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


async def test_request_id(server: Server, client: AsyncOpenAI) -> None:
    server.reply_with("/chat/completions", CHAT, headers={"x-request-id": "req_7"})
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert reply._request_id == "req_7"
    assert not hasattr(reply.choices[0], "_request_id")
    assert reply.to_dict() == CHAT


def test_a_nested_object_outlives_its_reply() -> None:
    chat = decode(ChatCompletion, CHAT)
    message = chat.choices[2].message
    arguments = message.tool_calls[0].function
    del chat
    gc.collect()
    assert message.reasoning_content == "hm"
    assert message.to_dict() == CHAT["choices"][2]["message"]
    del message
    assert arguments.n == 2


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


def kept(make: Callable[[], bytes], kind: Any, use: Callable[[Any], object]) -> tuple[int, Any]:
    """How many bytes a reply holds once the client has let go of the bytes received, and when it was looked at."""
    raw = make()
    decoder = Decoder.of(kind)
    decoder(raw)
    unkept = sys.getrefcount(raw)
    tracemalloc.start()
    try:
        reply = decoder(raw)
        held, _ = tracemalloc.get_traced_memory()
        # The bytes were there before: they count if the reply keeps them.
        held += len(raw) * (sys.getrefcount(raw) > unkept)
        use(reply)
        more, _ = tracemalloc.get_traced_memory()
        more += len(raw) * (sys.getrefcount(raw) > unkept)
        return max(held, more), reply
    finally:
        tracemalloc.stop()


def test_embeddings_are_not_kept_twice() -> None:
    source = random.Random(0)
    vectors = [[source.uniform(-1, 1) for _ in range(1536)] for _ in range(64)]

    def make() -> bytes:
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()

    size, reply = kept(make, CreateEmbeddingResponse, lambda reply: reply.model_fields_set)
    assert [item.embedding for item in reply.data] == vectors
    # A list of floats: 24 bytes each, and 8 for the pointer; lists that grow have some to spare.
    assert size < 64 * 1536 * 32 * 1.15
    assert reply.to_dict()["usage"] == {"prompt_tokens": 1, "total_tokens": 1}
    assert reply.model_fields_set == {"object", "data", "model", "usage"}


@pytest.mark.parametrize("unknown", [{}, {"provider": {"id": 1}}, {"status": "unheard_of"}])
def test_images_are_not_kept_twice(unknown: dict[str, Any]) -> None:
    image = base64.b64encode(random.Random(0).randbytes(3 * 2**20)).decode()

    def make() -> bytes:
        item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": image, "size": None}
        return json.dumps({"id": "resp_1", "object": "response", "output": [item], **unknown}).encode()

    size, reply = kept(make, Response, lambda reply: (reply.model_fields_set, reply.output[0].model_extra))
    assert reply.output[0].result == image
    assert size < len(image) * 1.02
    assert reply.output[0].model_fields_set == {"type", "id", "status", "result", "size"}
    assert reply.to_dict()["output"][0]["result"] == image


def test_big_stream_events_are_not_kept_twice() -> None:
    image = base64.b64encode(random.Random(0).randbytes(3 * 2**18)).decode()
    event = {"type": "response.image_generation_call.partial_image", "partial_image_b64": image, "output_index": 0}
    raw = json.dumps(event | {"item_id": "i", "sequence_number": 1, "partial_image_index": 0, "new": 1}).encode()
    unkept = sys.getrefcount(raw)
    (decoded,), failure = Decoder.of(KINDS["ResponseStreamEvent"]).many([raw])
    assert failure is None
    assert decoded.partial_image_b64 == image
    assert decoded.new == 1
    assert sys.getrefcount(raw) == unkept


def test_many_types_leak_nothing() -> None:
    """The caches are by type, and hold a type once: using the same ones again keeps nothing."""
    raws = {name: json.dumps(Maker(1).valid(kind)).encode() for name, kind in KINDS.items()}

    def use() -> None:
        for name, kind in KINDS.items():
            reply = Decoder.of(kind)(raws[name])
            if isinstance(reply, Model):
                reply.to_dict()

    use()
    use()
    tracemalloc.start()
    try:
        use()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            use()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory that Linux says is used")
def test_fresh_types_are_let_go_of() -> None:
    """A type for each call, as structured outputs make them: what is kept for a type is bounded, or goes with it."""

    def use(count: int) -> None:
        for number in range(count):
            item = ModelMeta(f"Item{number}", (Model,), {"__annotations__": {"b": int}})
            kind = ModelMeta(f"Fresh{number}", (Model,), {"__annotations__": {"a": int, "items": list[item]}})
            strict = Decoder.of(kind)(b'{"a": 1, "items": [{"b": 1}], "c": 2}')
            lenient = Decoder.of(kind)(b'{"a": "x", "items": [{"b": 1}], "c": 2}')
            assert strict.c == lenient.c == 2
            assert strict.to_dict()["items"] == lenient.to_dict()["items"]

    def used() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    use(1500)
    before = used()
    use(1500)
    assert used() - before < 5 * 2**20


# Beside the reference


def reference_models() -> dict[str, Any]:
    pytest.importorskip("openai", reason="compares with the reference")
    import openai.types as types
    from openai import BaseModel

    found: dict[str, Any] = {}
    for module in (types, types.chat, types.responses, types.shared):
        for name in dir(module):
            kind = getattr(module, name)
            # Other packages may have another type of that name.
            ours = getattr(import_module(f"ai{module.__name__}"), name, None)
            if isinstance(kind, type) and issubclass(kind, BaseModel) and is_node(ours) and ours is KINDS.get(name):
                found.setdefault(name, kind)
    return found


FORMS: list[dict[str, Any]] = [
    {},
    {"exclude_unset": True},
    {"exclude_none": True},
    {"exclude_defaults": True},
    {"by_alias": True},
    {"mode": "json"},
    {"exclude_unset": True, "exclude_none": True, "by_alias": True, "mode": "json"},
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydantic's, about values that the reference took as they came
def test_dumps_are_those_of_the_reference() -> None:
    for name, reference in reference_models().items():
        for seed in range(3):
            value = Maker(seed).valid(KINDS[name])
            if seed:
                value |= {"unknown": {"x": None, "y": [None, {"z": None}]}, "nothing": None}
            try:
                theirs = reference.model_validate(value)
            except ValueError:
                theirs = reference.construct(**value)
            ours = decode(KINDS[name], value)
            assert ours.model_fields_set == theirs.model_fields_set
            assert same(ours.model_extra, theirs.model_extra)
            for form in FORMS:
                assert same(ours.model_dump(**form), theirs.model_dump(**form)), (name, seed, form)
                assert list(ours.model_dump(**form)) == list(theirs.model_dump(**form)), (name, seed, form)
                text = {key: setting for key, setting in form.items() if key != "mode"}
                assert same(json.loads(ours.model_dump_json(**text)), json.loads(theirs.model_dump_json(**text)))


def test_json_is_written_as_the_reference_writes_it() -> None:
    theirs = reference_models()["ChatCompletion"].model_validate(CHAT)
    ours = decode(ChatCompletion, CHAT)
    assert ours.to_json() == theirs.to_json()
    assert ours.to_json(indent=None) == theirs.to_json(indent=None)
    assert ours.model_dump_json(indent=3) == theirs.model_dump_json(indent=3)
    assert ours.to_dict(mode="json", exclude_none=True) == theirs.to_dict(mode="json", exclude_none=True)
    assert str(ours.usage).replace("queue_time=0.5", "") == str(theirs.usage).replace("queue_time=0.5", "")


RULES: list[Any] = [
    set(),
    {},
    {"id"},
    {"choices", "provider"},
    {"choices": {0}},
    {"choices": {-1}},
    {"choices": {0: True}},
    {"choices": {-1: {"message"}}},
    {"choices": {"__all__"}},
    {"choices": {"__all__": {"message"}}},
    {"choices": {"__all__": {"message": {"content", "reasoning_content"}}}},
    {"choices": {0: {"message": {"content", "role"}}, 2: True}},
    {"choices": {"__all__": {"index"}, 1: {"message"}}},
    {"choices": {"__all__": {"message": {"tool_calls": {0: {"function": {"name"}}}}}}},
    {"choices": ..., "id": ...},
    {"provider": {"name"}},
    {"provider": {"regions": {0}}},
    {"provider": {"regions": {"__all__": {"zone"}}}},
    {"usage": {"total_tokens"}, "not_there": True},
]


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
@pytest.mark.parametrize("unset", [False, True])
def test_include_and_exclude_as_in_the_reference(rule: Any, unset: bool) -> None:
    theirs = reference_models()["ChatCompletion"].model_validate(CHAT)
    ours = decode(ChatCompletion, CHAT)
    assert ours.model_dump(include=rule, exclude_unset=unset) == theirs.model_dump(include=rule, exclude_unset=unset)
    assert ours.model_dump(exclude=rule, exclude_unset=unset) == theirs.model_dump(exclude=rule, exclude_unset=unset)
    both = {"include": {"choices", "id"}, "exclude": rule}
    assert ours.model_dump(**both) == theirs.model_dump(**both)
