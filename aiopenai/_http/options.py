"""The options of a websocket. Nothing here imports aiohttp: they are checked before the first connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["WebSocketOptions"]


class WebSocketOptions:
    """The `websocket_connection_options` of a `connect`, checked. Names and defaults are those of `websockets`."""

    __slots__ = (
        "close_timeout",
        "compression",
        "max_size",
        "open_timeout",
        "origin",
        "ping_interval",
        "ping_timeout",
        "subprotocols",
    )
    # Options of `websockets` that concern its buffers. The buffers here are bounded by bytes.
    _WITHOUT_EFFECT = frozenset({"max_queue", "write_limit"})

    def __init__(self, given: Mapping[str, Any]) -> None:
        unknown = given.keys() - set(self.__slots__) - self._WITHOUT_EFFECT
        if unknown:
            raise TypeError(
                f"websocket_connection_options has no option {sorted(unknown)[0]!r}: TLS and proxies are options of "
                f"the client; the options are {', '.join(sorted({*self.__slots__, *self._WITHOUT_EFFECT}))}"
            )
        self.max_size: int | None = _size(given.get("max_size"))
        # As in the reference: messages without a limit are not compressed, because a small one may unpack to gigabytes.
        default = None if self.max_size is None else "deflate"
        self.compression: str | None = given.get("compression", default)
        if self.compression not in (None, "deflate"):
            raise ValueError(f"the option compression must be None or 'deflate', not {self.compression!r}")
        self.subprotocols: tuple[str, ...] = tuple(given.get("subprotocols") or ())
        self.origin: str | None = given.get("origin")
        self.open_timeout = _seconds(given, "open_timeout", 10.0)
        self.close_timeout = _seconds(given, "close_timeout", 10.0)
        self.ping_interval = _seconds(given, "ping_interval", 20.0)
        self.ping_timeout = _seconds(given, "ping_timeout", 20.0)


def _size(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"the option max_size must be a number of bytes or None, not {value!r}")
    return value


def _seconds(given: Mapping[str, Any], name: str, default: float) -> float | None:
    value = given.get(name, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
        raise ValueError(f"the option {name} must be a positive number of seconds or None, not {value!r}")
    return value
