"""aiopenai._data.fields: the fields of reply classes, and the state of reply objects."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
import pytest

from aiopenai._data.codec import Decoder
from aiopenai._data.fields import check_complete, fields_of, restored, state_of
from aiopenai._data.structs import Model


class Part(Model, tag_field="kind", tag="part"):
    size: int
    kind: Literal["part"]
    name: str | None = None


class Whole(Model):
    parts: list[Part]
    by_name: dict[str, Part] = msgspec.field(name="by-name")
    note: str | None


def test_fields_in_the_order_of_writing() -> None:
    fields = fields_of(Part)
    assert [field.name for field in fields.all] == ["size", "kind", "name"]
    assert [field.required for field in fields.all] == [True, True, False]
    assert (fields.tag_field, fields.tag, fields.names) == ("kind", "part", {"size", "kind", "name"})
    assert fields_of(Part) is fields
    assert fields_of(Whole).by_wire == {"parts": "parts", "by-name": "by_name", "note": "note"}


class Counted(Model):
    name: str
    count: int = 5


def test_defaults() -> None:
    assert [field.default for field in fields_of(Counted).all] == [None, 5]
    # An object of which no document is known has the fields that differ from their defaults.
    made = msgspec.convert({"name": "a", "count": 5}, Counted)
    assert state_of(made).given == {"name"}
    assert state_of(msgspec.convert({"name": "a", "count": 6}, Counted)).given == {"name", "count"}


@pytest.mark.parametrize(
    ("raw", "given", "extra"),
    [
        (b'{"kind": "part", "size": 1}', {"kind", "size"}, {}),
        (b'{"kind": "part", "size": null, "x": [null]}', {"kind", "size"}, {"x": [None]}),
        (b'{"kind": null, "size": 1}', {"size"}, {"kind": None}),
        (b'{"size": 1}', {"size"}, {}),
    ],
    ids=range(4),
)
def test_states(raw: bytes, given: set[str], extra: dict[str, Any]) -> None:
    state = state_of(Decoder.of(Part)(raw))
    assert (state.given, state.extra) == (given, extra)


def test_states_of_objects_that_were_not_decoded() -> None:
    made = msgspec.convert({"kind": "part", "size": 1, "lost": 2}, Part)
    assert (state_of(made).given, state_of(made).extra) == ({"kind", "size"}, {})
    twin = restored(Part, [1, None], {"size"}, {"a": 1}, "req_1", frozenset({"name"}))
    assert (twin.size, twin.a, twin._request_id, state_of(twin).filled) == (1, 1, "req_1", {"name"})


GOOD: dict[str, Any] = {
    "parts": [{"kind": "part", "size": 1}],
    "by-name": {"a": {"kind": "part", "size": 2}},
    "note": None,
}


def test_complete_replies() -> None:
    check_complete(Decoder.of(Whole)(json.dumps(GOOD).encode()))
    check_complete([1, "a", None])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"note": ...}, "`note` - at `$`"),
        ({"by-name": ...}, "`by-name` - at `$`"),
        ({"parts": [{"kind": "part"}]}, "`size` - at `$.parts[0]`"),
        ({"by-name": {"a": {"kind": "part"}}}, "`size` - at `$.by-name['a']`"),
    ],
    ids=range(4),
)
def test_missing_fields_are_named(change: dict[str, Any], message: str) -> None:
    value = {name: item for name, item in (GOOD | change).items() if item is not ...}
    with pytest.raises(msgspec.ValidationError) as caught:
        check_complete(Decoder.of(Whole)(json.dumps(value).encode()))
    assert str(caught.value) == f"Object missing required field {message}"
