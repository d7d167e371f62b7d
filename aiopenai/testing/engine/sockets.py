"""The conversation of a session with its client over aiohttp's websocket."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.sessions import SocketSession
from aiopenai.testing.engine.socket_faults import SocketFault
from aiopenai.testing.engine.values import Object, encode
from aiopenai.testing.engine.wire import Connection, GoneError

__all__ = ["Conversation"]

_logger = logging.getLogger("aiopenai.testing")


class Conversation:
    """One open socket: a task reads messages, and another one sends events.

    latency: returns the seconds that loading a context takes.
    token_delay: returns the seconds between events.
    """

    def __init__(
        self,
        session: SocketSession,
        connection: Connection,
        received: ReceivedRequest,
        fault: SocketFault | None,
        *,
        latency: Callable[[], float],
        token_delay: Callable[[], float],
    ) -> None:
        self.session = session
        self.received = received
        self._connection = connection
        self._fault = fault
        # A fault that was ordered for the open socket.
        self._now: SocketFault | None = None
        self._latency = latency
        self._token_delay = token_delay
        self._sent = 0
        self._wake = asyncio.Event()
        # Without a limit: a client may send half a minute of audio in one message.
        self._socket = web.WebSocketResponse(max_msg_size=0, compress=False)

    async def run(self, request: web.BaseRequest) -> web.StreamResponse:
        """Accepts the handshake, and serves the socket until it closes."""
        socket = self._socket
        await socket.prepare(request)
        self.session.outbox.extend(self.session.opening())
        speaker = asyncio.ensure_future(self._speak())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._take(message.data)
        except Exception:
            await self._failed()
        finally:
            speaker.cancel()
            await asyncio.wait([speaker])
        return socket

    def break_off(self, fault: SocketFault) -> None:
        """Applies a fault now, before the next event."""
        fault.applied += 1
        self._now = fault
        self._wake.set()

    def push(self, event: Object) -> None:
        """Sends an event that no answer of the session causes."""
        self.session.outbox.append(event)
        self._wake.set()

    def _take(self, data: Any) -> None:
        self.received.note_message(data)
        self.session.take_message(data)
        self._wake.set()

    async def _speak(self) -> None:
        try:
            while True:
                await self._apply_fault()
                event = self.session.step()
                if event is None:
                    if self.session.close_code is not None:
                        await self._socket.close(code=self.session.close_code)
                        return
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                if self.session.loads_context:
                    self.session.loads_context = False
                    await self._connection.sleep(self._latency())
                await self._send(event)
        except (ConnectionError, GoneError):
            # The client has closed the socket, or a fault has.
            return
        except Exception:
            await self._failed()

    async def _failed(self) -> None:
        """Closes the socket after an exception, such as one of the `answer` of a test."""
        _logger.exception("the socket of %s failed", self.received.path)
        await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"internal error")

    async def _send(self, event: Object) -> None:
        fault = self._fault
        data = encode(event)
        if fault is not None and fault.cut and self._sent >= fault.after:
            self._cut(data)
        await self._socket.send_str(data.decode())
        self._sent += 1
        delay = self._token_delay()
        # Without a delay, a client in the same loop receives the events one by one too.
        await (self._connection.sleep(delay) if delay else asyncio.sleep(0))

    async def _apply_fault(self) -> None:
        if (fault := self._now) is not None:
            self._now = None
            if fault.cut:
                self._cut(encode({"type": "error"}))
        elif (fault := self._fault) is not None and not fault.cut and self._sent >= fault.after:
            self._fault = None
        else:
            return
        if fault.close_code is not None:
            await self._socket.close(code=fault.close_code, message=fault.reason.encode())
            raise GoneError("the socket was closed")
        if fault.stall:
            await self._connection.sleep(None)
        if isinstance(fault.message, str):
            await self._socket.send_str(fault.message)
        elif fault.message is not None:
            await self._socket.send_bytes(fault.message)

    def _cut(self, data: bytes) -> None:
        """Sends the first half of a frame, and closes the connection."""
        size = len(data)
        head = b"\x81" + (
            bytes([size])
            if size < 126
            else b"\x7e" + struct.pack(">H", size)
            if size < 65_536
            else b"\x7f" + struct.pack(">Q", size)
        )
        transport = self._connection.transport
        if transport is not None:
            transport.write(head + data[: size // 2])
            transport.close()
        raise GoneError("the frame was cut")
