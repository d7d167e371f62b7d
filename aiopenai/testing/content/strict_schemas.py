"""The check of strict schemas: it refuses the JSON schemas that the API refuses, with the API's messages.

It applies to structured outputs and to strict function tools. The rules are those of the guide "Structured Outputs",
section "Supported schemas".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object, strings

__all__ = ["check_strict_schema"]

MAX_LEVELS = 10
MAX_PROPERTIES = 5_000
MAX_STRINGS = 120_000
MAX_ENUM_VALUES = 1_000
# The values of an enum with more values than the first number have at most the second number of characters.
LARGE_ENUM, MAX_LARGE_ENUM_STRINGS = 250, 15_000

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_KEYWORDS = frozenset(
    {
        *("type", "enum", "const", "anyOf", "$ref", "$defs", "definitions"),
        *("properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems"),
        *("pattern", "format"),
        *("multipleOf", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
        *("title", "description", "$schema", "$id", "$comment"),
    }
)
_NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf", "enum", "const", "not")
_LOOKAROUNDS = ("(?=", "(?!", "(?<=", "(?<!")

_Path: TypeAlias = "tuple[str, ...]"


def check_strict_schema(schema: object, subject: str, *, param: str, code: str | None) -> None:
    """Raises `ApiError` 400 for a schema that strict mode refuses.

    subject: the owner of the schema in messages, such as `function 'lookup'`.
    """
    try:
        _check_root(schema)
        if is_object(schema):
            _check_sizes(schema)
            _check_levels(schema)
    except _RefusedError as refused:
        message = f"Invalid schema for {subject}: {refused}"
        raise ApiError(400, message, param=param, code=code) from None


class _RefusedError(Exception):
    """A rule that the schema breaks, in the words of the API."""


def _refused_at(path: _Path, problem: str) -> _RefusedError:
    return _RefusedError(f"In context={path}, {problem}")


def _check_root(root: object) -> None:
    kind = root.get("type") if is_object(root) else None
    if not is_object(root) or kind != "object":
        raise _RefusedError(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'.")
    if any(keyword in root for keyword in _NOT_AT_THE_TOP):
        listed = "/".join(f"'{keyword}'" for keyword in _NOT_AT_THE_TOP)
        raise _RefusedError(f"schema must have type 'object' and not have {listed} at the top level.")
    for path, schema in _schemas(root):
        _check_schema(path, schema, root)


def _schemas(root: Object) -> Iterator[tuple[_Path, object]]:
    """Yields all schemas of a document with their paths. It does not recurse, because documents may nest deeply."""
    todo: list[tuple[_Path, object]] = [((), root)]
    while todo:
        path, schema = todo.pop()
        yield path, schema
        if is_object(schema):
            todo += reversed(list(_below(path, schema)))


def _below(path: _Path, schema: Object) -> Iterator[tuple[_Path, object]]:
    for keyword in ("properties", "$defs", "definitions"):
        named = schema.get(keyword)
        if is_object(named):
            yield from (((*path, keyword, name), value) for name, value in named.items())
    if "items" in schema:
        yield (*path, "items"), schema["items"]
    variants = schema.get("anyOf")
    if is_array(variants):
        yield from (((*path, "anyOf", str(number)), value) for number, value in enumerate(variants))


def _check_schema(path: _Path, schema: object, root: Object) -> None:
    if not is_object(schema):
        if type(schema) is bool:
            raise _refused_at(path, "schema must have a 'type' key.")
        raise _refused_at(path, f"{schema!r} is not of type 'object', 'boolean'.")
    if "$ref" in schema:
        _check_reference(path, schema, root)
        return
    for keyword in schema:
        if keyword not in _KEYWORDS:
            raise _refused_at(path, f"'{keyword}' is not permitted.")
    if "anyOf" in schema:
        variants = schema["anyOf"]
        if not is_array(variants) or not variants:
            raise _refused_at(path, f"{variants!r} is not a non-empty array of schemas.")
    elif "type" not in schema:
        raise _refused_at(path, "schema must have a 'type' key.")
    kinds = _types_of(path, schema)
    if "object" in kinds or "properties" in schema:
        _check_object(path, schema)
    if "array" in kinds and "items" not in schema:
        raise _refused_at(path, "array schema missing items.")
    _check_string(path, schema)
    if "enum" in schema:
        values = schema["enum"]
        if not is_array(values) or not values:
            raise _refused_at(path, f"{values!r} is not a non-empty array of values.")


def _types_of(path: _Path, schema: Object) -> list[Any]:
    given = schema.get("type", [])
    kinds: list[Any] = given if is_array(given) else [given]
    for kind in kinds:
        if type(kind) is not str or kind not in _TYPES:
            raise _refused_at(path, f"{kind!r} is not valid under any of the given schemas.")
    return kinds


def _check_reference(path: _Path, schema: Object, root: Object) -> None:
    beside = [keyword for keyword in schema if keyword not in ("$ref", "$defs", "definitions")]
    if beside:
        listed = ", ".join(repr(keyword) for keyword in beside)
        raise _RefusedError(f"context={path}, $ref cannot have keywords {{{listed}}}.")
    if _target(schema["$ref"], root) is None:
        message = f"reference to component {schema['$ref']!r} which was not found at the top level of the schema."
        raise _refused_at(path, message)


def _target(reference: object, root: Object) -> object:
    """Returns the target of a reference: the root, or a definition at the top level; None for other references."""
    if reference == "#":
        return root
    if type(reference) is not str:
        return None
    for keyword in ("$defs", "definitions"):
        named = root.get(keyword)
        name = reference.removeprefix(f"#/{keyword}/")
        if is_object(named) and name != reference:
            return named.get(name.replace("~1", "/").replace("~0", "~"))
    return None


def _check_object(path: _Path, schema: Object) -> None:
    if schema.get("additionalProperties") is not False:
        raise _refused_at(path, "'additionalProperties' is required to be supplied and to be false.")
    properties = schema.get("properties")
    if not is_object(properties):
        raise _refused_at(path, "object schema missing properties.")
    rule = "'required' is required to be supplied and to be an array including every key in properties."
    required = strings(schema.get("required"))
    present = set(required)
    for name in properties:
        if name not in present:
            raise _refused_at(path, f"{rule} Missing '{name}'.")
    for name in required:
        if name not in properties:
            raise _refused_at(path, f"{rule} Extra required key '{name}' supplied.")


def _check_string(path: _Path, schema: Object) -> None:
    if "format" in schema and schema["format"] not in _FORMATS:
        raise _refused_at(path, f"'{schema['format']}' is not a valid format.")
    if "pattern" not in schema:
        return
    pattern = schema["pattern"]
    if type(pattern) is not str or not _compiles(pattern):
        raise _refused_at(path, f"{pattern!r} is not a 'regex'.")
    if any(token in pattern for token in _LOOKAROUNDS):
        raise _refused_at(path, f"{pattern!r} has a lookaround, which is not supported in patterns.")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _check_sizes(root: Object) -> None:
    properties = enum_values = characters = 0
    for path, schema in _schemas(root):
        assert is_object(schema)
        for keyword in ("properties", "$defs", "definitions"):
            names: Object = schema.get(keyword) or {}
            characters += sum(map(len, names))
            properties += len(names) if keyword == "properties" else 0
        values: list[Any] = schema.get("enum") or []
        length = sum(len(value) for value in values if type(value) is str)
        if len(values) > LARGE_ENUM and length > MAX_LARGE_ENUM_STRINGS:
            limit = f"limit of {MAX_LARGE_ENUM_STRINGS} for an enum of more than {LARGE_ENUM} values"
            raise _refused_at(path, f"enum string length of {length} exceeds {limit}.")
        enum_values += len(values)
        const = schema.get("const")
        characters += length + (len(const) if type(const) is str else 0)
    _check_limit(properties, "parameters", MAX_PROPERTIES)
    _check_limit(enum_values, "enum values", MAX_ENUM_VALUES)
    _check_limit(characters, "characters in names, enums and constants", MAX_STRINGS)


def _check_limit(count: int, unit: str, limit: int) -> None:
    if count > limit:
        raise _RefusedError(f"{count} {unit} exceeds limit of {limit}.")


def _check_levels(root: Object) -> None:
    """Refuses a schema that nests too deeply. Each object and each array around a value is a level.

    A reference counts as its target. A recursive reference adds no level.
    """
    deepest = 0
    reached: dict[str, int] = {}
    todo: list[tuple[Any, int, frozenset[str]]] = [(root, 0, frozenset({"#"}))]
    while todo:
        schema, level, above = todo.pop()
        reference = schema.get("$ref")
        if reference is not None:
            # The longest way to a definition decides. A shorter one is not followed a second time.
            if reference not in above and reached.get(reference, -1) < level:
                reached[reference] = level
                todo.append((_target(reference, root), level, above | {reference}))
            continue
        inside: list[Any] = [*(schema.get("properties") or {}).values()]
        if "items" in schema:
            inside.append(schema["items"])
        if inside or schema.get("type") in ("object", "array"):
            deepest = max(deepest, level + 1)
        todo += [(each, level + 1, above) for each in inside]
        todo += [(each, level, above) for each in schema.get("anyOf") or ()]
    _check_limit(deepest, "levels of nesting", MAX_LEVELS)
