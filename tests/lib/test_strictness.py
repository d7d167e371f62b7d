"""The schemas of types pass the check of strict schemas, which the local server makes as the API does."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import json
import uuid
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, NamedTuple, Optional

import attrs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from aiopenai import AsyncOpenAI, BadRequestError
from aiopenai.lib.parsing import type_to_response_format_param, type_to_text_format_param
from aiopenai.lib.schema import to_strict_json_schema, validate_json
from aiopenai.lib.strictness import restate, tighten
from aiopenai.lib.tools import function_tool, pydantic_function_tool, responses_function_tool
from aiopenai.testing import Server
from aiopenai.testing.content.examples import example
from aiopenai.testing.content.strict_schemas import check_strict_schema

STRING = {"type": "string"}
BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
DECIMAL = "^-?[0-9]+(\\.[0-9]+)?$"


def checked(kind: Any) -> dict[str, Any]:
    schema = to_strict_json_schema(kind)
    check_strict_schema(schema, "response_format 'x'", param="response_format", code=None)
    return schema


class Shade(enum.Enum):
    dark = "d"
    light = "l"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Pair(NamedTuple):
    left: int
    right: int


class Row(msgspec.Struct, array_like=True):
    a: int
    b: int


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (set[int], {"type": "array", "items": {"type": "integer"}}),
        (frozenset[str], {"type": "array", "items": STRING}),
        (decimal.Decimal, {"type": "string", "pattern": DECIMAL}),
        (bytes, {"type": "string", "pattern": BASE64}),
        (bytearray, {"type": "string", "pattern": BASE64}),
        (Annotated[bytes, msgspec.Meta(max_length=3)], {"type": "string", "pattern": BASE64}),
        (
            tuple[int, str],
            {"type": "array", "items": {"anyOf": [{"type": "integer"}, STRING]}, "minItems": 2, "maxItems": 2},
        ),
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Annotated[datetime, msgspec.Meta(tz=True)], {"type": "string", "format": "date-time"}),
        (time, {"type": "string", "format": "time"}),
        (Annotated[datetime, msgspec.Meta(tz=False)], STRING),
        (date, {"type": "string", "format": "date"}),
        (timedelta, {"type": "string", "format": "duration"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (Annotated[str, msgspec.Meta(pattern="^a")], {"type": "string", "pattern": "^a"}),
        (Annotated[str, msgspec.Meta(pattern="^(?=a)")], STRING),
        (
            Annotated[str, msgspec.Meta(min_length=1, max_length=3, description="a code")],
            {"type": "string", "description": "a code (minLength: 1, maxLength: 3)"},
        ),
        (
            Annotated[str, msgspec.Meta(examples=["x"], title="T", extra_json_schema={"x-order": 1, "format": "uri"})],
            {"type": "string", "title": "T", "description": 'examples: ["x"]'},
        ),
        (
            Annotated[list[int], msgspec.Meta(min_length=1, max_length=3)],
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        ),
        (
            Annotated[float, msgspec.Meta(gt=0, lt=1.5)],
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
        ),
        (Annotated[int, msgspec.Meta(ge=0, multiple_of=5)], {"type": "integer", "minimum": 0, "multipleOf": 5}),
        (Literal["a", 1, None], {"enum": [None, 1, "a"], "type": ["integer", "null", "string"]}),
        (datetime | None, {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
        (
            list[set[datetime]],
            {"type": "array", "items": {"type": "array", "items": {"type": "string", "format": "date-time"}}},
        ),
    ],
)
def test_fields_of_structures(kind: Any, expected: Any) -> None:
    for made in (
        msgspec.defstruct("Made", [("a", kind)]),
        dataclasses.make_dataclass("Made", [("a", kind)]),
        TypedDict("Made", {"a": kind}),  # type: ignore[misc]
        attrs.make_class("Made", {"a": attrs.field(type=kind)}),
    ):
        assert checked(made)["properties"] == {"a": expected}


@pytest.mark.parametrize("kind", [Shade, Level, Pair, Row])
def test_classes_become_definitions(kind: Any) -> None:
    schema = checked(msgspec.defstruct("Made", [("a", kind), ("b", kind | None)]))
    assert schema["properties"]["a"] == {"$ref": f"#/$defs/{kind.__name__}"}
    assert schema["properties"]["b"] == {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"}, {"type": "null"}]}
    definition = schema["$defs"][kind.__name__]
    assert definition["title"] == kind.__name__
    if kind in (Pair, Row):
        assert (definition["items"], definition["minItems"], definition["maxItems"]) == ({"type": "integer"}, 2, 2)


def test_two_classes_of_one_name_have_a_definition_each() -> None:
    one = msgspec.defstruct("Same", [("a", int)], module="one")
    other = msgspec.defstruct("Same", [("b", str)], module="other")
    schema = checked(msgspec.defstruct("Made", [("x", one), ("y", other), ("z", one)]))
    assert list(schema["$defs"]) == ["Same", "other.Same"]
    assert [schema["properties"][name]["$ref"][8:] for name in "xyz"] == ["Same", "other.Same", "Same"]
    assert list(schema["$defs"]["other.Same"]["properties"]) == ["b"]
    several = [msgspec.defstruct("Same", [(name, int)], module="one") for name in "abcd"]
    schema = checked(msgspec.defstruct("Made", [(f"f{number}", kind) for number, kind in enumerate(several)]))
    assert list(schema["$defs"]) == ["Same", "one.Same", "one.Same_2", "one.Same_3"]
    assert [list(each["properties"]) for each in schema["$defs"].values()] == [["a"], ["b"], ["c"], ["d"]]


class Inner(msgspec.Struct):
    value: int


class Endless(msgspec.Struct):
    again: Annotated[Endless | None, msgspec.Meta(description="of itself")]
    inner: Annotated[Inner, msgspec.Meta(description="beside")]
    direct: Annotated[Endless, msgspec.Meta(description="no end")]


def test_a_class_that_describes_itself_has_no_finite_schema() -> None:
    with pytest.raises(TypeError, match="Endless has no JSON schema: it contains itself"):
        to_strict_json_schema(Endless)


# ---- generated types

LEAVES: list[Any] = [
    *(str, int, float, bool, datetime, date, time, timedelta, uuid.UUID, decimal.Decimal, bytes, Shade, Level),
    *(Literal["x", "y"], Literal[1, 2, None], None),
    Annotated[str, msgspec.Meta(min_length=2, max_length=9)],
    Annotated[int, msgspec.Meta(ge=3, lt=9, description="a number", examples=[4])],
    Annotated[float, msgspec.Meta(gt=0, multiple_of=0.5)],
]


def family(number: int) -> Any:
    def make(fields: list[Any]) -> Any:
        # To attrs, a type of None means no type.
        named = [(f"f{index}", type(None) if kind is None else kind) for index, kind in enumerate(fields)]
        return [
            lambda: msgspec.defstruct("Made", named, forbid_unknown_fields=len(named) % 2 == 0),
            lambda: dataclasses.make_dataclass("Made", named),
            lambda: TypedDict("Made", dict(named)),  # type: ignore[operator]
            lambda: attrs.make_class("Made", {name: attrs.field(type=kind) for name, kind in named}),
        ][number]()

    return make


def containers(inner: Any) -> Any:
    structures = st.integers(0, 3).flatmap(lambda number: st.lists(inner, max_size=4).map(family(number)))
    return st.one_of(
        inner.map(lambda kind: list[kind]),
        inner.map(lambda kind: tuple[kind, ...]),
        inner.map(lambda kind: tuple[kind, kind]),
        inner.map(lambda kind: Optional[kind]),  # noqa: UP045 - None is a kind too
        structures,
        structures.map(lambda kind: Annotated[kind, msgspec.Meta(description="said of it")]),
    )


FIELDS = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FIELDS, max_size=5), st.integers(0, 3))
def test_generated_types(fields: list[Any], number: int) -> None:
    kind = family(number)(fields)
    schema = checked(kind)
    # A value made from the schema alone has the type.
    validate_json(kind, json.dumps(example(schema, "YWJj")))


# ---- pydantic


def pydantic_kinds() -> Any:
    pydantic: Any = pytest.importorskip("pydantic")
    field, model = pydantic.Field, pydantic.create_model
    cat = model("Cat", kind=(Literal["cat"], ...), lives=(int, 9))
    dog = model("Dog", kind=(Literal["dog"], ...), owner=(cat | None, None))
    pets = Annotated[cat | dog, field(discriminator="kind")]
    return {
        "tagged": pets,
        "list of tagged": list[pets],
        "optional tagged": (pets | None, None),
        "described tagged": (pets, field(description="a pet")),
        "nested union": list[cat | dog | int] | None,
        "set": set[int],
        "frozenset": (frozenset[str], frozenset()),
        "decimal": decimal.Decimal,
        "bounded decimal": (decimal.Decimal, field(ge=0, max_digits=5, decimal_places=2)),
        "bytes": bytes,
        "base64": pydantic.Base64Bytes,
        "base64url": pydantic.Base64UrlStr,
        "tuple": tuple[int, str, cat],
        "datetime": datetime,
        "times": tuple[time, ...],
        "duration": timedelta,
        "uuid": uuid.UUID,
        "url": pydantic.AnyUrl,
        "path": pydantic.FilePath,
        "address": pydantic.IPvAnyAddress,
        "secret": pydantic.SecretStr,
        "literal": Literal["a", 1, None],
        "one literal": Literal["a"],
        "enum": (Shade, Shade.dark),
        "described enum": (Level, field(Level.low, description="a level")),
        "lengths": (str, field(min_length=1, max_length=9, description="a code")),
        "bounds": (int, field(5, ge=1, lt=10, multiple_of=5)),
        "items": (list[int], field(min_length=1, max_length=3)),
        "examples": (str, field("x", examples=["y"], deprecated=True, json_schema_extra={"x-order": 1})),
        "lookahead": (str, field(json_schema_extra={"pattern": "(?!a)"})),
        "pair": Pair,
        "nullable default": (int | None, 3),
    }


KINDS = sorted(
    [
        *("tagged", "list of tagged", "optional tagged", "described tagged", "nested union", "set", "frozenset"),
        *("decimal", "bounded decimal", "bytes", "base64", "base64url", "tuple", "datetime", "times", "duration"),
        *("uuid", "url", "path", "address", "secret", "literal", "one literal", "enum", "described enum", "lengths"),
        *("bounds", "items", "examples", "lookahead", "pair", "nullable default"),
    ]
)


@pytest.mark.parametrize("name", KINDS)
def test_fields_of_models(name: str) -> None:
    pydantic: Any = pytest.importorskip("pydantic")
    kinds = pydantic_kinds()
    assert sorted(kinds) == KINDS
    field = kinds[name] if isinstance(kinds[name], tuple) else (kinds[name], ...)
    made = pydantic.create_model("Made", a=field)
    text = json.dumps(checked(made))
    assert "oneOf" not in text
    assert "discriminator" not in text
    checked(pydantic.TypeAdapter(made))
    checked(
        pydantic.create_model("Outer", inner=(made, pydantic.Field(description="said of it")), more=(list[made], []))
    )


def test_examples_and_lengths_go_into_the_description() -> None:
    pydantic: Any = pytest.importorskip("pydantic")
    made = pydantic.create_model(
        "Made",
        **{
            name.replace(" ", "_"): field for name, field in pydantic_kinds().items() if name in ("lengths", "examples")
        },
    )
    properties = checked(made)["properties"]
    assert properties["lengths"]["description"] == "a code (minLength: 1, maxLength: 9)"
    assert properties["examples"] == {"type": "string", "title": "Examples", "description": 'examples: ["y"]'}


def test_generated_models() -> None:
    pydantic: Any = pytest.importorskip("pydantic")
    kinds = pydantic_kinds()
    fields = st.lists(st.sampled_from(KINDS), max_size=6)

    @settings(max_examples=60, deadline=None)
    @given(fields, fields, st.booleans())
    def check(outer: list[str], inner: list[str], forbid: bool) -> None:
        def make(title: str, names: list[str], **more: Any) -> Any:
            made = {f"f{index}": kinds[name] for index, name in enumerate(names)}
            config = pydantic.ConfigDict(extra="forbid" if forbid else "ignore")
            given = {name: each if isinstance(each, tuple) else (each, ...) for name, each in made.items()}
            return pydantic.create_model(title, __config__=config, **given, **more)

        within = make("Inner", inner)
        checked(make("Outer", outer, one=(within | None, None), many=(list[within], [])))

    check()


# ---- the pass itself


def test_a_schema_with_both_unions_keeps_any_of() -> None:
    schema: Any = {"anyOf": [STRING], "oneOf": [{"type": "null"}]}
    restate(schema)
    assert schema == {"anyOf": [STRING]}


def test_values_without_a_type_get_one() -> None:
    schema: Any = {
        "properties": {
            "a": {"const": 1},
            "b": {"enum": ["x", None]},
            "c": {"const": {}},
            "d": {"const": "x", "type": "string"},
        }
    }
    restate(schema)
    assert schema["properties"] == {
        "a": {"const": 1, "type": "integer"},
        "b": {"enum": ["x", None], "type": ["null", "string"]},
        "c": {"const": {}},
        "d": {"const": "x", "type": "string"},
    }
    restate(True)


def test_formats_of_other_dialects() -> None:
    base64url = "^[A-Za-z0-9_-]*={0,2}$"
    for schema, expected in (
        ({"format": "base64url"}, {"pattern": base64url}),
        ({"format": "base64", "pattern": "^x"}, {"pattern": "^x"}),
        ({"format": "binary", "writeOnly": True}, {}),
        ({"format": 5}, {"format": 5}),
        ({"format": "ipv4"}, {"format": "ipv4"}),
        ({"pattern": 5}, {"pattern": 5}),
        ({"prefixItems": []}, {}),
    ):
        restate(schema)
        assert schema == expected


def test_references_that_lead_nowhere() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"$ref": 5, "description": "x"}}}
    with pytest.raises(ValueError, match="Made refers to 5"):
        tighten(schema, schema, "Made")
    with pytest.raises(TypeError, match="Made has 5"):
        tighten({"items": {"anyOf": [5]}}, {}, "Made")
    again = {"$ref": "#/$defs/a", "description": "x"}
    endless: Any = {"$defs": {"a": {"type": "object", "properties": {"a": again}}}}
    with pytest.raises(TypeError, match="Made contains itself"):
        tighten(endless, endless, "Made")


def test_all_of_with_several_schemas_stays() -> None:
    schema: Any = {"allOf": [{"type": "object", "properties": {}}, {"type": "object"}]}
    tighten(schema, schema, "Made")
    assert [each["additionalProperties"] for each in schema["allOf"]] == [False, False]


def test_all_of_with_one_schema_is_merged() -> None:
    schema: Any = {
        "type": "object",
        "properties": {"a": {"allOf": [{"$ref": "#/$defs/d"}], "description": "x"}},
        "$defs": {"d": {**STRING}},
    }
    tighten(schema, schema, "Made")
    assert schema["properties"]["a"] == {"type": "string", "description": "x"}


# ---- end to end


@dataclasses.dataclass
class Meeting:
    at: datetime
    cost: decimal.Decimal
    people: set[str]
    where: tuple[float, float]


def plan(at: datetime, cost: decimal.Decimal, tags: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """Plans a meeting."""
    return f"{at:%Y} {cost} {sorted(tags)}"


async def test_the_local_server_accepts_our_schemas_and_refuses_wrong_ones() -> None:
    async with Server() as server, AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "plan it"}]
        parsed = await client.chat.completions.parse(model="m", messages=messages, response_format=Meeting)
        meeting: Any = parsed.choices[0].message.parsed
        assert (meeting.at.year, meeting.cost, meeting.where) == (2025, decimal.Decimal("1"), (0.5, 0.5))
        answer = await client.responses.parse(model="m", input="plan it", text_format=Meeting)
        assert answer.output_parsed == meeting
        tool = function_tool(plan)
        called = await client.chat.completions.create(model="m", messages=messages, tools=[tool])
        (call,) = called.choices[0].message.tool_calls or ()
        assert tool(call.function.arguments) == "2025 1 ['string']"  # type: ignore[union-attr]
        await client.responses.create(model="m", input="x", tools=[responses_function_tool(plan)])
        await client.chat.completions.create(model="m", messages=messages, tools=[pydantic_function_tool(Meeting)])

        wrong: Any = type_to_response_format_param(Meeting)
        wrong = {**wrong, "json_schema": {**wrong["json_schema"], "schema": {"type": "object"}}}
        with pytest.raises(BadRequestError, match="Invalid schema for response_format 'Meeting'") as caught:
            await client.chat.completions.create(model="m", messages=messages, response_format=wrong)
        assert caught.value.param == "response_format"
        text: Any = {**type_to_text_format_param(Meeting), "schema": {"type": "object"}}
        with pytest.raises(BadRequestError, match="'additionalProperties' is required") as caught:
            await client.responses.create(model="m", input="x", text={"format": text})
        assert (caught.value.param, caught.value.code) == ("text.format.schema", "invalid_json_schema")
        # An open object has no strict schema: the API refuses it, and so does the local server.
        with pytest.raises(BadRequestError, match="'additionalProperties' is required"):
            await client.chat.completions.parse(
                model="m", messages=messages, response_format=msgspec.defstruct("M", [("a", dict[str, int])])
            )
