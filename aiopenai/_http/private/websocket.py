"""The parts of aiohttp that speak the websocket protocol, below `ClientWebSocketResponse`.

`ClientSession.ws_connect` drops the body of a refused handshake, and `receive` costs 1.5 us a message for timeouts and
states. Here the handshake is a plain request, and the parser's queue is read directly.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, cast

import aiohttp
from aiohttp._websocket.helpers import ws_ext_gen, ws_ext_parse
from aiohttp._websocket.models import WSHandshakeError
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp._websocket.writer import WebSocketWriter
from aiohttp.streams import EofStream
from typing_extensions import override

__all__ = ["EofStream", "Owner", "UpgradeError", "Upgraded", "offer_deflate", "upgrade"]

UpgradeError = WSHandshakeError
"""The error of an extension that the server chose and the client did not offer."""

# The parser stops at twice this many bytes that the program has not read, and the server is held back.
_BUFFER_BYTES = 2**16
_PING, _PONG, _CLOSE = aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.CLOSE
_put: Any = WebSocketDataQueue.feed_data


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


class _Inbox(WebSocketDataQueue):
    """aiohttp's queue of messages, without control frames: a program that only sends would never answer a ping."""

    def __init__(self, protocol: Any, loop: Any, owner: Owner) -> None:
        super().__init__(protocol, _BUFFER_BYTES, loop=loop)
        self.owner = owner

    @override
    def feed_data(self, data: Any, size: Any) -> None:
        kind = data[0]
        if kind is _PING:
            self.owner.on_ping(data[1])
        elif kind is _PONG:
            self.owner.on_pong()
        elif kind is _CLOSE:
            self.owner.on_close(data[1], data[2])
        else:
            _put(self, data, size)

    @override
    def feed_eof(self) -> None:
        super().feed_eof()
        self.owner.on_end()

    @override
    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        super().set_exception(exc)
        self.owner.on_failure(exc)


class Upgraded(NamedTuple):
    """A connection that speaks websocket frames."""

    inbox: Any
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

    @property
    def waiting(self) -> int:
        """The number of messages that are parsed and not read."""
        return len(self.inbox._buffer)

    def control(self, opcode: int, payload: bytes) -> None:
        """Writes a control frame at once. Raises ConnectionError if the connection is closing."""
        self.writer._write_websocket_frame(payload, opcode, 0)


def offer_deflate() -> str:
    """Returns the value of the header that offers compression."""
    return ws_ext_gen(compress=15)


def upgrade(raw: aiohttp.ClientResponse, owner: Owner, *, max_size: int, loop: Any) -> Upgraded:
    """Turns the connection of a 101 reply into a websocket. Raises UpgradeError for an extension out of place."""
    compress, notakeover = 0, False
    if extensions := raw.headers.get("Sec-WebSocket-Extensions"):
        if "Sec-WebSocket-Extensions" not in raw.request_info.headers:
            raise UpgradeError(f"the server chose the extension {extensions!r}, which was not offered")
        compress, notakeover = ws_ext_parse(extensions)
    connection = raw.connection
    protocol: Any = None if connection is None else connection.protocol
    transport: Any = None if protocol is None else protocol.transport
    if transport is None:
        raise UpgradeError("the connection ended with the handshake")
    # A quiet conversation is none that hangs: pings watch over it.
    protocol.read_timeout = None
    inbox = _Inbox(protocol, loop, owner)
    reader = WebSocketReader(inbox, max_size, bool(compress), decode_text=False)
    writer = WebSocketWriter(protocol, transport, use_mask=True, compress=compress, notakeover=notakeover)
    # A conversation takes no place among the connections for calls: it may last an hour.
    cast("Any", connection)._connector._release_acquired(cast("Any", connection)._key, protocol)
    return Upgraded(inbox, reader, writer, protocol, transport)
