"""`maybe_transform` and its kin: the parameters of a TypedDict by the names and in the forms of the API."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict, override

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out
from aiopenai._reference.guards import (
    is_annotated_type,
    is_iterable_type,
    is_list_type,
    is_not_required_type,
    is_required_type,
    is_sequence_type,
    is_union_type,
    strip_annotated_type,
)

__all__ = ["PropertyFormat", "PropertyInfo", "async_maybe_transform", "async_transform", "maybe_transform", "transform"]

PropertyFormat: TypeAlias = Literal["iso8601", "base64", "custom"]


class PropertyInfo:
    """The form of a parameter, in its annotation: `Annotated[str, PropertyInfo(alias="cardID")]`."""

    def __init__(
        self,
        *,
        alias: str | None = None,
        format: PropertyFormat | None = None,
        format_template: str | None = None,
        discriminator: str | None = None,
    ) -> None:
        self.alias = alias
        self.format = format
        self.format_template = format_template
        self.discriminator = discriminator

    @override
    def __repr__(self) -> str:
        return (
            f"PropertyInfo(alias='{self.alias}', format={self.format}, "
            f"format_template='{self.format_template}', discriminator='{self.discriminator}')"
        )


def maybe_transform(data: Any, expected_type: Any) -> Any:
    """Returns `transform` of the data; None for None."""
    return None if data is None else transform(data, expected_type)


def transform(data: Any, expected_type: Any) -> Any:
    """Returns the data with the names and forms that the annotations of a type tell; other data is unchanged."""
    return _transformed(data, expected_type, expected_type)


async def async_maybe_transform(data: Any, expected_type: Any) -> Any:
    """Returns `transform` of the data; None for None. A thread reads the files in it."""
    return None if data is None else await async_transform(data, expected_type)


async def async_transform(data: Any, expected_type: Any) -> Any:
    """Returns `transform` of the data. A thread reads the files in it."""
    if _has_file(data):
        return await asyncio.to_thread(transform, data, expected_type)
    return transform(data, expected_type)


def _has_file(data: Any) -> bool:
    if is_mapping(data):
        return any(_has_file(each) for each in data.values())
    if isinstance(data, (list, tuple)):
        return any(_has_file(each) for each in cast("list[Any]", data))
    return isinstance(data, (io.IOBase, os.PathLike))


@lru_cache(maxsize=1024)
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _infos(annotation: Any) -> list[PropertyInfo]:
    if is_required_type(annotation) or is_not_required_type(annotation):
        annotation = get_args(annotation)[0]
    notes = get_args(annotation)[1:] if is_annotated_type(annotation) else ()
    return [note for note in notes if isinstance(note, PropertyInfo)]


def _transformed(data: Any, annotation: Any, inner: Any) -> Any:
    """Returns data of the type `inner`; `annotation` is the outer one, whose notes hold for the items of a list."""
    kind = strip_annotated_type(inner)
    if is_mapping(data):
        if is_typeddict(kind):
            return _fields(data, kind)
        if (get_origin(kind) or kind) is dict:
            item = (*get_args(kind), object)[1] if get_args(kind) else object
            return {name: _transformed(value, item, item) for name, value in data.items()}
    if _is_listing(kind) and _is_iterable(data):
        item = next(iter(get_args(kind)), object)
        return [_transformed(each, annotation, item) for each in data]
    if is_union_type(kind):
        for variant in get_args(kind):
            data = _transformed(data, annotation, variant)
        return data
    dump: Any = getattr(data, "model_dump", None)
    if dump is not None:
        return dump(exclude_unset=True, mode="json")
    for info in _infos(annotation):
        if info.format is not None:
            return _formatted(data, info)
    return data


def _is_iterable(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _is_listing(kind: Any) -> bool:
    return is_list_type(kind) or is_iterable_type(kind) or is_sequence_type(kind)


def _fields(data: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    hints = _hints(kind)
    found: dict[str, Any] = {}
    for name, value in data.items():
        if is_left_out(value):
            continue
        hint = hints.get(name)
        alias = next((info.alias for info in _infos(hint) if info.alias is not None), name)
        found[alias] = value if hint is None else _transformed(value, hint, hint)
    return found


def _formatted(data: Any, info: PropertyInfo) -> Any:
    if isinstance(data, date):
        if info.format == "iso8601":
            return data.isoformat()
        if info.format == "custom" and info.format_template is not None:
            return data.strftime(info.format_template)
    if info.format == "base64" and isinstance(data, (io.IOBase, os.PathLike)):
        return base64.b64encode(_read(data)).decode("ascii")
    return data


def _read(file: Any) -> bytes:
    if isinstance(file, os.PathLike):
        return Path(cast("os.PathLike[str]", file)).read_bytes()
    content = file.read()
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, bytes):
        raise RuntimeError(f"Could not read bytes from {file}; Received {type(content)}")
    return content
