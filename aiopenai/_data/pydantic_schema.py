"""Reply types in pydantic: as fields of its models, in TypeAdapters, as return types of FastAPI, in JSON schemas.

pydantic asks a type for its core schema. Imported by that question only, when the program has imported pydantic.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, cast, get_args, get_origin

import msgspec

# Installed with pydantic. Type checkers see no more of it than `Any`, so that they need no pydantic.
import pydantic_core.core_schema as _core_schema  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore

from aiopenai._data.fields import fields_of
from aiopenai._data.provenance import Node
from aiopenai._data.unions import OneOf

__all__ = ["schema_of"]

core: Any = _core_schema

_SCALARS: dict[Any, Callable[[], Any]] = {
    str: core.str_schema,
    int: core.int_schema,
    float: core.float_schema,
    bool: core.bool_schema,
    type(None): core.none_schema,
    None: core.none_schema,
}


def schema_of(cls: Any) -> Any:
    """Returns pydantic's core schema of a reply type, with a definition for each type inside of it."""
    todo: list[Any] = [cls]
    definitions: dict[str, Any] = {}
    while todo:
        kind = todo.pop()
        if (name := _reference(kind)) not in definitions:
            definitions[name] = _definition(kind, name, todo)
    return core.definitions_schema(core.definition_reference_schema(_reference(cls)), list(definitions.values()))


def _reference(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"


def _definition(cls: Any, name: str, todo: list[Any]) -> Any:
    """Returns the schema of one class: our own validation and dump around fields that describe it.

    pydantic takes JSON schemas from the fields. It never validates by them: the decoder is faster, and keeps unknown
    fields.
    """
    types_of = {info.name: info.type for info in msgspec.structs.fields(cls)}
    tag = fields_of(cls).tag
    fields = {
        field.wire: core.typed_dict_field(
            _schema(types_of.get(field.name, Literal[tag]), todo), required=field.required
        )
        for field in fields_of(cls).all
    }

    def validate(value: Any, _: Any) -> Any:
        return cls.model_validate(value)

    return core.no_info_wrap_validator_function(
        validate,
        core.typed_dict_schema(fields, cls_name=cls.__name__, extra_behavior="allow"),
        ref=name,
        serialization=core.plain_serializer_function_ser_schema(_dump, info_arg=True),
    )


def _dump(value: Any, info: Any) -> Any:
    if not isinstance(value, Node):
        return value
    return cast("Any", value).model_dump(
        mode=info.mode,
        include=info.include,
        exclude=info.exclude,
        by_alias=info.by_alias,
        exclude_unset=info.exclude_unset,
        exclude_defaults=info.exclude_defaults,
        exclude_none=info.exclude_none,
    )


def _schema(kind: Any, todo: list[Any]) -> Any:
    """Returns the schema of any type in a reply type; adds the reply types in it to `todo`."""
    if (scalar := _SCALARS.get(kind)) is not None:
        return scalar()
    origin = get_origin(kind)
    args = get_args(kind)
    cls = origin or kind
    if isinstance(cls, type) and issubclass(cls, Node):
        todo.append(cls)
        return core.definition_reference_schema(_reference(cls))
    if origin is Literal:
        return core.literal_schema(list(args))
    if cls is list:
        return core.list_schema(_schema(args[0], todo) if args else core.any_schema())
    if cls is dict:
        return core.dict_schema(values_schema=_schema(args[1], todo) if args else core.any_schema())
    variants = args if origin in (Union, types.UnionType) else ()
    if isinstance(kind, type) and issubclass(kind, OneOf):
        variants = kind.variants
    # The form of a vector in transit is no part of its schema.
    choices = [_schema(each, todo) for each in variants if each is not bytes]
    if not choices:
        return core.any_schema()
    return core.union_schema(choices) if len(choices) > 1 else choices[0]
