"""aiopenai._data.unions: unions that msgspec cannot express."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
import pytest

from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model, one_of
from aiopenai._data.unions import OneOf, has_union, plain_hook, union_classes

T = TypeVar("T")


class Left(Model):
    side: Literal["left", "far left"]
    size: int | None = None


class Right(Model):
    side: Literal["right"]
    size: int | None = None


Side = one_of("Side", (Left, Right), discriminator="side")


class Pair(Model):
    first: Side  # type: ignore[valid-type]
    others: list[Side] | None = None  # type: ignore[valid-type]
    named: dict[str, Side] | None = None  # type: ignore[valid-type]
    label: str | None = None


class Chain(Model):
    pair: Pair | None = None
    after: Chain | None = None


class Box(Model, Generic[T]):
    data: list[T]
    pair: Pair | None = None


def test_stand_ins() -> None:
    assert issubclass(Side, OneOf)
    assert (Side.__name__, Side.discriminator, Side.variants) == ("Side", "side", (Left, Right))
    # msgspec asks whether the result of the decoder's hook is one: anything is.
    for value in (5, None, {}, [], "", False):
        assert isinstance(value, Side)
        assert plain_hook(Side, value) is value


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Side, True),
        (list[Side], True),  # type: ignore[valid-type]
        (dict[str, list[Side]] | None, True),  # type: ignore[valid-type]
        (Annotated[Side, "x"], True),
        (Pair, False),
        (Box[Side], False),  # type: ignore[valid-type]
        (str, False),
        (Any, False),
        (list, False),
    ],
    ids=range(9),
)
def test_types_that_are_such_unions(kind: Any, expected: bool) -> None:
    assert has_union(kind) is expected


def test_classes_with_such_fields() -> None:
    names = ("first", "others", "named")
    assert union_classes(Pair) == {Pair: names}
    assert union_classes(Chain) == union_classes(list[Chain]) == {Pair: names}
    assert union_classes(Left) == union_classes(Side) == {}
    assert union_classes(Box[int]) == {Pair: names}
    assert union_classes(Box[Side]) == {Box[Side]: ("data",), Pair: names}  # type: ignore[valid-type]


VALUE: dict[str, Any] = {
    "first": {"side": "left", "size": 1, "more": 2},
    "others": [{"side": "right"}, None, "odd", {"side": "up"}],
    "named": {"a": {"side": "far left"}},
    "label": "x",
}


@pytest.mark.parametrize("lenient", [False, True])
def test_values_in_fields(lenient: bool) -> None:
    value = VALUE | ({"label": 5} if lenient else {})
    pair: Any = Decoder.of(Pair)(msgspec.json.encode(value))
    assert [type(item).__name__ for item in pair.others] == ["Right", "NoneType", "str", "OpenObject"]
    assert (type(pair.first), pair.first.more, type(pair.named["a"])) == (Left, 2, Left)
    assert pair.to_dict() == value
    box: Any = Decoder.of(Box[Side])(msgspec.json.encode({"data": [VALUE["first"]], "pair": value}))  # type: ignore[valid-type]
    assert (type(box.data[0]), type(box.pair.first)) == (Left, Left)
    many, error = Decoder.of(Chain).many([msgspec.json.encode({"after": {"pair": value}})] * 3)
    assert error is None
    assert all(type(each.after.pair.first) is Left for each in many)


def test_values_that_are_such_unions() -> None:
    assert type(Decoder.of(Side)(b'{"side": "right"}')) is Right
    assert type(Decoder.of(list[Side])(b'[{"side": "left"}]')[0]) is Left  # type: ignore[valid-type]
    assert [type(each) for each in Decoder.of(Side).many([b'{"side": "right"}', b'{"side": "left"}'])[0]] == [
        Right,
        Left,
    ]
