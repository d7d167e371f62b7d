"""Types of structured outputs: their strict JSON schema, and objects of them from JSON text.

Pydantic models and dataclasses write their schema themselves. `structures` writes that of msgspec Structs, dataclasses,
TypedDicts and attrs classes. `strictness` makes both strict. Pydantic is never imported here: a program with a type of
pydantic's has imported it.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
import typing
from collections.abc import Callable
from typing import Any, cast, get_origin
from weakref import WeakKeyDictionary

import msgspec
from typing_extensions import is_typeddict

from aiopenai._data.codec import Decoder, decode_json
from aiopenai.errors import OutputValidationError
from aiopenai.lib.strictness import restate, tighten

__all__ = [
    "check_type",
    "is_pydantic",
    "not_of",
    "plain_schema",
    "pydantic_member",
    "schema_name",
    "strict_schema",
    "to_strict_json_schema",
    "type_name",
    "validate_json",
]

# Characters that the API refuses in the name of a schema; a generic class is named `Box[int]`.
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")


def type_name(kind: Any) -> str:
    """Returns the name of a type, or of an object in its place, for a message."""
    if inspect.isclass(kind) and get_origin(kind) is None:
        return kind.__qualname__
    if get_origin(kind) is not None:
        return str(kind)
    return f"an object of type {type(kind).__qualname__}"


def pydantic_member(name: str) -> Any:
    """Returns a member of pydantic, or None in a program that does not use it, or with a version that lacks it."""
    return getattr(sys.modules.get("pydantic"), name, None)


def _is_model(kind: Any) -> bool:
    base: Any = pydantic_member("BaseModel")
    return base is not None and inspect.isclass(kind) and issubclass(kind, base)


def is_pydantic(kind: Any) -> bool:
    """Returns whether a type is a model of pydantic 2."""
    return _is_model(kind) and hasattr(kind, "model_json_schema")


def _is_adapter(kind: Any) -> bool:
    adapter: Any = pydantic_member("TypeAdapter")
    return adapter is not None and isinstance(kind, adapter)


def _is_pydantic_dataclass(kind: Any) -> bool:
    # Those of pydantic 2. Dataclasses of pydantic 1 pass as plain dataclasses.
    cls: Any = get_origin(kind) or kind
    return inspect.isclass(cls) and hasattr(cls, "__pydantic_config__") and pydantic_member("TypeAdapter") is not None


def _adapter(kind: Any) -> Any:
    return pydantic_member("TypeAdapter")(kind)


def _is_structure(kind: Any) -> bool:
    """Returns whether msgspec decodes a class to named fields: Struct, dataclass, TypedDict or attrs class."""
    cls: Any = get_origin(kind) or kind
    # Instances have the attributes below too.
    if not inspect.isclass(cls):
        return False
    marks = hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")
    return marks or issubclass(cls, msgspec.Struct) or is_typeddict(cls)


def check_type(kind: Any) -> None:
    """Raises TypeError for an object that is no type of structured output."""
    if not (_is_model(kind) or _is_pydantic_dataclass(kind) or _is_structure(kind)):
        raise TypeError(
            f"structured output is a pydantic model or dataclass, a msgspec Struct, a dataclass, a TypedDict or an "
            f"attrs class, and not {type_name(kind)}"
        )


def schema_name(kind: Any) -> str:
    """Returns the name of the schema of a type, and of a tool made of it."""
    name: str = getattr(kind, "__name__", None) or str(kind).rpartition(".")[2]
    if get_origin(kind) is not None and "[" not in name:
        arguments = ", ".join(schema_name(argument) for argument in typing.get_args(kind))
        name = f"{name}[{arguments}]"
    fitting = _NOT_IN_NAMES.sub("_", name)
    # A class's own underscores stay: the name is then the reference's.
    return fitting if fitting == name else fitting.strip("_") or "output"


# A schema is plain values without a reference to its type, so the entry goes with the type.
_schemas: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def strict_schema(kind: Any) -> dict[str, Any]:
    """Returns `to_strict_json_schema` of a type. It is made once and shared, so do not change it."""
    try:
        found = _schemas.get(kind)
    except TypeError:  # the type has no weak references
        return to_strict_json_schema(kind)
    if found is None:
        found = to_strict_json_schema(kind)
        _schemas[kind] = found
    return found


def to_strict_json_schema(kind: Any) -> dict[str, Any]:
    """Returns the JSON schema of a type, or of a `pydantic.TypeAdapter`, in the dialect of strict mode.

    The caller may change it. Objects are closed and all properties required; references have nothing beside them.
    Keywords that the API refuses are replaced by accepted ones where there are any, and left out otherwise.
    Raises TypeError for other objects.
    """
    if _is_adapter(kind):
        schema: dict[str, Any] = kind.json_schema()
    elif _is_model(kind):
        schema = kind.model_json_schema() if hasattr(kind, "model_json_schema") else kind.schema()
    elif _is_pydantic_dataclass(kind):
        schema = _adapter(kind).json_schema()
    else:
        check_type(kind)
        schema = _structure_schema(kind, strict=True)
        restate(schema)
        return schema
    # Pydantic may keep the dict that it returned.
    schema = copy.deepcopy(schema)
    restate(schema)
    tighten(schema, schema, type_name(kind))
    return schema


def plain_schema(kind: Any) -> dict[str, Any]:
    """Returns the JSON schema of a Struct with optional properties and defaults.

    Raises TypeError for a field that JSON cannot express.
    """
    return _structure_schema(kind, strict=False)


def _structure_schema(kind: Any, *, strict: bool) -> dict[str, Any]:
    # Imported on first use: `msgspec.inspect` costs some milliseconds.
    from aiopenai.lib.structures import structure_schema

    try:
        schema = structure_schema(kind, strict=strict)
    except (TypeError, NameError, AttributeError) as error:
        raise TypeError(f"{type_name(kind)} has no JSON schema: {error}") from error
    if schema.get("type") != "object":
        raise TypeError(f"{type_name(kind)} is not an object in JSON, which structured output has to be")
    return schema


def validate_json(kind: Any, text: str) -> Any:
    """Returns an object of the type from JSON text.

    Raises pydantic's ValidationError for types of pydantic, and OutputValidationError for all others. Both are
    ValueErrors.
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
    # Servers send JSON that msgspec refuses, such as unpaired surrogates.
    try:
        return msgspec.convert(decode_json(text), kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise not_of(kind, text, error) from error


def not_of(kind: Any, text: str | None, error: Exception) -> OutputValidationError:
    """Returns the error for a text that does not fit a type."""
    return OutputValidationError(f"not a {type_name(kind)}: {error}", content=text)
