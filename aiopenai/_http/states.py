"""The states of a connection of the direct transport, and the transitions between them.

    state           event                                                       next state
    CONNECTING      the connection is open                                      IDLE
    IDLE            `begin` writes a request                                    AWAITING_HEAD
    AWAITING_HEAD   a head with more body to come                               READING_BODY
    AWAITING_HEAD   a head with a complete body                                 IDLE or CLOSED
    READING_BODY    the end of the body                                         IDLE or CLOSED
    READING_BODY    the connection ends before all of the body is unpacked      UNPACKING
    UNPACKING       the end of the body                                         CLOSED
    any             failure, `drop`, the end of the connection                  CLOSED

A reply leads to IDLE if the connection may be used again: the server keeps it open, the request was sent to its end,
and the bytes that arrived are exactly the reply. Further bytes would be taken for the beginning of the next reply.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["AWAITING_HEAD", "CLOSED", "CONNECTING", "IDLE", "READING_BODY", "TRANSITIONS", "UNPACKING", "State"]


class State(Enum):
    """The state of a connection; see the table above."""

    CONNECTING = "connecting"
    IDLE = "idle"
    AWAITING_HEAD = "awaiting head"
    READING_BODY = "reading body"
    UNPACKING = "unpacking"
    CLOSED = "closed"


# Names of the module: a member of an Enum costs a second lookup.
CONNECTING, IDLE, AWAITING_HEAD = State.CONNECTING, State.IDLE, State.AWAITING_HEAD
READING_BODY, UNPACKING, CLOSED = State.READING_BODY, State.UNPACKING, State.CLOSED

TRANSITIONS: dict[State, frozenset[State]] = {
    CONNECTING: frozenset({IDLE, CLOSED}),
    IDLE: frozenset({AWAITING_HEAD, CLOSED}),
    AWAITING_HEAD: frozenset({READING_BODY, IDLE, CLOSED}),
    READING_BODY: frozenset({IDLE, UNPACKING, CLOSED}),
    UNPACKING: frozenset({CLOSED}),
    CLOSED: frozenset(),
}
"""The table above. A test holds each connection to it."""
