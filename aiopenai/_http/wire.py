"""One connection of the direct transport: a state machine between the socket and aiohttp's parser.

states.py has the states and the table of their transitions. Each event of the loop and each call of a session is one
row of the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from typing_extensions import override

from aiopenai._base.secret import without_frames
from aiopenai._base.timeouts import Timeout
from aiopenai._http.connection import Connection, fail_quietly
from aiopenai._http.failures import CUT_SHORT
from aiopenai._http.framing import END_OF_HEAD, salvaged, without_conflict, without_interim
from aiopenai._http.private.parser import EMPTY_PAYLOAD, NOTHING, Body, CountedBody, parser_for
from aiopenai._http.states import AWAITING_HEAD, CLOSED, IDLE, READING_BODY, UNPACKING

if TYPE_CHECKING:
    from aiopenai._http.upload import Upload

__all__ = ["Owner", "Wire"]

# A longer first read is given to the parser as head and rest, so that the body is a `Body` from its beginning.
LONG_READ = 2**14
# How much of a contradictory head is kept until it is whole.
MAX_HELD_HEAD = 2**20
# The errors of pausing a transport that is closed (None), is closing, or cannot be paused.
_NO_FLOW_CONTROL = (AttributeError, NotImplementedError, RuntimeError)
_DROPPED = aiohttp.ClientConnectionError("Connection closed")


class Owner(Protocol):
    """The pool of a connection."""

    def keep(self, wire: Wire) -> None:
        """Takes a connection that is idle again."""
        ...

    def drop(self, wire: Wire) -> None:
        """Closes a connection and gives its place away."""
        ...


class RefusedHead:
    """The parser of a head that the parser has refused before its end."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def feed_data(self, _: bytes) -> Any:
        """Raises the parser's error."""
        raise self._error


class Wire(Connection):
    """One connection. An exchange is known by its future, the `token`. Its result is the reply's head and body.

    The holder of a token may use the connection only while `token` is that of the wire. The wire gives the token up
    with the last byte of the reply, and is free for the next exchange then, whether or not the body has been read.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_early",
        "_last",
        "_owner",
        "_parser",
        "_read",
        "_reader",
        "_reading_paused",
        "_received",
        "_rest",
        "_total",
        "_upload",
        "held",
        "idle_since",
        "looked",
        "origin",
        "token",
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._owner = owner
        # The pool's own: whether the connector counts this connection as taken, and by which origin.
        self.held = False
        self.origin: Any = None
        # The time of the last byte of the last reply.
        self.idle_since = 0.0
        # When it was last found to have nothing that the loop has not seen.
        self.looked = 0.0
        self.token: asyncio.Future[tuple[Any, Any, float]] | None = None
        self._parser: Any = None
        self._body: Any = None
        self._chunked = False
        # The bytes of the body that have arrived, as far as that is known.
        self._received = 0
        # The beginning of a head that is not whole, and the last bytes of a body in chunks.
        self._early = b""
        self._rest = b""
        # Whether the connection closes after this exchange.
        self._last = False
        self._reading_paused = False
        self._reader: asyncio.Future[None] | None = None
        self._upload: Upload | None = None
        self._total: asyncio.TimerHandle | None = None
        self._read: float | None = None

    @property
    def should_close(self) -> bool:
        """Whether the connection cannot be used again."""
        return self._last

    # An exchange

    def begin(self, data: bytes, read: float | None, now: float) -> asyncio.Future[tuple[Any, Any, float]]:
        """Writes a request, or its head, and returns its token. The read limit begins now, if it is given."""
        self.state = AWAITING_HEAD
        self.token = token = self.loop.create_future()
        self._read = read
        self.transport.write(data)
        if read:
            self._expect(now + read)
        return token

    def upload(
        self, token: asyncio.Future[Any], pieces: AsyncGenerator[bytes, None], chunked: bool, timeout: Timeout
    ) -> None:
        """Writes a body while the reply may arrive already. The read limit begins at the end of the body."""
        from aiopenai._http.upload import Upload

        self._upload = Upload(self, token, pieces, chunked, timeout)

    def expect_reply(self, token: asyncio.Future[Any], read: float | None) -> None:
        """Starts the read limit: the request has been sent to its end."""
        if token is self.token:
            self._read = read
            if read and not self._reading_paused:
                self._expect(self.loop.time() + read)

    def limit(self, token: asyncio.Future[Any], seconds: float) -> None:
        """Fails the exchange if it is not over by then."""
        error = aiohttp.ServerTimeoutError(f"not done within the total limit of {seconds} s")
        self._total = self.loop.call_later(seconds, self.fail, token, error)

    def more(self, token: asyncio.Future[Any]) -> asyncio.Future[None]:
        """Returns a future that is done with more of the body, its end or its failure. Only one reader may wait.

        Call `drop(token)` if you stop waiting for it. Raises RuntimeError for a second reader.
        """
        if self.token is not token or self._reader is not None:
            raise RuntimeError("the body is being read already")
        reader = self._reader = self.loop.create_future()
        return reader

    def drop(self, token: asyncio.Future[Any]) -> None:
        """Breaks the exchange off if it is not over, and closes the connection."""
        if self.token is token:
            body = self._body
            if body is not None:
                body.abandon(_DROPPED)
            self._over()
            if not self.loop.is_closed():
                self.abort()
                self.leave()

    def fail(self, token: asyncio.Future[Any], error: BaseException) -> None:
        """Fails the exchange if it is not over, and closes the connection."""
        if self.token is not token:
            return
        # A frame of its traceback would keep all frames below it, and with them the reply that keeps the error.
        without_frames(error)
        body = self._body
        if body is not None:
            body.set_exception(error)
        elif not token.done():
            fail_quietly(token, error)
        self._over()
        self.abort()
        self.leave()

    def _over(self) -> None:
        """Ends the exchange: its reader wakes, its clocks stop."""
        self.token = None
        self._body = None
        self._deadline = None
        if self._total is not None:
            self._total.cancel()
            self._total = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def leave(self) -> None:
        """Closes the connection and gives its place in the connector back."""
        self.state = CLOSED
        if self.held:
            self.held = False
            self._owner.drop(self)
        else:
            self.close()

    @override
    def _late(self) -> None:
        if self.token is not None:
            self.fail(self.token, aiohttp.SocketTimeoutError("no data within the read limit"))

    # Callbacks of the loop

    @override
    def data_received(self, data: bytes) -> None:
        token = self.token
        if token is None:
            if data and self.state is IDLE:
                # Bytes that no request asked for.
                self._last = True
                self.leave()
            return
        body = self._body
        if body is None and len(data) > LONG_READ and not self._early:
            at = data.find(END_OF_HEAD) + 4
            if 4 <= at < len(data):
                self.data_received(data[:at])
                self.data_received(data[at:])
                return
        if self._parser is None:
            # Not earlier: a parser takes 1 KB, and thousands of first requests may wait for their replies.
            self._parser = parser_for(self, self.loop)
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception as error:  # whatever the parser says about the bytes of a server
            if body is not None:
                self.fail(token, error)
                return
            mended = self._mended(token, data, error)
            if mended is None:
                return
            data, messages, upgraded = mended
        if body is None:
            body = self._head(token, data, messages, upgraded) if messages else None
            if body is None:
                if not messages:
                    self._early += data
                if self._read:
                    self._expect(self.loop.time() + self._read)
                return
        else:
            self._received += len(data)
            if messages:
                self._last = True
            if body.ended:
                self.idle_since = self.loop.time()
        if body.ended:
            self._complete(body, data)
            return
        failure = body.failure
        if failure is not None:
            # The parser could not unpack the body.
            self.fail(token, failure)
            return
        if self._chunked:
            self._rest = (self._rest + data[-3:])[-3:]
        self._wake()
        if self._read and not self._reading_paused:
            self._expect(self.loop.time() + self._read)

    def _mended(self, token: asyncio.Future[Any], data: bytes, error: Exception) -> tuple[bytes, Any, Any] | None:
        """Parses a refused head again without its contradictions; None if it has failed, or is not whole yet."""
        head, self._early = without_interim(self._early + data), b""
        end = head.find(END_OF_HEAD) + 4
        if end < 4 and len(head) < MAX_HELD_HEAD and b"content-length" in head.lower():
            self._early = head
            self._parser = RefusedHead(error)
            return None
        clean = without_conflict(head[:end]) if end >= 4 else None
        if clean is not None:
            self._last = True
            self._parser = parser_for(self, self.loop)
            data = clean + head[end:]
            try:
                messages, upgraded, _ = self._parser.feed_data(data)
            except Exception as again:  # as in `data_received`
                error = again
            else:
                return data, messages, upgraded
        self.fail(token, error)
        return None

    def _head(self, token: asyncio.Future[Any], data: bytes, messages: list[tuple[Any, Any]], upgraded: bool) -> Any:
        """Hands over the head of a reply and returns its body; None after interim replies only."""
        if self._early:
            data = self._early + data
            self._early = b""
        message, body = messages[0]
        at = 0
        number = 1
        while 100 <= message.code < 200 and message.code != 101:
            at = data.find(END_OF_HEAD, at) + 4
            if number == len(messages):
                self._early = data[at:]
                return None
            message, body = messages[number]
            number += 1
        if message.should_close or upgraded or number < len(messages):
            self._last = True
        self._chunked = chunked = message.chunked
        if not chunked:
            at = data.find(END_OF_HEAD, at) + 4
            self._received = len(data) - at if at >= 4 else -1
        if body is EMPTY_PAYLOAD:
            body = NOTHING
        else:
            body.__class__ = Body if chunked else CountedBody
            if not body.ended:
                self._body = body
                self.state = READING_BODY
        self.idle_since = now = self.loop.time()
        if not token.done():
            token.set_result((message, body, now))
        return body

    def _complete(self, body: Any, data: bytes) -> None:
        """Ends the exchange with the last byte of the reply: was it the last byte that arrived?"""
        if self._chunked:
            exact = (self._rest + data).endswith(END_OF_HEAD)
        else:
            exact = self._received == (body.total_compressed_bytes or body.total_bytes)
        self._rest = b""
        if self._upload is not None and not self._last:
            # The server has answered before all was sent: the rest would be taken for another request.
            self._last = self._upload.sending or self.transport.get_write_buffer_size() > 0
        self._over()
        if self._last or not exact or self.state is UNPACKING:
            self._last = True
            self.leave()
        else:
            self.state = IDLE
            self._owner.keep(self)

    def pause_reading(self) -> None:
        """Holds the server back: the reader is slow. The read limit stands still."""
        self._reading_paused = True
        self._deadline = None
        self._parser.pause_reading()
        with contextlib.suppress(*_NO_FLOW_CONTROL):
            self.transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Goes on with the bytes that the parser has kept, and then with the socket."""
        if not self._reading_paused:
            return
        self._reading_paused = False
        if resume_parser:
            self.data_received(b"")
        if not self._reading_paused:
            with contextlib.suppress(*_NO_FLOW_CONTROL):
                self.transport.resume_reading()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None and self.token is not None:
            self._last = True
            for piece in salvaged(self.transport):
                self.data_received(piece)
        token, body = self.token, self._body
        if token is None:
            pass
        elif body is None:
            if isinstance(exc, OSError):
                self.fail(token, aiohttp.ClientOSError(*exc.args))
            else:
                self.fail(token, exc or aiohttp.ServerDisconnectedError())
        else:
            self._last = True
            self._cut(token, body, exc)
        if self.token is None:
            self.leave()
        elif self.held:
            # The parser goes on unpacking; the place is free.
            self.held = False
            self._owner.drop(self)
        super().connection_lost(exc)

    def _cut(self, token: asyncio.Future[Any], body: Any, exc: BaseException | None) -> None:
        """Ends a body with its connection: by its nature, or short of its end."""
        try:
            if exc is not None:
                raise exc
            self._parser.feed_eof()
        except Exception as error:
            failure = aiohttp.ClientPayloadError(f"{CUT_SHORT}: {error!r}")
            failure.__cause__ = error
            self.fail(token, failure)
        else:
            if body.ended:
                self._over()
            else:
                # The rest is unpacked after the reader has taken the data that is here.
                self.state = UNPACKING
