from __future__ import annotations

import copy
import dataclasses
import enum
import gc
import json
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Annotated, Any, Generic, Literal, TypeVar

import attrs
import msgspec
import pytest
from typing_extensions import NotRequired, TypedDict

from aiopenai.errors import OutputValidationError
from aiopenai.lib import schema as module
from aiopenai.lib.schema import schema_name, strict_schema, to_strict_json_schema, validate_json
from aiopenai.lib.strictness import restate

T = TypeVar("T")


class Color(enum.Enum):
    red = "r"
    green = "g"


class Inner(msgspec.Struct):
    """An inner object."""

    value: int


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    friend: Inner | None


class Everything(msgspec.Struct, rename="camel"):
    """All that there is."""

    plain: Inner
    described_one: Annotated[Inner, msgspec.Meta(description="said of the reference")]
    color: Color
    literal: Literal["a", "b"]
    maybe: Literal["a", None]
    numbers: Literal[1, 2]
    union: Cat | Dog
    bounded: Annotated[int, msgspec.Meta(ge=1, le=5)]
    mapping: dict[str, int]
    free: dict[str, Any]
    children: list[Everything] = []
    optional: Inner | None = None
    three: int = 3
    default: str = "a property that is called as a keyword is"


@dataclasses.dataclass
class Point:
    x: int
    inner: Inner
    label: str | None = None


class Row(TypedDict):
    x: int
    inner: Inner
    label: NotRequired[str | None]


class Reasoned(TypedDict, Generic[T]):
    why: str
    answer: T


class Ordered(msgspec.Struct):
    zeros: list[Row]
    answers: Reasoned[int]


@attrs.define
class Attrs:
    x: int
    inner: Inner
    label: str | None = None


class Box(msgspec.Struct, Generic[T]):
    item: T
    items: list[T]


class Array(msgspec.Struct, array_like=True):
    a: int


@dataclasses.dataclass
class Foreign:
    what: threading.Event


INNER = {
    "title": "Inner",
    "description": "An inner object.",
    "type": "object",
    "properties": {"value": {"type": "integer"}},
    "required": ["value"],
    "additionalProperties": False,
}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas of objects that have properties, at any depth."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_a_struct_in_full() -> None:
    schema = to_strict_json_schema(Everything)
    inner = {"$ref": "#/$defs/Inner"}
    names = [
        *[
            "plain",
            "describedOne",
            "color",
            "literal",
            "maybe",
            "numbers",
            "union",
            "bounded",
            "mapping",
            "free",
            "children",
        ]
    ]
    names += ["optional", "three", "default"]
    properties = schema["properties"]
    assert schema["required"] == names == list(properties)
    assert schema["additionalProperties"] is False
    assert schema["description"] == "All that there is."
    assert properties["plain"] == inner
    # Nothing stands beside a reference.
    assert properties["describedOne"] == {**INNER, "description": "said of the reference"}
    assert properties["color"] == {"$ref": "#/$defs/Color"}
    assert properties["literal"] == {"enum": ["a", "b"], "type": "string"}
    assert properties["maybe"] == {"enum": [None, "a"], "type": ["null", "string"]}
    assert properties["numbers"] == {"enum": [1, 2], "type": "integer"}
    assert properties["union"] == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}
    assert properties["bounded"] == {"type": "integer", "minimum": 1, "maximum": 5}
    # What strict mode cannot have is left for the API to refuse, and not turned into something else.
    assert properties["mapping"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert properties["free"] == {"type": "object", "additionalProperties": True}
    assert properties["children"] == {"type": "array", "items": {"$ref": "#/$defs/Everything"}}
    assert properties["optional"] == {"anyOf": [inner, {"type": "null"}]}
    assert properties["three"] == {"type": "integer"}
    assert properties["default"] == {"type": "string"}
    assert schema["$defs"].keys() == {"Inner", "Color", "Cat", "Dog", "Everything"}
    assert schema["$defs"]["Inner"] == INNER
    assert schema["$defs"]["Color"] == {"title": "Color", "enum": ["g", "r"], "type": "string"}
    assert schema["$defs"]["Dog"]["required"] == ["type", "friend"]
    for each in objects(schema):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])


@pytest.mark.parametrize("kind", [Point, Row, Attrs])
def test_structs_by_other_names(kind: Any) -> None:
    assert to_strict_json_schema(kind) == {
        "title": kind.__name__,
        "type": "object",
        "properties": {
            "x": {"type": "integer"},
            "inner": {"$ref": "#/$defs/Inner"},
            "label": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["x", "inner", "label"],
        "additionalProperties": False,
        "$defs": {"Inner": INNER},
    }
    made = validate_json(kind, '{"x": 1, "inner": {"value": 2}, "label": null}')
    if kind is not Row:
        assert made == kind(1, Inner(2))
    else:
        assert made == {"x": 1, "inner": Inner(2), "label": None}


def test_properties_stay_in_the_order_in_which_they_were_written() -> None:
    # The model writes them in this order: the reasons come before the answer.
    schema = to_strict_json_schema(Ordered)
    assert list(schema["properties"]) == ["zeros", "answers"]
    assert list(schema["$defs"]["Row"]["properties"]) == ["x", "inner", "label"]
    assert list(schema["$defs"]["Reasoned_int_"]["properties"]) == ["why", "answer"]
    assert schema["$defs"]["Reasoned_int_"]["required"] == ["why", "answer"]


def test_classes_with_parameters() -> None:
    schema = to_strict_json_schema(Box[Inner])
    assert schema["properties"] == {
        "item": {"$ref": "#/$defs/Inner"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Inner"}},
    }
    assert "Box_Inner_" not in schema["$defs"]
    assert strict_schema(Box[Inner]) == schema
    assert validate_json(Box[int], '{"item": 1, "items": [2]}') == Box(1, [2])


def test_names_that_the_api_takes() -> None:
    assert schema_name(Inner) == "Inner"
    assert schema_name(Box[int]) == "Box_int"
    assert schema_name(Box[Box[Inner]]) == "Box_Box_Inner"
    assert schema_name(type("_Inner_", (), {})) == "_Inner_"


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (int, "int"),
        (None, "NoneType"),
        ("json_object", "str"),
        (Inner(1), "Inner"),
        (Point(1, Inner(2)), "Point"),
        (object(), "object"),
        (list[Inner], r"list\[.*Inner\]"),
        (Cat | Dog, "Cat | .*Dog"),
        (Array, "Array"),
        (Foreign, "Foreign.*threading.Event"),
        (threading.Event, "Event"),
    ],
)
def test_what_is_no_type_is_named(kind: Any, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        strict_schema(kind)


def test_what_does_not_fit() -> None:
    with pytest.raises(
        OutputValidationError, match=r"not a Inner: Expected `int`, got `str` - at `\$.value`"
    ) as caught:
        validate_json(Inner, '{"value": "x"}')
    assert "at `$.value`" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.content == '{"value": "x"}'
    assert isinstance(caught.value.__cause__, msgspec.ValidationError)
    for text in ('{"value": 1', "", "null", "x", "[" * 100_000, "\ud83d"):
        with pytest.raises(OutputValidationError):
            validate_json(Inner, text)


def test_json_that_msgspec_does_not_read() -> None:
    assert validate_json(Row, '{"x": 1, "inner": {"value": 1}, "label": "\\ud83d"}')["label"] == "\ud83d"
    assert validate_json(Row, '{"x": 1, "inner": {"value": 1}, "label": "\ud83d"}')["label"] == "\ud83d"


def test_dates_come_as_dates() -> None:
    made: Any = msgspec.defstruct("Event", [("at", datetime)])
    assert validate_json(made, '{"at": "2025-01-01T00:00:00Z"}').at == datetime(2025, 1, 1, tzinfo=timezone.utc)


def test_schemas_are_made_once_and_go_with_their_type() -> None:
    kind: Any = msgspec.defstruct("Short", [("a", int)])
    assert strict_schema(kind) is strict_schema(kind)
    assert to_strict_json_schema(kind) is not to_strict_json_schema(kind)
    # Classes of other tests are in reference cycles, and go at any time.
    gc.collect()
    before = len(module._schemas)
    gone = weakref.ref(kind)
    del kind
    gc.collect()
    assert gone() is None
    assert len(module._schemas) == before - 1


def test_pydantic_is_not_imported() -> None:
    program = """
        import sys
        import msgspec
        from aiopenai.lib.parsing import type_to_response_format_param
        from aiopenai.lib.schema import validate_json

        class Inner(msgspec.Struct):
            value: int

        type_to_response_format_param(Inner)
        validate_json(Inner, '{"value": 1}')
        assert "pydantic" not in sys.modules
        assert "aiohttp" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


# ---- pydantic


@pytest.fixture
def types() -> Any:
    pytest.importorskip("pydantic")
    from tests.lib import pydantic_types

    return pydantic_types


def test_models_have_the_references_schema(types: Any) -> None:
    reference: Any = pytest.importorskip("openai.lib._pydantic")
    pydantic: Any = pytest.importorskip("pydantic")
    for kind in types.ACCEPTED:
        expected = reference.to_strict_json_schema(kind)
        assert json.dumps(to_strict_json_schema(kind), sort_keys=True) == json.dumps(expected, sort_keys=True), kind
    for kind in types.MODELS:
        # The reference leaves keywords that the API refuses; the rest of its work is the same.
        restated = copy.deepcopy(kind.model_json_schema())
        restate(restated)
        expected = reference._ensure_strict_json_schema(restated, path=(), root=restated)
        assert json.dumps(to_strict_json_schema(kind), sort_keys=True) == json.dumps(expected, sort_keys=True), kind
    adapter = pydantic.TypeAdapter(types.Point)
    expected = reference.to_strict_json_schema(adapter)
    assert to_strict_json_schema(types.Point) == to_strict_json_schema(adapter) == expected


def test_models_are_strict(types: Any) -> None:
    schema = to_strict_json_schema(types.Everything)
    for each in objects(schema):
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["described"]["properties"].keys() == {"value"}
    assert not any("default" in each for each in properties.values())
    assert properties["tagged"]["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert properties["tagged"].keys() == {"anyOf", "title"}
    assert properties["pair"] == {
        "type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "minItems": 2,
        "maxItems": 2,
        "title": "Pair",
    }
    assert properties["letters"] == {"type": "array", "items": {"type": "string"}, "title": "Letters"}


def test_a_schema_of_pydantics_is_not_changed_for_others(types: Any) -> None:
    before = json.dumps(types.Parts.model_json_schema())
    to_strict_json_schema(types.Parts)
    assert json.dumps(types.Parts.model_json_schema()) == before


def test_pydantic_makes_the_objects(types: Any) -> None:
    pydantic: Any = pytest.importorskip("pydantic")
    assert validate_json(types.Inner, '{"value": 1}') == types.Inner(value=1)
    assert validate_json(types.Box[int], '{"item": 1, "items": []}') == types.Box[int](item=1, items=[])
    point = validate_json(types.Point, '{"x": 1, "inner": {"value": 2}}')
    assert point == types.Point(1, types.Inner(value=2))
    for kind in (types.Inner, types.Point):
        with pytest.raises(pydantic.ValidationError):
            validate_json(kind, "{}")


def test_no_finite_schema(types: Any) -> None:
    with pytest.raises(TypeError, match="Endless contains itself"):
        to_strict_json_schema(types.Endless)


def test_an_object_of_pydantics_is_no_type(types: Any) -> None:
    for value in (types.Inner(value=1), types.Point(1, types.Inner(value=2))):
        with pytest.raises(TypeError, match=type(value).__name__):
            to_strict_json_schema(value)


def test_a_schema_that_is_none(types: Any) -> None:
    class Made(types.Inner):  # type: ignore[misc]
        @classmethod
        def model_json_schema(cls) -> dict[str, Any]:
            return {"type": "object", "properties": {"a": wrong}}

    wrong: Any = {"$ref": "#/$defs/Nobody", "description": "x"}
    with pytest.raises(ValueError, match=r"Made refers to '#/\$defs/Nobody'"):
        to_strict_json_schema(Made)
    wrong = True
    with pytest.raises(TypeError, match="Made has True where a schema is due"):
        to_strict_json_schema(Made)
