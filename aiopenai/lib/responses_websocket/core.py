"""The part of a session that its lanes use, in both clients: the claim of the connection, and the way of commands."""

# A session takes over its connection.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic
from weakref import WeakSet

from aiopenai._data.codec import encode_event
from aiopenai._live.connections import REPLAYED, fields_of_event
from aiopenai.lib.responses_websocket.limits import ResponsesWebSocketLimits
from aiopenai.lib.responses_websocket.routing import LaneState, Router, SignalT

__all__ = ["SessionCore"]

_claimed: WeakSet[Any] = WeakSet()
_claiming = threading.Lock()


class SessionCore(Generic[SignalT]):
    """A connection, its router, and whether the session is open."""

    def __init__(
        self,
        connection: Any,
        kind: type[Any],
        limits: Any,
        new_signal: Callable[[threading.RLock], SignalT],
        *,
        isolated: bool,
    ) -> None:
        if not isinstance(connection, kind):
            raise TypeError(f"connection must be one of this client's responses.connect(), not {connection!r}")
        if not isinstance(limits, ResponsesWebSocketLimits):
            raise TypeError(f"limits must be ResponsesWebSocketLimits, not {type(limits).__name__}")
        self.connection = connection
        self.link = connection._link
        self.router = Router(limits, lambda: self.link.socket, new_signal, isolated=isolated)
        self.entered = False
        self.closed = False

    def enter(self) -> None:
        """Takes the connection for this session. Raises RuntimeError the second time, and if it has a session."""
        if self.entered or self.closed:
            raise RuntimeError("A session can be entered once: make another one with a new connection.")
        with _claiming:
            if self.connection in _claimed:
                raise RuntimeError("This connection has a session already: use its lanes.")
            _claimed.add(self.connection)
        self.entered = True

    def leave(self) -> None:
        """Gives the connection free for another session. Further calls do nothing."""
        with _claiming:
            if self.entered:
                _claimed.discard(self.connection)

    def check_readable(self) -> None:
        """Raises RuntimeError before the session is entered."""
        if not self.entered:
            raise RuntimeError("Enter the session before events are received.")

    def command(self, lane: LaneState[SignalT], event: Any) -> Callable[[], Coroutine[Any, Any, None]]:
        """Returns the coroutine function that sends a command over the present websocket.

        Raises RuntimeError for a closed lane and while the connection is being replaced, ValueError for the id of
        another lane, and TypeError and ValueError for an event that cannot be sent.
        """
        websocket = self.link.socket
        if not self.entered:
            raise RuntimeError("Enter the session before events are sent.")
        self.router.check_open(lane)
        self._check_present(websocket)
        fields = fields_of_event(event)
        creates = fields.get("type") == "response.create"
        if creates:
            if fields.get("stream_id", lane.stream_id) != lane.stream_id:
                raise ValueError(f"the event has stream_id={fields['stream_id']!r} on the lane {lane.stream_id!r}")
            if lane.stream_id is not None:
                fields = {**fields, "stream_id": lane.stream_id}
        return partial(self._write, lane, websocket, encode_event(fields, REPLAYED), creates)

    def run(self, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs the coroutine function of a command in the loop of a blocking connection."""

        def made(_: Any) -> Coroutine[Any, Any, None]:
            return write()

        self.connection._run(made)

    def _check_present(self, websocket: Any) -> None:
        if self.link.reconnecting or self.link.socket is not websocket:
            raise RuntimeError("The connection is being replaced, and the server has lost its state: restore it first.")

    async def _write(self, lane: LaneState[SignalT], websocket: Any, frame: bytes, creates: bool) -> None:
        # In the loop of the connection, so that no reconnect comes between the checks and the send. The queue of the
        # connection is left out: it would send the command to another websocket, which does not know the lane.
        self.router.check_open(lane)
        self._check_present(websocket)
        if websocket.closed:
            raise websocket.closed_error()
        if creates:
            self.router.begin(lane)
        await websocket.send(frame, text=True)
