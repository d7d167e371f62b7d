"""The parts of aiohttp that speak the websocket protocol, below `ClientWebSocketResponse`.

`ClientSession.ws_connect` drops the body of a refused handshake, and `receive` costs 1.5 us a message for timeouts and
states. Here the handshake is a plain request, and the parser's queue is read directly.

aiohttp's parser in C stays. A parser in Python that fills the queue itself saves 0.9 us of the 29 us of an event that
comes alone, and 0.2 us of an event in a burst. A writer of frames in Python saves nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol, cast

import aiohttp
from aiohttp._websocket.helpers import ws_ext_gen, ws_ext_parse
from aiohttp._websocket.models import WSHandshakeError
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp._websocket.writer import WebSocketWriter
from typing_extensions import override

__all__ = ["Inbox", "Owner", "UpgradeError", "Upgraded", "offer_deflate", "upgrade"]

UpgradeError = WSHandshakeError
"""The error of an extension that the server chose and the client did not offer."""

# The bytes of unread messages at which the server is held back, and at which it goes on. A read of the socket, which
# takes up to 256 KiB, comes on top.
_BUFFER_BYTES = 2**17
_RESUME_BYTES = 2**16
# The cost of a tiny message.
_PER_MESSAGE = 128
_TEXT, _BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
_PING, _PONG, _CLOSE = aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.CLOSE


class Owner(Protocol):
    """The websocket that answers control frames as soon as they are parsed."""

    def on_ping(self, payload: bytes) -> None:
        """A ping arrived."""

    def on_pong(self) -> None:
        """A pong arrived."""

    def on_close(self, code: int, reason: str) -> None:
        """A close frame arrived; the code is 0 if it had none."""

    def on_end(self) -> None:
        """The connection has ended."""

    def on_failure(self, error: BaseException) -> None:
        """The frames of the server break the protocol: none can be read any more."""


class Inbox(WebSocketDataQueue):
    """The messages that are parsed and not read.

    aiohttp's own queue keeps pings among the messages, so that a program that only sends would never answer one.
    """

    def __init__(self, protocol: Any, loop: Any, owner: Owner) -> None:
        super().__init__(protocol, _BUFFER_BYTES, loop=loop)
        self.owner = owner
        self.messages: deque[bytes] = deque()
        self._unread = 0
        self.protocol = protocol
        self.waiter: Any = None
        """A future that the next message, or the end, wakes."""
        self.ended = False
        """Whether no more messages arrive."""

    @override
    def feed_data(self, data: Any, size: Any) -> None:
        kind, content, reason = data
        if kind is _TEXT or kind is _BINARY:
            self.messages.append(content)
            self._unread += size + _PER_MESSAGE
            if self.waiter is not None:
                self.wake()
            if self._unread > _BUFFER_BYTES and not self.protocol._reading_paused:
                self.protocol.pause_reading()
        elif kind is _PING:
            self.owner.on_ping(content)
        elif kind is _PONG:
            self.owner.on_pong()
        elif kind is _CLOSE:
            self.owner.on_close(content, reason)

    def take(self) -> bytes:
        """Returns the next message. Raises IndexError if there is none."""
        message = self.messages.popleft()
        self._unread -= len(message) + _PER_MESSAGE
        if self._unread < _RESUME_BYTES and self.protocol._reading_paused:
            self.protocol.resume_reading()
        return message

    def wake(self) -> None:
        """Wakes the reader."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def end(self) -> None:
        """Notes that no more messages arrive."""
        self.ended = True
        self.wake()

    @override
    def feed_eof(self) -> None:
        super().feed_eof()
        self.end()
        self.owner.on_end()

    @override
    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        super().set_exception(exc)
        self.end()
        self.owner.on_failure(exc)


class Upgraded(NamedTuple):
    """A connection that speaks websocket frames."""

    inbox: Inbox
    reader: Any
    """The parser: its queue refers to it weakly."""
    writer: Any
    protocol: Any
    transport: Any

    def start(self) -> None:
        """Parses what has arrived with the handshake, and all that follows."""
        self.protocol.set_parser(self.reader, self.inbox)

    @property
    def paused(self) -> bool:
        """Whether the server is held back, because the program does not read."""
        return bool(self.protocol._reading_paused)

    def control(self, opcode: int, payload: bytes) -> None:
        """Writes a control frame at once. Raises ConnectionError if the connection is closing."""
        self.writer._write_websocket_frame(payload, opcode, 0)


def offer_deflate() -> str:
    """Returns the value of the header that offers compression."""
    return ws_ext_gen(compress=15)


def upgrade(raw: aiohttp.ClientResponse, owner: Owner, *, max_size: int | None, loop: Any) -> Upgraded:
    """Turns the connection of a 101 reply into a websocket. Raises UpgradeError for an extension out of place."""
    compress, notakeover = 0, False
    if extensions := raw.headers.get("Sec-WebSocket-Extensions"):
        if "Sec-WebSocket-Extensions" not in raw.request_info.headers:
            raise UpgradeError(f"the server chose the extension {extensions!r}, which was not offered")
        compress, notakeover = ws_ext_parse(extensions)
    connection = raw.connection
    protocol: Any = None if connection is None else connection.protocol
    transport: Any = None if protocol is None else protocol.transport
    if protocol is None or transport is None:
        raise UpgradeError("the connection ended with the handshake")
    # A quiet conversation is none that hangs: pings watch over it.
    protocol.read_timeout = None
    inbox = Inbox(protocol, loop, owner)
    # aiohttp refuses a message of exactly its limit, and takes 0 for none. It takes one more byte of a compressed one.
    limit = 0 if max_size is None else max_size + 1
    reader = WebSocketReader(inbox, limit, bool(compress), decode_text=False)
    writer = WebSocketWriter(protocol, transport, use_mask=True, compress=compress, notakeover=notakeover)
    # A conversation takes no place among the connections for calls: it may last an hour.
    cast("Any", connection)._connector._release_acquired(cast("Any", connection)._key, protocol)
    return Upgraded(inbox, reader, writer, protocol, transport)
