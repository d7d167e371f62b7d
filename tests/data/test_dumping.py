"""aiopenai._data.dumping: reply objects to plain values, as pydantic does it."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import pickle
from importlib import import_module
from typing import Any

import msgspec
import pytest

from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import fill_in
from aiopenai.types.chat import (
    ChatCompletion,
    ChatCompletionMessage,
)
from tests.data.samples import CHAT, decode
from tests.data.test_fidelity import KINDS, Maker, is_node, same


@pytest.fixture
def chat() -> Any:
    return decode(ChatCompletion, CHAT)


def test_dumps_give_back_what_was_received(chat: Any) -> None:
    assert chat.to_dict() == CHAT
    assert json.loads(chat.to_json()) == CHAT
    assert json.loads(chat.model_dump_json(exclude_unset=True)) == CHAT
    assert chat.to_json().startswith('{\n  "id": "chatcmpl-1",\n  "choices"')
    assert "\n" not in chat.to_json(indent=None)
    assert chat.model_dump()["service_tier"] is None
    assert "service_tier" not in chat.model_dump(exclude_none=True)
    assert chat.to_dict(exclude_none=True).keys() == CHAT.keys() - {"system_fingerprint"}


def test_dumps_are_copies(chat: Any) -> None:
    dumped = chat.model_dump()
    dumped["provider"]["regions"][0]["id"] = 9
    dumped["choices"][0]["message"]["content"] = "changed"
    assert chat.to_dict() == CHAT


def test_what_json_can_hold_and_utf_8_cannot() -> None:
    raw = rb'{"role": "assistant", "content": "cut \ud83d", "score": NaN, "far": 1e999, "big": 1180591620717411303424}'
    message: Any = Decoder.of(ChatCompletionMessage)(raw)
    assert message.content == "cut \ud83d"
    assert message.score != message.score
    assert message.far == float("inf")
    assert message.big == 2**70
    assert json.loads(message.to_json(exclude_defaults=True))["content"] == "cut \ud83d"
    assert pickle.loads(pickle.dumps(message)).content == message.content


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


# Numbers that JSON does not have, and depth


def test_nan_is_written_as_received() -> None:
    raw = b'{"role": "assistant", "content": null, "score": NaN, "scores": [Infinity, -Infinity, {"a": NaN}]}'
    message: Any = Decoder.of(ChatCompletionMessage)(raw)
    for indent in (None, 2):
        text = message.to_json(indent=indent)
        assert "NaN" in text
        again = json.loads(text)
        assert again["score"] != again["score"]
        assert again["scores"][:2] == [float("inf"), float("-inf")]
        assert again["content"] is None
    assert json.loads(Decoder.of(ChatCompletionMessage)(b'{"content": null, "n": 0.5}').to_json()) == {
        "content": None,
        "n": 0.5,
    }


def nested(levels: int) -> bytes:
    return b'{"role": "assistant", "content": "a", "deep": ' + b'{"a": [' * levels + b"1" + b"]}" * levels + b"}"


@pytest.mark.parametrize("levels", [100, 250, 400, 460, 475, 600, 1500, 20_000])
def test_replies_that_are_decoded_can_be_dumped(levels: int) -> None:
    """The same depth both ways, up to the one that the interpreter's stack allows."""
    raw = nested(levels)
    try:
        message: Any = Decoder.of(ChatCompletionMessage)(raw)
    except msgspec.DecodeError:
        assert levels > 400
        return
    plain = message.to_dict()
    assert list(plain) == ["content", "role", "deep"]
    text = message.to_json(indent=None)
    assert text[text.index("{", 1) :] == raw.decode()[len('{"role": "assistant", "content": "a", "deep": ') :].replace(
        " ", ""
    )
    assert message.to_json().count("[") == levels
    try:
        sent = encode({"messages": [message]}, ("messages",))
    except TypeError:
        assert levels > 250
    else:
        assert sent == b'{"messages":[%b]}' % text.encode()


def test_an_object_that_contains_itself_is_refused() -> None:
    message: Any = decode(ChatCompletionMessage, {"role": "assistant", "content": None})
    message.again = {"list": [message]}
    with pytest.raises(ValueError, match="contains itself"):
        message.to_dict()
    with pytest.raises(ValueError, match="contains itself"):
        message.to_json()


def test_objects_that_content_was_parsed_into() -> None:
    @dataclasses.dataclass
    class Day:
        on: datetime.date

    class Named(msgspec.Struct):
        name: str
        price: decimal.Decimal

    message: Any = decode(ChatCompletionMessage, {"role": "assistant", "content": "a"})
    message.day = Day(datetime.date(2025, 1, 2))
    message.named = (Named("a", decimal.Decimal("1.5")),)
    message.at = datetime.date(2025, 1, 3)
    message.odd = {"x": 1j}
    assert message.model_dump(include={"day", "named", "at", "odd"}) == {
        "day": {"on": datetime.date(2025, 1, 2)},
        "named": [{"name": "a", "price": decimal.Decimal("1.5")}],
        "at": datetime.date(2025, 1, 3),
        "odd": {"x": 1j},
    }
    assert message.model_dump(mode="json", include={"day", "named", "at", "odd"}) == {
        "day": {"on": "2025-01-02"},
        "named": [{"name": "a", "price": "1.5"}],
        "at": "2025-01-03",
        "odd": {"x": "1j"},
    }


def test_pydantic_objects_that_content_was_parsed_into() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Item(pydantic.BaseModel):  # type: ignore[name-defined,misc]
        a: int
        b: int = 2

    message: Any = decode(ChatCompletionMessage, {"role": "assistant", "content": "a"})
    message.parsed = Item(a=1)
    message.parts = [Item(a=1)]
    assert message.model_dump()["parsed"] == {"a": 1, "b": 2}
    assert message.to_dict()["parsed"] == {"a": 1}
    assert message.model_dump(include={"parsed": {"b"}}) == {"parsed": {"b": 2}}
    assert message.model_dump(exclude={"parts": {0: {"a"}}})["parts"] == [{"b": 2}]


def test_fields_that_were_filled_in_are_not_sent() -> None:
    message: Any = decode(ChatCompletionMessage, {"role": "assistant", "content": "a"})
    fill_in(message, ["refusal", "content"])
    assert message.to_dict() == {"role": "assistant", "content": "a", "refusal": None}
    assert json.loads(encode({"messages": [message]}, ("messages",))) == {
        "messages": [{"role": "assistant", "content": "a"}]
    }
