"""JSON schemas in the dialect of strict mode, the subset that structured outputs accept.

`restate` replaces the keywords that the API refuses. `tighten` closes objects, requires all properties, and leaves
nothing beside a reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from aiopenai._base.aliases import is_list, is_mapping

__all__ = ["StrictSchema", "resolve_reference", "restate", "tighten"]

StrictSchema = dict[str, Any]

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_BASE64_URL = "^[A-Za-z0-9_-]*={0,2}$"
_DECIMAL = "^-?[0-9]+(\\.[0-9]+)?$"
# Formats that strict mode refuses, and patterns that mean the same.
_PATTERNS = {"decimal": _DECIMAL, "base64": _BASE64, "base64url": _BASE64_URL}
_LOOKAROUNDS = ("(?=", "(?!", "(?<=", "(?<!")
# `allOf` is refused too, but `tighten` merges one of a single schema into its parent.
_ACCEPTED = frozenset(
    {
        *("type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions"),
        *("properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems"),
        *("pattern", "format"),
        *("multipleOf", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
        *("title", "description", "$schema", "$id", "$comment"),
    }
)
# Refused as keywords, but of use to the model: they go into the description.
_NOTED = ("minLength", "maxLength", "minProperties", "maxProperties", "examples")
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def restate(schema: Any) -> None:
    """Replaces the keywords that strict mode refuses by accepted ones, at every level, in place.

    Keywords without a replacement go: defaults, formats of other dialects, annotations. The parsers of the types still
    apply the rules that they stood for.
    """
    if not isinstance(schema, dict):
        return
    node = cast("StrictSchema", schema)
    if "oneOf" in node:
        # The variants of a discriminated union exclude each other, so `anyOf` accepts the same values.
        variants = node.pop("oneOf")
        node.setdefault("anyOf", variants)
    if is_list(values := node.get("enum")) and "type" not in node:
        names = sorted({_JSON_TYPES[type(value)] for value in values if type(value) in _JSON_TYPES})
        node["type"] = names[0] if len(names) == 1 else names
    if "const" in node and "type" not in node and type(node["const"]) in _JSON_TYPES:
        node["type"] = _JSON_TYPES[type(node["const"])]
    _restate_string(node)
    _restate_tuple(node)
    notes = [f"{name}: {json.dumps(node.pop(name))}" for name in _NOTED if name in node]
    if notes:
        told = ", ".join(notes)
        node["description"] = f"{node['description']} ({told})" if node.get("description") else told
    for keyword in node.keys() - _ACCEPTED:
        del node[keyword]
    for below in _below(node):
        restate(below)


def _restate_string(node: StrictSchema) -> None:
    wanted = node.get("format")
    if node.get("contentEncoding") == "base64":
        wanted = "base64"
    if isinstance(wanted, str) and wanted not in _FORMATS:
        node.pop("format", None)
        if wanted in _PATTERNS:
            node.setdefault("pattern", _PATTERNS[wanted])
            # A bound of the encoded length; the pattern says the rest.
            node.pop("minLength", None)
            node.pop("maxLength", None)
    pattern = node.get("pattern")
    if isinstance(pattern, str) and any(token in pattern for token in _LOOKAROUNDS):
        del node["pattern"]


def _restate_tuple(node: StrictSchema) -> None:
    """Replaces a tuple by an array of as many items, each of one of the tuple's types."""
    prefix = node.pop("prefixItems", None)
    if not is_list(prefix) or not prefix:
        return
    kinds: list[Any] = []
    for kind in prefix:
        if kind not in kinds:
            kinds.append(kind)
    node["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    node.setdefault("minItems", len(prefix))
    node.setdefault("maxItems", len(prefix))


def _below(schema: StrictSchema) -> Iterator[Any]:
    """Yields the schemas directly inside of one."""
    for keyword in ("$defs", "definitions", "properties"):
        if is_mapping(named := schema.get(keyword)):
            yield from named.values()
    for keyword in ("anyOf", "allOf"):
        if is_list(several := schema.get(keyword)):
            yield from several
    for keyword in ("items", "additionalProperties"):
        if is_mapping(one := schema.get(keyword)):
            yield one


def tighten(schema: Any, root: StrictSchema, kind: str) -> None:
    """Makes a schema strict, in place. The order of the steps is the reference's: the result depends on it.

    kind: the name of the type in error messages.
    Raises TypeError for a value that is no schema, ValueError for a reference to a missing definition.
    """
    if not isinstance(schema, dict):
        raise TypeError(f"the JSON schema of {kind} has {schema!r} where a schema is due")
    node = cast("StrictSchema", schema)
    try:
        for keyword in ("$defs", "definitions"):
            if is_mapping(named := node.get(keyword)):
                for below in named.values():
                    tighten(below, root, kind)
        if node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        if is_mapping(properties := node.get("properties")):
            node["required"] = list(properties)
            for below in properties.values():
                tighten(below, root, kind)
        if is_mapping(items := node.get("items")):
            tighten(items, root, kind)
        if is_list(variants := node.get("anyOf")):
            for below in variants:
                tighten(below, root, kind)
        if is_list(parts := node.get("allOf")):
            for below in parts:
                tighten(below, root, kind)
            if len(parts) == 1:
                del node["allOf"]
                node.update(parts[0])
        if node.get("$ref") and len(node) > 1:
            # The definition takes the place of the reference. Its neighbours are more specific and win.
            target = resolve_reference(node.pop("$ref"), root, kind)
            for keyword, value in target.items():
                node.setdefault(keyword, value)
            tighten(node, root, kind)
    except RecursionError:
        raise TypeError(f"{kind} contains itself in a way that no finite schema can express") from None


def resolve_reference(ref: Any, root: StrictSchema, kind: str) -> Mapping[str, Any]:
    """Returns the definition that a reference names. Raises ValueError where there is none."""
    found: Any = root
    if isinstance(ref, str) and ref.startswith("#/"):
        for key in ref[2:].split("/"):
            found = found.get(key) if is_mapping(found) else None
        if is_mapping(found):
            return found
    raise ValueError(f"the JSON schema of {kind} refers to {ref!r}, which it does not have")
