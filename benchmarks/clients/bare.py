"""The floor: a bare asyncio protocol that knows this one server, with msgspec. Nobody could ship it."""

from __future__ import annotations

import asyncio
from typing import cast

from yarl import URL

from benchmarks import answers

from . import ClientError
from .wire import decode_completion, encode


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._reply: asyncio.Future[tuple[bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = buffer.find(b"\r\nContent-Length: ", 0, end + 2)
        if start < 0:
            self._fail(ClientError("a reply without Content-Length"))
            return
        length = int(buffer[start + 18 : buffer.index(b"\r\n", start + 18)])
        if len(buffer) >= end + 4 + length and self._reply is not None:
            self._buffer = b""
            self._reply.set_result((buffer[9:12], buffer[end + 4 :]))

    def _fail(self, exc: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(exc)

    def ask(self, request: bytes) -> asyncio.Future[tuple[bytes, bytes]]:
        assert self._transport is not None
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._reply

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Bare:
    """Connections in a list, one write and one future a call; no timeouts, no streams."""

    def __init__(self, base_url: str) -> None:
        url = URL(base_url)
        assert url.host is not None
        assert url.port is not None
        self._address = (url.host, url.port)
        self._head = (
            f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
            "Authorization: Bearer sk-bench\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
            "Accept-Encoding: gzip, deflate\r\nUser-Agent: bare/1\r\n"
        ).encode()
        self._free: list[_Connection] = []

    async def chat(self) -> str:
        if self._free:
            connection = self._free.pop()
        else:
            _, connection = await asyncio.get_running_loop().create_connection(_Connection, *self._address)
        body = encode(answers.question())
        status, reply = await connection.ask(b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
        self._free.append(connection)
        if status != b"200":
            raise ClientError(f"{status.decode()}: {reply[:200]!r}")
        return decode_completion(reply).choices[0].message.content or ""

    async def stream(self) -> int:
        raise ClientError("the bare protocol does no streams")

    async def close(self) -> None:
        for connection in self._free:
            connection.close()
        self._free.clear()
