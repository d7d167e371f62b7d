"""aiopenai._data.lenient: plain values into types, as far as they fit."""

# ruff: noqa: UP007, UP037, UP045 - unions and references are tested in all the ways in which they can be written
from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
import pytest
from msgspec import field

from aiopenai._data.lenient import fit, fitter
from aiopenai._data.structs import Model, OpenObject
from aiopenai._data.unions import OneOf, one_of


class Cat(Model, tag_field="type", tag="cat"):
    type: Literal["cat"]
    lives: int
    name: str | None = None


class Dog(Model, tag_field="type", tag="dog"):
    type: Literal["dog"]
    tricks: list[str]
    name: str | None = None


class Bird(Model):
    """Two tags, so that msgspec cannot tell it from others by them."""

    type: Literal["parrot", "hen"]
    eggs: int | None = None


class Point(Model):
    x: float
    y: float


class Circle(Model):
    x: float
    y: float
    radius: float
    label: str | None = None


class Tree(Model):
    value: int
    children: list[Tree] | None = None
    by_name: dict[str, Tree] | None = None


class Owner(Model):
    pet: Cat | Dog
    pets: list[Cat | Dog] = field(default_factory=list)
    class_: str | None = field(default=None, name="class")


Animal = one_of("Animal", (Cat, Dog, Bird), discriminator="type")
Shape = one_of("Shape", (Point, Circle))
Anything = one_of("Anything", (Cat, dict[str, object]), discriminator="type")
Content = one_of("Content", (str, list[Point], list[str]))
Nested = one_of("Nested", (Shape, Content, None))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 1, 1),
        (int, "1", "1"),
        (int, 1.5, 1.5),
        (float, 1, 1.0),
        (float, 2**53, 2.0**53),
        (float, 2**53 + 1, 2**53 + 1),
        (float, 10**400, 10**400),
        (float, True, True),
        (float, "1", "1"),
        (float, None, None),
        (str, None, None),
        (str, ["a"], ["a"]),
        (bool, "true", "true"),
        (Literal["a", "b"], "c", "c"),
        (list[float], [1, 2.5, "x"], [1.0, 2.5, "x"]),
        (list[int], {"a": 1}, {"a": 1}),
        (list[float], None, None),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict[str, float], [1], [1]),
        (Annotated[float, "metres"], 3, 3.0),
        (Union[float, str], 3, 3.0),
        (Union[int, float], 3, 3),
        (Optional[float], None, None),
        (list, [1], [1]),
        (dict, {"a": 1}, {"a": 1}),
        (object, {"a": 1}, {"a": 1}),
        (Any, [{}], [{}]),
    ],
)
def test_plain_types(kind: Any, value: Any, expected: Any) -> None:
    found = fit(value, kind)
    assert (type(found), found) == (type(expected), expected)


def test_lists_that_need_no_change_are_not_copied() -> None:
    floats = [0.5] * 1000
    assert fit(floats, list[float]) is floats
    texts = ["a", 1]
    assert fit(texts, list[str]) is texts
    mapping = {"a": "b"}
    assert fit(mapping, dict[str, str]) is mapping


def test_objects_are_built_as_far_as_they_fit() -> None:
    node = fit({"lives": "nine", "type": "cat", "more": [1]}, Cat)
    assert type(node) is Cat
    assert (node.lives, node.name, node.more, node.type) == ("nine", None, [1], "cat")
    assert node.model_fields_set == {"lives", "type", "more"}
    assert fit({}, Point).to_dict() == {}
    for value in (None, 1, "x", [1], True):
        assert fit(value, Point) == value


def test_defaults_and_other_names() -> None:
    first, second = fit({"class": "A"}, Owner), fit({"pets": None}, Owner)
    assert (first.class_, first.pet, first.pets) == ("A", None, [])
    assert first.to_dict() == {"class": "A"}
    assert second.pets is None
    assert second.to_dict() == {"pets": None}
    first.pets.append(1)
    assert fit({}, Owner).pets == []


@pytest.mark.parametrize("kind", [Cat | Dog, Animal, list[Cat | Dog], Optional[Cat]])
def test_tags_decide(kind: Any) -> None:
    many = kind == list[Cat | Dog]

    def one(value: Any) -> Any:
        return fit([value], kind)[0] if many else fit(value, kind)

    assert type(one({"type": "cat", "tricks": ["sit"]})) is Cat
    assert type(one({"type": "cat"})) is Cat
    for tag in ("fish", "", 5, True, ["cat"], {"a": 1}):
        node = one({"type": tag, "lives": 9})
        if isinstance(node, Bird):
            # It has no values of its own for the tag but its Literal's: it never stands in.
            raise AssertionError("the wrong class")
        assert type(node) is OpenObject
        assert (node.type, node.lives) == (tag, 9)
        assert node.to_dict() == {"type": tag, "lives": 9}


def test_several_values_of_a_tag_for_one_class() -> None:
    assert type(fit({"type": "hen", "eggs": 1}, Animal)) is Bird
    assert type(fit({"type": "parrot"}, Animal)) is Bird
    assert fit({"type": "hen"}, Animal).type == "hen"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"lives": 9}, Cat),
        ({"type": None, "tricks": []}, Dog),
        ({"tricks": [], "name": "x"}, Dog),
        ({"lives": 9, "name": "x", "other": 1}, Cat),
        ({"lives": "nine"}, Cat),
        ({"name": "x"}, OpenObject),
        ({"other": 1}, OpenObject),
        ({}, OpenObject),
    ],
)
def test_without_a_tag_the_class_must_be_clear(value: dict[str, Any], expected: type) -> None:
    node = fit(value, Cat | Dog)
    assert type(node) is expected
    assert node.to_dict() == value


def test_untagged_objects_go_to_the_best_class() -> None:
    assert type(fit({"x": 1, "y": 2}, Shape)) is Point
    assert type(fit({"x": 1, "y": 2, "radius": 3}, Shape)) is Circle
    assert type(fit({"x": 1, "y": 2, "label": "a"}, Shape)) is Point
    assert fit({"x": 1, "y": 2, "label": "a"}, Shape).label == "a"
    assert fit({}, Shape).to_dict() == {}


def test_objects_or_plain_mappings() -> None:
    assert type(fit({"type": "cat", "lives": 1}, Anything)) is Cat
    assert fit({"type": "robot", "lives": 1}, Anything) == {"type": "robot", "lives": 1}
    assert fit({"x": 1}, Anything) == {"x": 1}
    assert fit([1], Anything) == [1]


def test_lists_are_told_apart_by_what_they_hold() -> None:
    assert type(fit([{"x": 1, "y": 2}], Content)[0]) is Point
    assert fit(["a"], Content) == ["a"]
    assert fit("a", Content) == "a"
    assert fit([], Content) == []
    assert fit([None, {"x": 1}], Content)[0] is None
    assert fit({"x": 1}, Content) == {"x": 1}


def test_unions_of_unions() -> None:
    assert type(fit({"x": 1, "y": 2, "radius": 3}, Nested)) is Circle
    assert type(fit([{"x": 1, "y": 2}], Nested)[0]) is Point
    assert fit("a", Nested) == "a"
    assert fit(None, Nested) is None


def test_types_that_hold_themselves() -> None:
    value: dict[str, Any] = {
        "value": 1,
        "children": [{"value": "2", "by_name": {"a": {"value": 3, "new": 1}}}, None, 5],
    }
    node = fit(value, Tree)
    assert type(node.children[0].by_name["a"]) is Tree
    assert node.children[0].by_name["a"].new == 1
    assert node.children[1:] == [None, 5]
    assert node.to_dict() == value


def test_fitters_are_made_once() -> None:
    assert fitter(Tree) == fitter(Tree)
    assert fitter(Animal) is fitter(Animal)


class Link(Model):
    following: Optional["Link"] = None
    shape: Optional[Shape] = None  # type: ignore[valid-type]


def test_chains() -> None:
    node = fit({"following": {"following": {"x": 1, "shape": {"x": 0, "y": 0}}}}, Link)
    assert type(node.following.following) is Link
    assert node.following.following.x == 1
    assert type(node.following.following.shape) is Point


class Plain(msgspec.Struct):
    a: int


@dataclasses.dataclass
class Data:
    a: int


@pytest.mark.parametrize("kind", [Plain, Data])
def test_classes_of_the_user_are_made_whole_or_not_at_all(kind: Any) -> None:
    assert fit({"a": 1}, kind) == kind(a=1)
    assert fit([{"a": 1}], list[kind]) == [kind(a=1)]
    for value in ({"a": "x"}, {}, 5):
        with pytest.raises(msgspec.ValidationError):
            fit(value, kind)


def test_a_type_that_cannot_be_worked_out_can_be_tried_again() -> None:
    class Broken(Model):
        a: "NotThereYet"  # type: ignore[name-defined]  # noqa: F821

    for _ in range(2):
        with pytest.raises(NameError):
            fit({}, Broken)


def test_stand_ins() -> None:
    assert issubclass(Animal, OneOf)
    assert Animal.__name__ == "Animal"
    assert Animal.discriminator == "type"
    # msgspec asks whether what the decoder's hook made is one: anything is.
    assert isinstance(5, Animal)


BASE64: list[tuple[Any, Any]] = [
    ("AAAA", b"\0\0\0"),
    ("AAA\nAAA==", b"\0\0\0\0"),
    ("_____w", b"\xff\xff\xff\xff"),
    ("", b""),
    ("no", "no"),
    ("%", "%"),
    (5, 5),
]


@pytest.mark.parametrize(("value", "expected"), BASE64, ids=range(len(BASE64)))
def test_bytes(value: Any, expected: Any) -> None:
    assert fit(value, bytes) == expected
    assert fit({"a": value}, dict[str, bytes]) == {"a": expected}
    assert fit(value, Union[list[float], bytes]) == expected
