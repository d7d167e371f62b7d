"""Whether a reply of ours says the same as the reference's: attribute by attribute, on every level."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from aiopenai._data.structs import Model

from .reference import RENAMED


def differences(ours: Any, theirs: Any, at: str = "reply") -> Iterator[str]:
    """What differs, each with the place where; nothing where the two are the same.

    Compared are the classes' names, the fields, what is beyond the fields, which of all that was received, the dump
    and the request id. Values must be equal and of the same type: 1 is not 1.0, and an object is not a dict.
    """
    yield from _values(ours, theirs, at)
    for mine, other in zip(ours, theirs, strict=False) if isinstance(theirs, list) else ((ours, theirs),):
        if isinstance(mine, Model):
            if (dump := mine.to_dict()) != (due := other.to_dict(warnings=False)):
                yield f"{at}: to_dict {dump} where the reference has {due}"
            if getattr(mine, "_request_id", None) != (due := getattr(other, "_request_id", None)):
                yield f"{at}: request id {mine._request_id} where the reference has {due}"


def _values(ours: Any, theirs: Any, at: str) -> Iterator[str]:
    fields = getattr(type(theirs), "model_fields", None)
    if fields is not None:
        if not isinstance(ours, Model):
            yield f"{at}: {type(ours).__name__} where the reference has {type(theirs).__name__}"
            return
        yield from _objects(ours, theirs, fields, at)
    elif isinstance(theirs, (list, tuple)):
        if type(ours) is not type(theirs) or len(ours) != len(theirs):
            yield f"{at}: {ours!r} where the reference has {theirs!r}"
            return
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _values(mine, other, f"{at}[{index}]")
    elif isinstance(theirs, dict):
        if type(ours) is not dict or ours.keys() != theirs.keys():
            yield f"{at}: {ours!r} where the reference has {theirs!r}"
            return
        for key, other in theirs.items():
            yield from _values(ours[key], other, f"{at}[{key!r}]")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield f"{at}: {ours!r} where the reference has {theirs!r}"


def _objects(ours: Model, theirs: Any, fields: dict[str, Any], at: str) -> Iterator[str]:
    yield from (f"{at}: {line}" for line in _classes(type(ours), type(theirs)))
    # When the reference decodes a name that is not Python's, it also keeps the value as an unknown one.
    aliases = {field.alias for field in fields.values()}
    extra = {name: value for name, value in (theirs.model_extra or {}).items() if name not in aliases}
    if ours.model_extra != extra:
        yield f"{at}: extra {ours.model_extra} where the reference has {extra}"
    # Unknown fields are in the reference's set or not, depending on how it came to decode the object.
    given = ours.model_fields_set - ours.model_extra.keys(), theirs.model_fields_set - (theirs.model_extra or {}).keys()
    if given[0] != given[1]:
        yield f"{at}: fields set {sorted(given[0])} where the reference has {sorted(given[1])}"
    for name in [*fields, *extra]:
        if hasattr(ours, name):
            yield from _values(getattr(ours, name), getattr(theirs, name), f"{at}.{name}")
        else:
            yield f"{at}.{name}: missing"


@functools.cache
def _classes(ours: type[Model], theirs: Any) -> list[str]:
    """What differs between two classes."""
    found: list[str] = []
    package = sys.modules[theirs.__module__.rpartition(".")[0]]
    # Only what the reference exports has a name that programs know; pages are generic there, by their name.
    due = RENAMED.get(f"{package.__name__.partition('.')[2]}.{theirs.__name__}", theirs.__name__)
    if getattr(package, theirs.__name__, None) is theirs and ours.__name__ != due:
        found.append(f"class {ours.__name__} where the reference has {theirs.__name__}")
    known = {field.name for field in msgspec.structs.fields(ours)} | {ours.__struct_config__.tag_field}
    if missing := theirs.model_fields.keys() - known:
        found.append(f"{ours.__name__} lacks {sorted(missing)}")
    return found
