"""One attempt over HTTP: the interface, and its general form on `aiohttp.ClientSession`.

The other form, for the plain case that nearly every call is, stands in direct.py. Here is the one place where the
exceptions of aiohttp, ssl and the system become the package's own. aiohttp is imported in these two and nowhere above,
and the client imports them at its first request, in a thread: that reads files, as does the TLS context that aiohttp
makes once per process when it is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import sys
import time
import urllib.request
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from typing_extensions import override
from yarl import URL

from aiopenai._base.cache import BoundedCache
from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai._http.multipart import MultipartBody
from aiopenai.errors import APIConnectionError, APIError, APIResponseValidationError, APITimeoutError

__all__ = ["GeneralSession", "Session", "SessionReply", "Sessions", "Settings"]

# Connections per event loop, at most. File descriptors are the true limit: a process that may open 1,024 files gets
# two fifths of those, and a queue for the rest. Not half, because a local server in the same process, as in tests and
# in the demo, has a descriptor for the other end of each.
MAX_CONNECTIONS = 10_000
# New connections being opened at the same time. A thousand TLS handshakes at once take seconds of CPU, and as many
# SYNs overflow a server's backlog: both would turn a burst of calls into connect timeouts.
MAX_OPENING = 128
# TCP keep-alive: middleboxes forget idle connections after as little as 120 s, and a long generation is idle.
KEEPALIVE_SECONDS = 60
# Idle connections are closed before the servers' own limits are reached.
IDLE_SECONDS = 15.0
# A body beyond this is written in pieces, each within the write limit; below it the socket takes all at once.
PIECE_BYTES = 256 * 1024
# Small enough that what was read is still in the processor's cache when it is decoded: with 2**18 a stream costs a
# fifth more.
READ_BUFFER = 2**16
_NO_CONTENT_TYPE = (hdrs.CONTENT_TYPE,)


class Settings:
    """How a client's own sessions are made."""

    __slots__ = ("connector", "http_client", "max_response_bytes", "proxy", "ssl", "trust_env")

    def __init__(
        self,
        *,
        http_client: Any = None,
        connector: Any = None,
        proxy: str | None = None,
        ssl: Any = True,
        trust_env: bool = True,
        max_response_bytes: int = 2**30,
    ) -> None:
        self.http_client = http_client
        self.connector = connector
        self.proxy = proxy
        self.ssl = ssl
        self.trust_env = trust_env
        self.max_response_bytes = max_response_bytes


class Session(ABC):
    """What the client needs of a transport, in one event loop: `send` is one attempt."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.get_running_loop()
        self._at_loop_end: AsyncGenerator[None, None] | None = None
        self._run: Any = None

    def stood_still(self) -> bool:
        """Whether the loop has been stopped and runs again since this was asked last, as a blocking client's are
        between calls: meanwhile it has seen no connection end.
        """
        # Each run of a loop has hooks of its own.
        run = sys.get_asyncgen_hooks()[0]
        if run is self._run:
            return False
        self._run = run
        return True

    @abstractmethod
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | MultipartBody | Any, timeout: Timeout
    ) -> SessionReply:
        """Send one request and give its reply's head. Raises APIConnectionError and APITimeoutError."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""

    @abstractmethod
    async def shut(self) -> None:
        """Close the connections now, in the loop; those that are lent stay."""

    @abstractmethod
    def forget(self) -> None:
        """Close the sockets of this process without the loop: it is closed, or it is another process's."""

    def stand_by(self) -> None:
        """Have the connections closed when the loop ends: `asyncio.run` and its like close what generators are left."""
        self._at_loop_end = self._until_loop_ends()
        # To its only `yield`; nothing is awaited before, so no loop is needed to get there.
        with contextlib.suppress(StopIteration):
            self._at_loop_end.__anext__().send(None)

    async def _until_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.shut()

    async def close(self) -> None:
        """Close the connections, unless they are lent."""
        if self._at_loop_end is not None:
            await self._at_loop_end.aclose()
        else:
            await self.shut()


class SessionReply(ABC):
    """What the transports' replies have in common; see `response.Reply`."""

    __slots__ = ("_limit", "elapsed", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], elapsed: float, limit: int) -> None:
        self.status = status
        self.headers = headers
        self.elapsed = elapsed
        self._limit = limit

    @property
    @abstractmethod
    def request(self) -> Any:
        """What was sent: a `Sent`."""

    @property
    @abstractmethod
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """The reason phrase."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether no more of the body can be read."""

    def whole(self) -> bytes | None:
        """The body, if all of it is here already: as `read`, for those who need not wait then."""
        return None

    @abstractmethod
    async def read(self) -> bytes:
        """The rest of the body; the connection is free again."""

    @abstractmethod
    async def read_some(self) -> bytes:
        """The next piece of the body as it arrives; empty at its end."""

    @abstractmethod
    def close(self) -> None:
        """Drop the connection at once unless the body was read to its end."""

    async def drain(self, seconds: float) -> None:
        """Read what is left, if that is quickly done, so that the connection can be used again; else close it."""
        if not self.at_end():
            # What was asked for has been received; at worst the connection cannot be used again.
            with contextlib.suppress(APIError, asyncio.TimeoutError):
                await within(seconds, self._to_end())
        self.close()

    @abstractmethod
    def at_end(self) -> bool:
        """Whether the body's end is here."""

    async def _to_end(self) -> None:
        while await self.read_some():
            pass

    def items(self) -> Iterable[tuple[str, str]]:
        """The headers as they came."""
        return self.headers.items()

    def too_long(self) -> APIResponseValidationError:
        """The error of a body beyond `max_response_bytes`."""
        request = self.request.value()
        response = HTTPResponse(self.status, Headers(self.items()), b"", request, reason=self.reason)
        message = f"The reply is longer than max_response_bytes={self._limit}."
        return APIResponseValidationError(response, None, message=message)


class GeneralReply(SessionReply):
    """A reply on a ClientSession."""

    __slots__ = ("_loop", "_request", "_timer", "raw")

    def __init__(self, raw: aiohttp.ClientResponse, started: float, request: Sent, limit: int, timer: Any) -> None:
        super().__init__(raw.status, raw.headers, time.perf_counter() - started, limit)
        self._loop = asyncio.get_running_loop()
        if not raw.closed:
            _OPEN.add(raw)
        self.raw = raw
        self._request = request
        self._timer = timer

    @property
    @override
    def request(self) -> Sent:
        return self._request

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    @override
    def reason(self) -> str:
        return self.raw.reason or ""

    @property
    @override
    def closed(self) -> bool:
        return self.raw.closed

    @override
    def at_end(self) -> bool:
        return self.raw.content.at_eof()

    @override
    async def read(self) -> bytes:
        content = self.raw.content
        try:
            body = await content.readany()
            size = len(body)
            if size > self._limit:
                raise self.too_long()
            if not content.at_eof():
                pieces = [body]
                while piece := await content.readany():
                    size += len(piece)
                    if size > self._limit:
                        raise self.too_long()
                    pieces.append(piece)
                body = b"".join(pieces)
        except BaseException as error:
            self._fail(error)
            raise
        if self._timer is not None:
            self._timer.cancel()
        self.raw.release()
        return body

    @override
    async def read_some(self) -> bytes:
        try:
            piece = await self.raw.content.readany()
        except BaseException as error:
            if piece := _come_before(self.raw.content, error):
                return piece
            self._fail(error)
            raise
        if not piece:
            self.close()
        return piece

    @override
    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # `release` gives a connection back whose reply was read to its end, and closes any other.
        self.raw.release()

    def __del__(self) -> None:
        raw = self.raw
        if not raw.closed:
            # RuntimeError: the loop is closed, and its connections with it.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_close, raw)
                return
        _OPEN.discard(raw)

    def _fail(self, error: BaseException) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.raw.close()
        if isinstance(error, Exception) and not isinstance(error, APIError):
            # aiohttp's reader keeps the error, whose traceback refers to the reader and to the stream above.
            error.__traceback__ = None
            raise translate(error, self.request.value()) from error


# The open responses of aiohttp. Their finaliser gives the connection back at once, and the garbage collector runs it
# in any thread, which crashes uvloop. Kept here, they are closed by `GeneralReply`, on their own loop.
_OPEN: set[Any] = set()


def _close(raw: aiohttp.ClientResponse) -> None:
    raw.close()
    _OPEN.discard(raw)


def _come_before(content: Any, error: BaseException) -> bytes:
    """What had come when the connection failed: aiohttp's stream raises at once and would keep it back."""
    if content.exception() is not error or not getattr(content, "_buffer", None):
        return b""
    content._exception = None
    try:
        return cast("bytes", content.read_nowait())
    finally:
        content._exception = error


class Sent:
    """The request of an attempt; its public form, without credentials, is made when somebody wants it."""

    __slots__ = ("_headers", "_value", "method", "url")

    def __init__(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.url = url
        self._headers = headers
        self._value: HTTPRequest | None = None

    def value(self) -> HTTPRequest:
        if self._value is None:
            self._value = HTTPRequest(self.method, self.url, self._headers.items())
        return self._value

    @property
    def headers(self) -> Headers:
        return self.value().headers


def translate(error: BaseException, request: HTTPRequest) -> APIError:
    """The package's error for one from below."""
    if isinstance(error, APIError):
        return error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (asyncio.TimeoutError, TimeoutError)):
            return APITimeoutError(request, message=_timed_out(error))
        cause = cause.__cause__
    text = str(error) or type(error).__name__
    return APIConnectionError(message=f"Connection error: {text}", request=request)


def _timed_out(error: BaseException) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        if isinstance(error.__cause__, aiohttp.ServerTimeoutError):
            return f"Request timed out: {error.__cause__}."
        return "Request timed out: no connection within the connect limit."
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "Request timed out: no data within the read limit."
    return f"Request timed out: {error}." if str(error) else "Request timed out."


def _keepalive_socket(info: Any) -> socket.socket:
    family, kind, proto, _, _ = info
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Names and presence differ between systems; where they are absent the system's own times hold.
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE"):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_SECONDS)
            break
    if hasattr(socket, "TCP_KEEPINTVL"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
    if hasattr(socket, "TCP_KEEPCNT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5)
    return sock


@functools.cache
def connection_limit() -> int:
    """How many connections a session may have, by the process's file limit."""
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (ImportError, OSError, ValueError):
        return 1_000
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft * 2 // 5))


class _Protocol(ResponseHandler):
    """aiohttp's, with one timer for the read limit in a connection's life instead of two for each request.

    The limit's end is noted and the timer looks at it when it fires: noting takes 0.1 us where making, queueing and
    cancelling a timer takes 2.
    """

    _deadline: float | None = None
    _watch: asyncio.TimerHandle | None = None

    @override
    def _reschedule_timeout(self) -> None:
        seconds = self._read_timeout
        if not seconds:
            self._deadline = None
            return
        self._deadline = deadline = self._loop.time() + seconds
        watch = self._watch
        if watch is not None:
            if watch.when() <= deadline:
                return
            watch.cancel()
        self._watch = self._loop.call_at(deadline, self._look)

    @override
    def _drop_timeout(self) -> None:
        self._deadline = None

    def _look(self) -> None:
        self._watch = None
        if self._deadline is None:
            return
        if self._deadline > self._loop.time():
            self._watch = self._loop.call_at(self._deadline, self._look)
        else:
            self._on_read_timeout()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)


class Connector(aiohttp.TCPConnector):
    """aiohttp's, with connections opened a few at a time and the connect limit over name lookup, TCP and TLS.

    Time spent in the queue for a connection, or for the turn to open one, counts against no limit.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - aiohttp's own annotation
            limit=connection_limit(),
            ssl=settings.ssl,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=_keepalive_socket,
        )
        self._opening = asyncio.Semaphore(MAX_OPENING)

    def speak(self, protocol: Callable[[], Any]) -> None:
        """Make new connections with this protocol. Raises AttributeError where aiohttp is not what it was."""
        if not isinstance(self._factory, functools.partial):
            raise AttributeError("the connector has no factory of protocols")
        self._factory = cast("Any", protocol)

    @override
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        connection = await super().connect(req, traces, timeout)
        if isinstance(timeout, _Timed):
            timeout.watch.start(connection)
        return connection

    @override
    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:
        async with self._opening:
            creation = super()._create_connection(req, traces, timeout)
            return await within(timeout.sock_connect, creation)

    @override
    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        waiting = super()._wait_for_available_connection(key, traces)
        seconds = pool_limit.get()
        if seconds is None:
            return await waiting
        try:
            return await within(seconds, waiting)
        except asyncio.TimeoutError as error:
            raise aiohttp.ServerTimeoutError(f"no free connection within the pool limit of {seconds} s") from error


# The `pool` limit of the request that the running task is about: aiohttp does not hand it down to where the queue is.
pool_limit: ContextVar[float | None] = ContextVar("pool_limit", default=None)


class _Watch:
    """The `total` limit of one attempt: its clock starts when the attempt has its connection."""

    __slots__ = ("_handle", "_seconds", "reply")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._handle: asyncio.TimerHandle | None = None
        self.reply: aiohttp.ClientResponse | None = None

    def start(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(self._seconds, self._expire, connection.protocol)

    def _expire(self, protocol: Any) -> None:
        error = aiohttp.ServerTimeoutError(f"not done within the total limit of {self._seconds} s")
        protocol.set_exception(error)
        if self.reply is not None:
            self.reply.content.set_exception(error)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


class _Timed(aiohttp.ClientTimeout):
    """aiohttp's limits, with a watch to be started by our connector."""

    __slots__ = ("watch",)
    watch: _Watch


async def pieces_of(body: Any) -> AsyncGenerator[bytes, None]:
    """A body that is sent in pieces. Closing this early closes what it comes from."""
    try:
        if isinstance(body, (bytes, bytearray)):
            view = memoryview(body)
            for start in range(0, len(view), PIECE_BYTES):
                yield cast("bytes", view[start : start + PIECE_BYTES])
        else:
            async for piece in body:
                yield piece
    finally:
        aclose: Any = getattr(body, "aclose", None)
        if aclose is not None:
            await aclose()


class _Pieces(aiohttp.Payload):
    """A body that is written in pieces, each within the write limit."""

    def __init__(self, body: bytes | memoryview | MultipartBody | Any, timeout: float | None) -> None:
        super().__init__(body)
        self._timeout = timeout

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a body in pieces is not text")

    @override
    async def write(self, writer: Any) -> None:
        pieces = pieces_of(self._value)
        try:
            async for piece in pieces:
                await within(self._timeout, writer.write(piece))
        finally:
            await pieces.aclose()

    @override
    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await self.write(writer)


class GeneralSession(Session):
    """The general transport, on a `ClientSession`: one of our own, or one that the user lends."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        borrowed = settings.http_client
        self._owned = borrowed is None
        self._timeouts: BoundedCache[Timeout, aiohttp.ClientTimeout] = BoundedCache()
        self._proxies: BoundedCache[str, str | None] = BoundedCache()
        self._urls: BoundedCache[str, URL] = BoundedCache()
        self._session: aiohttp.ClientSession = self._open(settings) if borrowed is None else borrowed
        self._own_connector = isinstance(self._session.connector, Connector)

    def _open(self, settings: Settings) -> aiohttp.ClientSession:
        connector: Any = settings.connector
        own = connector is None
        if own:
            connector = Connector(settings)
            # An inner part of aiohttp's: where it is not what it was, its own protocol does as well.
            with contextlib.suppress(AttributeError):
                connector.speak(functools.partial(_Protocol, loop=self._loop))
        elif not isinstance(connector, aiohttp.BaseConnector):
            connector = connector()
            own = True
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=own,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER,
            # Proxies from the environment are looked up below, once per host: aiohttp does it, and reads ~/.netrc,
            # for each request in a thread.
            trust_env=False,
        )

    @override
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout
    ) -> SessionReply:
        """Send one request; see `Transport`."""
        if self.stood_still():
            # A turn, in which the loop hears of kept connections that have been closed.
            await asyncio.sleep(0)
        limits = self._timeouts.get(timeout) or self._limits(timeout)
        watch: _Watch | None = None
        if timeout.total is not None and self._own_connector:
            watch = _Watch(timeout.total)
            limits = _timed(limits, watch)
        target = self._urls.get(url) or self._url(url)
        sent = Sent(method, url, headers)
        started = time.perf_counter()
        pool = None if timeout.pool is None else pool_limit.set(timeout.pool)
        try:
            if body.__class__ is not bytes or len(body) > PIECE_BYTES:
                body, headers = await self._in_pieces(body, headers, timeout)
            raw = await self._session.request(
                method,
                target,
                data=body or None,
                headers=headers,
                allow_redirects=False,
                timeout=limits,
                proxy=self._proxy(target),
                # Without a body there is nothing to have a type; aiohttp would call it application/octet-stream.
                skip_auto_headers=None if body or method == "GET" else _NO_CONTENT_TYPE,
            )
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, RuntimeError, ValueError) as error:
            if watch is not None:
                watch.cancel()
            raise from_below(error, sent) from error
        except BaseException:
            if watch is not None:
                watch.cancel()
            raise
        finally:
            if pool is not None:
                pool_limit.reset(pool)
        if watch is not None:
            watch.reply = raw
        return GeneralReply(raw, started, sent, self.settings.max_response_bytes, watch)

    async def _in_pieces(
        self, body: Any, headers: Mapping[str, str], timeout: Timeout
    ) -> tuple[Any, Mapping[str, str]]:
        if body is None:
            return None, headers
        length: int | None = None
        if isinstance(body, MultipartBody):
            headers = {**headers, hdrs.CONTENT_TYPE: body.content_type}
            ready = body.as_bytes(PIECE_BYTES)
            if ready is not None:
                return ready, headers
            body, length = await body.open()
        elif isinstance(body, (bytes, bytearray)):
            length = len(body)
        elif not hasattr(body, "__aiter__"):
            return body, headers
        if length is not None:
            headers = {**headers, hdrs.CONTENT_LENGTH: str(length)}
        return _Pieces(body, timeout.write), headers

    def _limits(self, timeout: Timeout) -> aiohttp.ClientTimeout:
        # Another's connector cannot tell waiting for a connection from opening one, nor when an attempt has its own.
        pool = None if self._own_connector else timeout.pool
        limits = aiohttp.ClientTimeout(
            total=None if self._own_connector else timeout.total,
            connect=None if pool is None else pool + (timeout.connect or 0.0),
            sock_connect=timeout.connect,
            sock_read=timeout.read,
            # aiohttp rounds longer limits up to whole seconds; ours are kept to a tenth.
            ceil_threshold=float("inf"),
        )
        self._timeouts[timeout] = limits
        return limits

    def _url(self, url: str) -> URL:
        # What stands in the path was encoded by us: %2F must stay %2F.
        target = URL(url, encoded=True)
        self._urls[url] = target
        return target

    def _proxy(self, url: URL) -> str | None:
        if not self._owned:
            return None
        host = url.raw_authority
        try:
            return self._proxies[host]
        except KeyError:
            proxy = self._proxies[host] = proxy_of(self.settings, url)
            return proxy

    @property
    @override
    def closed(self) -> bool:
        return self._session.closed

    @override
    async def shut(self) -> None:
        if self._owned and not self._session.closed:
            await self._session.close()

    @override
    def forget(self) -> None:
        if not self._owned or self._session.closed:
            return
        connector = self._session.connector
        self._session.detach()
        if connector is not None and not connector.closed:
            forget_connections(connector)


def forget_connections(connector: Any) -> None:
    """Close the sockets of a connector whose loop cannot be used, and only them.

    The loop's selector may be shared with the process that this one was forked from: what is taken out of it here
    would be missing there.
    """
    with contextlib.suppress(Exception):  # whatever becomes of aiohttp's insides: this is housekeeping
        connector._closed = True
        for protocols in list(connector._conns.values()):
            for protocol, _ in protocols:
                abandon(protocol.transport)
        for protocol in list(connector._acquired):
            abandon(protocol.transport)


def abandon(transport: Any) -> None:
    """Close the socket of a transport whose loop cannot be used."""
    transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        transport._sock = None
        sock.close()


def _timed(limits: aiohttp.ClientTimeout, watch: _Watch) -> _Timed:
    timed = _Timed(
        connect=limits.connect,
        sock_connect=limits.sock_connect,
        sock_read=limits.sock_read,
        ceil_threshold=limits.ceil_threshold,
    )
    object.__setattr__(timed, "watch", watch)
    return timed


def from_below(error: Exception, sent: Sent) -> Exception:
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)):
        # The caller's own file, found unreadable before anything was sent. What sockets raise aiohttp has wrapped.
        return error
    return translate(error, sent.value())


def proxy_of(settings: Settings, url: URL) -> str | None:
    """The proxy for a URL, if there is one."""
    if settings.proxy is not None or not settings.trust_env:
        return settings.proxy
    return environment_proxy(url.scheme, url.raw_host or "")


def environment_proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host, if it does; `NO_PROXY` is obeyed."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class Sessions:
    """A client's transports, one per event loop, made on first use by `make`. Copies of a client share them.

    A process that is forked off inherits none: its parent goes on using the connections.
    """

    def __init__(self, settings: Settings, make: Callable[[Settings], Session]) -> None:
        self._settings = settings
        self._make = make
        self._by_loop: dict[asyncio.AbstractEventLoop, Session] = {}
        self.closed = False
        # A client that is dropped without `close` closes what it opened. At exit the loops have done so before.
        weakref.finalize(self, release, self._by_loop).atexit = False
        _everywhere.add(self)

    def current(self) -> Session | None:
        """The transport of the running loop, if there is one already."""
        return self._by_loop.get(asyncio.get_running_loop())

    def open(self) -> Session:
        """The transport of the running loop, made now."""
        loop = asyncio.get_running_loop()
        for other, transport in list(self._by_loop.items()):
            if other.is_closed():
                del self._by_loop[other]
                transport.forget()
        transport = self._by_loop[loop] = self._make(self._settings)
        if self._settings.http_client is None:
            transport.stand_by()
        return transport

    async def close(self) -> None:
        """Close the running loop's transport now, and tell those of other loops to."""
        self.closed = True
        mine = self._by_loop.pop(asyncio.get_running_loop(), None)
        release(self._by_loop)
        if mine is not None:
            await mine.close()

    def disown(self) -> None:
        """Let go, in a forked process, of what belongs to its parent."""
        while self._by_loop:
            inherited = self._by_loop.popitem()
            # Kept: to collect them would close them by their loop, through the selector that the parent uses too.
            _inherited.append(inherited)
            inherited[1].forget()


_everywhere: weakref.WeakSet[Sessions] = weakref.WeakSet()
_inherited: list[tuple[asyncio.AbstractEventLoop, Session]] = []


def _after_fork() -> None:
    for sessions in list(_everywhere):
        sessions.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def release(by_loop: dict[asyncio.AbstractEventLoop, Session]) -> None:
    """Close the sessions of loops elsewhere, or of a client that nobody holds any more."""
    while by_loop:
        loop, session = by_loop.popitem()
        if loop.is_closed():
            session.forget()
            continue
        with contextlib.suppress(RuntimeError):  # closed since
            loop.call_soon_threadsafe(_close_soon, session)


_closing: set[asyncio.Task[None]] = set()


def _close_soon(session: Session) -> None:
    task = asyncio.get_running_loop().create_task(session.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


class Block(CIMultiDict[str]):
    """Headers in the form that aiohttp takes without converting it, and room for the bytes that they become."""

    lines: bytes | None = None


def header_block(headers: Mapping[str, str]) -> Block:
    """Headers made ready to be sent any number of times.

    Raises TypeError and ValueError for what no header can be; neither shows the value, which may be a key.
    """
    for name, value in headers.items():
        if not isinstance(cast("object", value), str):
            raise TypeError(f"the header {name!r} must be a str, not {type(value).__name__}")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the header {name!r} has a line break or a NUL in its value")
    return Block(headers)
