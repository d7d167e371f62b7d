"""Websockets: the handshake as a request of the general transport, and one open connection.

The handshake goes the way of every call: the client's TLS options, proxies, connector, timeouts, retries and hooks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from aiopenai._base.deadlines import within
from aiopenai._base.foreign import also_foreign
from aiopenai._base.timeouts import Timeout
from aiopenai._base.urls import redirected, same_origin, shown
from aiopenai._http.general import GeneralReply
from aiopenai._http.interface import Reply, Session, later
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai._http.options import WebSocketOptions
from aiopenai._http.private.websocket import Upgraded, UpgradeError, offer_deflate, upgrade
from aiopenai.errors import APIConnectionError, APIResponseValidationError, Close, OpenAIError, closed_error

__all__ = ["Handshakes", "WebSocket"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
# A handshake is a request of HTTP.
_SCHEMES = {"ws": "http", "wss": "https"}
# RFC 6455, section 1.3.
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
_PING, _PONG, _CLOSE = aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.CLOSE


class _Handshake(Session):
    """One loop's session, as the sender of handshakes."""

    def __init__(self, session: Session, options: WebSocketOptions) -> None:
        super().__init__(session.settings)
        self._session = session
        self._options = options

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout) -> Reply:
        for _ in range(_MAX_REDIRECTS):
            reply = await self._shake(url, headers, timeout)
            target = _redirected(url, reply)
            if target is None:
                return reply
            await reply.read()
            url = target
        message = f"The websocket handshake was redirected {_MAX_REDIRECTS} times: check websocket_base_url."
        raise APIConnectionError(message=message, request=HTTPRequest("GET", url), retryable=False)

    async def _shake(self, url: str, headers: Mapping[str, str], timeout: Timeout) -> GeneralReply:
        """Returns the reply to one handshake."""
        options = self._options
        # A key of its own for each handshake: RFC 6455, section 4.1.
        key = base64.b64encode(os.urandom(16)).decode()
        sent = {name: value for name, value in headers.items() if not name.lower().startswith("x-stainless-")}
        sent.update(
            {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": key,
            }
        )
        if options.compression:
            sent["Sec-WebSocket-Extensions"] = offer_deflate()
        if options.subprotocols:
            sent["Sec-WebSocket-Protocol"] = ", ".join(options.subprotocols)
        if options.origin:
            sent["Origin"] = options.origin
        reply = await self._session.general().send("GET", url, sent, None, _handshake_limits(timeout, options))
        assert isinstance(reply, GeneralReply)
        if reply.status == 101:
            _check_accepted(reply, key, options)
        return reply

    def general(self) -> Session:
        return self._session.general()

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def shut(self) -> None:
        await self._session.shut()

    def forget(self) -> None:
        self._session.forget()


def _redirected(url: str, reply: GeneralReply) -> str | None:
    """Returns the URL to which a handshake is redirected, or None.

    Raises APIConnectionError for another origin: all messages of the connection would go there.
    """
    location = reply.headers.get("location")
    if reply.status not in _REDIRECTS or not location:
        return None
    scheme, separator, rest = location.partition("://")
    target = redirected(url, f"{_SCHEMES.get(scheme.lower(), scheme)}{separator}{rest}")
    if target is not None and same_origin(url, target):
        return target
    reply.close()
    message = (
        f"The websocket handshake was redirected to another origin, {shown(location)!r}. Messages of the connection "
        "are not sent there: pass its URL as websocket_base_url if you trust it."
    )
    error = APIConnectionError(message=message, request=reply.request, retryable=False)
    also_foreign(error, "SecurityError")
    raise error


def _handshake_limits(timeout: Timeout, options: WebSocketOptions) -> Timeout:
    """Returns the client's limits, with the wait for the reply cut to `open_timeout`."""
    limit = options.open_timeout
    if limit is None:
        return timeout
    read = limit if timeout.read is None else min(limit, timeout.read)
    return Timeout(connect=timeout.connect, read=read, write=timeout.write, pool=timeout.pool, total=timeout.total)


def _check_accepted(reply: GeneralReply, key: str, options: WebSocketOptions) -> None:
    """Raises APIResponseValidationError for a 101 reply that is no answer to this handshake."""
    headers = reply.headers
    accept = base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_SUFFIX).digest()).decode()
    chosen = headers.get("sec-websocket-protocol")
    problem = ""
    if headers.get("upgrade", "").lower() != "websocket":
        problem = "its header Upgrade is not websocket"
    elif headers.get("sec-websocket-accept", "") != accept:
        problem = "its header Sec-WebSocket-Accept does not fit the request"
    elif chosen is not None and chosen not in options.subprotocols:
        problem = f"it chose the subprotocol {chosen!r}, which was not offered"
    if problem:
        reply.close()
        raise handshake_error(reply, problem)


def handshake_error(reply: Reply, problem: str) -> APIResponseValidationError:
    """Returns the error of a handshake that the server answered wrongly."""
    response = HTTPResponse(reply.status, Headers(reply.items()), b"", reply.request, reason=reply.reason)
    error = APIResponseValidationError(
        response, None, message=f"The reply to the websocket handshake is wrong: {problem}."
    )
    also_foreign(error, "InvalidHandshake")
    return error


class Handshakes:
    """The sessions of a client, as `Attempts` needs them, for handshakes in place of calls."""

    def __init__(self, sessions: Any, options: WebSocketOptions) -> None:
        self._sessions = sessions
        self._options = options
        self.block = sessions.block
        self.closed_error = sessions.closed_error

    def current(self) -> Session | None:
        """Returns the sender of the running loop, or None before its first call."""
        session = self._sessions.current()
        return None if session is None else _Handshake(session, self._options)

    async def open(self, method: str, url: str) -> Session:
        """Returns the sender of the running loop."""
        return _Handshake(await self._sessions.open(method, url), self._options)


class WebSocket:
    """One open connection. All methods belong to its event loop, except `abandon`.

    Control frames are answered as they arrive. Messages wait in a queue of bounded size, and hold the server back when
    it is full.
    """

    def __init__(self, reply: Reply, options: WebSocketOptions) -> None:
        assert isinstance(reply, GeneralReply)
        self._reply = reply
        self._options = options
        self.loop = reply.loop
        self.rcvd: Close | None = None
        """The server's close frame."""
        self.sent: Close | None = None
        """This side's close frame."""
        self._rcvd_then_sent: bool | None = None
        self._ended = self.loop.create_future()
        self._reading = False
        # Futures of a close that waits: for the end of the read under way, and the end of its own read.
        self._idle: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._keepalive: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._pinged: float | None = None
        try:
            self._upgraded: Upgraded = upgrade(reply.raw, self, max_size=options.max_size, loop=self.loop)
        except UpgradeError as error:
            reply.close()
            raise handshake_error(reply, str(error)) from None
        self.inbox = self._upgraded.inbox
        """The messages that are not read yet."""
        self._send_frame = self._upgraded.writer.send_frame
        self._session = reply.session
        self._session.upgraded.add(self)
        if options.ping_interval is not None:
            self._keepalive = self.loop.call_later(options.ping_interval, self._ping)
        # Last: frames that came with the handshake are answered now.
        self._upgraded.start()

    @property
    def response(self) -> Reply:
        """The reply to the handshake."""
        return self._reply

    @property
    def closed(self) -> bool:
        """Whether no frame can be sent any more."""
        return self.sent is not None or self._ended.done() or self._upgraded.transport.is_closing()

    async def read(self) -> bytes:
        """Returns the next message. Raises WebSocketConnectionClosedError after the last one.

        Cancelling it loses no message. Raises OpenAIError for a second reader.
        """
        if self._reading:
            await self._until_drained()
        self._reading = True
        inbox = self.inbox
        try:
            while not inbox.messages:
                if inbox.ended:
                    raise self.closed_error() from self._failure
                inbox.waiter = self.loop.create_future()
                await inbox.waiter
            return inbox.take()
        finally:
            self._reading = False
            if self._idle is not None:
                self._idle.set_result(None)
                self._idle = None

    async def _until_drained(self) -> None:
        """Waits for the read of a close. Raises OpenAIError for that of another task of the program."""
        while self._reading:
            if self._drained is None:
                error = OpenAIError("Another task is receiving from this websocket: receive in one task only.")
                also_foreign(error, "ConcurrencyError")
                raise error
            await asyncio.shield(self._drained)

    @property
    def waiting(self) -> int:
        """The number of messages that `read` returns without waiting."""
        return len(self.inbox.messages)

    async def send(self, frame: bytes, *, text: bool) -> None:
        """Sends a message; waits while the server takes none. Raises WebSocketConnectionClosedError."""
        if self.sent is not None or self._ended.done():
            raise self.closed_error()
        try:
            await self._send_frame(frame, _TEXT if text else _BINARY)
        except (aiohttp.ClientError, OSError) as error:
            raise self.closed_error() from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Sends a close frame and waits for the server's, within `close_timeout`. Further calls do nothing."""
        if not self._ended.done():
            self._send_close(code, reason)
            try:
                await within(self._options.close_timeout, self._until_end())
            except asyncio.TimeoutError:
                self.kill()
            finally:
                self.abort()

    async def _until_end(self) -> None:
        """Reads up to the close frame, and waits for the end of the connection.

        Unread messages would keep the close frame from being parsed. Their reader goes first.
        """
        while not self._ended.done() and self.rcvd is None:
            if self._reading:
                if self._idle is None:
                    self._idle = self.loop.create_future()
                await asyncio.shield(self._idle)
                continue
            self._drained = self.loop.create_future()
            try:
                await self.read()
            except OpenAIError:
                break
            finally:
                self._drained.set_result(None)
                self._drained = None
        if self.rcvd is not None and self._failure is None:
            # Over TLS the server confirms the end: a loop that stopped before would leave the transport open.
            self.abort()
            await asyncio.shield(self._ended)

    def _send_close(self, code: int, reason: str) -> None:
        if self.sent is not None:
            return
        payload = b"" if code == 1005 else code.to_bytes(2, "big") + reason.encode()
        if len(payload) > 125:
            raise ValueError(f"the reason of a close frame must have at most 123 bytes, not {len(payload) - 2}")
        self.sent = Close(code, reason)
        self._rcvd_then_sent = self.rcvd is not None
        try:
            self._upgraded.control(_CLOSE, payload)
        except (aiohttp.ClientError, OSError):
            self.abort()

    def abort(self) -> None:
        """Closes the connection, with the data that was written before. `close_timeout` limits the wait for it."""
        self._session.upgraded.discard(self)
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None
        transport = self._upgraded.transport
        limit = self._options.close_timeout
        if not transport.is_closing():
            if limit is not None and transport.get_write_buffer_size():
                # A server that reads no more would keep the connection, and the sends that wait, for ever.
                self._grace = self.loop.call_later(limit, transport.abort)
            transport.close()
        self._reply.close()

    def kill(self) -> None:
        """Closes the connection at once. Data that was not sent yet is lost, and sends that wait fail."""
        self._upgraded.transport.abort()

    def abandon(self) -> None:
        """Closes the connection in its loop, later. Safe in any thread."""
        later(self.loop, self.abort)

    def closed_error(self) -> Any:
        """Returns the error for a use of this connection after its end."""
        return closed_error(self.rcvd, self.sent, rcvd_then_sent=self._rcvd_then_sent)

    def on_failure(self, error: BaseException) -> None:
        """Closes the connection after frames that break the protocol."""
        self._failure = error
        if isinstance(error, aiohttp.WebSocketError) and not self._upgraded.transport.is_closing():
            self._send_close(int(error.code), "")
        self.abort()

    # Frames of the server

    def on_ping(self, payload: bytes) -> None:
        """Answers a ping."""
        if self.sent is None and not self._upgraded.transport.is_closing():
            self._upgraded.control(_PONG, payload)

    def on_pong(self) -> None:
        """Notes that the server is alive."""
        self._pinged = None

    def on_close(self, code: int, reason: str) -> None:
        """Answers a close frame and closes the connection."""
        self.rcvd = Close(code or 1005, reason)
        if self.sent is None:
            self._send_close(code or 1005, reason)
        # Now, and not with the end of the connection: that waits for data that the server may not read.
        self.inbox.end()
        self.abort()

    def on_end(self) -> None:
        """Notes the end of the connection."""
        if not self._ended.done():
            self._ended.set_result(None)
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self.abort()

    def _ping(self) -> None:
        """Sends a ping, or closes the connection if the last one has got no answer."""
        options = self._options
        assert options.ping_interval is not None
        self._keepalive = None
        now = time.monotonic()
        if self.closed:
            return
        timeout = options.ping_timeout
        if self._pinged is not None and timeout is not None and now - self._pinged >= timeout:
            self._send_close(1011, "keepalive ping timeout")
            self.abort()
            return
        # A reader that holds the server back hides its pongs, too.
        if self._pinged is None and not self._upgraded.paused:
            self._pinged = now
            self._upgraded.control(_PING, os.urandom(4))
        wait = options.ping_interval if timeout is None else min(options.ping_interval, timeout)
        self._keepalive = self.loop.call_later(wait, self._ping)
