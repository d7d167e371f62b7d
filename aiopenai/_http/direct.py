"""The direct transport: aiohttp's connector and C parser without `ClientSession`, for nearly every call.

`ClientSession` makes a request object, a response object, a writer and two timers for each call, and a parser each time
a connection is used. Here a call is one block of bytes written (the header lines are rendered once per block, the
request line once per URL) and two values from the parser. private/ has the figures and the checks; pool.py keeps
connections between calls, wire.py is one connection. Requests that are not plain go to the general transport: proxies,
HEAD, headers that change the framing, credentials in a URL, a patched `ClientSession`.

A thousand calls in flight hold 7 MB here, 11 on a session, 4 on the bare protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
from typing_extensions import override

from aiopenai._base.timeouts import Timeout
from aiopenai._http.failures import FOREIGN, UnsendableError, from_below, translate
from aiopenai._http.form import Form
from aiopenai._http.interface import FinalisedReply, Reply, Session, Settings, in_loop, later
from aiopenai._http.messages import HTTPRequest
from aiopenai._http.outgoing import TOKEN, WRITE_BYTES, Block, http_url, lines_of, written
from aiopenai._http.pool import Origin, Pool, Target
from aiopenai._http.private.connector import UnfitError, forget_connections
from aiopenai._http.private.examine import examine
from aiopenai._http.private.session import pristine
from aiopenai._http.wire import Wire

if TYPE_CHECKING:
    from aiopenai._http.general import GeneralSession

__all__ = ["DirectReply", "DirectSession", "UnfitError", "examine"]

# How much of a body may wait for a reader of all of it. The reader of a stream may be slow: there it is `READ_BUFFER`.
WHOLE_BUFFER = 2**20
# Requests that may be repeated when a kept connection turns out to be dead: RFC 9110, section 9.2.2.
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE", "OPTIONS"})


class DirectReply(Reply):
    """A reply on a `Wire`."""

    __slots__ = ("_body", "_closed", "_message", "_request", "_sent", "_token", "_wire")

    def __init__(
        self, wire: Wire, token: asyncio.Future[Any], message: Any, body: Any, sent: Any, elapsed: float, limit: int
    ) -> None:
        # The assignments of the base class, without the cost of its call.
        self.status = message.code
        self.headers = message.headers
        self.elapsed = elapsed
        self._limit = limit
        self._message = message
        self._body: Any = body
        self._wire = wire
        self._token = token
        # The verb, URL and headers.
        self._sent = sent
        self._request: HTTPRequest | None = None
        self._closed = False

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
        return self._wire.loop

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
        return bool(self._body.ended)

    @override
    def whole(self) -> bytes | None:
        body = self._body
        if not body.ended or body.failure is not None:
            return None
        self._closed = True
        if body.size > self._limit:
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
            # A compressed body may be a thousand times as long: it is unpacked little by little.
            body.high_water = min(self._limit, WHOLE_BUFFER)
        return await super().read()

    @override
    async def read_some(self) -> bytes:
        body = self._body
        while not body.size:
            error = body.failure
            if error is not None:
                self._closed = True
                raise translate(error, self.request) from error
            if body.ended:
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
        if self._wire.token is self._token:
            in_loop(self._wire.loop, self._wire.drop, self._token)

    @override
    def abandon(self) -> None:
        if self._wire.token is self._token:
            later(self._wire.loop, self._wire.drop, self._token)


class OpenReply(DirectReply, FinalisedReply):
    """A reply that began before its end was here."""

    __slots__ = ()


class DirectSession(Session):
    """The direct transport in one event loop. Raises UnfitError where the installed aiohttp does not fit."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.pool = Pool(settings, self.loop)
        self.pool.prepare(examine)
        self._general: GeneralSession | None = None

    @override
    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout) -> Reply:
        started = self.loop.time()
        pool = self.pool
        if self.stood_still():
            pool.resumed = started
        sent = (method, url, headers)
        pieces: AsyncGenerator[bytes, None] | None = None
        chunked = fresh = False
        data = b""
        try:
            target = pool.targets.get((method, url)) or self._target(method, url)
            origin = target.origin
            lines = headers.lines if isinstance(headers, Block) else None
            if lines is None:
                lines = lines_of(headers)
            if origin is None or lines is None or not pristine() or not (body.__class__ is bytes or _is_plain(body)):
                return await self._in_general(method, url, headers, body, timeout)
            if body.__class__ is bytes and 0 < len(body) <= WRITE_BYTES:
                data = b"%b%bContent-Length: %d\r\n\r\n%b" % (target.line, lines, len(body), body)
            else:
                data, pieces, chunked = await written(method, target.line, headers, body)
            now = started
            while True:
                wire = None if fresh else pool.idle(origin, now)
                kept = wire is not None
                if wire is None:
                    wire = await pool.connect(origin, timeout)
                    now = self.loop.time()
                token = wire.begin(data, timeout.read if pieces is None else None, now)
                if not (kept and method in IDEMPOTENT):
                    # It is not sent again. A thousand calls in flight would keep 0.7 MB of sent requests.
                    data = b""
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
        except FOREIGN as error:
            # Tracebacks show the locals of their frames, and these hold the key.
            data = lines = b""
            failure = from_below(error, *sent)
            del headers, sent
            raise failure from error
        kind = DirectReply if content.ended else OpenReply
        return kind(wire, token, message, content, sent, answered - started, self.settings.max_response_bytes)

    def _target(self, method: str, url: str) -> Target:
        parsed = http_url(url)
        origin: Origin | None = None
        line = b""
        if parsed.raw_user is None and parsed.raw_password is None and method != "HEAD":
            if not TOKEN.fullmatch(method):
                raise UnsendableError(f"the method {method!r} has a character that no method can have")
            line = f"{method} {parsed.raw_path_qs} HTTP/1.1\r\nHost: {parsed.host_port_subcomponent}\r\n".encode()
            origin = self.pool.origin(parsed)
        target = self.pool.targets[method, url] = Target(line, origin)
        return target

    async def _in_general(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout
    ) -> Reply:
        return await self.general().send(method, url, headers, body, timeout)

    @override
    def general(self) -> GeneralSession:
        if self._general is None:
            from aiopenai._http.general import GeneralSession

            self._general = GeneralSession(self.settings)
        return self._general

    @property
    @override
    def closed(self) -> bool:
        return self.pool.connector.closed

    @override
    async def shut(self) -> None:
        await self.pool.shut()
        if self._general is not None:
            await self._general.shut()

    @override
    def forget(self) -> None:
        self.pool.closed = True
        if not self.pool.connector.closed:
            forget_connections(self.pool.connector)
        if self._general is not None:
            self._general.forget()


def _is_plain(body: Any) -> bool:
    return body is None or isinstance(body, (bytes, bytearray, Form)) or hasattr(body, "__aiter__")
