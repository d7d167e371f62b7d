"""Every reply type, against every kind of JSON: decoding never raises, and nothing is lost or taken for what it is not.

For each type, JSON is made that a correct server could send, and then spoiled: fields lost, retyped, nulled, wrapped,
added, tags exchanged. Plain code makes the JSON, because thousands of deeply nested values are wanted.
"""

from __future__ import annotations

import copy
import functools
import importlib
import json
import pickle
import pkgutil
import random
import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiopenai.types
from aiopenai._calls.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncTokenPage,
)
from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import Model, OpenObject, OutputText
from aiopenai._data.unions import OneOf

UNIONS = (typing.Union, types.UnionType)


def reply_types() -> dict[str, Any]:
    """All reply types of the package, unions of objects included, by where they are found."""
    found: dict[str, Any] = {}
    for info in pkgutil.walk_packages(aiopenai.types.__path__, "aiopenai.types."):
        if info.name.endswith(".replies"):
            for name, kind in vars(importlib.import_module(info.name)).items():
                variants = typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)
                if any(is_node(variant) or is_one_of(variant) for variant in variants):
                    found.setdefault(name, kind)
    return {name: kind for name, kind in found.items() if kind not in (Model, OutputText)}


def is_node(kind: Any) -> bool:
    cls = struct(kind)
    return isinstance(cls, type) and issubclass(cls, Model)


def struct(kind: Any) -> Any:
    """The class of a type that may have parameters, as those of pages have."""
    return typing.get_origin(kind) or kind


# Asked for again and again, of few types.
fields = functools.cache(msgspec.structs.fields)


def is_one_of(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, OneOf)


KINDS = reply_types()
for item in ("ChatCompletion", "ResponseItem", "FileObject"):
    for page in (AsyncPage, AsyncCursorPage, AsyncConversationCursorPage, AsyncNextCursorPage, AsyncTokenPage):
        KINDS[f"{page.__name__}[{item}]"] = page[KINDS[item]]
WORDS = ["", "a", "type", "0", "12", "\u2028", "é🙂", '"\\\n\x00', "null", "completed", "https://x.test/"]
NUMBERS = [0, 1, -1, 7, 2**31, 2**53, 0.5, -2.25, 1e-9, 1.0, 1e300]


class Maker:
    """Makes JSON values: ones that a type allows, and any."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def valid(self, kind: Any, depth: int = 0) -> Any:
        """A value that `kind` allows."""
        choose = self.random.choice
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            return self.valid(typing.get_args(kind)[0], depth)
        if origin is typing.Literal:
            return choose(typing.get_args(kind))
        if origin in UNIONS:
            return self.valid(choose(typing.get_args(kind)), depth)
        if is_one_of(kind):
            return self.valid(choose(kind.variants), depth)
        if is_node(kind):
            return self.node(kind, depth)
        if origin is list or kind is list:
            few = 0 if depth > 5 else self.random.randrange(3)
            return [self.valid(typing.get_args(kind)[0], depth + 1) for _ in range(few)]
        if origin is dict or kind is dict:
            few = 0 if depth > 5 else self.random.randrange(3)
            return {choose(WORDS): self.valid(typing.get_args(kind)[1], depth + 1) for _ in range(few)}
        if kind is str:
            return choose(WORDS)
        if kind is bool:
            return choose([True, False])
        if kind is int:
            return choose([n for n in NUMBERS if isinstance(n, int)])
        if kind is float:
            return choose(NUMBERS)
        if kind in (None, type(None)):
            return None
        if kind is bytes:
            # Base64 of floats is given back as floats: tests/lib/test_embeddings.py.
            return choose(["", "null"])
        assert kind in (object, Any) or isinstance(kind, typing.TypeVar), kind
        return self.any(depth)

    def node(self, kind: Any, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        config = struct(kind).__struct_config__
        if config.tag_field is not None:
            made[config.tag_field] = config.tag
        for field in fields(kind):
            if field.name in ("parsed", "parsed_arguments"):
                # Filled here and not sent back, wherever they come from: tests/lib/test_parsing.py.
                continue
            if field.name in struct(kind).__required__ or self.random.random() < (0.5 if depth < 4 else 0.05):
                made[field.encode_name] = self.valid(field.type, depth + 1)
        return made

    def any(self, depth: int = 0) -> Any:
        """Any JSON value."""
        pick = self.random.randrange(9 if depth < 5 else 6)
        if pick < 2:
            return self.random.choice([None, True, False])
        if pick < 4:
            return self.random.choice(NUMBERS)
        if pick < 6:
            return self.random.choice(WORDS)
        if pick < 7:
            return [self.any(depth + 1) for _ in range(self.random.randrange(3))]
        return self.object(depth + 1)

    def object(self, depth: int) -> dict[str, Any]:
        return {self.key(): self.any(depth) for _ in range(self.random.randrange(4))}

    def key(self) -> str:
        names = ["type", "id", "object", "reasoning", "_private", "to_dict", "model_extra", "__class__", "index", ""]
        return self.random.choice([*names, "_source", "_request_id", "schema_", "schema", "self", "from"])

    def spoiled(self, value: Any, tags: list[str]) -> Any:
        """A copy of `value` with a few things changed."""
        value = copy.deepcopy(value)
        for _ in range(self.random.randrange(1, 5)):
            places = list(containers(value))
            if not places:
                return value
            place = self.random.choice(places)
            if isinstance(place, list):
                index = self.random.randrange(len(place) + 1)
                place[index : index + 1] = self.random.choice([[], [None], [self.any()], [[self.any()]]])
                continue
            if not place or self.random.random() < 0.3:
                place[self.key()] = self.any()
                continue
            key = self.random.choice(list(place))
            change = self.random.randrange(6)
            if change == 0:
                del place[key]
            elif change == 1:
                place[key] = None
            elif change == 2:
                place[key] = self.any()
            elif change == 3:
                place[key] = [place[key]]
            elif change == 4:
                place[key] = self.object(1)
            else:
                place[self.random.choice(["type", key])] = self.random.choice([*tags, "unheard_of", "", 5, key])
        return value


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from containers(item)
    elif isinstance(value, list):
        yield value
        for item in value:
            yield from containers(item)


TAGS = sorted({struct(kind).__struct_config__.tag for kind in KINDS.values() if is_node(kind)} - {None})


def same(left: Any, right: Any) -> bool:
    """Equality in the sense of JSON: 1 is 1.0, but True is not 1."""
    if isinstance(left, OpenObject):
        left = left.to_dict()
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return isinstance(left, bool) == isinstance(right, bool) and left == right
    return type(left) is type(right) and left == right


def check_classes(node: Any, plain: Any) -> None:
    """Nobody stands where the JSON says something else, and what was received can be read from the attributes."""
    if isinstance(node, list):
        for item, received in zip(node, plain, strict=True):
            check_classes(item, received)
    elif isinstance(node, dict):
        for key, item in node.items():
            check_classes(item, plain[key])
    elif isinstance(node, Model):
        config = node.__struct_config__
        if config.tag_field is not None:
            assert plain.get(config.tag_field) in (None, config.tag)
        wires = {info.encode_name: info.name for info in fields(type(node))}
        if config.tag_field is not None:
            wires[config.tag_field] = config.tag_field
        assert node.model_fields_set == {wires.get(key, key) for key in plain}
        extra = {key: value for key, value in plain.items() if key not in wires}
        assert same({key: value for key, value in node.model_extra.items() if key != config.tag_field}, extra)
        for key, received in plain.items():
            if key in wires:
                if key != config.tag_field:
                    check_classes(getattr(node, wires[key]), received)
            elif not hasattr(type(node), key) and not key.startswith("__"):
                assert same(getattr(node, key), received), key
        for info in fields(type(node)):
            if info.encode_name not in plain:
                assert getattr(node, info.name) is None or info.default is not None
    else:
        assert same(node, plain)


def check(kind: Any, value: Any) -> None:
    node: Any = Decoder.of(kind)(json.dumps(value).encode())
    if not isinstance(node, Model):
        # A union with a plain variant, or not an object at all.
        check_classes(node, value)
        return
    check_classes(node, value)
    assert same(node.to_dict(), value)
    assert same(json.loads(node.to_json()), value)
    assert same(json.loads(node.to_json(indent=None)), value)
    assert same(json.loads(encode({"messages": [node]}, replay=("messages",))), {"messages": [value]})
    for twin in (pickle.loads(pickle.dumps(node)), copy.copy(node), copy.deepcopy(node)):
        assert twin == node
        assert same(twin.to_dict(), value)
        assert twin.model_fields_set == node.model_fields_set
    assert repr(node).startswith(type(node).__name__)


def values(name: str) -> Iterator[tuple[Maker, Any]]:
    """A few JSON values that a type allows, the same ones in every run, each with its maker."""
    for number in range(8):
        maker = Maker(f"{name} {number}")
        yield maker, maker.valid(KINDS[name])


def test_there_are_types() -> None:
    assert len(KINDS) > 250
    assert {"ChatCompletion", "ChatCompletionChunk", "Response", "ResponseStreamEvent", "Embedding"} <= KINDS.keys()


# The types in 64 parts. A few of them do for the second interpreter.
PARTS = 64
each_part = pytest.mark.parametrize(
    "part", [*range(8), *(pytest.param(number, marks=pytest.mark.once) for number in range(8, PARTS))]
)


def check_allowed(name: str) -> None:
    kind = KINDS[name]
    for _, value in values(name):
        check(kind, value)
        if is_node(kind):
            # The strict path and the lenient one give the same object.
            raw = json.dumps(value).encode()
            assert Decoder.of(kind).lenient(raw) == Decoder.of(kind)(raw)


def check_spoiled(name: str) -> None:
    for maker, value in values(name):
        check(KINDS[name], maker.spoiled(value, TAGS))


@each_part
def test_what_the_type_allows(part: int) -> None:
    for name in sorted(KINDS)[part::PARTS]:
        check_allowed(name)


@each_part
def test_what_the_type_does_not_allow(part: int) -> None:
    for name in sorted(KINDS)[part::PARTS]:
        check_spoiled(name)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(sorted(KINDS)), value=st.dictionaries(st.text(), JSON))
def test_any_object(kind: str, value: dict[str, Any]) -> None:
    check(KINDS[kind], value)


def check_tag(name: str, tag: Any) -> None:
    kind = KINDS[name]
    fields = {struct(variant).__struct_config__.tag_field for variant in typing.get_args(kind) if is_node(variant)}
    for field in fields - {None}:
        value = {"role": "assistant", field: tag, "a": {"b": [1]}}
        node = Decoder.of(kind)(json.dumps(value).encode())
        if isinstance(node, Model):
            assert type(node) is OpenObject or node.__struct_config__.tag_field is None
            assert node.a == {"b": [1]}
            assert getattr(node, field) == tag
            assert node.to_dict() == value


@pytest.mark.parametrize("tag", ["unheard_of", "", 5, ["message"], {"a": 1}])
def test_unknown_tags_give_open_objects(tag: Any) -> None:
    for name, kind in KINDS.items():
        if typing.get_origin(kind) in UNIONS:
            check_tag(name, tag)
