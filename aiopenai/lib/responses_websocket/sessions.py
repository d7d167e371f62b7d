"""Sessions: the owners of a connection, with one reader that sorts its events into lanes."""

# A session takes over its connection, of which it uses private parts.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from aiopenai._base.deadlines import time_limit
from aiopenai._live.connections import AsyncConnection, SyncConnection
from aiopenai.lib.responses_websocket.core import SessionCore
from aiopenai.lib.responses_websocket.lanes import AsyncResponsesWebSocketLane, ResponsesWebSocketLane, ThreadSignal
from aiopenai.lib.responses_websocket.limits import ResponsesWebSocketLimits

if TYPE_CHECKING:
    from types import TracebackType

    from aiopenai._live.typed import (  # pyright: ignore[reportMissingModuleSource]  (a stub alone)
        AsyncTypedConnection,
        SyncTypedConnection,
    )
    from aiopenai.types.responses import ResponsesServerEvent

__all__ = ["AsyncResponsesWebSocketSession", "ResponsesWebSocketSession"]

# The seconds that the reader of a closed connection may take to end.
_JOIN_SECONDS = 5.0
# The time that an event waits for room before a limit counts as exceeded: a burst must not fail a lane that is being
# read. A thread that shares its processor may be that late.
_PATIENCE_SECONDS = 0.1


class ResponsesWebSocketSession:
    """Responses on the lanes of one connection of the blocking client, as a context manager.

    `connection` is an open one of `client.responses.connect()`. A thread reads it from then on: receive by lanes only.
    Leaving the session closes the connection. A reconnect, by the rules of the connection, keeps open lanes and frees
    the ids of closed ones; it restores nothing of the server's state.

    A lane over the limits ends the session. With `isolate_lane_overflow` only the lane with the most unread events
    fails, and loses them.
    """

    def __init__(
        self,
        connection: SyncTypedConnection[ResponsesServerEvent, Any],
        *,
        limits: ResponsesWebSocketLimits,
        isolate_lane_overflow: bool = False,
    ) -> None:
        self._core = SessionCore(connection, SyncConnection, limits, ThreadSignal, isolated=isolate_lane_overflow)
        self._reader: threading.Thread | None = None
        self._closing = threading.Lock()
        self.connection = connection
        self.default = ResponsesWebSocketLane(self._core, self._core.router.default)
        """The lane of events without a `stream_id`, and of those without a lane of their own."""

    def __enter__(self) -> Self:
        self._core.enter()
        self._reader = threading.Thread(target=self._read, name="aiopenai-lanes", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The exception of the block wins over one of closing.
        with contextlib.suppress(*((Exception,) if error is not None else ())):
            self.close()

    def lane(self, stream_id: str | None = None) -> ResponsesWebSocketLane:
        """Adds a lane. Raises ValueError for an impossible or a taken id, and ResponsesWebSocketBufferError."""
        lane = ResponsesWebSocketLane(self._core, self._core.router.register(stream_id))
        if stream_id is None:
            self.default = lane
        return lane

    def close(self) -> None:
        """Closes the session and its connection. Raises RuntimeError if the reader does not end."""
        core = self._core
        core.closed = True
        core.router.finish()
        reader = self._reader
        if reader is None:
            return
        try:
            self._close_connection()
        finally:
            if reader is not threading.current_thread():
                reader.join(_JOIN_SECONDS)
                if reader.is_alive():
                    raise RuntimeError("The session is closed, but its reader has not ended.")
                core.leave()

    def _close_connection(self) -> None:
        # The reader closes a connection over the limits, at the same time perhaps.
        with self._closing:
            self.connection.close()

    def _read(self) -> None:
        connection, router = self._core.connection, self._core.router
        try:
            while True:
                raw = connection._next_raw(reconnect=True)
                event = connection._event_of(raw, connection._received)
                if not router.dispatch(event, len(raw), patient=True):
                    self._dispatch_later(event, len(raw))
        except StopIteration:
            router.finish()
        except Exception as error:
            router.finish(error)
            # The lanes raise the first error.
            with contextlib.suppress(Exception):
                self._close_connection()

    def _dispatch_later(self, event: Any, size: int) -> None:
        router = self._core.router
        with router.lock:
            if not router.room.wait_for(lambda: router.dispatch(event, size, patient=True), _PATIENCE_SECONDS):
                router.dispatch(event, size)


class AsyncResponsesWebSocketSession:
    """Responses on the lanes of one connection of the asynchronous client, as a context manager.

    It has the rules of `ResponsesWebSocketSession`, with a task as the reader.
    """

    def __init__(
        self,
        connection: AsyncTypedConnection[ResponsesServerEvent, Any],
        *,
        limits: ResponsesWebSocketLimits,
        isolate_lane_overflow: bool = False,
    ) -> None:
        self._core = SessionCore(
            connection, AsyncConnection, limits, lambda _: asyncio.Event(), isolated=isolate_lane_overflow
        )
        self._reader: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self.connection = connection
        self.default = AsyncResponsesWebSocketLane(self._core, self._core.router.default)
        """The lane of events without a `stream_id`, and of those without a lane of their own."""

    async def __aenter__(self) -> Self:
        self._core.enter()
        self._reader = asyncio.create_task(self._read(), name="aiopenai-lanes")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The exception of the block wins over one of closing.
        with contextlib.suppress(*((Exception,) if error is not None else ())):
            await self.close()

    def lane(self, stream_id: str | None = None) -> AsyncResponsesWebSocketLane:
        """Adds a lane. Raises ValueError for an impossible or a taken id, and ResponsesWebSocketBufferError."""
        lane = AsyncResponsesWebSocketLane(self._core, self._core.router.register(stream_id))
        if stream_id is None:
            self.default = lane
        return lane

    async def close(self) -> None:
        """Closes the session and its connection. A cancelled call leaves the rest to a task."""
        core = self._core
        core.closed = True
        core.router.finish()
        if self._reader is None:
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(self._reader))
        await asyncio.shield(self._closing)

    async def _close(self, reader: asyncio.Task[None]) -> None:
        try:
            reader.cancel()
            await asyncio.wait([reader])
            await self.connection.close()
        finally:
            self._core.leave()

    async def _read(self) -> None:
        connection, link, router = self._core.connection, self._core.link, self._core.router
        try:
            while True:
                raw = await link.next()
                event = connection._event_of(raw, link.socket.inbox.messages)
                if not router.dispatch(event, len(raw), patient=True):
                    await self._dispatch_later(event, len(raw))
        except StopAsyncIteration:
            pass
        except Exception as error:
            router.finish(error)
            # The lanes raise the first error.
            with contextlib.suppress(Exception):
                await connection.close()
        finally:
            router.finish()

    async def _dispatch_later(self, event: Any, size: int) -> None:
        router = self._core.router
        try:
            async with time_limit(_PATIENCE_SECONDS):
                while not router.dispatch(event, size, patient=True):
                    router.room.clear()
                    await router.room.wait()
        except asyncio.TimeoutError:
            router.dispatch(event, size)
