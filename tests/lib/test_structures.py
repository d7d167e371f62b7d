from __future__ import annotations

import dataclasses
import enum
from collections import namedtuple
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import pytest
from typing_extensions import NotRequired, TypedDict

from aiopenai.lib.schema import plain_schema
from aiopenai.lib.structures import structure_schema

T = TypeVar("T")


class Color(enum.Enum):
    """An enumeration."""

    red = "r"
    blue = "b"


class Named(enum.Enum):
    """The sides."""

    left = 1


class Pair(NamedTuple):
    left: int
    right: str


Made = namedtuple("Made", ["x"])


class Inner(msgspec.Struct):
    value: int = 3


class Tagged(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """A tagged one."""

    inner: Inner
    several: list[Inner] = []
    color: Color = Color.red
    at: datetime | None = None
    table: dict[Annotated[str, msgspec.Meta(pattern="^a")], int] = {}
    numbers: dict[int, float] = msgspec.field(default_factory=dict)
    made: set[int] = msgspec.field(default_factory=lambda: {1})
    anything: Any = msgspec.UNSET
    pair: tuple[int, str] = (1, "a")


class Box(msgspec.Struct, Generic[T]):
    item: T


class Numbered(msgspec.Struct, tag=7):
    a: int


class Row(TypedDict):
    z: int
    a: NotRequired[str]


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


def properties(kind: Any, *, strict: bool) -> dict[str, Any]:
    found: dict[str, Any] = structure_schema(kind, strict=strict)["properties"]
    return found


def field(kind: Any, *, strict: bool = True) -> Any:
    """The schema of one field."""
    return properties(msgspec.defstruct("One", [("a", kind)]), strict=strict)["a"]


def test_a_plain_schema_has_optional_properties_and_defaults() -> None:
    schema = structure_schema(Tagged, strict=False)
    assert schema["title"] == "Tagged"
    assert schema["description"] == "A tagged one."
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["type", "inner"]
    assert schema["properties"] == {
        "type": {"enum": ["Tagged"], "type": "string"},
        "inner": {"$ref": "#/$defs/Inner"},
        "several": {"type": "array", "items": {"$ref": "#/$defs/Inner"}, "default": []},
        "color": {"$ref": "#/$defs/Color", "default": "r"},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
        "table": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "propertyNames": {"pattern": "^a"},
            "default": {},
        },
        "numbers": {"type": "object", "additionalProperties": {"type": "number"}, "default": {}},
        "made": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        "anything": {},
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "minItems": 2,
            "maxItems": 2,
            "default": (1, "a"),
        },
    }
    assert schema["$defs"] == {
        "Inner": {
            "title": "Inner",
            "type": "object",
            "properties": {"value": {"type": "integer", "default": 3}},
            "required": [],
        },
        "Color": {"title": "Color", "enum": ["b", "r"], "type": "string"},
    }
    assert plain_schema(Tagged) == schema


def test_a_strict_schema_requires_all_and_has_no_defaults() -> None:
    schema = structure_schema(Tagged, strict=True)
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Inner"]["additionalProperties"] is False
    assert "default" not in str(schema)


@pytest.mark.parametrize("strict", [True, False])
def test_plain_and_strict_agree_on_types(strict: bool) -> None:
    assert field(Color, strict=strict) == {"$ref": "#/$defs/Color"}
    assert field(Annotated[Color, msgspec.Meta(description="x")], strict=strict) == {
        "title": "Color",
        "description": "x",
        "enum": ["b", "r"],
        "type": "string",
    }
    assert field(list, strict=strict) == {"type": "array"}
    assert field(Any, strict=strict) == {}
    assert field(msgspec.Raw, strict=strict) == {}
    assert field(None, strict=strict) == {"type": "null"}
    assert field(Literal[1, "a"], strict=strict) == {"enum": [1, "a"], "type": ["integer", "string"]}
    assert field(tuple[()], strict=strict) == {"type": "array", "prefixItems": [], "minItems": 0, "maxItems": 0}
    assert field(dict, strict=strict) == {"type": "object", "additionalProperties": True}
    assert field(Annotated[dict[str, int], msgspec.Meta(min_length=1, max_length=2)], strict=strict) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "minProperties": 1,
        "maxProperties": 2,
    }
    assert field(Annotated[bytes, msgspec.Meta(min_length=4)], strict=strict) == {
        "type": "string",
        "contentEncoding": "base64",
        "minLength": 8,
    }


def test_titles_and_descriptions_of_classes() -> None:
    made = msgspec.defstruct(
        "All", [("a", Color), ("b", Named), ("c", Pair), ("d", Made), ("e", Point), ("f", Numbered)]
    )
    definitions = structure_schema(made, strict=True)["$defs"]
    assert list(definitions) == ["Color", "Named", "Pair", "Made", "Point", "Numbered"]
    assert definitions["Named"] == {"title": "Named", "description": "The sides.", "enum": [1], "type": "integer"}
    # The docstrings that Python writes itself describe nothing.
    assert [name for name in definitions if "description" in definitions[name]] == ["Named"]
    assert definitions["Pair"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert definitions["Made"]["prefixItems"] == [{}]
    assert definitions["Numbered"]["properties"]["type"] == {"enum": [7], "type": "integer"}


def test_generic_classes() -> None:
    made = msgspec.defstruct("All", [("a", Box[int]), ("b", Box[list[int]]), ("c", Box[int])])
    schema = structure_schema(made, strict=True)
    assert list(schema["$defs"]) == ["Box_int_", "Box_list_int__"]
    assert [each["title"] for each in schema["$defs"].values()] == ["Box[int]", "Box[list[int]]"]
    assert schema["properties"]["c"] == schema["properties"]["a"]


def test_typed_dicts_keep_the_order_of_their_annotations() -> None:
    for strict, required in ((True, ["z", "a"]), (False, ["z"])):
        schema = structure_schema(Row, strict=strict)
        assert list(schema["properties"]) == ["z", "a"]
        assert schema["required"] == required


class Custom:
    pass


def test_types_outside_of_json() -> None:
    with pytest.raises(TypeError, match=r"Custom.* is not supported"):
        field(Custom)
    with pytest.raises(TypeError, match=r"Ext.* is not supported"):
        field(msgspec.msgpack.Ext)
    described = Annotated[Custom, msgspec.Meta(extra_json_schema={"type": "string"}, description="said")]
    assert field(described) == {"type": "string", "description": "said"}


class Loop(msgspec.Struct):
    again: Annotated[Loop, msgspec.Meta(description="of itself")]


def test_recursion_by_a_described_field_has_no_end() -> None:
    with pytest.raises(TypeError, match="contains itself"):
        structure_schema(Loop, strict=True)


def test_a_field_without_a_type() -> None:
    attrs = pytest.importorskip("attrs", reason="needs attrs")
    kind = attrs.make_class("Untyped", {"a": attrs.field()})
    if tuple(map(int, msgspec.__version__.split(".")[:2])) >= (0, 23):
        # msgspec takes it for a field of any type.
        assert structure_schema(kind, strict=True)["properties"] == {"a": {}}
        return
    with pytest.raises(TypeError, match="field 'a' has no type"):
        structure_schema(kind, strict=True)
