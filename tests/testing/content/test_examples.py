from __future__ import annotations

import re
from typing import Any

import pytest

from aiopenai.testing.content.examples import example
from aiopenai.testing.engine.replies import ApiError

TREE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "children": {"type": "array", "items": {"$ref": "#"}},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["value", "children", "next"],
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "string"),
        (True, "string"),
        ({"type": "string"}, "string"),
        ({"type": "string", "minLength": 8, "maxLength": 9}, "stringxx"),
        ({"type": "string", "maxLength": 3}, "str"),
        ({"type": "string", "format": "date"}, "2025-06-15"),
        ({"type": "string", "format": "odd"}, "string"),
        ({"type": "string", "pattern": "(?P<bad"}, "string"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "multipleOf": 5, "minimum": 11}, 15),
        ({"type": "number"}, 0.5),
        ({"type": "number", "minimum": 0, "maximum": 0.2}, 0.0),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.2}, 0.1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, "string"),
        ({"type": ["null"]}, None),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 5}, 5),
        ({"default": [1]}, [1]),
        ({"items": {"type": "null"}}, [None]),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 3}, [True] * 3),
        ({"type": "array", "maxItems": 0, "items": {}}, []),
        ({"type": "array", "prefixItems": [{"type": "null"}, {"const": 1}]}, [None, 1]),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"const": 1}}}, {"a": 1}),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"oneOf": [{"type": "null"}]}, None),
        (
            {
                "required": ["a"],
                "allOf": [{"properties": {"a": {"const": 1}}}, {"$ref": "#/$defs/b"}, True, {"required": ["b"]}],
                "$defs": {"b": {"properties": {"b": {"const": 2}}}},
            },
            {"a": 1, "b": 2},
        ),
        ({"type": "number", "exclusiveMaximum": 0.5}, 0.0),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 7}}}, 7),
    ],
)
def test_example(schema: Any, value: Any) -> None:
    got = example(schema)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("pattern", [r"^\d{3}$", r"^[A-Z]+$", "^@[a-z_]+$", r"^\+\d+$", r"^\d{4}-\d\d-\d\d$", "."])
def test_common_patterns(pattern: str) -> None:
    assert re.search(pattern, example({"type": "string", "pattern": pattern}))


def check_tree(value: Any, depth: int = 0) -> None:
    assert set(value) == {"value", "children", "next"}
    assert depth < 10
    for child in value["children"]:
        check_tree(child, depth + 1)
    if value["next"] is not None:
        check_tree(value["next"], depth + 1)


def test_recursion_ends() -> None:
    check_tree(example(TREE))
    optional = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert "next" in example(optional)


def test_schemas_that_cannot_be_filled() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    for schema in (endless, {"$ref": "#/$defs/none"}, {"$ref": "https://example.com/x"}):
        with pytest.raises(ApiError, match="Invalid schema"):
            example(schema)
