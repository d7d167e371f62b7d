"""Replies as the package's own types have them, without their leniency."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model

T = TypeVar("T")


def strict(reply: T) -> T:
    """Decode what was received once more, strictly, to the type that it became. Raises where it does not fit."""
    assert isinstance(reply, Model)
    assert type(reply).__module__.startswith("aiopenai.types."), "an event or a member of a union that no type has"
    Decoder.of(type(reply)).validate(json.dumps(reply.to_dict(mode="json", use_api_names=True)).encode())
    return reply


async def collect(items: Any) -> list[Any]:
    """All items of a page or a stream, or of a promise of one, each checked."""
    if not hasattr(items, "__aiter__"):
        items = await items
    return [strict(item) async for item in items]
