"""From a type to the strict JSON schema that structured outputs ask for, and from JSON text to an object of the type.

Pydantic models and dataclasses are asked for their schema themselves; msgspec Structs, dataclasses, TypedDicts and
attrs classes have one by msgspec. Either is then made strict in the same way. Pydantic is never imported here: who
brings a type of it has imported it.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast, get_origin
from weakref import WeakKeyDictionary

import msgspec
from typing_extensions import is_typeddict

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.codec import Decoder, decode_json
from aiopenai.errors import OutputValidationError

__all__ = [
    "check_type",
    "not_of",
    "plain_schema",
    "schema_name",
    "strict_schema",
    "to_strict_json_schema",
    "type_name",
    "validate_json",
]

_Schema = dict[str, Any]

# What a schema of the API's may call itself; generic classes are called `Box[int]`.
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")

_DEFS = "#/$defs/"


def type_name(kind: Any) -> str:
    """What to call a type (or whatever was given in place of one) in a message."""
    if inspect.isclass(kind) and get_origin(kind) is None:
        return kind.__qualname__
    if get_origin(kind) is not None:
        return str(kind)
    return f"an object of type {type(kind).__qualname__}"


def _pydantic(name: str) -> Any:
    """Something of pydantic's, if the program uses it; None otherwise, and of a version that has none."""
    return getattr(sys.modules.get("pydantic"), name, None)


def _is_model(kind: Any) -> bool:
    base: Any = _pydantic("BaseModel")
    return base is not None and inspect.isclass(kind) and issubclass(kind, base)


def _is_adapter(kind: Any) -> bool:
    adapter: Any = _pydantic("TypeAdapter")
    return adapter is not None and isinstance(kind, adapter)


def _is_pydantic_dataclass(kind: Any) -> bool:
    # Of pydantic 2: dataclasses of pydantic 1 are taken for what they are beside that.
    cls: Any = get_origin(kind) or kind
    return inspect.isclass(cls) and hasattr(cls, "__pydantic_config__") and _pydantic("TypeAdapter") is not None


def _adapter(kind: Any) -> Any:
    return _pydantic("TypeAdapter")(kind)


def _is_structure(kind: Any) -> bool:
    """Whether msgspec makes objects with named fields of it: Struct, dataclass, TypedDict or attrs class."""
    cls: Any = get_origin(kind) or kind
    # Instances have these attributes too.
    if not inspect.isclass(cls):
        return False
    marks = hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")
    return marks or issubclass(cls, msgspec.Struct) or is_typeddict(cls)


def check_type(kind: Any) -> None:
    """Raises TypeError for what is no type of structured output."""
    if not (_is_model(kind) or _is_pydantic_dataclass(kind) or _is_structure(kind)):
        raise TypeError(
            f"structured output is a pydantic model or dataclass, a msgspec Struct, a dataclass, a TypedDict or an "
            f"attrs class, and not {type_name(kind)}"
        )


def schema_name(kind: Any) -> str:
    """The name under which the API gets a type's schema, or a tool made of it."""
    name: str = getattr(kind, "__name__", None) or str(kind).rpartition(".")[2]
    if get_origin(kind) is not None and "[" not in name:
        arguments = ", ".join(schema_name(argument) for argument in typing.get_args(kind))
        name = f"{name}[{arguments}]"
    return _NOT_IN_NAMES.sub("_", name).strip("_") or "output"


# The schema is plain values and does not refer to its type, so it goes when the type goes.
_schemas: WeakKeyDictionary[Any, _Schema] = WeakKeyDictionary()


def strict_schema(kind: Any) -> _Schema:
    """`to_strict_json_schema`, made once per type and shared: not to be changed."""
    try:
        found = _schemas.get(kind)
    except TypeError:  # no weak references to it
        return to_strict_json_schema(kind)
    if found is None:
        found = to_strict_json_schema(kind)
        _schemas[kind] = found
    return found


def to_strict_json_schema(kind: Any) -> _Schema:
    """The JSON schema of a type (or a `pydantic.TypeAdapter`) as the API's strict mode wants it, the caller's to keep.

    Objects have no properties but their own, all of them required; references have nothing beside them; a default of
    None goes, because a nullable union says as much.
    Raises TypeError for what is no such type.
    """
    if _is_adapter(kind):
        schema: _Schema = kind.json_schema()
    elif _is_model(kind):
        schema = kind.model_json_schema() if hasattr(kind, "model_json_schema") else kind.schema()
    elif _is_pydantic_dataclass(kind):
        schema = _adapter(kind).json_schema()
    else:
        check_type(kind)
        return _structure_schema(kind)
    # Pydantic may keep what it gave.
    schema = copy.deepcopy(schema)
    _tighten(schema, schema, kind)
    return schema


def _structure_schema(kind: Any) -> _Schema:
    schema = _written(kind)
    _restate(schema)
    _tighten(schema, schema, kind)
    _drop_unused(schema)
    if schema.get("type") != "object":
        raise TypeError(f"{type_name(kind)} is not an object in JSON, which structured output has to be")
    return schema


def plain_schema(kind: Any) -> _Schema:
    """The JSON schema of a Struct as msgspec says it, optional properties and defaults included.

    Raises TypeError for what JSON does not have.
    """
    root = _written(kind)
    own = _resolve(root.pop("$ref"), root, kind)
    root.update({keyword: value for keyword, value in own.items() if keyword != "default"})
    _drop_unused(root)
    return root


def _written(kind: Any) -> _Schema:
    """The schema by msgspec, its properties in the order in which they were written, which the model keeps to."""
    try:
        schema = msgspec.json.schema(kind)
        orders = {_title(cls): list((get_origin(cls) or cls).__annotations__) for cls in _typed_dicts(kind)}
    except (TypeError, NameError, AttributeError, RecursionError) as error:
        raise TypeError(f"{type_name(kind)} has no JSON schema: {_said(error)}") from error
    for each in schema.get("$defs", {}).values():
        properties = each.get("properties")
        order = orders.get(each.get("title"), ())
        if properties and properties.keys() == set(order):
            # msgspec sorts those of a TypedDict by name.
            each["properties"] = {name: properties[name] for name in order}
            each["required"] = [name for name in order if name in each["required"]]
    return schema


def _title(cls: Any) -> str:
    """What msgspec writes as the title of a class."""
    return cls.__name__ if get_origin(cls) is None else str(cls).rpartition(".")[2]


def _typed_dicts(kind: Any) -> list[Any]:
    """The TypedDicts that a type contains."""
    from msgspec import inspect as types

    found: list[Any] = []
    seen: set[int] = set()
    todo: list[Any] = [types.type_info(kind)]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            todo += node
        elif isinstance(node, (types.Type, types.Field)) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, types.TypedDictType):
                found.append(node.cls)
            todo += [getattr(node, name) for name in node.__struct_fields__]
    return found


def _said(error: Exception) -> str:
    """msgspec's reason, without its advice on arguments that the caller cannot reach."""
    return str(error).rpartition("\n")[2].rstrip(".")


def _below(schema: _Schema) -> Iterator[Any]:
    """The schemas right inside of one."""
    for keyword in ("$defs", "definitions", "properties"):
        if is_mapping(named := schema.get(keyword)):
            yield from named.values()
    for keyword in ("anyOf", "allOf", "prefixItems"):
        if is_list(several := schema.get(keyword)):
            yield from several
    for keyword in ("items", "additionalProperties"):
        if is_mapping(one := schema.get(keyword)):
            yield one


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _restate(schema: _Schema) -> None:
    """Say what msgspec says in the words that the API knows."""
    # The API refuses defaults; a model that has to give all properties has no use for them.
    schema.pop("default", None)
    # OpenAPI's. Each variant names its own tag in any case.
    schema.pop("discriminator", None)
    if is_list(values := schema.get("enum")) and "type" not in schema:
        names = sorted({_JSON_TYPES[type(value)] for value in values if type(value) in _JSON_TYPES})
        schema["type"] = names[0] if len(names) == 1 else names
    if schema.get("type") == "object" and "properties" not in schema:
        # A dict of anything: left open, as with pydantic, so that the API refuses it and does not ask for an empty one.
        schema.setdefault("additionalProperties", True)
    for below in _below(schema):
        if is_mapping(below):
            _restate(cast("_Schema", below))


def _tighten(schema: Any, root: _Schema, kind: Any) -> None:
    """Make a schema strict, in place. The order of the steps is the reference's: what they make depends on it."""
    if not isinstance(schema, dict):
        raise TypeError(f"the JSON schema of {type_name(kind)} has {schema!r} where a schema is due")
    node = cast("_Schema", schema)
    try:
        for keyword in ("$defs", "definitions"):
            if is_mapping(named := node.get(keyword)):
                for below in named.values():
                    _tighten(below, root, kind)
        if node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        if is_mapping(properties := node.get("properties")):
            node["required"] = list(properties)
            for below in properties.values():
                _tighten(below, root, kind)
        if is_mapping(items := node.get("items")):
            _tighten(items, root, kind)
        if is_list(variants := node.get("anyOf")):
            for below in variants:
                _tighten(below, root, kind)
        if is_list(parts := node.get("allOf")):
            for below in parts:
                _tighten(below, root, kind)
            if len(parts) == 1:
                del node["allOf"]
                node.update(parts[0])
        if "default" in node and node["default"] is None:
            del node["default"]
        if node.get("$ref") and len(node) > 1:
            # The API wants nothing beside a reference: what is referred to takes its place. What stands beside it
            # says more and wins.
            target = _resolve(node.pop("$ref"), root, kind)
            for keyword, value in target.items():
                node.setdefault(keyword, value)
            _tighten(node, root, kind)
    except RecursionError:
        raise TypeError(f"{type_name(kind)} contains itself in a way that no finite schema can say") from None


def _resolve(ref: Any, root: _Schema, kind: Any) -> Mapping[str, Any]:
    found: Any = root
    if isinstance(ref, str) and ref.startswith("#/"):
        for key in ref[2:].split("/"):
            found = found.get(key) if is_mapping(found) else None
        if is_mapping(found):
            return found
    raise ValueError(f"the JSON schema of {type_name(kind)} refers to {ref!r}, which it does not have")


def _drop_unused(root: _Schema) -> None:
    """Drop the definitions that nothing refers to any more since they were put in the place of a reference."""
    defs = cast("dict[str, _Schema]", root.pop("$defs", None) or {})
    used: dict[str, _Schema] = {}
    todo: list[Any] = [root]
    while todo:
        schema = todo.pop()
        if is_mapping(schema):
            ref = schema.get("$ref")
            if isinstance(ref, str) and (name := ref.removeprefix(_DEFS)) in defs and name not in used:
                used[name] = defs[name]
                todo.append(defs[name])
            todo += _below(cast("_Schema", schema))
    if used:
        root["$defs"] = {name: schema for name, schema in defs.items() if name in used}


def validate_json(kind: Any, text: str) -> Any:
    """An object of the type from JSON.

    Raises pydantic's ValidationError for types of pydantic, which programs catch, and OutputValidationError for all
    others; both are ValueErrors.
    """
    if _is_model(kind):
        parse: Callable[[str], Any] = getattr(kind, "model_validate_json", None) or kind.parse_raw
        return parse(text)
    if _is_pydantic_dataclass(kind):
        return _adapter(kind).validate_json(text)
    check_type(kind)
    try:
        return Decoder.of(kind).strict(cast("Any", text))
    except msgspec.ValidationError as error:
        raise not_of(kind, text, error) from error
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    # What msgspec takes for no JSON may be some that others do send, such as half surrogate pairs.
    try:
        return msgspec.convert(decode_json(text), kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise not_of(kind, text, error) from error


def not_of(kind: Any, text: str | None, error: Exception) -> OutputValidationError:
    """The error for a text that does not fit a type."""
    return OutputValidationError(f"not a {type_name(kind)}: {error}", content=text)
