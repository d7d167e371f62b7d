"""The lower bound of a websocket: a bare asyncio protocol that knows the frames of this one server only."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import cast

from yarl import URL

from benchmarks import answers

from .wire import Committed, TextDelta, decode_event, encode


class BareSocket(asyncio.Protocol):
    """One open websocket. `done` is the result of the response under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._open = False
        self._characters = 0
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance check: the transports of uvloop do not derive from those of asyncio.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        position = 0
        if not self._open:
            position = buffer.find(b"\r\n\r\n") + 4
            if position < 4:
                self._buffer = buffer
                return
            self._open = True
            self.done.set_result(0)
        while len(buffer) >= position + 4:
            size, begin = buffer[position + 1], position + 2
            if size == 126:
                size, begin = int.from_bytes(buffer[begin : begin + 2], "big"), begin + 2
            end = begin + size
            if len(buffer) < end:
                break
            position = end
            event = decode_event(buffer[begin:end])
            if type(event) is TextDelta:
                self._characters += len(event.delta)
            else:
                self.done.set_result(int(event.item_id) if type(event) is Committed else self._characters)
        self._buffer = buffer[position:]

    def ask(self, event: dict[str, object]) -> asyncio.Future[int]:
        """Sends an event that is answered, and returns the future result."""
        self._characters = 0
        self.done = asyncio.get_running_loop().create_future()
        self.send(event)
        return self.done

    def send(self, event: dict[str, object]) -> None:
        """Sends an event as a masked text frame."""
        payload = encode(event)
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        mask = os.urandom(4)
        key = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
        self.write(head + mask + masked)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def append(self) -> int:
        """Sends the audio, piece by piece."""
        for _ in range(answers.APPENDS):
            self.send({"type": "input_audio_buffer.append", "audio": answers.AUDIO})
        return await self.ask({"type": "input_audio_buffer.commit"})

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(url: URL) -> BareSocket:
    """Returns an open websocket."""
    _, websocket = await asyncio.get_running_loop().create_connection(BareSocket, url.host, url.port)
    key = base64.b64encode(os.urandom(16)).decode()
    websocket.write(
        f"GET {url.path}/realtime?model=gpt-realtime HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    await websocket.done
    return websocket
