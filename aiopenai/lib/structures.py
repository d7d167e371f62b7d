"""The JSON schema of a Struct, dataclass, TypedDict or attrs class, written from its fields.

`msgspec.json.schema` writes one too, but it sorts the properties of a TypedDict, and its schema of a `datetime` is
that of any string. A model fills properties in the order of the schema, and a string without a format in any way.
"""

from __future__ import annotations

import re
import textwrap
from itertools import chain, count
from typing import Any, cast, get_origin

import msgspec
from msgspec import inspect as types

__all__ = ["StructureSchema", "structure_schema"]

StructureSchema = dict[str, Any]

# `Box[int]` names a generic class, which is no name for a definition.
_NOT_IN_DEFINITION_NAMES = re.compile(r"[^a-zA-Z0-9.\-_]")
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_CONSTRAINTS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
# The suffix of the bounds of a length, by the type that they bound.
_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}
_STRINGS: dict[type[types.Type], dict[str, str]] = {
    types.StrType: {},
    types.BytesType: {"contentEncoding": "base64"},
    types.ByteArrayType: {"contentEncoding": "base64"},
    types.MemoryViewType: {"contentEncoding": "base64"},
    types.DateTimeType: {"format": "date-time"},
    types.DateType: {"format": "date"},
    types.TimeType: {"format": "time"},
    types.TimeDeltaType: {"format": "duration"},
    types.UUIDType: {"format": "uuid"},
    types.DecimalType: {"format": "decimal"},
}
_PLAIN: dict[type[types.Type], StructureSchema] = {
    types.AnyType: {},
    types.RawType: {},
    types.NoneType: {"type": "null"},
    types.BoolType: {"type": "boolean"},
    types.IntType: {"type": "integer"},
    types.FloatType: {"type": "number"},
}


def structure_schema(kind: Any, *, strict: bool) -> StructureSchema:
    """Returns the JSON schema of a class that msgspec decodes to named fields.

    strict: whether all properties are required and no others allowed; defaults are left out then.
    Raises TypeError for a class with a field that JSON cannot express.
    """
    writer = _Writer(strict=strict)
    try:
        schema = writer.write(types.type_info(kind), refer=False)
    except RecursionError:
        raise TypeError("it contains itself in a way that no finite schema can express") from None
    except KeyError as error:
        raise TypeError(f"its field {error} has no type") from error
    if writer.definitions:
        schema["$defs"] = writer.definitions
    return schema


class _Writer:
    """Writes schemas, and collects the definitions that they refer to."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._names: dict[Any, str] = {}
        self.definitions: dict[str, StructureSchema] = {}

    def write(self, node: types.Type, *, refer: bool = True) -> StructureSchema:
        """Returns the schema of a type. refer: whether a class with a name becomes a reference."""
        extra: StructureSchema = {}
        while isinstance(node, types.Metadata):
            own: StructureSchema | None = cast("Any", node).extra_json_schema
            extra = {**(own or {}), **extra}
            node = node.type
        # Strict mode wants nothing beside a reference, so a class with a description of its own is written in place.
        if refer and not extra and hasattr(node, "cls") and not isinstance(node, types.CustomType):
            return self._reference(node)
        if isinstance(node, types.CustomType) and extra:
            return extra
        return {**self._written(node), **extra}

    def _reference(self, node: Any) -> StructureSchema:
        name = self._names.get(node.cls)
        if name is None:
            name = self._names[node.cls] = self._free_name(node.cls)
            # Reserves the place of the definition, so that definitions stand in the order of the fields.
            self.definitions[name] = {}
            self.definitions[name] = self._written(node)
        return {"$ref": f"#/$defs/{name}"}

    def _free_name(self, cls: Any) -> str:
        """Returns the short name of a class, else its full one, else the full one with a number."""
        name = _class_name(cls)
        full = f"{cls.__module__}.{getattr(cls, '__qualname__', name)}"
        candidates = chain((name, full), (f"{full}_{number}" for number in count(2)))
        allowed = (_NOT_IN_DEFINITION_NAMES.sub("_", each) for each in candidates)
        return next(each for each in allowed if each not in self.definitions)

    def _written(self, node: types.Type) -> StructureSchema:
        if (plain := _PLAIN.get(type(node))) is not None:
            return _bounded(dict(plain), node)
        if (keywords := _STRINGS.get(type(node))) is not None:
            if getattr(node, "tz", None) is False:
                # The format demands an offset, and a naive time has none.
                keywords = {}
            return _bounded({"type": "string", **keywords}, node)
        if isinstance(node, types.LiteralType):
            return _enumeration(list(node.values))
        if isinstance(node, types.EnumType):
            return {**_titled(node), **_enumeration(sorted(member.value for member in node.cls))}
        if isinstance(node, types.UnionType):
            return self._union(node)
        if isinstance(node, types.CollectionType):
            return self._collection(node)
        if isinstance(node, types.TupleType):
            return _fixed_array([self.write(item) for item in node.item_types])
        if isinstance(node, (types.DictType, types.FrozenDictType)):
            return self._dictionary(node)
        if isinstance(node, (types.StructType, types.TypedDictType, types.DataclassType, types.NamedTupleType)):
            return self._fields(node)
        described = getattr(node, "cls", type(node))
        raise TypeError(f"type {described!r} is not supported")

    def _union(self, node: types.UnionType) -> StructureSchema:
        # Null comes last, where people write it.
        members = sorted(node.types, key=lambda member: isinstance(member, types.NoneType))
        return {"anyOf": [self.write(member) for member in members]}

    def _collection(self, node: types.CollectionType) -> StructureSchema:
        schema: StructureSchema = {"type": "array"}
        if not isinstance(node.item_type, types.AnyType):
            schema["items"] = self.write(node.item_type)
        if isinstance(node, (types.SetType, types.FrozenSetType)):
            schema["uniqueItems"] = True
        return _bounded(schema, node)

    def _dictionary(self, node: types.DictType | types.FrozenDictType) -> StructureSchema:
        # Always said, and never closed by strict mode: a closed object without properties would be an empty one.
        anything = isinstance(node.value_type, types.AnyType)
        values: Any = True if anything else self.write(node.value_type)
        schema: StructureSchema = {"type": "object", "additionalProperties": values}
        names = self.write(node.key_type)
        # Names of properties are strings in any case, so only further demands on them are of interest.
        if names.pop("type", None) == "string" and names:
            schema["propertyNames"] = names
        return _bounded(schema, node)

    def _fields(self, node: Any) -> StructureSchema:
        named: dict[str, StructureSchema] = {}
        required: list[str] = []
        if (tag_field := getattr(node, "tag_field", None)) is not None:
            named[tag_field] = _enumeration([node.tag])
            required.append(tag_field)
        for field in _in_order(node):
            schema = self.write(field.type)
            if field.required or self._strict:
                required.append(field.encode_name)
            if not self._strict:
                schema = {**schema, **_default(field)}
            named[field.encode_name] = schema
        if isinstance(node, types.NamedTupleType) or getattr(node, "array_like", False):
            return {**_titled(node), **_fixed_array(list(named.values()))}
        schema = {**_titled(node), "type": "object", "properties": named, "required": required}
        if self._strict or getattr(node, "forbid_unknown_fields", False):
            schema["additionalProperties"] = False
        return schema


def _in_order(node: Any) -> list[types.Field]:
    """Returns the fields in the order of their annotations, by which msgspec does not list those of a TypedDict."""
    fields: list[types.Field] = list(node.fields)
    if isinstance(node, types.TypedDictType):
        order = list((get_origin(node.cls) or node.cls).__annotations__)
        fields.sort(key=lambda field: order.index(field.name))
    return fields


def _default(field: types.Field) -> StructureSchema:
    if field.default is not msgspec.NODEFAULT:
        return {"default": msgspec.to_builtins(field.default, str_keys=True)}
    if field.default_factory in (list, dict, set, bytearray):
        return {"default": msgspec.to_builtins(field.default_factory(), str_keys=True)}
    return {}


def _bounded(schema: StructureSchema, node: types.Type) -> StructureSchema:
    """Adds the bounds of a type to its schema."""
    for attribute, keyword in _CONSTRAINTS.items():
        if (bound := getattr(node, attribute, None)) is not None:
            schema[keyword] = bound
    for attribute, prefix in (("min_length", "min"), ("max_length", "max")):
        if (length := getattr(node, attribute, None)) is not None:
            if "contentEncoding" in schema:
                # Four characters of base64 hold three bytes.
                length = 4 * ((length + 2) // 3)
            schema[prefix + _LENGTHS[schema["type"]]] = length
    return schema


def _fixed_array(items: list[StructureSchema]) -> StructureSchema:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _enumeration(values: list[Any]) -> StructureSchema:
    names = sorted({_JSON_TYPES[type(value)] for value in values})
    return {"enum": values, "type": names[0] if len(names) == 1 else names}


def _titled(node: Any) -> StructureSchema:
    """Returns the title of a class, and its docstring as description."""
    cls = get_origin(node.cls) or node.cls
    doc = textwrap.dedent(cls.__doc__ or "").strip("\r\n")
    # `Enum`, `dataclass` and `namedtuple` write these where a class has no docstring.
    generated = doc == "An enumeration." or (doc.startswith(f"{cls.__name__}(") and doc.endswith(")"))
    return {"title": _class_name(node.cls), **({"description": doc} if doc and not generated else {})}


def _class_name(cls: Any) -> str:
    if get_origin(cls) is None:
        name: str = cls.__name__
        return name
    # On Python 3.10 `list[int]` is an instance of `type` too.
    plain = [isinstance(each, type) and get_origin(each) is None for each in cls.__args__]
    names = [each.__name__ if named else repr(each) for each, named in zip(cls.__args__, plain, strict=True)]
    return f"{cls.__origin__.__name__}[{', '.join(names)}]"
