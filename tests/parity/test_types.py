"""Values made of every exported reply type of the reference decode to what the reference makes of them."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from aiopenai._data.codec import Decoder
from aiopenai._data.structs import Model

from . import reference
from .arguments import members, values
from .compare import differences
from .reference import Export

# An optional `type` that is null: the reference takes the union's first class, we an open object.
DEPARTS = {
    "types.realtime.RealtimeAudioFormats": "reply",
    "types.realtime.RealtimeAudioConfigInput": "reply.format",
    "types.realtime.RealtimeAudioConfigOutput": "reply.format",
    "types.realtime.RealtimeTranscriptionSessionAudioInput": "reply.format",
}


def test_values_of_all_types(say: Callable[[str], None]) -> None:
    """With all fields, each member of each union in turn."""
    types = [each for each in exports() if reference.is_model(each.value)]
    count, different = compare(types, lambda kind, value: kind.construct(**value))
    say(f"Values: {count} of {len(types)} reply types")
    assert different == []


def test_values_of_all_unions(say: Callable[[str], None]) -> None:
    """Stream events, output items, tools and so on: each member becomes the class that it is."""
    unions = [each for each in exports() if any(reference.is_model(member) for member in members(each.value)[1:])]
    construct = importlib.import_module("openai._models").construct_type
    count, different = compare(unions, lambda kind, value: construct(type_=kind, value=value))
    say(f"Values: {count} of {len(unions)} unions")
    assert different == []
    assert len(unions) > 50


def exports() -> list[Export]:
    pytest.importorskip("openai", reason="the reference SDK is not installed")
    return reference.exports()


def compare(types: list[Export], construct: Callable[[Any, Any], Any]) -> tuple[int, list[str]]:
    """How many values there are, and what differs where it should not, or does not where it should."""
    count = 0
    different: list[str] = []
    for export in types:
        decoder = Decoder[Any].of(getattr(importlib.import_module(f"aiopenai.{export.module}"), export.name))
        departs = DEPARTS.get(export.label)
        departed = False
        for value in values(export.value):
            count += 1
            raw = json.dumps(value).encode()
            # A reply that is as documented takes the fast path, and the other one leads to the same.
            ours = decoder.validate(raw)
            if _said(other := decoder.lenient(raw)) != _said(ours):
                different.append(f"{export.label}: {other} by the lenient way, {ours} by the strict one")
            with warnings.catch_warnings():
                # Names of fields that pydantic has for itself.
                warnings.simplefilter("ignore", UserWarning)
                lines = differences(ours, construct(export.value, value))
            for line in lines:
                if departs is not None and line.startswith(departs):
                    departed = True
                else:
                    different.append(f"{export.label}: {line}")
        if departed != (departs is not None):
            different.append(f"{export.label}: departs no more")
    return count, different


def _said(reply: Any) -> tuple[Any, Any]:
    """What a reply holds, and what of it was received."""
    return reply, reply.to_dict() if isinstance(reply, Model) else None
