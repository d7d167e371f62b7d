"""Made-up replies of every type, every variant of every union included: both sides build the same from them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest

from aiopenai.codec import Decoder
from aiopenai.models import Model

from .test_parity import EXPORTS, REPLIES, flat, is_model

models = pytest.importorskip("openai._models")

DEEPEST = 7
UNIONS = {
    name: values
    for name, values in EXPORTS.items()
    if not is_model(values[0]) and values[1] is not None and any(is_model(each) for each in flat(values[0]))
}


def variants(type_: Any) -> list[Any]:
    """The members of a union, or the type itself; an object that may be anything last."""
    members = [each for each in flat(type_) if each is not type(None)]
    return sorted(members, key=lambda each: each is object)


def sample(type_: Any, depth: int = 0) -> Any:
    """A value as the API would send it."""
    origin = get_origin(type_)
    if origin is Annotated:
        return sample(get_args(type_)[0], depth)
    if origin is Union or type(type_).__name__ == "UnionType":
        return sample(variants(type_)[0], depth)
    if origin is Literal:
        return get_args(type_)[-1]
    if origin is list:
        if depth > DEEPEST:
            return []
        return [sample(each, depth + 1) for each in variants(get_args(type_)[0])]
    if origin is dict:
        return {"key": sample(get_args(type_)[1], depth + 1)}
    if is_model(type_):
        return {
            field.alias or name: None
            if depth > DEEPEST and type(None) in get_args(field.annotation)
            else sample(field.annotation, depth + 1)
            for name, field in type_.model_fields.items()
        }
    return {str: "text", int: 3, float: 1.5, bool: True, object: {"any": [1, "x"]}, type(None): None}[type_]


def same(ours: Any, theirs: Any, where: str) -> None:
    if is_model(type(theirs)):
        assert isinstance(ours, Model), f"{where}: {ours!r}"
        for name in type(theirs).model_fields:
            same(getattr(ours, name), getattr(theirs, name), f"{where}.{name}")
        # The reference counts fields whose names differ on the wire as extras as well.
        wires = {field.alias for field in type(theirs).model_fields.values()}
        extra = {key: value for key, value in (theirs.model_extra or {}).items() if key not in wires}
        assert ours.model_extra == extra, where
        assert ours.model_fields_set == theirs.model_fields_set, where
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for index, (our_item, their_item) in enumerate(zip(ours, theirs, strict=True)):
            same(our_item, their_item, f"{where}[{index}]")
    elif isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for key in theirs:
            same(ours[key], theirs[key], f"{where}.{key}")
    else:
        assert ours == theirs, where


@pytest.mark.parametrize("name", [*REPLIES, *UNIONS])
def test_samples(name: str) -> None:
    theirs, ours = EXPORTS[name]
    decoder: Decoder[Any] = Decoder.of(ours)
    for variant in variants(theirs):
        value = sample(variant)
        raw = json.dumps(value).encode()
        # A reply that is as documented takes the fast path.
        fast = decoder.validate(raw)
        same(fast, models.construct_type(value=value, type_=theirs), name)
        assert not isinstance(fast, Model) or fast.to_dict() == value
        same(decoder.lenient(raw), models.construct_type(value=value, type_=theirs), name)
