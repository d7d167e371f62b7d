"""The general transport, on a `ClientSession`: one of our own, or one that the caller lends.

It serves all that is not plain: borrowed sessions and connectors, proxies, unusual headers, and a `ClientSession` that
a mock or a tracer has patched.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import hdrs
from typing_extensions import override
from yarl import URL

from aiopenai._base.cache import BoundedCache
from aiopenai._base.deadlines import within
from aiopenai._base.headers import has
from aiopenai._base.secret import without_frames
from aiopenai._base.timeouts import Timeout
from aiopenai._http.connector import (
    IDLE_SECONDS,
    AttemptClock,
    ClockedTimeout,
    Connector,
    ExpectLimit,
    connection_limit,
    pool_limit,
)
from aiopenai._http.failures import CUT_SHORT, FOREIGN, from_below, translate
from aiopenai._http.form import Form
from aiopenai._http.interface import FinalisedReply, Reply, Session, Settings, in_loop, later
from aiopenai._http.messages import HTTPRequest
from aiopenai._http.outgoing import WRITE_BYTES, http_url, pieces_of
from aiopenai._http.private.connector import UnfitError, forget_connections, speak, stale_connections
from aiopenai._http.private.parser import MAX_HEADER_BYTES, MAX_HEADERS, READ_BUFFER
from aiopenai._http.private.session import (
    Maker,
    SessionProtocol,
    original_error_of,
    take_despite_failure,
)
from aiopenai._http.proxies import Proxy, proxy_for, socks_connector
from aiopenai.errors import APIError

__all__ = ["GeneralReply", "GeneralSession"]

# A client that omits its User-Agent does not name aiohttp.
_NOT_ADDED = (hdrs.USER_AGENT,)
_NO_CONTENT_TYPE = (*_NOT_ADDED, hdrs.CONTENT_TYPE)


class GeneralReply(FinalisedReply):
    """A reply on a `ClientSession`.

    The session keeps a reference to `raw` until it is released. aiohttp's own finaliser of an unread response, which
    touches the loop from any thread, therefore never runs.
    """

    __slots__ = ("_by_end", "_request", "_sent", "_session", "_total", "raw")

    def __init__(
        self,
        session: GeneralSession,
        raw: aiohttp.ClientResponse,
        started: float,
        sent: tuple[str, str, Mapping[str, str]],
        total: AttemptClock | None,
    ) -> None:
        self.raw = raw
        self._session = session
        super().__init__(raw.status, raw.headers, time.perf_counter() - started, session.settings.max_response_bytes)
        self._sent = sent
        self._request: HTTPRequest | None = None
        self._total = total
        # Whether only the end of the connection ends the body.
        self._by_end = (
            raw.status not in (204, 304)
            and sent[0] != "HEAD"
            and hdrs.CONTENT_LENGTH not in raw.headers
            and hdrs.TRANSFER_ENCODING not in raw.headers
        )
        session.unread.add(raw)

    @property
    @override
    def request(self) -> HTTPRequest:
        if self._request is None:
            method, url, headers = self._sent
            self._request = HTTPRequest(method, url, headers.items())
        return self._request

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._session.loop

    @property
    def session(self) -> GeneralSession:
        """The session that sent the request."""
        return self._session

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
            self._check_end()
        except BaseException as error:
            self._fail(error)
            raise
        self._release()
        return body

    @override
    async def read_some(self) -> bytes:
        try:
            piece = await self.raw.content.readany()
            if not piece:
                self._check_end()
        except BaseException as error:
            if piece := take_despite_failure(self.raw.content, error):
                # The body keeps the error for the next call, and the frames of its traceback would keep this reply.
                without_frames(error)
                return piece
            self._fail(error)
            raise
        if not piece:
            self._release()
        elif self.raw.content.at_eof():
            # aiohttp has given the connection back, and a stream that ends by its own mark reads no further.
            self._session.unread.discard(self.raw)
        return piece

    def _check_end(self) -> None:
        if self._by_end and (error := original_error_of(self.raw)) is not None:
            raise aiohttp.ClientPayloadError(f"{CUT_SHORT}: {error!r}") from error

    @override
    def close(self) -> None:
        in_loop(self._session.loop, self._release)

    def _release(self) -> None:
        self._session.release(self.raw, self._total)

    @override
    def abandon(self) -> None:
        if self.raw in self._session.unread:
            later(self._session.loop, self._session.release, self.raw, self._total)

    def _fail(self, error: BaseException) -> None:
        self.raw.close()
        self._release()
        if isinstance(error, Exception) and not isinstance(error, APIError):
            # aiohttp's reader keeps the error. Its traceback refers to the reader and to the stream above.
            error.__traceback__ = None
            raise translate(error, self.request) from error


class BodyPieces(aiohttp.Payload):
    """A body that is written in pieces, each within the write limit."""

    def __init__(self, body: Any, timeout: float | None, begin: Callable[[], None] | None) -> None:
        super().__init__(body)
        self._body = body
        self._timeout = timeout
        self._begin = begin

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("a body in pieces is not text")

    @override
    async def write(self, writer: Any) -> None:
        if self._begin is not None:
            self._begin()
        pieces = pieces_of(self._body)
        try:
            async for piece in pieces:
                await within(self._timeout, writer.write(piece))
        except aiohttp.ClientConnectionResetError:
            # The server may have answered before it closed, and aiohttp would let the error overtake the answer. The
            # end of the exchange cancels this.
            await asyncio.get_running_loop().create_future()
        finally:
            await pieces.aclose()

    @override
    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await self.write(writer)


class GeneralSession(Session):
    """The general transport in one event loop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.unread: set[aiohttp.ClientResponse] = set()
        """The replies that hold a connection."""
        self._owned = settings.http_client is None
        self._timeouts: BoundedCache[Timeout, aiohttp.ClientTimeout] = BoundedCache()
        self._proxies: BoundedCache[URL, Proxy | None] = BoundedCache()
        self._urls: BoundedCache[str, URL] = BoundedCache()
        self._connector = self._open_connector()
        self._own_connector = isinstance(self._connector, Connector)
        self._session: aiohttp.ClientSession = self._open_session() if self._owned else settings.http_client
        self._socks: dict[Proxy, aiohttp.ClientSession] = {}
        # Sessions that other code has instrumented or patched since: calls may still run on them.
        self._retired: list[aiohttp.ClientSession] = []
        self.upgraded: set[Any] = set()
        """The open websockets, which close with this session."""

    def _open_connector(self) -> Any:
        settings = self.settings
        if not self._owned:
            return settings.http_client.connector
        if isinstance(settings.connector, aiohttp.BaseConnector):
            return settings.connector
        connector = Connector(settings) if settings.connector is None else settings.connector()
        # Where aiohttp differs, its own protocol serves as well, with a timer per request.
        with contextlib.suppress(UnfitError):
            speak(connector, functools.partial(SessionProtocol, loop=self.loop))
        return connector

    def _open_session(self, connector: Any = None) -> aiohttp.ClientSession:
        self._maker = Maker.current()
        return aiohttp.ClientSession(
            connector=self._connector if connector is None else connector,
            # The connector outlives a session that is replaced.
            connector_owner=connector is not None,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER,
            # aiohttp looks up proxies, and reads ~/.netrc, in a thread for each request. proxies.py does once per host.
            trust_env=False,
        )

    @override
    def general(self) -> GeneralSession:
        return self

    def _session_for(self, proxy: Proxy | None) -> aiohttp.ClientSession:
        if not self._owned:
            return self._session
        if not self._maker.is_current():
            self._retired += [self._session, *self._socks.values()]
            self._socks.clear()
            self._session = self._open_session()
        if proxy is None or not proxy.is_socks:
            return self._session
        session = self._socks.get(proxy)
        if session is None:
            options = {"limit": connection_limit(), "ssl": self.settings.ssl, "keepalive_timeout": IDLE_SECONDS}
            session = self._socks[proxy] = self._open_session(socks_connector(proxy, **options))
        return session

    @override
    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout) -> Reply:
        if self.stood_still():
            # A turn, in which the loop sees kept connections that were closed.
            await asyncio.sleep(0)
        sent = (method, url, headers)
        proxy: Proxy | None = None
        clocks: tuple[AttemptClock, ...] = ()
        started = time.perf_counter()
        pool = None if timeout.pool is None else pool_limit.set(timeout.pool)
        try:
            target = self._urls.get(url) or self._url(url)
            proxy = self._proxy(target)
            session = self._session_for(proxy)
            total, answer = self._clocks(timeout, headers)
            clocks = tuple(clock for clock in (total, answer) if isinstance(clock, AttemptClock))
            limits = self._timeouts.get(timeout) or self._limits(timeout)
            if clocks:
                limits = ClockedTimeout.of(limits, clocks)
            if not self._own_connector:
                stale_connections(session.connector, target, self.loop)
            if answer is not None or body.__class__ is not bytes or len(body) > WRITE_BYTES:
                body, headers = await self._in_pieces(body, headers, timeout, answer)
            options = self._options(method, proxy, body)
            if target.scheme == "http" and options["proxy_headers"]:
                headers = {**headers, **options["proxy_headers"]}
            request = session.request(method, target, data=body or None, headers=headers, timeout=limits, **options)
            raw = await (answer.within(request) if isinstance(answer, ExpectLimit) else request)
        except BaseException as error:
            for clock in clocks:
                clock.cancel()
            # aiohttp sends a GET again after its connection was closed, and asserts the connector that `close` took.
            if isinstance(error, FOREIGN) or (isinstance(error, AssertionError) and self.closed):
                failure = from_below(error, *sent, str(proxy or ""))
                # Error reporters print the local variables of frames.
                del headers, sent
                raise failure from error
            raise
        finally:
            if pool is not None:
                pool_limit.reset(pool)
        if answer is not None:
            answer.cancel()
        if total is not None:
            total.reply = raw
        return GeneralReply(self, raw, started, sent, total)

    def _clocks(
        self, timeout: Timeout, headers: Mapping[str, str]
    ) -> tuple[AttemptClock | None, AttemptClock | ExpectLimit | None]:
        """Returns the clocks of the limits that aiohttp does not keep: of the attempt, and of `100 Continue`."""
        if not self._own_connector:
            if not timeout.read or not has(headers, "expect"):
                return None, None
            return None, ExpectLimit(timeout.read + (timeout.connect or 0.0) + (timeout.pool or 0.0))
        total = answer = None
        if timeout.total is not None:
            error = aiohttp.ServerTimeoutError(f"not done within the total limit of {timeout.total} s")
            total = AttemptClock(timeout.total, error)
        if timeout.read and has(headers, "expect"):
            # aiohttp starts the read limit after the body, for which it waits without a limit.
            answer = AttemptClock(timeout.read, aiohttp.SocketTimeoutError("no answer to Expect"))
        return total, answer

    def _options(self, method: str, proxy: Proxy | None, body: Any) -> dict[str, Any]:
        """Returns the options of aiohttp's `request` that are not those of the caller."""
        proxied = None if proxy is None or proxy.is_socks else proxy
        return {
            "allow_redirects": False,
            "proxy": proxied and proxied.url,
            # aiohttp sends these with CONNECT only.
            "proxy_headers": proxied and proxied.headers,
            # aiohttp would call a missing body application/octet-stream.
            "skip_auto_headers": _NOT_ADDED if body or method == "GET" else _NO_CONTENT_TYPE,
            "max_line_size": MAX_HEADER_BYTES,
            "max_field_size": MAX_HEADER_BYTES,
            "max_headers": MAX_HEADERS,
        }

    async def _in_pieces(
        self, body: Any, headers: Mapping[str, str], timeout: Timeout, answer: AttemptClock | ExpectLimit | None
    ) -> tuple[Any, Mapping[str, str]]:
        if body is None:
            return None, headers
        length: int | None = None
        if isinstance(body, Form):
            headers = {**headers, hdrs.CONTENT_TYPE: body.content_type}
            ready = body.as_bytes(WRITE_BYTES)
            if ready is not None and answer is None:
                return ready, headers
            if ready is None:
                body, length = await body.open()
            else:
                body = ready
        if isinstance(body, (bytes, bytearray)):
            length = len(body)
        elif not hasattr(body, "__aiter__"):
            return body, headers
        if length is not None:
            headers = {**headers, hdrs.CONTENT_LENGTH: str(length)}
        return BodyPieces(body, timeout.write, None if answer is None else answer.cancel), headers

    def _limits(self, timeout: Timeout) -> aiohttp.ClientTimeout:
        # Of a borrowed connector nothing tells whether a request waits for a connection or opens one, nor when it has
        # one: its limits begin with the request.
        pool = None if self._own_connector else timeout.pool
        limits = aiohttp.ClientTimeout(
            total=None if self._own_connector else timeout.total,
            connect=None if pool is None else pool + (timeout.connect or 0.0),
            sock_connect=timeout.connect,
            sock_read=timeout.read,
            # aiohttp rounds longer limits up to whole seconds.
            ceil_threshold=float("inf"),
        )
        self._timeouts[timeout] = limits
        return limits

    def _url(self, url: str) -> URL:
        target = self._urls[url] = http_url(url)
        return target

    def _proxy(self, url: URL) -> Proxy | None:
        if not self._owned:
            return None
        origin = url.origin()
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(self.settings, origin)
        return self._proxies[origin]

    def release(self, raw: aiohttp.ClientResponse, total: AttemptClock | None) -> None:
        """Releases the connection of a reply: it is kept if the body was read to its end, and closed if not."""
        self.unread.discard(raw)
        if total is not None:
            total.cancel()
        raw.release()

    @property
    @override
    def closed(self) -> bool:
        return self._session.closed

    @override
    async def shut(self) -> None:
        for websocket in list(self.upgraded):
            websocket.abort()
        if not self._owned or self._session.closed:
            return
        sessions = [self._session, *self._retired, *self._socks.values()]
        for session in sessions:
            await session.close()
        if self.settings.connector is not self._connector:
            await self._connector.close()

    @override
    def forget(self) -> None:
        if not self._owned or self._session.closed:
            return
        for session in (self._session, *self._retired, *self._socks.values()):
            connector = session.connector
            session.detach()
            if connector is not None and not connector.closed:
                forget_connections(connector)
