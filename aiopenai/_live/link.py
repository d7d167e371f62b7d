"""A logical connection: the present websocket, the messages that wait for it, and its reconnects."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from aiopenai._base.websocket_types import ReconnectingEvent, ReconnectingOverrides, is_recoverable_close
from aiopenai._live.queue import SendQueue, Waiting
from aiopenai.errors import OpenAIError, WebSocketConnectionClosedError, closed_error

if TYPE_CHECKING:
    from aiopenai._http.websocket import WebSocket

__all__ = ["AsyncReconnectingHandler", "Link", "ReconnectingHandler", "Reconnects"]

log = logging.getLogger("aiopenai")

# The messages, and their bytes, that a blocking reader takes at a time.
_BATCH = 64
_BATCH_BYTES = 2**16


class _TypeOnly(msgspec.Struct):
    type: str = ""


_type_of = msgspec.json.Decoder(_TypeOnly).decode


class Reconnects(msgspec.Struct, frozen=True, eq=False):
    """The rules of reconnects. Without `on_reconnecting` there are none."""

    on_reconnecting: Callable[[ReconnectingEvent], Any] | None = None
    max_retries: int = 5
    initial_delay: float = 0.5
    max_delay: float = 8.0

    def delay(self, attempt: int) -> float:
        """Returns the seconds before an attempt, shortened at random so that clients do not come back together."""
        # `ldexp` is exact; a thousand attempts would overflow a float otherwise.
        doubled = self.initial_delay * 2.0 ** min(attempt - 1, 1000)
        return min(doubled, self.max_delay) * random.uniform(0.75, 1.0)


ReconnectingHandler: TypeAlias = Callable[[ReconnectingEvent], ReconnectingOverrides | None]
AsyncReconnectingHandler: TypeAlias = Callable[
    [ReconnectingEvent], ReconnectingOverrides | Awaitable[ReconnectingOverrides | None] | None
]
Ask = Callable[[Callable[[ReconnectingEvent], Any], ReconnectingEvent], Awaitable[Any]]


async def call_here(function: Callable[[ReconnectingEvent], Any], event: ReconnectingEvent) -> Any:
    """Calls `on_reconnecting` in the loop."""
    return function(event)


class Link:
    """One connection over any number of websockets, one at a time. All methods belong to one event loop."""

    def __init__(
        self,
        connect: Callable[[Any, Mapping[str, Any]], Awaitable[WebSocket]],
        rules: Reconnects,
        queue: SendQueue,
        query: Any,
        headers: Mapping[str, Any],
        is_client_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connect = connect
        self._is_client_closed = is_client_closed
        self._rules = rules
        self.queue = queue
        self._query = query
        self._headers = headers
        self.socket: WebSocket
        """The present websocket."""
        self.reconnecting = False
        """Whether a lost connection is being replaced."""
        self.used = 0
        """The number of attempts since the last event of the server."""
        self.closing = False
        """Whether the program has closed the connection."""
        self._stopped: asyncio.Event | None = None
        self._flushing = asyncio.Lock()

    async def open(self) -> None:
        """Connects, and sends the messages that wait. One that fails here is lost; the rest goes with the next send."""
        self.socket = await self._connect(self._query, self._headers)
        try:
            await self._flush()
        except (OpenAIError, OSError) as error:
            log.warning("Messages that were queued before the connection could not be sent: %r", error)
        except BaseException:
            self.socket.abort()
            raise

    # Receiving

    async def read(self) -> bytes:
        """Returns the next message of the present websocket, and never reconnects."""
        frame = await self.socket.read()
        if self.used:
            self._admit(frame)
        return frame

    async def next(self, ask: Ask = call_here) -> bytes:
        """Returns the next message, after a reconnect if one is due.

        Raises StopAsyncIteration after a clean end, else WebSocketConnectionClosedError.
        """
        while True:
            try:
                frame = await self.socket.read()
            except WebSocketConnectionClosedError as error:
                lost = error
            else:
                if self.used:
                    self._admit(frame)
                return frame
            try:
                await self.recover(lost, ask)
            finally:
                del lost

    async def batch(self, read: Callable[[], Awaitable[bytes]]) -> list[bytes]:
        """Returns at least one message, and those that wait behind it."""
        frames = [await read()]
        size = len(frames[0])
        # No wait from here on, so that a cancellation loses none.
        while self.socket.waiting and len(frames) < _BATCH and size < _BATCH_BYTES:
            frames.append(await self.read())
            size += len(frames[-1])
        return frames

    def _admit(self, frame: bytes) -> None:
        """Gives all attempts back after an event other than an error."""
        try:
            kind = _type_of(frame).type
        except msgspec.DecodeError:
            return
        if kind and kind != "error":
            self.used = 0

    # Sending

    def send(self, frame: bytes, *, text: bool) -> Coroutine[Any, Any, None]:
        """Sends a message, or queues it while the connection is being replaced.

        Raises WebSocketConnectionClosedError and WebSocketQueueFullError. It returns the inner coroutine, because each
        further one costs 0.2 us per message.
        """
        if not (self.reconnecting or self.queue.entries) or self.closing:
            return self.socket.send(frame, text=text)
        return self._send_queued(frame, text=text)

    async def _send_queued(self, frame: bytes, *, text: bool) -> None:
        entry = self.queue.put(frame, text=text)
        if not self.reconnecting:
            await self._flush(entry)

    async def _flush(self, until: Waiting | None = None) -> None:
        """Sends the messages that wait, up to `until`. A message that was handed to a websocket is not sent again."""
        async with self._flushing:
            while self.queue and (until is None or not until.done):
                if self.socket.closed:
                    error = self.socket.closed_error()
                    if until is None:
                        raise error
                    raise closed_error(error.rcvd, error.sent, unsent=self.queue.drain()) from error
                entry = self.queue.first
                try:
                    await self.socket.send(entry.raw, text=entry.text)
                except BaseException as error:
                    self.queue.attempted(entry, error)
                    if until is None or not isinstance(error, WebSocketConnectionClosedError):
                        raise
                else:
                    self.queue.attempted(entry)
        if until is not None and until.error is not None:
            raise until.error

    # Reconnecting

    async def recover(self, lost: WebSocketConnectionClosedError, ask: Ask = call_here) -> None:
        """Replaces a lost websocket. Raises the end of the connection if that is not to be, or fails."""
        rules = self._rules
        if rules.on_reconnecting is None or self._is_over() or not is_recoverable_close(lost.code):
            raise self._end(lost)
        # A send that waits for this server to read would hold up those that wait for the next one.
        self.socket.kill()
        self.reconnecting = True
        self._stopped = asyncio.Event()
        try:
            while self.used < rules.max_retries and not self._is_over():
                self.used += 1
                event = ReconnectingEvent(
                    self.used, rules.max_retries, rules.delay(self.used), lost.code, self._query, self._headers
                )
                if not await self._is_wanted(event, ask) or await self._stops_within(event.delay):
                    break
                log.info("Reconnect %d of %d after close code %d", event.attempt, event.max_attempts, lost.code)
                if not await self._replace():
                    continue
                try:
                    await self._flush()
                except WebSocketConnectionClosedError as error:
                    if self.socket.waiting:
                        # Messages that arrived before the close frame. The read after the last one recovers anew.
                        return
                    if not is_recoverable_close(error.code):
                        break
                    continue
                return
        finally:
            self.reconnecting = False
        raise self._end(lost)

    def _is_over(self) -> bool:
        """Returns whether no handshake can help: the program has closed the connection, or the client."""
        return self.closing or self._is_client_closed()

    async def _is_wanted(self, event: ReconnectingEvent, ask: Ask) -> bool:
        """Asks the program whether and how to reconnect. Its exception is a no."""
        assert self._rules.on_reconnecting is not None
        try:
            changes = await ask(self._rules.on_reconnecting, event)
            if inspect.isawaitable(changes):
                changes = await changes
        except Exception:
            log.exception("on_reconnecting failed: the connection is given up")
            return False
        if changes:
            if changes.get("abort"):
                return False
            self._query = changes.get("extra_query", self._query)
            self._headers = changes.get("extra_headers", self._headers)
        return not self.closing

    async def _stops_within(self, seconds: float) -> bool:
        """Waits, and returns whether the program has closed the connection meanwhile."""
        assert self._stopped is not None
        waiter = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            waiter.cancel()
        return self.closing

    async def _replace(self) -> bool:
        """Makes one new websocket. Returns whether there is one."""
        try:
            socket = await self._connect(self._query, self._headers)
        except Exception as error:
            log.info("A reconnect failed: %r", error)
            return False
        if self.closing:
            socket.abort()
            return False
        self.socket.abort()
        self.socket = socket
        return True

    def _end(self, lost: WebSocketConnectionClosedError) -> BaseException:
        """Returns the exception that ends an iteration."""
        if self.queue:
            error = closed_error(
                lost.rcvd,
                lost.sent,
                rcvd_then_sent=lost.rcvd_then_sent,
                unsent=self.queue.drain(),
                message="The websocket is closed, and messages are unsent: see unsent_messages and unsent_frames.",
            )
            error.__cause__ = lost
            return error
        return StopAsyncIteration() if lost.clean else lost

    # Closing

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection for good; a reconnect in progress ends."""
        self.closing = True
        if self._stopped is not None:
            self._stopped.set()
        await self.socket.close(code, reason)
