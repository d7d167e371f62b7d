"""One attempt over HTTP on aiohttp's connector and C parser, without its session: the plain case, nearly every call.

`ClientSession` makes a request object, a response object, a writer and two timers for each call, and a parser each time
a connection is used. What a call to the API needs of that is this, in the order of what it saves. The figures are of
client CPU for the bare exchange of a chat call, 100 at once, in multiples of a protocol that knows only its own answer
(26 us on a quiet core); a session with every option tuned stands at 3.2.

- One block of bytes is written: the header lines are rendered once per block of headers (a client has one per
  endpoint), the request line once per URL. With that go the request, the writer and the task that runs it: 2.3.
- The connection is asked of the connector and given to a protocol of our own, and a reply is two values from the
  parser: 1.8. The connector does what it is good at, once in a connection's life: names, addresses, TLS, the limit and
  the queue. `Connector` in transport.py adds the limits of time.
- The protocol keeps its parser, and connections between calls lie in a dictionary here, not in the connector's pool,
  which makes a `Connection` and moves it between two sets, a queue and a clock for each call: 1.4. The connector counts
  them as taken until it is short of connections; then they are handed over, so that its queue is fair to all.
- Time limits are a number noted in the protocol and one timer in a connection's life that looks at it: 0.1 us instead
  of 2 for each timer that is made and cancelled.
- A body that comes in several reads is kept by a `StreamReader` whose methods were replaced by shorter ones
  (`_Body`): the parser calls three of them for each chunk, and whoever reads is woken once for each read of the socket
  instead of for each chunk. To receive a stream of 1,000 chunks costs 1.0 ms where the session takes 1.8.
- What is small stays small: a thousand calls in flight hold 7 MB here, 11 on a session, 4 on the bare protocol.

All this leans on parts of aiohttp that it does not promise. They are used in this file alone, `examine` tries each of
them before the first request, and where something is missing the general transport takes over. So it does for what is
not plain: hosts behind a proxy, HEAD, headers that change the framing, credentials in a URL.

A connection is used again only if what arrived on it is, to the byte, the replies that were asked for: what a server
sent beyond would be taken for the beginning of the next reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import re
import select
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import aiohttp
from aiohttp import hdrs, http_parser
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from multidict import CIMultiDict
from typing_extensions import override
from yarl import URL

from aiopenai._base.cache import BoundedCache
from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._http.multipart import MultipartBody
from aiopenai._http.transport import (
    IDLE_SECONDS,
    PIECE_BYTES,
    READ_BUFFER,
    Block,
    Connector,
    GeneralSession,
    Sent,
    Session,
    SessionReply,
    Sessions,
    Settings,
    forget_connections,
    from_below,
    header_block,
    pieces_of,
    pool_limit,
    proxy_of,
    translate,
)

__all__ = ["DirectReply", "DirectSession", "header_block", "open_sessions"]

log = logging.getLogger("aiopenai")

# How much of a body may wait for whoever reads all of it; of a stream, whose reader may be slow, it is `READ_BUFFER`.
WHOLE_BUFFER = 2**20
# How much is read at a time. With asyncio's 256 KB, pieces are so large that the system takes their memory back after
# each, and has to give it anew: a tenth of what a reply of 0.5 MB costs. With 64 KB it still does so where a loop stops
# between reads, in a blocking client's streams, which cost a third more.
READ_PIECE = 2**15
# A connection that nobody has used for this long is looked at before it is used, and so is each that lay idle while the
# loop was stopped: its end may have come unseen. That takes 0.8 us; a busy client's connections are used sooner.
UNSEEN_SECONDS = 0.05
# A first read beyond this is given to the parser as head and body, so that the body is a `_Body` from its beginning.
LONG_READ = 2**14
# A call to these may be made again by itself when a kept connection turns out to be dead: RFC 9110, section 9.2.2.
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE", "OPTIONS"})
# Without a body these announce no length: RFC 9110, section 8.6.
BODILESS = frozenset({"GET", "OPTIONS"})
# Headers that change how a message is framed, or whose it is.
UNUSUAL = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.1: a token
_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]")
_NOT_IN_A_TARGET = re.compile(r"[\x00-\x20\x7f]")
_END_OF_HEAD = b"\r\n\r\n"
# What transports that are closing, or closed (None), or cannot be paused, make of being paused.
_NO_FLOW_CONTROL = (AttributeError, NotImplementedError, RuntimeError)
_CLOSED = aiohttp.ClientConnectionError("Connection closed")


class UnfitError(Exception):
    """The installed aiohttp is not as this module needs it."""


class _Body(StreamReader):
    """A body that is not all here yet: the parser puts pieces in, a reply takes them out.

    The parser makes a `StreamReader`; its class is changed to this one when its reply has begun.
    """

    __slots__ = ()

    @override
    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self._buffer.append(data)
        self._size += len(data)
        if self._size > self._high_water:
            self._protocol.pause_reading()
        return False

    @override
    def feed_eof(self) -> None:
        self._eof = True
        self._protocol.resume_reading(resume_parser=False)

    # Nobody asks where the chunks ended: a C function that does nothing is called for each.
    begin_http_chunk_receiving = end_http_chunk_receiving = cast("Any", staticmethod(bool))

    def abandon(self, error: BaseException) -> None:
        """Nobody wants the rest."""
        self._buffer.clear()
        self._size = 0
        if self._exception is None:
            self._exception = error

    def take(self) -> bytes:
        """All that is here, and the sign to go on if the server was held back."""
        buffer = self._buffer
        if len(buffer) == 1:
            data = buffer.popleft()
        else:
            data = b"".join(buffer)
            buffer.clear()
        self._size = 0
        if not self._eof:
            protocol: Any = self._protocol
            if protocol._reading_paused:
                protocol.resume_reading()
        return data


class _Counted(_Body):
    """One that is not in chunks, whose end shows in how long it was."""

    __slots__ = ()

    @override
    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self.total_bytes += len(data)
        return super().feed_data(data, size)


def _nothing() -> Any:
    """The body of replies that have none; they share it, as nothing is put in or taken out."""
    body: Any = object.__new__(_Body)
    body._buffer = deque()
    body._size = body.total_bytes = body.total_compressed_bytes = 0
    body._exception = None
    body._eof = True
    return body


_NOTHING = _nothing()


class Wire(asyncio.Protocol):
    """One connection: what is written goes out, what comes in goes to the parser.

    An exchange is known by its future, the `token`, which gets the reply's head: (message, body). Who holds the token
    may touch the connection only while it is still the wire's own; the wire lets go of it when the last byte is here,
    and is free for the next exchange then, whether or not somebody has read the body.
    """

    __slots__ = (
        "_body",
        "_chunked",
        "_closed",
        "_deadline",
        "_drain",
        "_last",
        "_loop",
        "_lost",
        "_parser",
        "_read",
        "_reader",
        "_reading_paused",
        "_received",
        "_rest",
        "_sending",
        "_session",
        "_total",
        "_upload",
        "_watch",
        "_watch_at",
        "fileno",
        "held",
        "idle_since",
        "origin",
        "token",
        "transport",
        "writing_paused",
    )

    def __init__(self, session: DirectSession) -> None:
        self._session = session
        self._loop = session.loop
        self.transport: Any = None
        self.fileno = -1
        # Whether the connector counts this connection as taken, and by which of our origins.
        self.held = False
        self.origin: _Origin | None = None
        # When the last reply was complete.
        self.idle_since = 0.0
        self.token: asyncio.Future[tuple[Any, Any, float]] | None = None
        self.writing_paused = False
        self._parser: Any = None
        self._body: Any = None
        self._chunked = False
        # Bytes of the body that have arrived, as far as that is known; the last few of all bytes.
        self._received = 0
        self._rest = b""
        # Whether this exchange is the connection's last.
        self._last = False
        self._reading_paused = False
        self._drain: asyncio.Future[None] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._upload: asyncio.Task[None] | None = None
        # Whether some of the request's body has still to be handed to the transport.
        self._sending = False
        self._total: asyncio.TimerHandle | None = None
        self._read: float | None = None
        self._deadline: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = 0.0
        self._lost = False
        self._closed: asyncio.Future[None] | None = None

    # What the connector asks for

    def is_connected(self) -> bool:
        """Whether the connection can be used."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def should_close(self) -> bool:
        """Whether the connection cannot be used again."""
        return self._last

    @property
    def closed(self) -> asyncio.Future[None] | None:
        """Done when the connection is closed; None if it is already."""
        if self._closed is None and not self._lost:
            self._closed = self._loop.create_future()
        return self._closed

    def close(self) -> None:
        """Close the connection once all is written."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    # An exchange

    def begin(self, data: bytes, read: float | None, now: float) -> asyncio.Future[tuple[Any, Any, float]]:
        """Write a request, or its head; the future gets the reply's. The read limit begins now, if it is given."""
        if self._parser is None:
            self._parser = parser_for(self, self._loop)
        self.token = token = self._loop.create_future()
        self._read = read
        self.transport.write(data)
        if read:
            self._expect(now + read)
        return token

    def upload(
        self, token: asyncio.Future[Any], pieces: AsyncGenerator[bytes, None], chunked: bool, timeout: Timeout
    ) -> None:
        """Write a body while the reply may be coming already; the read limit begins at the body's end."""
        self._sending = True
        task = self._upload = self._loop.create_task(self._write(token, pieces, chunked, timeout))
        task.add_done_callback(functools.partial(self._uploaded, token))

    async def _write(
        self, token: asyncio.Future[Any], pieces: AsyncGenerator[bytes, None], chunked: bool, timeout: Timeout
    ) -> None:
        try:
            async for piece in pieces:
                if token is not self.token:
                    return
                if not chunked:
                    self.transport.write(piece)
                elif piece:
                    self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._drained(timeout.write)
            if token is not self.token:
                return
            if chunked:
                self.transport.write(b"0\r\n\r\n")
            self._sending = False
            await self._drained(timeout.write)
        finally:
            await pieces.aclose()
        if token is self.token:
            self._read = timeout.read
            if timeout.read and not self._reading_paused:
                self._expect(self._loop.time() + timeout.read)

    async def _drained(self, seconds: float | None) -> None:
        if self.writing_paused:
            self._drain = self._loop.create_future()
            await within(seconds, self._drain)

    def _uploaded(self, token: asyncio.Future[Any], task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        failure: BaseException = error
        if not isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError)):
            failure = aiohttp.ClientConnectionError(f"the body could not be sent: {error}")
            failure.__cause__ = error
        self._fail(token, failure)

    def limit(self, token: asyncio.Future[Any], seconds: float) -> None:
        """Let the exchange fail if it is not over by then."""
        error = aiohttp.ServerTimeoutError(f"not done within the total limit of {seconds} s")
        self._total = self._loop.call_later(seconds, self._fail, token, error)

    def more(self, token: asyncio.Future[Any]) -> asyncio.Future[None]:
        """Done when more of the body is here, or its end, or its failure. Raises RuntimeError for a second reader.

        Who does not wait for it any more has to `drop` the exchange.
        """
        if self.token is not token or self._reader is not None:
            raise RuntimeError("the body is being read already")
        reader = self._reader = self._loop.create_future()
        return reader

    def drop(self, token: asyncio.Future[Any]) -> None:
        """Break the exchange off, if it is not over, and the connection with it."""
        if self.token is token:
            body = self._body
            if body is not None:
                body.abandon(_CLOSED)
            self._over()
            self.abort()
            self.leave()

    def _fail(self, token: asyncio.Future[Any], error: BaseException) -> None:
        if self.token is not token:
            return
        body = self._body
        if body is not None:
            body.set_exception(error)
        elif not token.done():
            _fail_quietly(token, error)
        self._over()
        self.abort()
        self.leave()

    def _over(self) -> None:
        """The exchange is: whoever waits is woken, and its clocks stand still."""
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
        """Close the connection, and give its place in the connector back."""
        if self.held:
            self.held = False
            self._session.give_back(self)
        else:
            self.close()

    def readable(self) -> bool:
        """Whether something has come that the loop did not see yet: on an idle connection, its end."""
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.fileno, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self.fileno], [], [], 0)[0])

    # The read limit: a number, and a timer that looks at it

    def _expect(self, deadline: float) -> None:
        self._deadline = deadline
        if self._watch is not None:
            if self._watch_at <= deadline:
                return
            self._watch.cancel()
        self._watch = self._loop.call_at(deadline, self._look)
        self._watch_at = deadline

    def _look(self) -> None:
        self._watch = None
        deadline = self._deadline
        if deadline is None or self.token is None:
            return
        if deadline > self._loop.time():
            self._watch = self._loop.call_at(deadline, self._look)
            self._watch_at = deadline
        else:
            self._fail(self.token, aiohttp.SocketTimeoutError("no data within the read limit"))

    # What the loop calls

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.fileno = transport.get_extra_info("socket").fileno()
        if hasattr(transport, "max_size"):
            # asyncio's own; others read as they please.
            cast("Any", transport).max_size = READ_PIECE

    @override
    def data_received(self, data: bytes) -> None:
        token = self.token
        if token is None:
            if data:
                # Nobody asked.
                self._last = True
                self.leave()
            return
        body = self._body
        if body is None and len(data) > LONG_READ and (at := data.find(_END_OF_HEAD)) >= 0:
            self.data_received(data[: at + 4])
            self.data_received(data[at + 4 :])
            return
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception as error:  # whatever a parser says of what a server sends
            self._fail(token, error)
            return
        if body is None:
            if messages:
                body = self._head(token, data, messages, upgraded)
            if body is None:
                self._rest = (self._rest + data[-3:])[-3:]
                if self._read:
                    self._expect(self._loop.time() + self._read)
                return
        else:
            self._received += len(data)
            if messages:
                self._last = True
            if body._eof:
                self.idle_since = self._loop.time()
        if body._eof:
            self._complete(body, data)
            return
        failure = body._exception
        if failure is not None:
            # Of what the parser could not unpack.
            self._fail(token, failure)
            return
        if self._chunked:
            self._rest = (self._rest + data[-3:])[-3:]
        self._wake()
        if self._read and not self._reading_paused:
            self._expect(self._loop.time() + self._read)

    def _head(self, token: asyncio.Future[Any], data: bytes, messages: list[tuple[Any, Any]], upgraded: bool) -> Any:
        """Hand over the reply's head, and give its body; None while there were only interim ones."""
        if self._rest:
            data = self._rest + data
        message, body = messages[0]
        at = 0
        number = 1
        while 100 <= message.code < 200 and message.code != 101:
            if number == len(messages):
                return None
            at = data.find(_END_OF_HEAD, at) + 4
            message, body = messages[number]
            number += 1
        self._rest = b""
        if message.should_close or upgraded or number < len(messages):
            self._last = True
        self._chunked = chunked = message.chunked
        if not chunked:
            at = data.find(_END_OF_HEAD, at) + 4
            self._received = len(data) - at if at >= 4 else -1
        if body is EMPTY_PAYLOAD:
            body = _NOTHING
        else:
            body.__class__ = _Body if chunked else _Counted
            if not body._eof:
                self._body = body
        self.idle_since = now = self._loop.time()
        if not token.done():
            token.set_result((message, body, now))
        return body

    def _complete(self, body: Any, data: bytes) -> None:
        """The reply is here; was that all that is here?"""
        if self._chunked:
            exact = (self._rest + data).endswith(_END_OF_HEAD)
        else:
            exact = self._received == (body.total_compressed_bytes or body.total_bytes)
        self._rest = b""
        if self._upload is not None and not self._last:
            # The server has answered before it had read all: the rest would be taken for another request.
            self._last = self._sending or self.transport.get_write_buffer_size() > 0
        self._over()
        if self._last or not exact:
            self._last = True
            self.leave()
        else:
            self._session.keep(self)

    def pause_reading(self) -> None:
        """Hold the server back: the reader is slow."""
        self._reading_paused = True
        self._deadline = None
        self._parser.pause_reading()
        with contextlib.suppress(*_NO_FLOW_CONTROL):
            self.transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on with what the parser has kept, and then with what the server has."""
        if not self._reading_paused:
            return
        self._reading_paused = False
        if resume_parser:
            self.data_received(b"")
        if not self._reading_paused:
            with contextlib.suppress(*_NO_FLOW_CONTROL):
                self.transport.resume_reading()

    @override
    def pause_writing(self) -> None:
        self.writing_paused = True

    @override
    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        self._lost = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        token, body = self.token, self._body
        if token is None:
            pass
        elif body is None:
            if isinstance(exc, OSError):
                self._fail(token, aiohttp.ClientOSError(*exc.args))
            else:
                self._fail(token, exc or aiohttp.ServerDisconnectedError())
        else:
            self._last = True
            self._cut(token, body, exc)
        self.transport = None
        self.leave()
        if self._drain is not None and not self._drain.done():
            _fail_quietly(self._drain, aiohttp.ClientConnectionResetError("Connection lost"))
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _cut(self, token: asyncio.Future[Any], body: Any, exc: BaseException | None) -> None:
        """The connection has ended in a body: that may be the body's own end."""
        try:
            if exc is not None:
                raise exc
            self._parser.feed_eof()
        except Exception as error:
            failure = aiohttp.ClientPayloadError(f"Response payload is not completed: {error!r}")
            failure.__cause__ = error
            self._fail(token, failure)
        else:
            # Otherwise some is still to be unpacked, when its reader comes.
            if body._eof:
                self._over()


def _fail_quietly(future: asyncio.Future[Any], error: BaseException) -> None:
    """Have a future fail without a complaint in the log if whoever waited was cancelled and does not ask any more."""
    future.set_exception(error)
    future.exception()


class DirectReply(SessionReply):
    """A reply on a `Wire`."""

    __slots__ = ("_body", "_closed", "_message", "_request", "_sent", "_token", "_wire")

    def __init__(
        self, wire: Wire, token: asyncio.Future[Any], message: Any, body: Any, sent: Any, elapsed: float, limit: int
    ) -> None:
        # What the base class would do, for each call.
        self.status = message.code
        self.headers = message.headers
        self.elapsed = elapsed
        self._limit = limit
        self._message = message
        self._body: Any = body
        self._wire = wire
        self._token = token
        # The arguments of a `Sent`.
        self._sent = sent
        self._request: Sent | None = None
        self._closed = False

    @property
    @override
    def request(self) -> Sent:
        # Made when somebody asks: after a failure, or of a raw reply.
        if self._request is None:
            self._request = Sent(*self._sent)
        return self._request

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._token.get_loop()

    @property
    @override
    def reason(self) -> str:
        return self._message.reason or ""

    @property
    @override
    def closed(self) -> bool:
        return self._closed

    @override
    def at_end(self) -> bool:
        return cast("bool", self._body._eof)

    @override
    def whole(self) -> bytes | None:
        body = self._body
        if not body._eof or body._exception is not None:
            return None
        self._closed = True
        if body._size > self._limit:
            raise self.too_long()
        whole: bytes = body.take()
        return whole

    @override
    async def read(self) -> bytes:
        whole = self.whole()
        if whole is not None:
            return whole
        body = self._body
        if self._message.compression is None:
            # What is compressed may be a thousand times as long: it is unpacked little by little.
            body._high_water = min(self._limit, WHOLE_BUFFER)
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read_some():
            size += len(piece)
            if size > self._limit:
                self.close()
                raise self.too_long()
            pieces.append(piece)
        return b"".join(pieces)

    @override
    async def read_some(self) -> bytes:
        body = self._body
        while not body._size:
            error = body._exception
            if error is not None:
                self._closed = True
                raise translate(error, self.request.value()) from error
            if body._eof:
                self._closed = True
                return b""
            try:
                await self._wire.more(self._token)
            except BaseException:
                self.close()
                raise
        piece: bytes = body.take()
        return piece

    @override
    def close(self) -> None:
        self._closed = True
        self._wire.drop(self._token)


class _OpenReply(DirectReply):
    """A reply whose end was not here yet when it began."""

    __slots__ = ()

    def __del__(self) -> None:
        # Left unread, it would hold its connection for ever. It may be collected in any thread.
        if self._wire.token is self._token:
            with contextlib.suppress(RuntimeError):
                self._token.get_loop().call_soon_threadsafe(self._wire.drop, self._token)


class _Origin:
    """A scheme, host and port: its connections that wait for work, the oldest first."""

    __slots__ = ("free", "key", "request")

    def __init__(self, url: URL, loop: asyncio.AbstractEventLoop) -> None:
        # What the connector wants to know of a request; it is the same for all of an origin's.
        self.request = ClientRequest("GET", url.origin(), loop=loop)
        self.key = self.request.connection_key
        self.free: dict[Wire, None] = {}


class _Target:
    """A URL and a verb; without an origin, the general transport has to see to it."""

    __slots__ = ("line", "origin")

    def __init__(self, line: bytes, origin: _Origin | None) -> None:
        self.line = line
        self.origin = origin


class DirectSession(Session):
    """The direct transport. Raises UnfitError where the installed aiohttp is not as it must be."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.loop = self._loop
        connector: Any = Connector(settings)
        try:
            connector.speak(functools.partial(Wire, self))
            examine(connector)
        except UnfitError:
            raise
        except Exception as error:
            raise UnfitError(f"{type(error).__name__}: {error}") from error
        self._connector = connector
        self._origins: dict[URL, _Origin | None] = {}
        self._targets: BoundedCache[tuple[str, str], _Target] = BoundedCache()
        self._timeouts: BoundedCache[float | None, aiohttp.ClientTimeout] = BoundedCache()
        self._sweeping: asyncio.TimerHandle | None = None
        # When the loop was last found to run again.
        self._resumed = 0.0
        self._general: GeneralSession | None = None

    @override
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout
    ) -> SessionReply:
        started = self._loop.time()
        if self.stood_still():
            self._resumed = started
        sent = (method, url, headers)
        try:
            target = self._targets.get((method, url)) or self._target(method, url)
            origin = target.origin
            lines = headers.lines if isinstance(headers, Block) else None
            if lines is None:
                lines = _lines(headers)
            if origin is None or lines is None or not (body.__class__ is bytes or _is_plain(body)):
                return await self._in_general(method, url, headers, body, timeout)
            pieces: AsyncGenerator[bytes, None] | None = None
            chunked = False
            if body.__class__ is bytes and 0 < len(body) <= PIECE_BYTES:
                data = b"%b%bContent-Length: %d\r\n\r\n%b" % (target.line, lines, len(body), body)
            else:
                data, pieces, chunked = await _opened(method, target.line, lines, headers, body)
            fresh = False
            now = started
            while True:
                wire = None if fresh else self._idle(origin, now)
                kept = wire is not None
                if wire is None:
                    wire = await self._connect(origin, timeout)
                    now = self._loop.time()
                token = wire.begin(data, timeout.read if pieces is None else None, now)
                if timeout.total is not None:
                    wire.limit(token, timeout.total)
                if pieces is not None:
                    wire.upload(token, pieces, chunked, timeout)
                try:
                    message, content, answered = await token
                    break
                except BaseException as error:
                    wire.drop(token)
                    dead = isinstance(error, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))
                    if not (dead and kept and pieces is None and method in IDEMPOTENT):
                        raise
                    fresh = True
        except (aiohttp.ClientError, HttpProcessingError, asyncio.TimeoutError, OSError, RuntimeError, ValueError) as e:
            raise from_below(e, Sent(*sent)) from e
        kind = DirectReply if content._eof else _OpenReply
        return kind(wire, token, message, content, sent, answered - started, self.settings.max_response_bytes)

    def _target(self, method: str, url: str) -> _Target:
        # What stands in the path was encoded by the client: %2F must stay %2F.
        parsed = URL(url, encoded=True)
        origin: _Origin | None = None
        line = b""
        plain = parsed.scheme in ("http", "https") and parsed.raw_host and parsed.raw_user is None
        if plain and parsed.raw_password is None and method != "HEAD":
            path = parsed.raw_path_qs
            if _NOT_IN_A_TARGET.search(path) or not _NAME.fullmatch(method):
                raise ValueError("the URL has a space or a control character in it")
            line = f"{method} {path} HTTP/1.1\r\nHost: {parsed.host_port_subcomponent}\r\n".encode()
            origin = self._origin(parsed)
        target = _Target(line, origin)
        self._targets[method, url] = target
        return target

    def _origin(self, url: URL) -> _Origin | None:
        """The origin of a URL; None where a proxy stands before it."""
        where = url.origin()
        if where not in self._origins:
            proxied = proxy_of(self.settings, where) is not None
            self._origins[where] = None if proxied else _Origin(where, self._loop)
            if proxied:
                log.debug("A proxy stands before %s: general transport", where.raw_host)
        return self._origins[where]

    async def _in_general(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout
    ) -> SessionReply:
        if self._general is None:
            self._general = GeneralSession(self.settings)
        return await self._general.send(method, url, headers, body, timeout)

    # Connections

    def _idle(self, origin: _Origin, now: float) -> Wire | None:
        """A connection that waits for work. The one used last, so that those too many come to their age."""
        free = origin.free
        while free:
            wire = free.popitem()[0]
            if self._fit(wire, now):
                return wire
            wire.leave()
        return None

    def _fit(self, wire: Wire, now: float) -> bool:
        if wire.transport is None or wire.transport.is_closing():
            return False
        since = wire.idle_since
        if since > self._resumed and now - since <= UNSEEN_SECONDS:
            return True
        return now - since <= IDLE_SECONDS and not wire.readable()

    async def _connect(self, origin: _Origin, timeout: Timeout) -> Wire:
        """A connection from the connector: a new one, one that was handed over to it, or the next in the queue's."""
        connector = self._connector
        limits = self._timeouts.get(timeout.connect)
        if limits is None:
            limits = self._timeouts[timeout.connect] = aiohttp.ClientTimeout(
                sock_connect=timeout.connect, ceil_threshold=float("inf")
            )
        pool = None if timeout.pool is None else pool_limit.set(timeout.pool)
        try:
            while True:
                if connector._available_connections(origin.key) <= 0:
                    self._hand_over()
                connection = await connector.connect(origin.request, [], limits)
                wire = cast("Wire", connection.protocol)
                # A `Connection` closes what it holds when it is collected; the wire looks after itself.
                connection._protocol = None
                wire.held = True
                new = wire.origin is None
                wire.origin = origin
                if wire.is_connected() if new else self._fit(wire, self._loop.time()):
                    return wire
                wire.leave()
                if new:
                    raise aiohttp.ServerDisconnectedError
        except asyncio.TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {origin.request.url}") from error
        finally:
            if pool is not None:
                pool_limit.reset(pool)

    def _hand_over(self) -> None:
        """Give the connector what lies idle: somebody is going to wait in its queue, and must not do so in vain."""
        for origin in self._origins.values():
            while origin is not None and origin.free:
                wire = origin.free.popitem()[0]
                wire.held = False
                self._connector._release(origin.key, wire)

    def keep(self, wire: Wire) -> None:
        """Have a connection wait for work, here or, if there is a queue, in the connector."""
        connector = self._connector
        origin = wire.origin
        assert origin is not None
        if connector._waiters or connector._closed:
            wire.held = False
            connector._release(origin.key, wire)
            return
        origin.free[wire] = None
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(IDLE_SECONDS, self._sweep)

    def give_back(self, wire: Wire) -> None:
        """Close a connection; the connector may open another in its place."""
        origin = cast("_Origin", wire.origin)
        origin.free.pop(wire, None)
        self._connector._release(origin.key, wire, should_close=True)
        wire.close()

    def _sweep(self) -> None:
        """Close what has been idle for too long."""
        self._sweeping = None
        oldest = self._loop.time() - IDLE_SECONDS
        for origin in self._origins.values():
            for wire in () if origin is None else list(origin.free):
                if wire.idle_since > oldest:
                    self._sweeping = self._sweeping or self._loop.call_later(IDLE_SECONDS, self._sweep)
                    break
                wire.leave()

    # The end

    @property
    @override
    def closed(self) -> bool:
        return cast("bool", self._connector.closed)

    @override
    async def shut(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._connector.close()
        if self._general is not None:
            await self._general.shut()

    @override
    def forget(self) -> None:
        if not self._connector.closed:
            forget_connections(self._connector)
        if self._general is not None:
            self._general.forget()


def _is_plain(body: Any) -> bool:
    return body is None or isinstance(body, (bytes, bytearray, MultipartBody)) or hasattr(body, "__aiter__")


def _lines(headers: Mapping[str, str]) -> bytes | None:
    """The header lines of a block, rendered once; None for what the general transport has to see to."""
    if not isinstance(headers, Block):
        return _rendered(headers)
    if headers.lines is None:
        headers.lines = _rendered(headers)
    return headers.lines


def _rendered(headers: Mapping[str, str]) -> bytes | None:
    """Headers as they are sent, with those that aiohttp adds. Raises ValueError for what no header can be."""
    given = {name.lower() for name in headers}
    if given & UNUSUAL:
        return None
    lines = list(headers.items())
    lines += [(name, value) for name, value in ClientRequest.DEFAULT_HEADERS.items() if name.lower() not in given]
    for name, value in lines:
        if not _NAME.fullmatch(name) or _NOT_IN_A_HEADER.search(value):
            raise ValueError(f"the header {name!r} has a character that no header can have")
    return "".join([f"{name}: {value}\r\n" for name, value in lines]).encode()


async def _opened(
    method: str, line: bytes, lines: bytes, headers: Mapping[str, str], body: Any
) -> tuple[bytes, AsyncGenerator[bytes, None] | None, bool]:
    """What is written at once, what is written in pieces, and whether those are chunks because nobody knows how much.

    Raises the OSError of a file that cannot be read, RuntimeError for a body that was read before.
    """
    length: int | None = None
    if isinstance(body, MultipartBody):
        own = CIMultiDict(headers)
        own[hdrs.CONTENT_TYPE] = body.content_type
        lines = _rendered(own) or b""
        ready = body.as_bytes(PIECE_BYTES)
        if ready is None:
            body, length = await body.open()
        else:
            body = ready
    if not body and not hasattr(body, "__aiter__"):
        return line + lines + (b"\r\n" if method in BODILESS else b"Content-Length: 0\r\n\r\n"), None, False
    if isinstance(body, (bytes, bytearray)):
        length = len(body)
    if length is None:
        return line + lines + b"Transfer-Encoding: chunked\r\n\r\n", pieces_of(body), True
    head = b"%b%bContent-Length: %d\r\n\r\n" % (line, lines, length)
    if isinstance(body, (bytes, bytearray)) and length <= PIECE_BYTES:
        return head + body, None, False
    return head, pieces_of(body), False


# Is aiohttp as it must be?


def parser_for(protocol: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """aiohttp's parser of replies, for the life of a connection. Limits of lines and headers are aiohttp's own."""
    return http_parser.HttpResponseParser(
        protocol,
        loop,
        READ_BUFFER,
        payload_exception=aiohttp.ClientPayloadError,
        response_with_body=True,
        read_until_eof=True,
        auto_decompress=True,
    )


class _Trial:
    """A protocol that a parser can be tried with."""

    _reading_paused = False

    def pause_reading(self) -> None: ...

    def resume_reading(self, resume_parser: bool = True) -> None: ...


def examine(connector: Any) -> None:
    """Try what is used of aiohttp's insides. Raises UnfitError, or whatever comes of it, where one is not there."""
    if http_parser.HttpResponseParser is http_parser.HttpResponseParserPy:
        raise UnfitError("aiohttp's C parser is not installed")
    for name in ("_acquired", "_waiters", "_conns", "_closed"):
        getattr(connector, name)
    for name, arguments in {
        "connect": ("req", "traces", "timeout"),
        "_available_connections": ("key",),
        "_release": ("key", "protocol", "should_close"),
        "_create_connection": ("req", "traces", "timeout"),
        "_wait_for_available_connection": ("key", "traces"),
    }.items():
        found = tuple(inspect.signature(getattr(aiohttp.TCPConnector, name)).parameters)[1:]
        if found != arguments:
            raise UnfitError(f"TCPConnector.{name} takes {found}")
    if "_protocol" not in vars(
        aiohttp.connector.Connection(connector, cast("Any", None), cast("Any", None), connector._loop)
    ):
        raise UnfitError("Connection has no protocol")
    _examine_parser()


@functools.cache
def _examine_parser() -> None:
    """One parser, three replies: at once, in two reads, and without a body."""
    parser = parser_for(_Trial(), asyncio.get_running_loop())
    ((message, body),), upgraded, _ = parser.feed_data(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok")
    first = (message.code, message.reason, message.headers["a"], message.should_close, message.chunked)
    if upgraded or first != (200, "OK", "b", False, False) or message.compression is not None:
        raise UnfitError("the parser reads heads in another way")
    if not body.is_eof() or body.total_raw_bytes != 2 or body.read_nowait() != b"ok":
        raise UnfitError("the parser's bodies are others")
    ((message, body),), _, _ = parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    body.__class__ = _Body
    if parser.feed_data(b"2\r\nyo\r\n1\r\n!\r\n0\r\n\r\n")[0] or not message.chunked or not body.is_eof():
        raise UnfitError("the parser reads chunks in another way")
    if body.exception() is not None or body._size != 5 or body.take() != b"okyo!" or body._high_water < READ_BUFFER:
        raise UnfitError("the parser's bodies are kept in another way")
    ((message, body),), _, _ = parser.feed_data(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    if not body.is_eof() or not message.should_close:
        raise UnfitError("the parser reads empty replies in another way")


# Which of the two


def choose(settings: Settings) -> Session:
    """The transport of the running loop: the direct one in the plain case."""
    why = "a session, a connector or a proxy is given"
    if settings.http_client is None and settings.connector is None and settings.proxy is None:
        try:
            return DirectSession(settings)
        except UnfitError as error:
            why = str(error)
    log.debug("General transport: %s", why)
    return GeneralSession(settings)


def open_sessions(**wiring: Any) -> Sessions:
    """The sessions of a client."""
    return Sessions(Settings(**wiring), choose)
