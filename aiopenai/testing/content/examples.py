"""Example values for JSON schemas. The same schema always has the same example."""

from __future__ import annotations

import re
from typing import Any

from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import is_array, is_object

__all__ = ["example"]

# Beyond this depth optional properties are left out, and recursion takes its shortest way.
_DEPTH = 4
_HARD_DEPTH = 32

_STRING_EXAMPLES = {
    "date-time": "2025-06-15T15:06:40Z",
    "date": "2025-06-15",
    "time": "15:06:40Z",
    "duration": "PT1H",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "uri": "https://example.com/",
}

# Strings for patterns. A general pattern cannot be inverted in a few lines, but common ones fit one of these.
_CANDIDATES = (
    "string",
    "a",
    "A",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "1.5",
    "abc",
    "ABC",
    "abc-123",
    "ABC-123",
    "@user_name",
    "#a1b2c3",
    "+15551234567",
    "555-123-4567",
    "12:30",
    *_STRING_EXAMPLES.values(),
)


def example(schema: object, text: str = "string") -> Any:
    """Returns a value that fits `schema`. Free strings are `text`.

    Supports type (lists too), enum, const, default, properties, items, prefixItems, anyOf, oneOf, allOf, local `$ref`s,
    bounds of numbers, lengths, formats and common patterns. Raises `ApiError` 400 for a schema that only endless
    nesting fits, and for a reference to a missing definition.
    """
    return _example(schema, schema, text, 0)


def _example(schema: object, root: object, text: str, depth: int) -> Any:
    if not is_object(schema):
        return text
    if depth > _HARD_DEPTH:
        raise ApiError(400, "Invalid schema: only endless nesting fits it.", code="invalid_schema")
    if "const" in schema:
        return schema["const"]
    for name in ("enum", "examples"):
        choices = schema.get(name)
        if is_array(choices) and choices:
            return choices[0]
    if "default" in schema:
        return schema["default"]
    if "$ref" in schema:
        return _example(_reference_target(schema["$ref"], root), root, text, depth + 1)
    for name in ("anyOf", "oneOf"):
        options = schema.get(name)
        if is_array(options) and options:
            return _example(_choose(options, depth), root, text, depth + 1)
    parts = schema.get("allOf")
    if is_array(parts) and parts:
        return _example(_merged_schema(schema, parts, root), root, text, depth + 1)
    return _example_by_type(schema, root, text, depth)


def _example_by_type(schema: dict[str, Any], root: object, text: str, depth: int) -> Any:
    kind = schema.get("type")
    if is_array(kind):
        # ["string", "null"] gives the string, and the null only to end a recursion.
        kind = "null" if depth > _DEPTH and "null" in kind else next((item for item in kind if item != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    if kind == "object":
        return _example_object(schema, root, text, depth)
    if kind == "array":
        return _example_array(schema, root, text, depth)
    if kind in ("integer", "number"):
        return _example_number(schema, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _example_string(schema, text)


def _example_object(schema: dict[str, Any], root: object, text: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if not is_object(properties):
        return {}
    required = schema.get("required")
    needed = set(required) if is_array(required) else set[Any]()
    return {
        name: _example(value, root, text, depth + 1)
        for name, value in properties.items()
        if depth < _DEPTH or name in needed
    }


def _example_array(schema: dict[str, Any], root: object, text: str, depth: int) -> list[Any]:
    least = schema.get("minItems")
    least = least if type(least) is int else 0
    prefix = schema.get("prefixItems")
    values = [_example(item, root, text, depth + 1) for item in prefix] if is_array(prefix) else []
    wanted = least if depth >= _DEPTH else max(least, 1)
    if schema.get("maxItems") == 0 or ("items" not in schema and values):
        wanted = 0
    while len(values) < wanted:
        values.append(_example(schema.get("items"), root, text, depth + 1))
    return values


def _example_number(schema: dict[str, Any], *, whole: bool) -> int | float:
    def bound(name: str) -> int | float | None:
        value = schema.get(name)
        return value if type(value) in (int, float) else None

    step = bound("multipleOf") or (1 if whole else 0.5)
    low, high = bound("minimum"), bound("maximum")
    above, below = bound("exclusiveMinimum"), bound("exclusiveMaximum")
    value: int | float = step
    floor = low if above is None else above
    ceiling = high if below is None else below
    if floor is not None and (value < floor or (value == floor and above is not None)):
        # The first multiple of the step above the lower bound.
        value = -(-floor // step) * step
        if value == above:
            value += step
    if ceiling is not None and (value > ceiling or (value == ceiling and below is not None)):
        value = ceiling // step * step
        if value == below:
            value -= step
        if floor is not None and (value < floor or value == above):
            # Close bounds have no multiple of the step between them, but their middle fits.
            value = (floor + ceiling) / 2
    return int(value) if whole else float(value)


def _example_string(schema: dict[str, Any], text: str) -> str:
    named = schema.get("format")
    if isinstance(named, str) and named in _STRING_EXAMPLES:
        return _STRING_EXAMPLES[named]
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        try:
            search = re.compile(pattern).search
        except re.error:
            # JSON schemas hold ECMAScript patterns. A pattern that Python cannot compile is ignored.
            return text
        return next((candidate for candidate in (text, *_CANDIDATES) if search(candidate)), text)
    least, most = schema.get("minLength"), schema.get("maxLength")
    if type(least) is int and len(text) < least:
        text += "x" * (least - len(text))
    return text[:most] if type(most) is int else text


def _choose(options: list[Any], depth: int) -> Any:
    """Returns the first option that is not null. In the depth it prefers null or a plain type, which ends recursion."""

    def is_null(option: Any) -> bool:
        return is_object(option) and option.get("type") == "null"

    if depth > _DEPTH:
        for option in options:
            if is_null(option) or (is_object(option) and option.get("type") not in ("object", "array", None)):
                return option
    return next((option for option in options if not is_null(option)), options[0])


def _merged_schema(schema: dict[str, Any], parts: list[Any], root: object) -> dict[str, Any]:
    merged = {name: value for name, value in schema.items() if name != "allOf"}
    for part in parts:
        while is_object(part) and "$ref" in part:
            part = _reference_target(part["$ref"], root)
        if not is_object(part):
            continue
        for name, value in part.items():
            old = merged.get(name)
            if is_object(old) and is_object(value):
                merged[name] = {**old, **value}
            elif name == "required" and is_array(old) and is_array(value):
                merged[name] = [*old, *value]
            else:
                merged[name] = value
    return merged


def _reference_target(reference: object, root: object) -> object:
    """Returns the target of a local reference: `#/$defs/name`, or `#`."""
    target = root
    if isinstance(reference, str) and reference.startswith("#"):
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not is_object(target) or key not in target:
                break
            target = target[key]
        else:
            return target
    raise ApiError(400, f"Invalid schema: reference {reference!r} has no target.", code="invalid_schema")
