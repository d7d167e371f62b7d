"""The other end: ``python -m benchmarks.server [--core N]``, a raw protocol with prepared answers.

It writes its port as one line of JSON to stdout and ends when stdin is closed. Fast enough never to be the limit: a
request costs it a few microseconds, far less than the fastest client spends on the same call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable
from typing import Any, cast

from . import answers, process

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_STREAMED = re.compile(rb'"stream":\s*true')
# No client here sends more; a bound keeps a broken one from growing the buffer for ever.
_MAX_REQUEST = 1 << 20

_CHAT = answers.chat_answer()
_STREAM = answers.stream_answer()
_NOT_FOUND = answers.error_answer("404 Not Found", "the benchmark server knows only POST /v1/chat/completions")
_NO_LENGTH = answers.error_answer("411 Length Required", "the benchmark server needs a Content-Length")


class Answering(asyncio.Protocol):
    """One connection: requests may arrive in pieces or several at once, answers leave in order."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while self._transport is not None and (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(buffer, 0, end)
            if length is None and buffer.startswith(b"POST"):
                self._refuse(_NO_LENGTH)
                return
            total = end + 4 + (int(length[1]) if length is not None else 0)
            if len(buffer) < total:
                break
            self._transport.write(self._answer(buffer[:total], end))
            buffer = buffer[total:]
        self._buffer = buffer
        if len(buffer) > _MAX_REQUEST and self._transport is not None:
            self._transport.abort()

    @staticmethod
    def _answer(request: bytes, head_end: int) -> bytes:
        if not request.startswith(b"POST /v1/chat/completions "):
            return _NOT_FOUND
        return _STREAM if _STREAMED.search(request, head_end) else _CHAT

    def _refuse(self, answer: bytes) -> None:
        assert self._transport is not None
        self._transport.write(answer)
        self._transport.close()


async def start(host: str = "127.0.0.1") -> asyncio.Server:
    """Listen on a free port of `host`; the backlog takes 1,000 clients that connect at once."""
    return await asyncio.get_running_loop().create_server(Answering, host, 0, backlog=4096)


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def _serve() -> None:
    server = await start()
    try:
        sys.stdout.write(
            json.dumps({"port": port_of(server), "loop": type(asyncio.get_running_loop()).__module__}) + "\n"
        )
        sys.stdout.flush()
        # The parent holds the pipe: its end, however it comes, is ours too. A thread keeps Windows working.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        server.close()


def _runner() -> Callable[[Any], None]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[[Any], None] = uvloop.run
    return run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--core", type=int)
    core: int | None = parser.parse_args().core
    process.settle(core)
    _runner()(_serve())


if __name__ == "__main__":
    main()
