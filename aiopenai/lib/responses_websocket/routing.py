"""The events of one connection, sorted into lanes within the limits of a session. No I/O."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from aiopenai.lib.responses_websocket.accumulator import TERMINAL
from aiopenai.lib.responses_websocket.fields import field_of
from aiopenai.lib.responses_websocket.limits import (
    ResponsesWebSocketBufferError,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
)
from aiopenai.lib.streaming.responses import ResponseStreamState
from aiopenai.types.responses import Response

__all__ = ["LaneState", "Router", "Signal"]

_is_stream_id = re.compile(r"[A-Za-z0-9_.-]{1,256}").fullmatch
# The events that carry whole values. Deltas need not be complete on a websocket.
_WHOLE = frozenset({"response.created", "response.output_item.done", *TERMINAL})


class Signal(Protocol):
    """Wakes the reader of a lane. `set` is called with the lock of the router."""

    def set(self) -> None: ...


SignalT = TypeVar("SignalT", bound=Signal)


class _Collection:
    """The final response of a lane, built from whole items and the ending event."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._size = 0
        self._state: ResponseStreamState[None] | None = None
        self.final: Response | None = None
        self.error: Exception | None = None

    def add(self, event: Any, size: int) -> None:
        """Takes an event. Its errors are kept as `error`, because later events can still be received."""
        kind = field_of(event, "type")
        if kind == "response.created":
            self._begin(ResponseStreamState())
        elif kind == "error":
            self._begin(None)
            self.error = ResponsesWebSocketError(event)
        if self.error is None and isinstance(kind, str) and kind in _WHOLE:
            self._size += size
            if self._limit is not None and self._size > self._limit:
                message = f"The events of the response exceed max_response_bytes={self._limit}: use recv() for it."
                self._fail(ResponsesWebSocketBufferError(message))
            else:
                self._take(kind, event)

    def _begin(self, state: ResponseStreamState[None] | None) -> None:
        self._size, self._state, self.final, self.error = 0, state, None, None

    def _fail(self, error: Exception) -> None:
        self._begin(None)
        self.error = error

    def _take(self, kind: str, event: Any) -> None:
        ends = kind in TERMINAL
        if ends and not isinstance(field_of(event, "response"), Response):
            self._fail(ValueError(f"The event {kind} has no response."))
            return
        state = self._state or (ResponseStreamState() if ends else None)
        if state is None:
            return
        try:
            state.handle_event(event)
        except ValueError as error:
            self._fail(error)
            return
        if ends:
            self._begin(None)
            self.final = state.final_response()


class LaneState(Generic[SignalT]):
    """One lane: its events that are not received yet, and the response that runs on it."""

    def __init__(self, stream_id: str | None, limit: int | None, signal: SignalT) -> None:
        self.stream_id = stream_id
        self.signal = signal
        self.waiting: deque[tuple[Any, int]] = deque()
        self.size = 0
        """The bytes of the events that wait."""
        self.failure: ResponsesWebSocketBufferError | None = None
        self.in_flight = False
        """Whether a response was requested, of which the end was not received."""
        self.closed_on: object = None
        """The websocket on which the lane was closed. Its id is free again on the next websocket."""
        self.begun = 0
        """The number of responses that began in the events so far, `consumed` in those that were received."""
        self.consumed = 0
        self.collection = _Collection(limit)

    @property
    def closed(self) -> bool:
        """Whether the lane takes no more events."""
        return self.closed_on is not None


class Router(Generic[SignalT]):
    """The lanes of a session. Any thread may call the methods.

    `socket` returns the present websocket of the connection: closed lanes are freed as soon as it is another one.
    """

    def __init__(
        self,
        limits: ResponsesWebSocketLimits,
        socket: Callable[[], object],
        new_signal: Callable[[threading.RLock], SignalT],
        *,
        isolated: bool,
    ) -> None:
        self.lock = threading.RLock()
        self.ended = False
        self._limits = limits
        self._socket = socket
        self._new_signal = new_signal
        self._isolated = isolated
        self._lanes: dict[str | None, LaneState[SignalT]] = {}
        self._events = 0
        self._bytes = 0
        self._error: BaseException | None = None
        self.room = new_signal(self.lock)
        """Set when a lane gets room for more events, and at the end."""
        self.default = self.register(None)
        """The lane of events without a lane of their own."""

    def register(self, stream_id: Any) -> LaneState[SignalT]:
        """Returns a new lane. Raises ValueError for an impossible or a taken id, ResponsesWebSocketBufferError for one
        lane too many, and RuntimeError after the end of the session.
        """
        if stream_id is not None and not (isinstance(stream_id, str) and _is_stream_id(stream_id)):
            raise ValueError("stream_id must be None, or 1 to 256 of the characters A-Z, a-z, 0-9, '_', '-' and '.'")
        with self.lock:
            if self.ended:
                raise RuntimeError("The session has ended: make another one with a new connection.")
            self._free_closed()
            if stream_id in self._lanes:
                raise ValueError(f"the lane {stream_id!r} exists already: a closed one is freed by a reconnect only")
            if len(self._lanes) >= self._limits.max_lanes:
                raise ResponsesWebSocketBufferError(
                    f"The session has max_lanes={self._limits.max_lanes} lanes already, closed ones included."
                )
            lane = LaneState(stream_id, self._limits.max_response_bytes, self._new_signal(self.lock))
            self._lanes[stream_id] = lane
            if stream_id is None:
                self.default = lane
            return lane

    def _free_closed(self) -> None:
        """Frees the lanes that were closed on an earlier websocket: the API may know their ids no longer."""
        socket = self._socket()
        for stream_id, lane in list(self._lanes.items()):
            if lane.closed and lane.closed_on is not socket:
                del self._lanes[stream_id]

    def close(self, lane: LaneState[SignalT]) -> None:
        """Drops the events of a lane; later ones go to the default lane. Further calls do nothing."""
        with self.lock:
            if lane.closed:
                return
            lane.closed_on = self._socket()
            self._events -= len(lane.waiting)
            self._bytes -= lane.size
            lane.waiting.clear()
            lane.size = 0
            lane.collection = _Collection(self._limits.max_response_bytes)
            lane.signal.set()
            self.room.set()

    def _fail(self, lane: LaneState[SignalT]) -> None:
        if not lane.closed:
            lane.failure = ResponsesWebSocketBufferError(
                "The lane has more unread events than the limits of the session allow: its events are lost."
            )
            self.close(lane)

    def dispatch(self, event: Any, size: int, *, patient: bool = False) -> bool:
        """Gives an event to its lane. Raises ResponsesWebSocketBufferError if a limit ends the session.

        A `patient` caller gets False instead if a limit is reached, and waits for `room`.
        """
        with self.lock:
            lane = None if self.ended else self._lane_of(event)
            if lane is None:
                return True
            if patient and self._is_full(lane, size):
                return False
            if not self._admits(lane, size):
                return True
            lane.waiting.append((event, size))
            lane.size += size
            self._bytes += size
            self._events += 1
            if field_of(event, "type") == "response.created" and field_of(event, "stream_id") == lane.stream_id:
                lane.begun += 1
                lane.in_flight = True
            if self._isolated:
                self._relieve(lane, size)
            lane.signal.set()
            return True

    def _lane_of(self, event: Any) -> LaneState[SignalT] | None:
        """Returns the lane that takes an event; None if none does."""
        stream_id = field_of(event, "stream_id")
        lane = self._lanes.get(stream_id) if isinstance(stream_id, str) else self.default
        if lane is not None and lane.closed:
            # Only those of the present websocket are reserved.
            self._free_closed()
            lane = self._lanes.get(lane.stream_id)
            if lane is not None and lane.failure is not None:
                return None
        if lane is None or lane.closed:
            lane = self.default
        return None if lane.closed else lane

    def _is_lane_full(self, lane: LaneState[SignalT], size: int) -> bool:
        limits = self._limits
        return len(lane.waiting) >= limits.max_events_per_lane or lane.size + size > limits.max_bytes_per_lane

    def _is_full(self, lane: LaneState[SignalT], size: int) -> bool:
        limits = self._limits
        full = self._events >= limits.max_events or self._bytes + size > limits.max_bytes
        return full or self._is_lane_full(lane, size)

    def _admits(self, lane: LaneState[SignalT], size: int) -> bool:
        """Returns whether a lane takes an event of this size. Raises ResponsesWebSocketBufferError."""
        if not self._isolated:
            if self._is_full(lane, size):
                raise ResponsesWebSocketBufferError("The session has more unread events than its limits allow.")
            return True
        if self._is_lane_full(lane, size) or size > self._limits.max_bytes:
            self._fail(lane)
            return False
        return True

    def _relieve(self, latest: LaneState[SignalT], size: int) -> None:
        """Fails the lanes with the largest backlogs until the limits of the session hold.

        The latest event does not count: it is not the fault of its lane. Of equals the first registered lane fails.
        """
        limits = self._limits
        while self._events > limits.max_events or self._bytes > limits.max_bytes:
            by_bytes = self._bytes > limits.max_bytes

            def backlog(lane: LaneState[SignalT], by_bytes: bool = by_bytes) -> int:
                found = lane.size if by_bytes else len(lane.waiting)
                return found - ((size if by_bytes else 1) if lane is latest and lane.waiting else 0)

            largest = max(self._lanes.values(), key=backlog)
            self._fail(largest if backlog(largest) > 0 else latest)

    def finish(self, error: BaseException | None = None) -> None:
        """Ends the session. Only the first call counts. Waiting events can still be received."""
        with self.lock:
            if not self.ended:
                self._error = error
            self.ended = True
            self.room.set()
            for lane in {*self._lanes.values(), self.default}:
                lane.signal.set()

    def pop(self, lane: LaneState[SignalT]) -> Any:
        """Returns the next event of a lane; None if there is none yet.

        Raises ResponsesWebSocketBufferError for a lane that failed, EOFError for a closed one and after a clean end,
        and the error of the connection.
        """
        with self.lock:
            if lane.failure is not None:
                raise lane.failure
            if lane.closed:
                raise EOFError("The lane is closed.")
            if lane.waiting:
                event, size = lane.waiting.popleft()
                lane.size -= size
                self._bytes -= size
                self._events -= 1
                self.room.set()
                # An event of another stream is shown on the default lane, of which it changes nothing.
                if field_of(event, "stream_id") == lane.stream_id:
                    self._note(lane, event, size)
                return event
            if self.ended:
                raise self._error or EOFError("The connection is closed, and all events were received.")
            return None

    @staticmethod
    def _note(lane: LaneState[SignalT], event: Any, size: int) -> None:
        lane.collection.add(event, size)
        kind = field_of(event, "type")
        if kind == "response.created":
            lane.consumed += 1
            lane.in_flight = True
        elif kind == "error" or (isinstance(kind, str) and kind in TERMINAL):
            lane.in_flight = lane.begun > lane.consumed

    def check_open(self, lane: LaneState[SignalT]) -> None:
        """Raises RuntimeError for a closed lane, and after the end of the session."""
        if self.ended or lane.closed:
            raise RuntimeError("The lane is closed, or its session is not open.")

    def begin(self, lane: LaneState[SignalT]) -> None:
        """Notes that a response is being requested. Raises RuntimeError if one is in flight, and for a closed lane."""
        with self.lock:
            self.check_open(lane)
            if lane.in_flight:
                raise RuntimeError("A response is in flight on this lane: receive its end before the next create.")
            lane.collection = _Collection(self._limits.max_response_bytes)
            lane.in_flight = True

    def outdated(self, lane: LaneState[SignalT]) -> int | None:
        """Returns `lane.consumed` if the lane has a final response and a later one has begun since; else None."""
        with self.lock:
            return lane.consumed if lane.collection.final is not None and lane.begun > lane.consumed else None

    def final(self, lane: LaneState[SignalT], outdated: int | None) -> Response | None:
        """Returns the final response of a lane; None if more events are to be received. Raises the lane's errors.

        The one that was `outdated` does not count.
        """
        with self.lock:
            if lane.failure is not None:
                raise lane.failure
            collection = lane.collection
            if collection.error is not None:
                raise collection.error
            return None if lane.consumed == outdated else collection.final
