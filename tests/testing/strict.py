"""Replies as the package's own types have them, without their leniency."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model

T = TypeVar("T")


def unknown_fields(value: Any, where: str = "$") -> list[str]:
    """The fields that the types of a reply do not have, at any depth."""
    if isinstance(value, Model):
        found = [f"{where}.{name}" for name in value.model_extra or {}]
        for name in value.model_fields_set:
            found += unknown_fields(getattr(value, name), f"{where}.{name}")
        return found
    if isinstance(value, list):
        return [path for number, item in enumerate(value) for path in unknown_fields(item, f"{where}[{number}]")]
    return []


def strict(reply: T) -> T:
    """Decode what was received once more, strictly, to the type that it became. Raises where it does not fit."""
    assert isinstance(reply, Model)
    assert type(reply).__module__.startswith("aiopenai.types."), "an event or a member of a union that no type has"
    unknown = unknown_fields(reply)
    assert not unknown, unknown
    Decoder.of(type(reply)).validate(json.dumps(reply.to_dict(mode="json", use_api_names=True)).encode())
    return reply


async def collect(items: Any) -> list[Any]:
    """All items of a page or a stream, or of a promise of one, each checked."""
    if not hasattr(items, "__aiter__"):
        items = await items
    return [strict(item) async for item in items]
