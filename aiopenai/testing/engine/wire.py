"""HTTP/1.1 on the server's side: reading a body within a bound, and writing replies byte by byte.

Replies are written to the transport here and not by aiohttp's response classes, so that a fault can cut or stall any
reply at any byte, its status line, headers and chunk framing included, and so that a reply costs little.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
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
    "read_body",
    "response_head",
]

# Bigger writes go out in slices: asyncio copies what the socket does not take at once.
_SLICE = 256 * 1024
_HEADER_LIMIT = 64 * 1024


class GoneError(ConnectionResetError):
    """The client or the server has closed the connection."""


class BodyTooLargeError(Exception):
    """A request's body has more bytes than the server takes."""


class Connection(web.RequestHandler):
    """aiohttp's server protocol, with a number, backpressure and waits that end when the connection does."""

    __slots__ = ("_listener", "_wake", "gone", "number", "paused")

    def __init__(
        self,
        manager: Listener,
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # None turns the access log off, which aiohttp's annotation does not say. Header fields may be as long as
        # clients of the API send them, and connections stay open for long.
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
        self._listener = manager

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: count the connection."""
        self._listener.accepted += 1
        self._listener.open += 1
        self.number = self._listener.accepted
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the loop: end all waits."""
        self.gone = True
        self._notify()
        self._listener.open -= 1
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Called by the loop: the client reads more slowly than we write."""
        self.paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Called by the loop: there is room again."""
        self.paused = False
        self._notify()
        super().resume_writing()

    def drop(self) -> None:
        """Close at once, whatever is still to be sent."""
        self.gone = True
        self._notify()
        if self.transport is not None:
            self.transport.abort()

    def _notify(self) -> None:
        wake = self._wake
        if wake is not None and not wake.done():
            wake.set_result(None)

    async def sleep(self, seconds: float | None) -> None:
        """Wait, for ever if None; raises `GoneError` as soon as the connection is."""
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while not self.gone:
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return
            await self._wait(left)
        raise GoneError("the connection is closed")

    async def drain(self) -> None:
        """Wait until the transport takes more; raises `GoneError` when the connection is closed."""
        while self.paused and not self.gone:
            await self._wait(None)
        if self.gone:
            raise GoneError("the connection is closed")

    async def _wait(self, seconds: float | None) -> None:
        # One request is served at a time on a connection, so there is never more than one waiter.
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
    """aiohttp's low-level server, making and counting our connections."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any]) -> None:
        super().__init__(handler)
        self.accepted = 0
        self.open = 0

    def __call__(self) -> web.RequestHandler:
        """Called by the loop for each new connection."""
        return Connection(self, loop=asyncio.get_running_loop())


class Handled(web.StreamResponse):
    """What aiohttp is told after a reply has been written here: nothing more to send."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._keep = keep

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection takes another request."""
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing: the head is out."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the body is out."""


# Stateless, so two of them serve all requests.
KEEP = Handled(keep=True)
CLOSE = Handled(keep=False)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body; raises `BodyTooLargeError` beyond `limit` bytes."""
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


@lru_cache(maxsize=64)
def _fixed_head(status: int, content_type: str) -> str:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    return f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\nopenai-version: 2020-10-01\r\n"


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
    """The head of a reply.

    lines: header lines of this reply, each with its line end. headers: more of them; they replace all others with the
    same name, those of the framing too. length: None leaves it out.
    """
    text = _fixed_head(status, content_type) + lines
    if headers:
        names = {name.lower() for name in headers}
        # A test may lie about the framing, that is what the client under test has to survive.
        chunked = chunked and "transfer-encoding" not in names
        length = None if "content-length" in names or "transfer-encoding" in names else length
        close = close and "connection" not in names
        start, *rest = text.split("\r\n")
        kept = [line for line in rest if line and line.partition(":")[0] not in names]
        text = "\r\n".join([start, *kept, *(f"{name}: {value}" for name, value in headers.items())]) + "\r\n"
    if chunked:
        text += "transfer-encoding: chunked\r\n"
    elif length is not None:
        text += f"content-length: {length}\r\n"
    if close:
        text += "connection: close\r\n"
    return (text + "\r\n").encode("utf-8")


class Writer:
    """Writes one reply. With a fault it counts bytes and cuts or stalls the reply where the fault says."""

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
        """Write; returns when the transport takes more. Raises `GoneError` once the reply is cut or the client away."""
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
            # Sends what was written, then ends: the client gets exactly the bytes that were asked for.
            self._transport.close()
            return
        found = self._transport.get_extra_info("socket")
        if found is not None:
            # Lingering for 0 seconds makes the kernel end the connection by RST.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
