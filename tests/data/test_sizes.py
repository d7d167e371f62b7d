"""The bound of an event is one number for the parser and the clients."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._data.sizes import MAX_EVENT_BYTES
from aiopenai._data.sse import SSEParser


def default_of(function: Any) -> Any:
    return inspect.signature(function).parameters["max_event_bytes"].default


@pytest.mark.parametrize("kind", [AsyncOpenAI, OpenAI, SSEParser])
def test_one_default_everywhere(kind: Any) -> None:
    assert default_of(kind) == MAX_EVENT_BYTES
    if issubclass(kind, (AsyncOpenAI, OpenAI)):
        assert kind(api_key="test")._configuration.max_event_bytes == MAX_EVENT_BYTES


def test_the_largest_known_events_fit() -> None:
    # An image of 4096 x 4096 points in base64, if its PNG has no compression at all.
    assert MAX_EVENT_BYTES > 4096 * 4096 * 4 * 4 / 3
