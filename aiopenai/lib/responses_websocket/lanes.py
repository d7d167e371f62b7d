"""The lanes of a session: the commands and events of one stream of responses."""

# Lanes run their commands in the loop of the connection.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from aiopenai.lib.responses_websocket.core import SessionCore
from aiopenai.lib.responses_websocket.routing import LaneState

if TYPE_CHECKING:
    from aiopenai.types.responses import (
        Response,
        ResponsesClientEvent,
        ResponsesClientEventParam,
        ResponsesServerEvent,
    )

__all__ = ["AsyncResponsesWebSocketLane", "ResponsesWebSocketLane", "ThreadSignal"]


class ThreadSignal(threading.Condition):
    """Wakes the threads that `wait` for it. All methods are called with the lock of the router."""

    set = threading.Condition.notify_all


class ResponsesWebSocketLane:
    """One lane of a session of the blocking client. One thread receives its events."""

    def __init__(self, core: SessionCore[ThreadSignal], state: LaneState[ThreadSignal]) -> None:
        self._core = core
        self._state = state

    def send(self, event: ResponsesClientEvent | ResponsesClientEventParam) -> None:
        """Sends an event. `response.create` gets the `stream_id` of this lane.

        Raises RuntimeError while a response is in flight, for a closed lane, and while the connection is being
        replaced. Nothing is queued, so that no reconnect repeats it.
        """
        write = self._core.command(self._state, event)
        self._core.run(write)

    def recv(self, *, timeout: float | None = None) -> ResponsesServerEvent:
        """Returns the next event. Raises TimeoutError if none arrives within `timeout` seconds, and loses none.

        Raises EOFError after a clean end of the connection and for a closed lane, ResponsesWebSocketBufferError for a
        lane over the limits, and the error of the connection.
        """
        return self._received(None if timeout is None else time.monotonic() + timeout)

    def _received(self, deadline: float | None) -> ResponsesServerEvent:
        self._core.check_readable()
        router = self._core.router
        with router.lock:
            while (event := router.pop(self._state)) is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError("no event arrived within the timeout")
                self._state.signal.wait(left)
        return event  # type: ignore[no-any-return]

    def get_final_response(self, *, timeout: float | None = None) -> Response:
        """Receives the events up to the end of a response, and returns it: completed, failed or incomplete.

        Later calls return the same response until the next one has begun. Raises ResponsesWebSocketError for an error
        event, TimeoutError, and the errors of `recv`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        router, state = self._core.router, self._state
        outdated = router.outdated(state)
        while (response := router.final(state, outdated)) is None:
            self._received(deadline)
        return response

    def close(self) -> None:
        """Drops the events of this lane. Later ones go to the default lane, and the websocket stays open."""
        self._core.router.close(self._state)


class AsyncResponsesWebSocketLane:
    """One lane of a session of the asynchronous client. One task receives its events."""

    def __init__(self, core: SessionCore[asyncio.Event], state: LaneState[asyncio.Event]) -> None:
        self._core = core
        self._state = state

    async def send(self, event: ResponsesClientEvent | ResponsesClientEventParam) -> None:
        """Sends an event, by the rules of `ResponsesWebSocketLane.send`."""
        await self._core.command(self._state, event)()

    async def recv(self) -> ResponsesServerEvent:
        """Returns the next event. Cancelling it loses none. Raises the errors of `ResponsesWebSocketLane.recv`."""
        self._core.check_readable()
        router, state = self._core.router, self._state
        while (event := router.pop(state)) is None:
            state.signal.clear()
            await state.signal.wait()
        return event  # type: ignore[no-any-return]

    async def get_final_response(self) -> Response:
        """Receives the events up to the end of a response, and returns it: completed, failed or incomplete.

        Later calls return the same response until the next one has begun. Raises ResponsesWebSocketError for an error
        event, and the errors of `recv`.
        """
        router, state = self._core.router, self._state
        outdated = router.outdated(state)
        while (response := router.final(state, outdated)) is None:
            await self.recv()
        return response

    def close(self) -> None:
        """Drops the events of this lane. Later ones go to the default lane, and the websocket stays open."""
        self._core.router.close(self._state)
