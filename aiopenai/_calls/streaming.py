"""Streams: iterators over server-sent events, asynchronous and blocking.

The events of one read are parsed together, decoded in batches and handed out from a list, without touching the event
loop until more bytes are needed. Nothing is read ahead: a slow reader holds the server back by flow control.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, TypeVar

from typing_extensions import Self, override

from aiopenai._calls.events import Events
from aiopenai._calls.held_loop import HeldLoop, drop
from aiopenai._calls.partial import Partial
from aiopenai._calls.stream_sources import StreamSource
from aiopenai.errors import APIError

__all__ = ["AsyncStream", "Events", "Partial", "Stream"]

T = TypeVar("T")

# The time that the end of a finished stream's body may take before the connection is given up.
_DRAIN_SECONDS = 0.05


def _tell_of_the_end() -> None:
    """Logs a second loop over a stream. It is no error, because the reference says nothing."""
    import logging

    logging.getLogger("aiopenai").warning(
        "a stream that has ended was read again, and the second loop gets no events: keep them in a list, or make the "
        "call again"
    )


class AsyncStream(Events[T]):
    """An async iterator over the events of a reply. `async with` or `close()` drop the connection early.

    Raises APIError for an error that the stream reports, APITimeoutError and APIConnectionError when it stalls or
    breaks off. The error's `partial` holds the part received before. A stream without its own end mark is broken off.
    """

    async def __aiter__(self) -> AsyncIterator[T]:
        if self._over:
            _tell_of_the_end()
        # A generator costs half as much as a coroutine for each event.
        while True:
            for event in self._ready:
                yield event
            if not await self._go_on():
                return

    async def __anext__(self) -> T:
        while True:
            # The first turn of a `for` is the quickest way to take the next item of an iterator.
            for event in self._ready:
                return event
            if not await self._go_on():
                raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        self._drop()
        # Replies of other libraries are closed by a coroutine.
        if (close := getattr(self._reply, "aclose", None)) is not None:
            await close()

    aclose = close

    async def _go_on(self) -> bool:
        """Prepares more events after those that were ready. Returns False at the end."""
        if not self._pending:
            if self._finished and not (self._may_continue and await self._continue()):
                self._raise_failure()
                # The end of the body has nearly always arrived with the last event.
                await self._reply.drain(_DRAIN_SECONDS)
                self._over = True
                if self.watch is not None:
                    self.watch.ended()
                return False
            await self._fill()
        if self._pending:
            self._decode()
        return True


class Stream(Events[T]):
    """The iterator of the blocking client over the events of a reply. `with` or `close()` drop the connection early.

    All events that one read completes are handed out before the next read. Raises as `AsyncStream`.
    """

    lease: HeldLoop
    """The loop on which the reply is read, held until the stream ends."""

    _blocking: ClassVar[bool] = True

    @override
    def _source_of(self, cast_to: Any, response: Any, options: Any) -> StreamSource:
        from aiopenai._calls.given_responses import OwnThread

        self.lease = OwnThread()
        return super()._source_of(cast_to, response, options)

    def __iter__(self) -> Iterator[T]:
        if self._over:
            _tell_of_the_end()
        while True:
            # Without a Python call for each event.
            yield from self._ready
            if not self._go_on():
                return

    def __next__(self) -> T:
        while True:
            for event in self._ready:
                return event
            if not self._go_on():
                raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        try:
            if not self._over:
                drop(self.lease, self._reply)
            self._drop()
        finally:
            self.lease.release()

    def _go_on(self) -> bool:
        """Prepares more events after those that were ready. Returns False at the end."""
        if not self._pending:
            try:
                if self._finished and not (self._may_continue and self.lease.run(self._continue())):
                    self._raise_failure()
                    if not self._reply.closed:
                        self.lease.run(self._reply.drain(_DRAIN_SECONDS))
                    self.lease.release()
                    self._over = True
                    if self.watch is not None:
                        self.watch.ended()
                    return False
                self.lease.run(self._fill())
            except APIError:
                self.lease.release()
                raise
        if self._pending:
            self._decode()
        return True
