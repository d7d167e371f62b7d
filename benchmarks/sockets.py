"""The server's side of a websocket: prepared frames as the answers to events, which are not decoded."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import Final

from . import answers

# RFC 6455, section 1.3.
_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"\r\nsec-websocket-key:[ \t]*([^\r]+)", re.IGNORECASE)
_SPECIAL: Final = re.compile(rb'"(bench-[a-z]+)(?:-(\d+)-(\d+))?"')
CONTEXT: Final = re.compile(rb'"previous_response_id":\s*"')
"""A request that goes on with an earlier response."""
# The beginning of a message tells its type.
_LOOKED_AT: Final = 256

_ALL: Final = b"".join(answers.socket_frames())
_ONE: Final = b"".join(answers.socket_frames(1))
_PACED: Final = answers.socket_frames(answers.PACED_CHUNKS)
_RESPONSE: Final = answers.response_frames()


def accepted(head: bytes) -> bytes | None:
    """Returns the reply to a handshake; None for another request."""
    key = _KEY.search(head)
    if key is None:
        return None
    accept = base64.b64encode(hashlib.sha1(key[1] + _SUFFIX).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


class Side:
    """The frames of one client, and the answers to them."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._appends = 0
        self._has_context = False
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, data: bytes) -> None:
        """Takes bytes of the client."""
        buffer = self._buffer + data if self._buffer else data
        position = 0
        while len(buffer) >= position + 6:
            size, begin = buffer[position + 1] & 0x7F, position + 2
            if size == 126:
                size, begin = int.from_bytes(buffer[begin : begin + 2], "big"), begin + 2
            end = begin + 4 + size
            if len(buffer) < end:
                break
            self._take(buffer[position] & 0x0F, buffer, begin, size)
            position = end
        self._buffer = buffer[position:]

    def _take(self, opcode: int, buffer: bytes, begin: int, size: int) -> None:
        if opcode == 8:
            self._transport.write(b"\x88\x02\x03\xe8")
            self._transport.close()
            return
        seen = min(size, _LOOKED_AT)
        payload = buffer[begin + 4 : begin + 4 + seen]
        mask = (buffer[begin : begin + 4] * (seen // 4 + 1))[:seen]
        text = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(seen, "big")
        if opcode == 9:
            self._transport.write(bytes((0x8A, size)) + text)
        elif b"input_audio_buffer.append" in text:
            self._appends += 1
        elif b"input_audio_buffer.commit" in text:
            self._transport.write(answers.frame(answers.committed(self._appends)))
            self._appends = 0
        elif b"metadata" not in text and b"response.create" in text:
            # The websocket of `/responses` keeps the context of its responses.
            loads = CONTEXT.search(text) is not None and not self._has_context
            self._has_context = True
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(answers.CONTEXT_SECONDS * loads, self._transport.write, _RESPONSE)
        elif b"response.create" in text:
            self._respond(_SPECIAL.search(text))

    def _respond(self, special: re.Match[bytes] | None) -> None:
        if special is None:
            self._transport.write(_ALL)
        elif special[1].decode() == answers.PACED:
            frames, seconds = _PACED, answers.PACE_SECONDS
            if special[2] is not None:
                # The number of events, and the milliseconds between them.
                frames, seconds = answers.socket_frames(int(special[2])), int(special[3]) / 1_000
            self._pace(frames, seconds, asyncio.get_running_loop().time(), 0)
        else:
            self._transport.write(_ONE)

    def _pace(self, frames: tuple[bytes, ...], seconds: float, begin: float, index: int) -> None:
        """Writes a frame and schedules the next one by the clock, so that delays do not add up."""
        self._transport.write(frames[index])
        if index + 1 < len(frames) and not self._transport.is_closing():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(begin + (index + 1) * seconds, self._pace, frames, seconds, begin, index + 1)

    def close(self) -> None:
        """Ends the answers after the end of the connection."""
        if self._timer is not None:
            self._timer.cancel()
