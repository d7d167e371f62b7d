"""Replies that come from elsewhere: the interface of their source, and the client's side of such a request."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, NoReturn, TypeAlias, TypeVar

from aiohttp import web

from aiopenai.testing.engine.received import Fault, ReceivedRequest
from aiopenai.testing.engine.wire import Connection, GoneError, Writer, passed_head, says_close

__all__ = ["NO_BODY", "SOCKET_CLOSE_TIME", "Passed", "Passing", "ReplySource", "Work"]

ResultT = TypeVar("ResultT")

SOCKET_CLOSE_TIME = 1.0
"""The seconds to wait for the close frame of the other side."""
NO_BODY = frozenset({204, 304})
"""The statuses of replies without a body."""


class Passing:
    """The client's side of a request whose reply comes from elsewhere, as it arrives.

    A source calls `begin`, `write` and `finish`, or `cut` in place of `finish`. For a websocket it calls `accept`.
    """

    def __init__(
        self, request: web.BaseRequest, connection: Connection, received: ReceivedRequest, fault: Fault | None
    ) -> None:
        self.received = received
        self.sleep = connection.sleep
        self.drop = connection.drop
        self.keep = request.keep_alive
        self._request = request
        self._connection = connection
        self._fault = fault
        self._writer: Writer | None = None
        self._chunked = self._bare = False
        self._head = b""

    async def begin(
        self, status: int, reason: str | None, headers: Iterable[tuple[str, str]], length: int | None
    ) -> None:
        """Takes the head of the reply, which is sent with the first bytes of the body.

        headers: those of the reply, without its framing.
        length: the bytes of the body; None if they are not known yet.
        """
        self._bare = status in NO_BODY or self._request.method == "HEAD"
        old = self._request.version < (1, 1)
        self._chunked = length is None and not self._bare and not old
        extra: Mapping[str, str] = {} if self._fault is None else self._fault.headers
        self.keep = self.keep and not old and not says_close(extra)
        shown = None if status in NO_BODY else length
        self._writer = Writer(self._connection, self._fault)
        self._head = passed_head(
            status, reason, headers, extra, length=shown, chunked=self._chunked, close=not self.keep
        )
        if length is None and not self._bare:
            # The first event of a stream may come long after the head.
            await self._send(b"")

    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body. Raises `GoneError` when the connection closes."""
        if not self._bare and piece:
            await self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    async def finish(self) -> None:
        """Sends the end of the reply."""
        await self._send(b"0\r\n\r\n" if self._chunked else b"")

    async def cut(self) -> NoReturn:
        """Closes the connection before the reply is complete, and raises `GoneError`."""
        await self._send(b"")
        self.keep = False
        if self._connection.transport is not None:
            self._connection.transport.close()
        raise GoneError("the reply was cut")

    async def whole(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Sends a whole reply."""
        await self.begin(status, None, headers, len(body))
        await self.write(body)
        await self.finish()

    async def accept(self, protocol: str | None) -> web.WebSocketResponse:
        """Accepts the handshake of a websocket, with the chosen subprotocol."""
        socket = web.WebSocketResponse(
            # Without a limit, and without compression: half a minute of audio may come in one message.
            max_msg_size=0,
            compress=False,
            timeout=SOCKET_CLOSE_TIME,
            protocols=() if protocol is None else (protocol,),
        )
        await socket.prepare(self._request)
        return socket

    async def until_gone(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Runs work in a task. When the client closes the connection, cancels it and raises `GoneError`."""
        task = asyncio.ensure_future(work)
        gone = self._connection.when_gone()
        try:
            both: set[asyncio.Future[Any]] = {task, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            gone.cancel()
        if task.cancelled():
            raise GoneError("the connection is closed")
        return task.result()

    async def _send(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if (head or data) and self._writer is not None:
            await self._writer.send(head + data)


Work: TypeAlias = Callable[[Passing], Awaitable["web.WebSocketResponse | None"]]
"""A function that answers one request. It returns the websocket that it served, if any."""


class Passed:
    """The outcome of a request that a source answers."""

    __slots__ = ("work",)

    tokens = 0

    def __init__(self, work: Work) -> None:
        self.work = work


class ReplySource(ABC):
    """A source of replies other than the endpoints. `unknown_requests` describes requests that it refused."""

    def __init__(self) -> None:
        self.unknown_requests: list[str] = []

    @abstractmethod
    def answer_to(self, request: ReceivedRequest) -> Work | None:
        """Returns a function that answers the request, or None to let the endpoints answer."""

    @abstractmethod
    async def close(self) -> None:
        """Frees the connections of the source, after all its requests have ended."""
