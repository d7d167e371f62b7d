"""The types of websockets for programs: reconnects and connection options. `aiopenai.types` offers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

__all__ = [
    "ReconnectingEvent",
    "ReconnectingOverrides",
    "SyncWebSocketConnectionOptions",
    "WebSocketConnectionOptions",
    "WebsocketConnectionOptions",
    "is_recoverable_close",
]

# RFC 6455, section 7.4.1: going away, no code, no close frame, server error, restart, try again later, TLS failure.
_RECOVERABLE_CODES = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1015})


@dataclass(frozen=True)
class ReconnectingEvent:
    """A reconnect that is about to be tried: the argument of `on_reconnecting`."""

    attempt: int
    """The number of this attempt, from 1."""
    max_attempts: int
    """The number of attempts until the connection is given up."""
    delay: float
    """The seconds until the attempt."""
    close_code: int
    """The code with which the connection was closed."""
    extra_query: Mapping[str, Any]
    """The query parameters of the connection."""
    extra_headers: Mapping[str, Any]
    """The headers of the connection."""


class ReconnectingOverrides(TypedDict, total=False):
    """The changes that `on_reconnecting` may return, for this attempt and later ones."""

    extra_query: Mapping[str, Any]
    """The query parameters in place of the present ones."""
    extra_headers: Mapping[str, Any]
    """The headers in place of the present ones."""
    abort: bool
    """Whether the connection is given up."""


def is_recoverable_close(code: int) -> bool:
    """Returns whether a connection that was closed with this code is worth another attempt."""
    return code in _RECOVERABLE_CODES


class SyncWebSocketConnectionOptions(TypedDict, total=False):
    """The options of a websocket of the blocking client."""

    subprotocols: Sequence[str] | None
    """The subprotocols to offer, the preferred one first."""
    compression: str | None
    """`"deflate"` or None. It is None by default, and `"deflate"` with a `max_size`."""
    max_size: int | None
    """The largest message in bytes; None, the default, is no limit."""
    max_queue: int | None | tuple[int | None, int | None]
    """Accepted without effect: messages that wait to be read are bounded by bytes."""
    open_timeout: float | None
    """The seconds that the handshake may take after the request; 10 by default."""
    close_timeout: float | None
    """The seconds to wait for the server's close frame; 10 by default."""
    ping_interval: float | None
    """The seconds between pings; 20 by default, None for no pings."""
    ping_timeout: float | None
    """The seconds that a ping may stay unanswered; 20 by default."""
    origin: str | None
    """The header `Origin`."""


class WebSocketConnectionOptions(SyncWebSocketConnectionOptions, total=False):
    """The options of a websocket of the asynchronous client."""

    write_limit: int | tuple[int, int | None]
    """Accepted without effect: sending waits when the server takes no more."""


WebsocketConnectionOptions: TypeAlias = WebSocketConnectionOptions
"""The former spelling of the name."""
