"""The functions of `openai._compat`: the methods of models and fields, by the names of pydantic 2."""

from __future__ import annotations

from functools import cached_property
from typing import Any

__all__ = [
    "PYDANTIC_V1",
    "cached_property",
    "field_get_default",
    "field_is_required",
    "field_outer_type",
    "get_model_config",
    "get_model_fields",
    "model_copy",
    "model_dump",
    "model_json",
    "model_json_schema",
    "model_parse",
    "model_parse_json",
]

PYDANTIC_V1 = False


def model_parse(model: Any, data: Any) -> Any:
    """Returns an object of a model from plain values."""
    return model.model_validate(data)


def model_parse_json(model: Any, data: str | bytes) -> Any:
    """Returns an object of a model from JSON."""
    return model.model_validate_json(data)


def model_copy(model: Any, *, deep: bool = False) -> Any:
    """Returns a copy of an object of a model."""
    return model.model_copy(deep=deep)


def model_json(model: Any, *, indent: int | None = None) -> str:
    """Returns an object of a model as JSON."""
    text: str = model.model_dump_json(indent=indent)
    return text


def model_dump(model: Any, **options: Any) -> dict[str, Any]:
    """Returns an object of a model as plain values; the options are those of `model_dump`."""
    values: dict[str, Any] = model.model_dump(**options)
    return values


def model_json_schema(model: Any) -> dict[str, Any]:
    """Returns the JSON schema of a model."""
    schema: dict[str, Any] = model.model_json_schema()
    return schema


def get_model_config(model: Any) -> Any:
    """Returns the configuration of a model."""
    return model.model_config


def get_model_fields(model: Any) -> Any:
    """Returns the fields of a model by name."""
    return model.model_fields


def field_is_required(field: Any) -> bool:
    """Returns whether a field must be given."""
    return bool(field.is_required())


def field_get_default(field: Any) -> Any:
    """Returns the default of a field; None without one."""
    return None if field.is_required() else field.get_default()


def field_outer_type(field: Any) -> Any:
    """Returns the type of a field."""
    return field.annotation
