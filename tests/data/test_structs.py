"""The names that generated types are made of, used as a program or a generated module uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import BaseModel, Model, ModelMeta, OpenObject, fill_in, let_go, one_of, recast


class Dog(Model, tag="dog", tag_field="kind"):
    name: str
    good: bool | None = None


class Cat(Model, tag="cat", tag_field="kind"):
    name: str


class Ball(Model):
    shape: Literal["ball"]
    radius: float


class Cube(Model):
    shape: Literal["cube"]
    edge: float


if TYPE_CHECKING:
    Toy = Ball | Cube
else:
    Toy = one_of("Toy", (Ball, Cube), "shape")


class Box(Model):
    toys: list[Toy]
    best: Toy | None = None


class Home(Model):
    id: str
    pets: list[Dog | Cat]
    size: Literal["small", "large"] | None = None


class Flat(Home):
    floor: int | None = None


DOCUMENT: dict[str, Any] = {
    "id": "h",
    "pets": [{"kind": "dog", "name": "Rex", "good": None}, {"kind": "cat", "name": "Tom"}],
    "size": "small",
    "floor": 3,
}


def test_base_model_is_the_references_name_of_model() -> None:
    assert BaseModel is Model
    assert type(BaseModel) is ModelMeta
    assert issubclass(OpenObject, BaseModel)


def test_a_class_of_fields_decodes_and_dumps() -> None:
    home = Decoder.of(Home)(encode(DOCUMENT))
    assert [type(pet) for pet in home.pets] == [Dog, Cat]
    assert home.to_dict() == DOCUMENT
    assert home.model_extra == {"floor": 3}
    assert home.pets[0].model_fields_set == {"kind", "name", "good"}


@pytest.mark.parametrize("pet", [{"kind": "fish", "name": "Nemo"}, {"kind": "dog", "name": 7}], ids=["tag", "type"])
def test_an_object_that_does_not_fit_keeps_its_values(pet: dict[str, Any]) -> None:
    home = Decoder.of(Home)(encode({**DOCUMENT, "pets": [pet]}))
    found: Any = home.pets[0]
    assert type(found) is (OpenObject if pet["kind"] == "fish" else Dog)
    assert (found.kind, found.name) == (pet["kind"], pet["name"])
    assert home.to_dict() == {**DOCUMENT, "pets": [pet]}


@pytest.mark.parametrize("broken", [False, True], ids=["strict", "lenient"])
def test_an_object_is_recast_as_a_class_with_more_fields(broken: bool) -> None:
    document = {**DOCUMENT, "size": 5} if broken else DOCUMENT
    home = Decoder.of(Home)(encode(document))
    flat = recast(home, Flat)
    assert (type(flat), flat.floor, flat.pets is home.pets) == (Flat, 3, True)
    assert flat.model_extra == {}
    assert flat.to_dict() == document
    let_go(home)
    assert home.to_dict() == document


def test_fields_that_are_filled_in_are_given_and_not_sent() -> None:
    home = Decoder.of(Flat)(b'{"id": "h", "pets": [], "size": null}')
    assert home.model_fields_set == {"id", "pets", "size"}
    fill_in(home, ["floor", "size"])
    assert home.model_fields_set == {"id", "pets", "size", "floor"}
    sent = Decoder.of(object)(encode({"item": home}, ["item"]))
    assert sent == {"item": {"id": "h", "pets": [], "size": None}}


def test_a_union_without_a_tag_is_told_by_its_field() -> None:
    document = {"toys": [{"shape": "cube", "edge": 1.5}, {"shape": "ball", "radius": 2.0, "new": None}], "best": None}
    box = Decoder.of(Box)(encode(document))
    assert [type(toy) for toy in box.toys] == [Cube, Ball]
    assert box.to_dict() == document
    other: Any = Decoder.of(Box)(b'{"toys": [{"shape": "cone", "edge": 1}], "best": {"shape": "ball", "radius": 1}}')
    assert (other.best.radius, other.toys[0].edge) == (1, 1)
    assert other.toys[0].to_dict() == {"shape": "cone", "edge": 1}
