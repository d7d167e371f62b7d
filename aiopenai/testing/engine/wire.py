"""HTTP/1.1 on the side of the server: reading a body within a bound, and writing replies byte by byte.

Replies are written to the transport here, and not by aiohttp's response classes. So a fault can cut or stall a reply at
any byte of its status line, headers and chunk framing, and a reply costs little.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from aiopenai.testing.engine.received import Fault

__all__ = [
    "CLOSE",
    "KEEP",
    "BodyTooLargeError",
    "Connection",
    "GoneError",
    "Listener",
    "Writer",
    "passed_head",
    "read_body",
    "response_head",
    "says_close",
]

# Bigger writes go out in slices: asyncio copies the rest that the socket does not take at once.
_SLICE = 256 * 1024
_HEADER_LIMIT = 64 * 1024


class GoneError(ConnectionResetError):
    """The connection was closed by the client or the server."""


class BodyTooLargeError(Exception):
    """The body of a request has more bytes than the server allows."""


class Connection(web.RequestHandler):
    """aiohttp's server protocol, with a number, backpressure, and waits that end with the connection."""

    __slots__ = ("_listener", "_lost", "_wake", "gone", "number", "paused")

    def __init__(
        self,
        manager: Listener,
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # None turns the access log off, though the annotation of aiohttp does not allow it. Clients of the API send
        # long header fields, and keep connections open for long.
        super().__init__(
            manager,
            loop=loop,
            access_log=cast(Any, None),
            max_line_size=_HEADER_LIMIT,
            max_field_size=_HEADER_LIMIT,
            keepalive_timeout=3600.0,
        )
        self.number = 0
        self.gone = False
        self.paused = False
        self._wake: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] | None = None
        self._listener = manager

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts the connection. The loop calls this."""
        self._listener.accepted += 1
        self._listener.open += 1
        self.number = self._listener.accepted
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends all waits. The loop calls this."""
        self.gone = True
        self._notify()
        self._listener.open -= 1
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Notes that the client reads more slowly than the server writes. The loop calls this."""
        self.paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Notes that the transport has room again. The loop calls this."""
        self.paused = False
        self._notify()
        super().resume_writing()

    def drop(self) -> None:
        """Closes at once, and drops unsent bytes."""
        self.gone = True
        self._notify()
        if self.transport is not None:
            self.transport.abort()

    def _notify(self) -> None:
        wake = self._wake
        if wake is not None and not wake.done():
            wake.set_result(None)
        lost = self._lost
        if self.gone and lost is not None and not lost.done():
            lost.set_result(None)

    def when_gone(self) -> asyncio.Future[None]:
        """Returns a future that ends when the connection closes. The connection has one at a time: cancel it."""
        self._lost = asyncio.get_running_loop().create_future()
        self._notify()
        return self._lost

    async def sleep(self, seconds: float | None) -> None:
        """Waits so many seconds, or without end for None. Raises `GoneError` when the connection closes."""
        await self.sleep_until(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    async def sleep_until(self, end: float | None) -> None:
        """Waits until a time of the loop's clock, or without end for None. Raises as `sleep` does."""
        clock = asyncio.get_running_loop().time
        while not self.gone:
            left = None if end is None else end - clock()
            if left is not None and left <= 0:
                return
            # uvloop rounds to whole milliseconds: less than half of one would be no wait, again and again.
            await self._wait(None if left is None else max(left, 0.001))
        raise GoneError("the connection is closed")

    def wake(self) -> None:
        """Ends the wait of `woken`."""
        self._notify()

    async def woken(self) -> None:
        """Waits for `wake`. Raises `GoneError` when the connection closes."""
        if not self.gone:
            await self._wait(None)
        if self.gone:
            raise GoneError("the connection is closed")

    async def drain(self) -> None:
        """Waits until the transport takes more. Raises `GoneError` when the connection closes."""
        while self.paused and not self.gone:
            await self._wait(None)
        if self.gone:
            raise GoneError("the connection is closed")

    async def _wait(self, seconds: float | None) -> None:
        # A connection serves one request at a time, so there is at most one waiter.
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._notify)
        try:
            await self._wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()


class Listener(web.Server):
    """aiohttp's low-level server, which makes and counts connections."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any]) -> None:
        super().__init__(handler)
        self.accepted = 0
        self.open = 0

    def __call__(self) -> web.RequestHandler:
        """Makes the protocol of a new connection. The loop calls this."""
        return Connection(self, loop=asyncio.get_running_loop())


class Handled(web.StreamResponse):
    """The response that aiohttp gets after a reply has been written here: it sends nothing."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._keep = keep

    @property
    def keep_alive(self) -> bool | None:
        """Returns whether the connection stays open."""
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Does nothing: the head is sent."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the body is sent."""


# They have no state, so two objects serve all requests.
KEEP = Handled(keep=True)
CLOSE = Handled(keep=False)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Returns the whole body. Raises `BodyTooLargeError` beyond `limit` bytes."""
    read = request.content.readany
    first = await read()
    if not first:
        return first
    size = len(first)
    parts = [first]
    while part := await read():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError
        parts.append(part)
    if size > limit:
        raise BodyTooLargeError
    return first if len(parts) == 1 else b"".join(parts)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


@lru_cache(maxsize=64)
def _fixed_head(status: int, content_type: str) -> str:
    return f"HTTP/1.1 {status} {_phrase(status)}\r\ncontent-type: {content_type}\r\nopenai-version: 2020-10-01\r\n"


def response_head(
    status: int,
    content_type: str,
    lines: str,
    headers: Mapping[str, str] | None,
    *,
    length: int | None,
    chunked: bool,
    close: bool,
) -> bytes:
    """Returns the head of a reply.

    lines: header lines of this reply, each with its line end.
    headers: further headers, which replace all others with the same name, those of the framing too.
    length: the content length; None leaves it out.
    """
    text = _fixed_head(status, content_type) + lines
    names = {name.lower() for name in headers or ()}
    if headers:
        start, *rest = text.split("\r\n")
        kept = [line for line in rest if line and line.partition(":")[0] not in names]
        text = "\r\n".join([start, *kept, *(f"{name}: {value}" for name, value in headers.items())]) + "\r\n"
    return (text + _framing(names, length, chunked=chunked, close=close) + "\r\n").encode("utf-8")


def passed_head(
    status: int,
    reason: str | None,
    headers: Iterable[tuple[str, str]],
    extra: Mapping[str, str],
    *,
    length: int | None,
    chunked: bool,
    close: bool,
) -> bytes:
    """Returns the head of a reply from elsewhere: its own headers, those of a fault in `extra`, and the framing."""
    if reason is None:
        reason = _phrase(status)
    replaced = {name.lower() for name in extra}
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in replaced]
    lines += [f"{name}: {value}" for name, value in extra.items()]
    framing = _framing(replaced, length, chunked=chunked, close=close)
    return "\r\n".join([*lines, framing, ""]).encode("utf-8", "surrogateescape")


def says_close(headers: Mapping[str, str]) -> bool:
    """Returns whether the headers of a prepared reply or a fault end the connection."""
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())


def _framing(replaced: set[str], length: int | None, *, chunked: bool, close: bool) -> str:
    """Returns the header lines of the framing and of a close, without those that a test has replaced.

    A test may send a wrong framing, to see that the client survives it.
    """
    text = ""
    if chunked and "transfer-encoding" not in replaced:
        text = "transfer-encoding: chunked\r\n"
    elif length is not None and replaced.isdisjoint({"content-length", "transfer-encoding"}):
        text = f"content-length: {length}\r\n"
    return text if not close or "connection" in replaced else f"{text}connection: close\r\n"


class Writer:
    """The writer of one reply. With a fault it counts bytes, and cuts or stalls the reply at the chosen byte."""

    __slots__ = ("_connection", "_left", "_reset", "_stall", "_transport")

    def __init__(self, connection: Connection, fault: Fault | None) -> None:
        transport = connection.transport
        if transport is None or connection.gone:
            raise GoneError("the connection is closed")
        self._connection = connection
        self._transport = transport
        self._left: int | None = None
        self._stall = self._reset = False
        if fault is not None:
            self._stall = fault.stall_after is not None
            self._left = fault.stall_after if self._stall else fault.cut_after
            self._reset = fault.reset

    async def send(self, data: bytes) -> None:
        """Writes, and waits until the transport takes more. Raises `GoneError` when the connection ends."""
        if self._left is not None:
            await self._send_counted(data)
            return
        if len(data) <= _SLICE:
            self._transport.write(data)
            if self._connection.paused or self._connection.gone:
                await self._connection.drain()
            return
        await self._send_slices(data)

    async def _send_slices(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            self._transport.write(view[start : start + _SLICE])
            await self._connection.drain()

    async def _send_counted(self, data: bytes) -> None:
        left = self._left or 0
        if len(data) < left:
            self._left = left - len(data)
            await self._send_slices(data)
            return
        self._left = 0
        if left:
            await self._send_slices(data[:left])
        if self._stall:
            await self._connection.sleep(None)
        self._cut()
        raise GoneError("the reply was cut")

    def _cut(self) -> None:
        if not self._reset:
            # Flushes the written bytes and closes: the client gets exactly the bytes that the fault allows.
            self._transport.close()
            return
        found = self._transport.get_extra_info("socket")
        if found is not None:
            # Lingering for 0 seconds makes the kernel close the connection by RST.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
