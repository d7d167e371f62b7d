"""Odd replies over each carrier: plain TCP, IPv6, TLS, and TLS in the tunnel of a proxy with credentials.

The tests of the transports send such replies over plain TCP to plain calls. Here they also meet streams, errors and the
blocking client, and a carrier whose bytes come in records of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, BadRequestError, OpenAI, Timeout
from tests.guards.chaos import UPLOAD, asked
from tests.guards.server import completion, content_of, events, pieces_of
from tests.http.test_transport import CERTIFICATE

pytestmark = pytest.mark.once
CARRIERS = ["tcp", "ipv6", "tls", "tunnel"]
KEY = "sk-canary-3141592653589793"
PROXY_PASSWORD = "p@ss:w%rd/1"
SECRETS = (KEY, PROXY_PASSWORD, "p%40ss%3Aw%25rd%2F1")
ASK = asked("a")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Carrier:
    """A server of one reply at a time, reached in one of several ways."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.reply: Callable[[Any, Any], Any] = self._nothing
        self.connections = self.requests = 0
        self.proxy_heads: list[bytes] = []
        self.options: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        path = folder / "cert.pem"
        path.write_text(CERTIFICATE)
        self._context: ssl.SSLContext | None = None
        if kind in ("tls", "tunnel"):
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(path)
            self.options["ssl"] = ssl.create_default_context(cafile=str(path))

    async def _nothing(self, reader: Any, writer: Any) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        host = "::1" if self.kind == "ipv6" else "127.0.0.1"
        self._server = await asyncio.start_server(self._accept, host, 0, ssl=self._context, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        shown = "[::1]" if self.kind == "ipv6" else host
        self.base_url = f"{'https' if self._context else 'http'}://{shown}:{self.port}/v1"
        self._proxy: asyncio.Server | None = None
        if self.kind == "tunnel":
            self._proxy = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
            port = self._proxy.sockets[0].getsockname()[1]
            self.options["proxy"] = f"http://user:p%40ss%3Aw%25rd%2F1@127.0.0.1:{port}"

    async def stop(self) -> None:
        for server in filter(None, (self._server, self._proxy)):
            server.close()
        # Connections that have just ended tell their handlers.
        await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._keep()
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self.reply(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.proxy_heads.append(await reader.readuntil(b"\r\n\r\n"))
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

            async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
                sink.close()

            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer), return_exceptions=True)
        writer.close()

    def _keep(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)

    def client(self, **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(
            **{"api_key": KEY, "base_url": self.base_url, "max_retries": 0, "timeout": 20.0, **self.options, **options}
        )

    def answer(self, *pieces: bytes, close: bool = False) -> None:
        """Answers each request whose body is JSON with these pieces."""

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"}]")
            await asyncio.sleep(0)
            reader._buffer.clear()  # type: ignore[attr-defined]
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(0.002)
            if close:
                writer.close()
                raise ConnectionAbortedError

        self.reply = reply


@pytest.fixture(params=CARRIERS)
async def carrier(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Carrier]:
    if request.param == "ipv6" and not has_ipv6():
        pytest.skip("no IPv6 here")
    carrier = Carrier(request.param, tmp_path)
    await carrier.start()
    yield carrier
    await carrier.stop()


def head(*lines: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *lines, "", ""]).encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def notes(count: int, size: int) -> list[str]:
    return [f"X-Note-{number}: {'n' * size}" for number in range(count)]


# Each takes a body and gives the bytes of a reply, and says whether the connection is used again.
FRAMINGS: dict[str, tuple[Callable[[bytes, str, str], bytes], bool]] = {
    "long head": (
        lambda body, status, kind: (
            head(*notes(3, 7_000), f"content-length: {len(body)}", status=status, kind=kind) + body
        ),
        True,
    ),
    "300 headers, chunked": (
        lambda body, status, kind: (
            head(*notes(300, 60), "transfer-encoding: chunked", status=status, kind=kind)
            + chunked(body[:9])
            + chunked(body[9:])
            + b"0\r\n\r\n"
        ),
        True,
    ),
    "one header of 12 KB": (
        lambda body, status, kind: (
            head(*notes(1, 12_000), f"content-length: {len(body)}", status=status, kind=kind) + body
        ),
        True,
    ),
    "chunked, wrong length": (
        lambda body, status, kind: (
            head("Transfer-Encoding: chunked", "Content-Length: 1", status=status, kind=kind)
            + chunked(body)
            + b"0\r\n\r\n"
        ),
        False,
    ),
    "length, chunked, gzip": (
        lambda body, status, kind: (
            head("content-length: 7", "transfer-encoding: chunked", "content-encoding: gzip", status=status, kind=kind)
            + chunked(gzip.compress(body))
            + b"0\r\n\r\n"
        ),
        False,
    ),
    "early hints": (
        lambda body, status, kind: (
            b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 2
            + head(f"content-length: {len(body)}", status=status, kind=kind)
            + body
        ),
        True,
    ),
    "to the end": (lambda body, status, kind: head("connection: close", status=status, kind=kind) + body, False),
}
ERROR = json.dumps({"error": {"message": "refused: a", "code": "no"}}).encode()


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("cut", ["whole", "in pieces"])
async def test_framings(carrier: Carrier, name: str, cut: str) -> None:
    framed, kept = FRAMINGS[name]

    def answer(*arguments: Any) -> None:
        data = framed(*arguments)
        step = len(data) if cut == "whole" else len(data) // 5 + 1
        carrier.answer(*(data[at : at + step] for at in range(0, len(data), step)), close=not kept)

    async with carrier.client() as client:
        for _ in range(2):
            answer(completion("a"), "200 OK", "application/json")
            assert (await client.chat.completions.create(**ASK)).choices[0].message.content == content_of("a")
            answer(b"".join(events("a")), "200 OK", "text/event-stream")
            stream = await client.chat.completions.create(**ASK, stream=True)
            assert [chunk.choices[0].delta.content async for chunk in stream][:-1] == pieces_of("a")
            answer(ERROR, "400 Bad Request", "application/json")
            with pytest.raises(BadRequestError, match="refused: a"):
                await client.chat.completions.create(**ASK)
            with pytest.raises(BadRequestError, match="refused: a"):
                await client.chat.completions.create(**ASK, stream=True)
    assert carrier.requests == 8
    assert carrier.connections == (1 if kept else 8)
    for each in carrier.proxy_heads:
        login = base64.b64encode(f"user:{PROXY_PASSWORD}".encode())
        assert b"Proxy-Authorization: Basic " + login in each
        assert KEY.encode() not in each


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "503 Busy"])
@pytest.mark.parametrize("delay", [0.0, 0.02])
async def test_bytes_after_a_reply(carrier: Carrier, status: str, delay: float, until: Any) -> None:
    """TLS: the bytes may lie in the decrypted buffer, where no poll of the socket sees them."""
    sent = 0

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"}]")
        reader._buffer.clear()  # type: ignore[attr-defined]
        body, stray = completion("a"), completion("stray")
        data = head(f"content-length: {len(body)}", status=status) + body
        more = head(f"content-length: {len(stray)}") + stray
        if delay:
            writer.write(data)
            await asyncio.sleep(delay)
            writer.write(more)
        else:
            writer.write(data + more)
        await writer.drain()
        sent += 1

    carrier.reply = reply
    async with carrier.client() as client:
        for number in range(1, 5):
            if status == "200 OK":
                assert (await client.chat.completions.create(**ASK)).id == "a"
            else:
                with pytest.raises(APIStatusError):
                    await client.chat.completions.create(**ASK)
            await until(lambda number=number: sent == number)
            await asyncio.sleep(0.01)
    assert carrier.connections == 4


def reset(writer: Any) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionAbortedError


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("status", ["413 Too Large", "429 Too Many"])
@pytest.mark.parametrize("kind", ["bytes", "path", "generator"])
async def test_early_answers(
    carrier: Carrier, status: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"error": {"message": "early: no"}}).encode()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(f"content-length: {len(body)}", "connection: close", status=status) + body)
        await writer.drain()
        # As servers do that close in order: what is on its way is read for a moment.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(2**16), 0.02)
        writer.close()
        raise ConnectionAbortedError

    async def generated() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(100_000)

    carrier.reply = reply
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(3_000_000))
    async with carrier.client() as client:
        for _ in range(3):
            call: Any
            if kind == "generator":
                call = client.post("/x", cast_to=object, content=generated())
            else:
                call = client.files.create(file=path if kind == "path" else UPLOAD * 10, purpose="batch")
            with pytest.raises(APIStatusError, match="early: no") as caught:
                await call
            assert str(caught.value.status_code) == status[:3]
    assert "socket.send()" not in caplog.text


@pytest.mark.usefixtures("transport")
async def test_no_error_shows_the_key_or_the_password(carrier: Carrier, caplog: pytest.LogCaptureFixture) -> None:
    """Error reporters print the locals of each frame, of causes and contexts as well."""
    caplog.set_level("DEBUG")
    body = completion("a")
    replies: dict[str, tuple[list[bytes], bool]] = {
        "closed": ([b""], True),
        "cut": ([head(f"content-length: {len(body)}") + body[:20]], True),
        "no HTTP": ([b"SSH-2.0-x\r\n\r\n"], True),
        "no JSON": ([head("content-length: 5") + b"{oops"], False),
        "refused": ([head(f"content-length: {len(ERROR)}", status="403 Forbidden") + ERROR], False),
        "too long": ([head(f"content-length: {10**7}")], False),
        "endless redirect": ([head("content-length: 0", "location: /v1/x", status="307 Temporary Redirect")], False),
        "odd location": ([head("content-length: 0", "location: http://a\\b:x/", status="308 Permanent")], True),
    }
    async with carrier.client(max_response_bytes=10**6, timeout=Timeout(5, read=0.3)) as client:
        for name, (pieces, close) in replies.items():
            carrier.answer(*pieces, close=close)
            for stream in (False, True):
                try:
                    found = await client.chat.completions.create(**ASK, stream=stream)
                    async for _ in found:
                        pass
                except APIError as error:
                    text = without_own_frames(error)
                    assert [secret for secret in SECRETS if secret in text] == [], name
                else:
                    pytest.fail(f"{name}: no error")
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def without_own_frames(error: BaseException) -> str:
    """The traceback with locals, except those of this test, which knows the secrets."""
    texts: list[str] = []
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        pending += [each.__cause__, each.__context__]
        texts.append(repr(each))
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename != __file__:
                texts += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(texts)


def test_in_the_blocking_client(tmp_path: Path) -> None:
    """The odd framings once more, on loops that stand still between calls."""

    async def serve(kind: str) -> None:
        carrier = Carrier(kind, tmp_path)
        await carrier.start()
        try:
            await asyncio.to_thread(use, carrier)
        finally:
            await carrier.stop()

    def use(carrier: Carrier) -> None:
        options: dict[str, Any] = {"api_key": KEY, "base_url": carrier.base_url, "max_retries": 0, "timeout": 20.0}
        with OpenAI(**options, **carrier.options) as client:
            for framed, kept in FRAMINGS.values():
                carrier.answer(framed(completion("a"), "200 OK", "application/json"), close=not kept)
                assert client.chat.completions.create(**ASK).id == "a"
                carrier.answer(framed(b"".join(events("a")), "200 OK", "text/event-stream"), close=not kept)
                chunks = list(client.chat.completions.create(**ASK, stream=True))
                assert [chunk.choices[0].delta.content for chunk in chunks][:-1] == pieces_of("a")
                body = completion("a")
                carrier.answer(head(f"content-length: {len(body)}") + body[:20], close=True)
                with pytest.raises(APIConnectionError):
                    client.chat.completions.create(**ASK)

    for kind in ("tcp", "tls", "tunnel"):
        asyncio.run(serve(kind))
