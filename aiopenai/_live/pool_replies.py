"""One response over a socket of a pool, in the form of an HTTP reply: a stream of events, or one JSON body."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from typing_extensions import override

from aiopenai._base.aliases import is_mapping
from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._calls.endings import is_ending
from aiopenai._data.codec import decode_json
from aiopenai._http.interface import FinalisedReply, in_loop, later
from aiopenai._http.messages import HTTPRequest
from aiopenai._live.pool_sockets import PooledSocket, SocketPool
from aiopenai.errors import APIConnectionError, APITimeoutError, WebSocketConnectionClosedError

__all__ = ["Exchange", "SocketReply"]

# The bytes of events that a stream gets at a time.
_BATCH_BYTES = 2**16
_LIMIT_REACHED = "websocket_connection_limit_reached"


class _Head(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw(b"")


class _Identity(msgspec.Struct):
    id: str = ""


_head_of = msgspec.json.Decoder(_Head).decode
_identity_of = msgspec.json.Decoder(_Identity).decode


class Exchange:
    """One response on a socket, which it holds until the last event."""

    def __init__(self, pool: SocketPool, socket: PooledSocket, request: HTTPRequest, timeout: Timeout) -> None:
        self.pool = pool
        self.socket = socket
        self.request = request
        self.started = time.perf_counter()
        self.ended = False
        """Whether the last event was received, or the socket was dropped."""
        self._timeout = timeout
        self._known = False

    async def send(self, frame: bytes) -> None:
        """Sends the event that begins the response. Raises WebSocketConnectionClosedError, APITimeoutError."""
        try:
            await within(self._timeout.write, self.socket.websocket.send(frame, text=True))
        except asyncio.TimeoutError as error:
            self.drop()
            raise APITimeoutError(self.request, message="Request timed out: the websocket takes no data.") from error
        except BaseException:
            self.drop()
            raise

    async def receive(self) -> tuple[bytes, _Head | None]:
        """Returns the next event and its head, which is None for a message that is no event.

        Raises WebSocketConnectionClosedError and APITimeoutError.
        """
        websocket = self.socket.websocket
        try:
            raw = await (websocket.read() if websocket.waiting else within(self._limit(), websocket.read()))
        except asyncio.TimeoutError as error:
            self.drop()
            raise APITimeoutError(self.request, message="Request timed out: no event of the websocket.") from error
        except BaseException:
            self.drop()
            raise
        try:
            head = _head_of(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Its end cannot be told any more.
            self.drop()
            return raw, None
        if not self._known and head.response:
            self._note_context(head.response)
        if head.type == "error" and _concerns_socket(raw):
            self.drop()
        elif head.type == "error" or is_ending(head.type):
            self.ended = True
            self.pool.give(self.socket)
        return raw, head

    def _note_context(self, response: msgspec.Raw) -> None:
        # A response without an id is left to the decoder of the caller.
        with contextlib.suppress(msgspec.DecodeError):
            self.pool.keep(_identity_of(response).id, self.socket)
            self._known = True

    def _limit(self) -> float | None:
        timeout = self._timeout
        if timeout.total is None:
            return timeout.read
        left = max(timeout.total - (time.perf_counter() - self.started), 0.0)
        return left if timeout.read is None else min(left, timeout.read)

    def drop(self) -> None:
        """Closes the socket, unless the response has ended."""
        if not self.ended:
            self.ended = True
            self.pool.drop(self.socket)

    async def reply(self, *, stream: bool, limit: int) -> SocketReply | None:
        """Returns the reply as soon as its status is known: with the first event of a stream, else with the last.

        Returns None if the socket was lost before the first event.
        """
        try:
            raw, head = await self.receive()
        except WebSocketConnectionClosedError:
            return None
        if head is not None and head.type == "error":
            error, status = _error_of(raw)
            return None if error.get("code") == _LIMIT_REACHED else self._refusal(error, status, limit)
        if stream:
            return SocketReply(self, 200, limit, first=raw)
        try:
            while not self.ended:
                raw, head = await self.receive()
        except WebSocketConnectionClosedError as error:
            raise self.lost() from error
        if head is not None and head.type == "error":
            return self._refusal(*_error_of(raw), limit)
        body = bytes(head.response) if head is not None and head.response else raw
        reply = SocketReply(self, 200, limit, body=body)
        if len(body) > limit:
            raise reply.too_long()
        return reply

    def _refusal(self, error: Mapping[str, Any], status: int, limit: int) -> SocketReply:
        return SocketReply(self, status, limit, body=msgspec.json.encode({"error": error}))

    def lost(self) -> APIConnectionError:
        """Returns the error of a socket that was lost after the first event."""
        message = "Connection error: the websocket was lost before the end of the response."
        return APIConnectionError(message=message, request=self.request)


def _error_of(raw: bytes) -> tuple[Mapping[str, Any], int]:
    """Returns the error of an error event, and the status that HTTP has for it."""
    event: dict[str, Any] = decode_json(raw)
    error: Any = event.get("error")
    if not is_mapping(error):
        error = {name: event.get(name) for name in ("code", "message", "param")}
    status = event.get("status")
    if type(status) is not int or not 400 <= status < 600:
        status = 400 if error.get("type") == "invalid_request_error" else 500
    return error, status


def _concerns_socket(raw: bytes) -> bool:
    """Returns whether an error event makes its socket useless: it is too old, or its handshake's key is refused."""
    error, status = _error_of(raw)
    return status == 401 or error.get("code") == _LIMIT_REACHED


class SocketReply(FinalisedReply):
    """A reply over a socket: with `body` as a whole, else from its `first` event on as server-sent events."""

    __slots__ = ("_body", "_exchange", "_first")

    def __init__(
        self, exchange: Exchange, status: int, limit: int, *, body: bytes | None = None, first: bytes | None = None
    ) -> None:
        self._exchange = exchange
        self._body = body
        self._first = first
        headers = {"content-type": "application/json" if first is None else "text/event-stream"}
        if request_id := exchange.socket.websocket.response.headers.get("x-request-id"):
            headers["x-request-id"] = request_id
        super().__init__(status, headers, time.perf_counter() - exchange.started, limit)

    @property
    @override
    def request(self) -> HTTPRequest:
        return self._exchange.request

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._exchange.pool.loop

    @property
    @override
    def reason(self) -> str:
        return ""

    @property
    @override
    def closed(self) -> bool:
        return self._body is None and self.at_end()

    @override
    def at_end(self) -> bool:
        return self._first is None and self._exchange.ended

    @override
    def whole(self) -> bytes | None:
        body, self._body = self._body, None
        return body

    @override
    async def read_some(self) -> bytes:
        if (body := self.whole()) is not None:
            return body
        exchange = self._exchange
        first, self._first = self._first, None
        pieces = [] if first is None else [_as_sse(first)]
        size = 0
        while not exchange.ended and (not pieces or (exchange.socket.websocket.waiting and size < _BATCH_BYTES)):
            try:
                raw, _ = await exchange.receive()
            except WebSocketConnectionClosedError as error:
                raise exchange.lost() from error
            size += len(raw)
            pieces.append(_as_sse(raw))
        return b"".join(pieces)

    @override
    def close(self) -> None:
        self._first = None
        in_loop(self.loop, self._exchange.drop)

    @override
    def abandon(self) -> None:
        if not self._exchange.ended:
            later(self.loop, self._exchange.drop)


def _as_sse(event: bytes) -> bytes:
    # Line breaks occur between the tokens of JSON only.
    if b"\n" in event or b"\r" in event:
        event = event.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: %b\n\n" % event
