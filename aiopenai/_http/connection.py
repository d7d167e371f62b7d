"""The socket side of a connection of the direct transport: open and closed, flow control of writing, the deadline."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiohttp
from typing_extensions import override

from aiopenai._base.deadlines import within
from aiopenai._http.framing import readable
from aiopenai._http.states import CONNECTING, IDLE, State

__all__ = ["Connection", "fail_quietly"]

# How much is read at a time. Of asyncio's 256 KB the system takes the memory back after each read, and has to give it
# anew: a tenth of the cost of a reply of 0.5 MB. With 64 KB it still does so where a loop stops between reads, in the
# streams of a blocking client, which cost a third more.
READ_PIECE = 2**15


class Connection(asyncio.Protocol):
    """A connection as aiohttp's connector and asyncio see it. `Wire` adds the exchanges."""

    __slots__ = (
        "_closed",
        "_deadline",
        "_drain",
        "_watch",
        "_watch_at",
        "fileno",
        "loop",
        "state",
        "transport",
        "writing_paused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.state: State = CONNECTING
        self.transport: Any = None
        self.fileno = -1
        self.writing_paused = False
        self._drain: asyncio.Future[None] | None = None
        self._deadline: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = 0.0
        self._closed: asyncio.Future[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.state = IDLE
        self.transport = transport
        self.fileno = transport.get_extra_info("socket").fileno()
        if hasattr(transport, "max_size"):
            # asyncio's own; other loops read as much as they please.
            cast("Any", transport).max_size = READ_PIECE

    def is_connected(self) -> bool:
        """Returns whether the connection can be used."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def closed(self) -> asyncio.Future[None] | None:
        """A future that is done when the connection has closed; None if it has."""
        if self._closed is None and (self.transport is not None or self.state is CONNECTING):
            self._closed = self.loop.create_future()
        return self._closed

    def close(self) -> None:
        """Closes the connection once all is written."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Closes the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def readable(self) -> bool:
        """Returns whether an idle connection has bytes, or its end, that the loop has not seen."""
        return readable(self.fileno)

    @override
    def pause_writing(self) -> None:
        self.writing_paused = True

    @override
    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    async def drained(self, seconds: float | None) -> None:
        """Waits until the transport takes more. Raises asyncio.TimeoutError."""
        if self.writing_paused:
            self._drain = self.loop.create_future()
            await within(seconds, self._drain)

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        self.transport = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._drain is not None and not self._drain.done():
            fail_quietly(self._drain, aiohttp.ClientConnectionResetError("Connection lost"))
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    # The read limit: a number, and one timer in the life of the connection that compares. Noting a number takes 0.1 us,
    # making and cancelling a timer 2.

    def _expect(self, deadline: float) -> None:
        self._deadline = deadline
        if self._watch is not None:
            if self._watch_at <= deadline:
                return
            self._watch.cancel()
        self._watch = self.loop.call_at(deadline, self._look)
        self._watch_at = deadline

    def _look(self) -> None:
        self._watch = None
        deadline = self._deadline
        if deadline is None:
            return
        if deadline > self.loop.time():
            self._watch = self.loop.call_at(deadline, self._look)
            self._watch_at = deadline
        else:
            self._late()

    def _late(self) -> None:
        """Acts on a passed deadline; a hook."""


def fail_quietly(future: asyncio.Future[Any], error: BaseException) -> None:
    """Fails a future without a complaint in the log if its reader was cancelled."""
    future.set_exception(error)
    future.exception()
