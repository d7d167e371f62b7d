"""The lower bound: a bare asyncio protocol with msgspec that works with this one server only."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, cast

from yarl import URL

from benchmarks import answers

from . import ClientError
from .bare_sockets import BareSocket, connect
from .wire import decode_chunk, decode_completion, encode


class _Connection(asyncio.Protocol):
    """A connection with one reply at a time: a body with a length, or an event stream in HTTP chunks."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._reply: asyncio.Future[tuple[bytes, bytes]] | None = None
        self._chunked = False
        self._characters = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance check: the transports of uvloop do not derive from those of asyncio.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data if self._buffer else data
        if self._chunked:
            self._stream(buffer)
            return
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = buffer.find(b"\r\nContent-Length: ", 0, end + 2)
        if start < 0:
            if buffer[9:12] == b"200" and b"\r\nTransfer-Encoding: chunked" in buffer[:end]:
                self._chunked = True
                self._stream(buffer[end + 4 :])
            else:
                self._fail(ClientError("a reply without Content-Length"))
            return
        length = int(buffer[start + 18 : buffer.index(b"\r\n", start + 18)])
        if len(buffer) >= end + 4 + length and self._reply is not None:
            self._buffer = b""
            self._reply.set_result((buffer[9:12], buffer[end + 4 :]))

    def _stream(self, buffer: bytes) -> None:
        """Takes complete HTTP chunks out of the buffer; each of them holds one event."""
        position = 0
        while (line := buffer.find(b"\r\n", position)) >= 0:
            size = int(buffer[position:line], 16)
            end = line + 2 + size
            if len(buffer) < end + 2:
                break
            position = end + 2
            if size == 0:
                self._chunked = False
                if self._reply is not None:
                    self._reply.set_result((b"200", b""))
                break
            event = buffer[line + 8 : end - 2]
            if event != b"[DONE]":
                text = decode_chunk(event).choices[0].delta.content
                if text:
                    self._characters += len(text)
        self._buffer = buffer[position:]

    def _fail(self, exc: Exception) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(exc)

    def ask(self, request: bytes) -> asyncio.Future[tuple[bytes, bytes]]:
        assert self._transport is not None
        self._reply = asyncio.get_running_loop().create_future()
        self._characters = 0
        self._transport.write(request)
        return self._reply

    @property
    def characters(self) -> int:
        """The number of characters in the last stream."""
        return self._characters

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Bare:
    """A list of connections; a call is one write and one future, without timeouts, retries or cancellation."""

    def __init__(self, base_url: str) -> None:
        url = URL(base_url)
        assert url.host is not None
        assert url.port is not None
        self._url = url
        self._address = (url.host, url.port)
        self._context = ssl.create_default_context() if url.scheme == "https" else None
        self._head = (
            f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
            "Authorization: Bearer sk-bench\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
            "Accept-Encoding: gzip, deflate\r\nUser-Agent: bare/1\r\n"
        ).encode()
        self._free: list[_Connection] = []
        self._sockets: list[BareSocket] = []

    async def _ask(self, question: dict[str, Any]) -> tuple[_Connection, bytes]:
        if self._free:
            connection = self._free.pop()
        else:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, *self._address, ssl=self._context
            )
        body = encode(question)
        status, reply = await connection.ask(b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
        self._free.append(connection)
        if status != b"200":
            raise ClientError(f"{status.decode()}: {reply[:200]!r}")
        return connection, reply

    async def chat(self, model: str = answers.MODEL) -> str:
        _, reply = await self._ask(answers.question(model))
        return decode_completion(reply).choices[0].message.content or ""

    async def upload(self) -> str:
        _, reply = await self._ask({"model": answers.MODEL, "messages": answers.images()})
        return decode_completion(reply).choices[0].message.content or ""

    async def stream(self, model: str = answers.MODEL) -> int:
        connection, _ = await self._ask(answers.question(model, stream=True))
        return connection.characters

    async def socket_events(self, model: str = answers.MODEL) -> int:
        websocket = self._sockets.pop() if self._sockets else await connect(self._url)
        characters = await websocket.ask({"type": "response.create", "response": {"metadata": {"model": model}}})
        self._sockets.append(websocket)
        return characters

    async def socket_appends(self) -> int:
        websocket = self._sockets.pop() if self._sockets else await connect(self._url)
        appends = await websocket.append()
        self._sockets.append(websocket)
        return appends

    async def close(self) -> None:
        for connection in (*self._free, *self._sockets):
            connection.close()
        self._free.clear()
        self._sockets.clear()


class Encode:
    """The encoding of the request body, which every client needs; sends no bytes."""

    def __init__(self, base_url: str) -> None:
        del base_url

    async def upload(self) -> str:
        body = encode({"model": answers.MODEL, "messages": answers.images()})
        return answers.CHAT_TEXT if len(body) > answers.IMAGES * answers.IMAGE_BYTES else ""

    async def close(self) -> None:
        """Does nothing: no connection is open."""


class EncodeAndSend:
    """The encoding, and the copy of the body into a socket without a transport."""

    def __init__(self, base_url: str) -> None:
        url = URL(base_url)
        assert url.host is not None
        assert url.port is not None
        self._address = (url.host, url.port)
        self._head = f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: {url.host}\r\n"
        self._socket: socket.socket | None = None

    async def upload(self) -> str:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            await loop.sock_connect(self._socket, self._address)
        body = encode({"model": answers.MODEL, "messages": answers.images()})
        await loop.sock_sendall(self._socket, f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode())
        await loop.sock_sendall(self._socket, body)
        # The answer is small: the server writes it in one piece.
        reply = await loop.sock_recv(self._socket, 65_536)
        status, _, rest = reply.partition(b"\r\n")
        if status != b"HTTP/1.1 200 OK":
            raise ClientError(status.decode())
        return decode_completion(rest.partition(b"\r\n\r\n")[2]).choices[0].message.content or ""

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
