"""The failures that a test orders for open websockets."""

from __future__ import annotations

from dataclasses import dataclass

from aiopenai.testing.engine.received import Match

__all__ = ["SocketFault"]

# The codes that a close frame can have (RFC 6455, 7.4).
_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


@dataclass(slots=True, eq=False)
class SocketFault:
    """A failure of an open socket. `Server.socket_fault` makes it, and explains the fields.

    `applied` counts the sockets that had it.
    """

    close_code: int | None = None
    reason: str = ""
    after: int = 0
    cut: bool = False
    stall: bool = False
    message: str | bytes | None = None
    times: int | None = 1
    match: Match = None
    applied: int = 0

    def __post_init__(self) -> None:
        if [self.close_code is not None, self.cut, self.stall, self.message is not None].count(True) != 1:
            raise ValueError("give exactly one of close_code, cut, stall and message")
        if self.close_code is not None and self.close_code not in _CODES:
            raise ValueError("close_code must be a code that a close frame can have, such as 1011 or 4000")
        if self.after < 0:
            raise ValueError("after is a number of events, and must not be negative")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or None for no end")
