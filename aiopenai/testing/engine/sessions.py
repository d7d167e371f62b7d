"""The logic of one websocket on the side of the server. No I/O: messages in, events out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import msgspec

from aiopenai.testing.engine.params import missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_object
from aiopenai.testing.memory.state import State

__all__ = ["SocketReply", "SocketSession"]


class SocketSession(ABC):
    """A session over one websocket.

    The server sends the events of `opening` once. It calls `take` for each message of the client, and `step` for each
    further event to send. `outbox` holds events that are due at once; they go before those of answers in progress.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.outbox: deque[Object] = deque()
        self.close_code: int | None = None
        """The code with which the server closes the socket after the last event; None while the session lasts."""
        self.loads_context = False
        """Whether the next event needs a context that this connection has not got: it costs the server's latency."""

    def opening(self) -> list[Object]:
        """Returns the events that a new session sends at once."""
        return []

    @abstractmethod
    def take(self, event: Object) -> None:
        """Takes an event of the client. Raises `ApiError` for one that the API refuses."""

    def advance(self) -> Object | None:
        """Returns the next event of the answers in progress, or None."""
        return None

    @abstractmethod
    def error_event(self, error: ApiError, cause: Object) -> Object:
        """Returns the event that reports an error; `cause` is the event of the client, empty if it was unreadable."""

    def step(self) -> Object | None:
        """Returns the next event to send; None if there is none."""
        if self.outbox:
            return self.outbox.popleft()
        return self.advance()

    def take_message(self, data: str | bytes) -> None:
        """Takes a message as it arrived. Errors become events."""
        event: Any = {}
        try:
            event = _decoded(data)
            self.take(event)
        except ApiError as error:
            self.outbox.append(self.error_event(error, event))


def _decoded(data: str | bytes) -> Object:
    if isinstance(data, bytes):
        raise ApiError(400, "Binary messages are not supported: send JSON as text.", code="invalid_message")
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise ApiError(400, "The message is not valid JSON.", code="invalid_json") from None
    if not is_object(event):
        raise ApiError(400, "The message must be a JSON object.", code="invalid_message")
    if type(event.get("type")) is not str:
        raise missing("type")
    return event


class SocketReply:
    """The reply to an accepted handshake: the session that the socket has."""

    __slots__ = ("session",)

    tokens = 0

    def __init__(self, session: SocketSession) -> None:
        self.session = session
