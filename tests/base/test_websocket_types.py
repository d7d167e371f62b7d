"""The types of websockets for programs: the codes after which a reconnect is tried, and the names."""

from __future__ import annotations

import dataclasses

import pytest

from aiopenai._base import websocket_types
from aiopenai._base.websocket_types import ReconnectingEvent, is_recoverable_close


def test_codes_that_are_worth_another_attempt() -> None:
    assert [code for code in range(5_000) if is_recoverable_close(code)] == [1001, 1005, 1006, 1011, 1012, 1013, 1015]


def test_events_do_not_change() -> None:
    event = ReconnectingEvent(1, 5, 0.5, 1006, {"a": "b"}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.attempt = 2  # type: ignore[misc]
    assert dataclasses.replace(event, attempt=2).max_attempts == 5


def test_both_spellings() -> None:
    own = websocket_types.WebSocketConnectionOptions
    assert websocket_types.WebsocketConnectionOptions is own
    assert own.__optional_keys__ >= websocket_types.SyncWebSocketConnectionOptions.__optional_keys__ | {"write_limit"}
