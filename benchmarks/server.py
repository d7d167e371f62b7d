"""The server: ``python -m benchmarks.server [--core N]``, a raw asyncio protocol with prepared answers.

It writes its ports as one line of JSON to stdout and ends when stdin is closed. A request costs it a few microseconds,
far less than the fastest client spends on the call. ``GET /cpu`` returns the CPU used, ``GET /held`` the number of
answers held back, and ``GET /release`` sends these. ``GET /v1/realtime`` and ``/v1/responses`` open
websockets (sockets.py).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import re
import ssl
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from . import answers, process, sockets

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_STREAMED = re.compile(rb'"stream":\s*true')
_BASE64 = re.compile(rb'"encoding_format":\s*"base64"')
_SPECIAL = re.compile(rb'"(bench-[a-z]+)"')
# Bodies above this size are counted and dropped: only their end matters.
_KEPT = 1 << 16
# No head is longer; the bound stops a broken client from growing the buffer without end.
_MAX_HEAD = 1 << 16

_CHAT: Final = answers.answer(answers.chat_completion())
_STREAM: Final = b"".join(answers.stream_pieces())
_PACED: Final = answers.stream_pieces(answers.PACED_CHUNKS)
_REFUSED: Final = answers.error("400 Bad Request", "you asked for it")
_NOT_FOUND: Final = answers.error("404 Not Found", "the benchmark server does not know this")
_NO_LENGTH: Final = answers.error("411 Length Required", "the benchmark server needs a Content-Length")
_LOGPROBS: Final = answers.answer(answers.chat_completion(answers.LOGPROBS))
_RESPONSE: Final = answers.answer(answers.response())
_FILES: Final = answers.answer(answers.files())
_FLOATS: Final = answers.answer(answers.embeddings(as_base64=False))
_VECTORS: Final = answers.answer(answers.embeddings(as_base64=True))

_held: list[Callable[[], None]] = []


class Answering(asyncio.Protocol):
    """One connection: requests may arrive in pieces or pipelined, and answers leave in order."""

    def __init__(self) -> None:
        self._buffer = b""
        self._to_skip = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._side: sockets.Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance check: the transports of uvloop do not derive from those of asyncio.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._side is not None:
            self._side.close()

    def data_received(self, data: bytes) -> None:
        if self._side is not None:
            self._side.feed(data)
            return
        if self._to_skip:
            if len(data) < self._to_skip:
                self._to_skip -= len(data)
                return
            data = data[self._to_skip :]
            self._to_skip = 0
            self._answer(self._buffer, len(self._buffer))
            self._buffer = b""
        buffer = self._buffer + data if self._buffer else data
        while self._transport is not None and (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(buffer, 0, end)
            if length is None and buffer.startswith(b"POST"):
                self._transport.write(_NO_LENGTH)
                self._transport.close()
                return
            total = end + 4 + (int(length[1]) if length is not None else 0)
            if len(buffer) < total:
                if total > _KEPT:
                    self._to_skip = total - len(buffer)
                    buffer = buffer[: end + 4]
                break
            self._answer(buffer[:total], end)
            buffer = buffer[total:]
        self._buffer = buffer
        if len(buffer) > _MAX_HEAD + _KEPT and self._transport is not None:
            self._transport.abort()

    def _answer(self, request: bytes, head_end: int) -> None:
        assert self._transport is not None
        if request.startswith(b"POST /v1/chat/completions "):
            streamed = _STREAMED.search(request, head_end) is not None
            special = _SPECIAL.search(request, head_end)
            if special is None:
                self._transport.write(_STREAM if streamed else _CHAT)
            else:
                self._special(special[1].decode(), _STREAM if streamed else _CHAT)
        elif request.startswith(b"POST /v1/responses ") and sockets.CONTEXT.search(request, head_end):
            self._timer = asyncio.get_running_loop().call_later(answers.CONTEXT_SECONDS, self._write, _RESPONSE)
        elif (
            request.startswith((b"GET /v1/realtime", b"GET /v1/responses "))
            and (reply := sockets.accepted(request)) is not None
        ):
            self._side = sockets.Side(self._transport)
            self._transport.write(reply)
        else:
            self._transport.write(_other(request, head_end))

    def _special(self, model: str, answer: bytes) -> None:
        assert self._transport is not None
        if model == answers.SLOW:
            self._timer = asyncio.get_running_loop().call_later(answers.SLOW_SECONDS, self._write, answer)
        elif model == answers.HELD:
            _held.append(lambda: self._write(answer))
        elif model == answers.PACED:
            loop = asyncio.get_running_loop()
            self._transport.write(_PACED[0])
            self._pace(loop, loop.time(), 1)
        elif model == answers.LONG:
            self._transport.write(_LOGPROBS)
        elif model == answers.BROKEN:
            # Half of the answer: a client may not act on a few bytes.
            self._transport.write(answer[: len(answer) // 2])
            self._transport.close()
        else:
            self._transport.write(_REFUSED)

    def _pace(self, loop: asyncio.AbstractEventLoop, begin: float, index: int) -> None:
        """Writes a piece and schedules the next one by the clock, so that delays do not add up."""
        last = len(_PACED) - 1
        self._write(_PACED[index] if index < last - 2 else b"".join(_PACED[index:]))
        if index < last - 2:
            self._timer = loop.call_at(begin + index * answers.PACE_SECONDS, self._pace, loop, begin, index + 1)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _other(request: bytes, head_end: int) -> bytes:
    path = request[: request.find(b" HTTP/")]
    if path == b"POST /v1/embeddings":
        return _VECTORS if _BASE64.search(request, head_end) else _FLOATS
    if path == b"POST /v1/responses":
        return _RESPONSE
    if path.startswith(b"GET /v1/files"):
        return _FILES
    if path == b"GET /cpu":
        return answers.answer({"cpu": time.process_time()})
    if path == b"GET /held":
        return answers.answer({"held": len(_held)})
    if path == b"GET /release":
        held = len(_held)
        for write in _held:
            write()
        _held.clear()
        return answers.answer({"held": held})
    return _NOT_FOUND


class Server(NamedTuple):
    """The two listening sockets, plain and TLS."""

    plain: asyncio.Server
    secure: asyncio.Server

    @property
    def ports(self) -> tuple[int, int]:
        first, second = (server.sockets[0].getsockname()[1] for server in self)
        return first, second

    def close(self) -> None:
        for server in self:
            server.close()


async def start(host: str = "127.0.0.1") -> Server:
    """Listens on two free ports of `host`, with a backlog for thousands of connections at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(process.CERTIFICATE)
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(Answering, host, 0, backlog=16_384)
    return Server(plain, await loop.create_server(Answering, host, 0, backlog=16_384, ssl=context))


async def _serve() -> None:
    server = await start()
    try:
        plain, secure = server.ports
        hello = {"port": plain, "tls_port": secure, "loop": type(asyncio.get_running_loop()).__module__}
        sys.stdout.write(json.dumps(hello) + "\n")
        sys.stdout.flush()
        # The end of the parent closes the pipe and ends this process. Windows needs a thread to read stdin.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--core", type=int)
    core: int | None = parser.parse_args().core
    process.settle(core)
    loop = "asyncio" if importlib.util.find_spec("uvloop") is None else "uvloop"
    process.loop_runner(loop)(_serve())


if __name__ == "__main__":
    main()
