"""Replies at the edges of HTTP/1.1: long heads, contradicting lengths, bytes that belong to no reply, resets."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, OpenAI, Timeout
from aiopenai._http.framing import readable, salvaged, without_conflict, without_interim
from aiopenai._http.outgoing import header_block
from tests.http.ways import WAYS, client_by

BODY = b'{"id": "right"}'
CHUNKED = b"f\r\n" + BODY + b"\r\n0\r\n\r\n"
# A session of the caller's keeps its own protocol.
OWN = ("direct", "general", "connector")


def head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


def padding(count: int, size: int) -> list[str]:
    return [f"x-{number}: {'y' * size}" for number in range(count)]


def resets(writer: Any) -> None:
    """Has the end of a connection be a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# A reply, and whether its connection can be used again.
ACCEPTED = {
    "head of 18 KB": (head(*padding(3, 6000), "content-length: 15") + BODY, True),
    "head of 31 KB": (head(*padding(5, 6100), "content-length: 15") + BODY, True),
    "head of 200 KB": (head(*padding(40, 5000), "content-length: 15") + BODY, True),
    "one header of 9 KB": (head(*padding(1, 9000), "content-length: 15") + BODY, True),
    "one header of 60 KB": (head(*padding(1, 60_000), "content-length: 15") + BODY, True),
    "140 headers": (head(*padding(140, 5), "content-length: 15") + BODY, True),
    "900 headers": (head(*padding(900, 5), "content-length: 15") + BODY, True),
    "long chunked head": (head(*padding(4, 6000), "transfer-encoding: chunked") + CHUNKED, True),
}
CONTRADICTING = {
    "length, chunked": head("Content-Length: 3", "Transfer-Encoding: chunked") + CHUNKED,
    "chunked, length": head("transfer-encoding: chunked", "content-length: 3") + CHUNKED,
    "chunked, right length": head("transfer-encoding: Chunked", "Content-length:15") + CHUNKED,
    "length of the chunks": head("content-length: 25", "transfer-encoding: chunked") + CHUNKED,
    "length twice": head("content-length: 15", "Content-Length: 15") + BODY,
    "length as a list": head("content-length: 15, 15") + BODY,
    "after an interim head": b"HTTP/1.1 100 Continue\r\n\r\n"
    + head("content-length: 3", "transfer-encoding: chunked")
    + CHUNKED,
    "long head": head("content-length: 3", *padding(4, 6000), "transfer-encoding: chunked") + CHUNKED,
}
UNREADABLE = {
    "nonsense": b"nonsense\r\n\r\n",
    "other protocol": b"\x15\x03\x01\x00\x02\x02\x46",
    "header without a colon": head("bad header"),
    "length in words": head("content-length: many"),
    "two lengths": head("content-length: 15", "content-length: 16") + BODY,
    "header of 100 KB": head(*padding(1, 100_000)),
    "bad chunk": head("transfer-encoding: chunked") + b"zz\r\n",
    "not gzip": head("content-encoding: gzip", "content-length: 15") + BODY,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ACCEPTED)
async def test_long_heads(way: str, name: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reply, kept = ACCEPTED[name]

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        while True:
            await server.request(reader)
            writer.write(reply)

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url) as client:
        for _ in range(3):
            assert (await client.models.retrieve("m")).id == "right"
    assert server.connections == (1 if kept else 3)


@pytest.mark.parametrize("way", OWN)
@pytest.mark.parametrize("name", CONTRADICTING)
@pytest.mark.parametrize("size", [1, 7, 10**6])
async def test_contradicting_lengths(
    way: str, name: str, size: int, raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = CONTRADICTING[name]
    if size == 1 and len(reply) > 1000:
        size = 999

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        for at in range(0, len(reply), size):
            writer.write(reply[at : at + size])
            await asyncio.sleep(0)
        await server.request(reader)
        writer.write(server.reply(b'{"id": "wrong"}'))

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url) as client:
        for number in range(1, 3):
            assert (await client.models.retrieve("m")).id == "right"
            # RFC 9112, section 6.3: the connection is closed, because the next bytes may be anything.
            assert server.connections == number


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_reply_that_cannot_be_read_is_not_requested_again(
    way: str, name: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(UNREADABLE[name])
        await server.watch(reader)

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url, max_retries=2, timeout=5) as client:
        with pytest.raises(APIConnectionError, match="cannot be read as HTTP") as caught:
            await client.models.retrieve("m")
    assert len(server.requests) == 1
    assert not caught.value.retryable
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("way", WAYS)
async def test_a_reply_that_breaks_off_is_requested_again(
    way: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(head("content-length: 15") + (BODY if server.connections > 2 else BODY[:5]))

    monkeypatch.setattr("aiopenai.retry.INITIAL_DELAY", 0.001)
    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url, max_retries=2) as client:
        assert (await client.models.retrieve("m")).id == "right"
    assert len(server.requests) == 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "more",
    [b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n", b"HTTP/1.1 2", b"\r\n", b"x", head("x: y")],
    ids=["reply", "part of a reply", "line end", "byte", "head"],
)
async def test_bytes_on_an_idle_connection(
    way: str, more: bytes, raw_server: Any, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """They belong to no request: the next one would take them for its reply."""
    sent = 0

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        nonlocal sent
        await server.request(reader)
        writer.write(server.reply(BODY))
        await go.wait()
        writer.write(more)
        await writer.drain()
        sent += 1
        await server.watch(reader)

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url, timeout=Timeout(5, read=2)) as client:
        for number in range(1, 4):
            go = asyncio.Event()
            assert (await client.models.retrieve("m")).id == "right"
            go.set()
            await until(lambda number=number: sent == number)
            # A turn, in which the loop sees the bytes.
            await asyncio.sleep(0.01)
            assert server.connections == number


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("read", [True, False], ids=["whole", "stream"])
async def test_a_reset_is_no_end_of_a_body(
    way: str, read: bool, raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body without a length ends with its connection, but not with a reset of it."""

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(head("content-type: text/plain") + b"x" * 100)
        await writer.drain()
        await received.wait()
        resets(writer)

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url) as client:
        session = await client._sessions.open("GET", server.base_url)
        for _ in range(10):
            received = asyncio.Event()
            reply = await session.send("GET", f"{server.base_url}/x", header_block({}), None, Timeout(5))
            assert await reply.read_some() == b"x" * 100
            received.set()
            with pytest.raises(APIConnectionError):
                await (reply.read() if read else reply.read_some())
            assert reply.closed


@pytest.mark.parametrize("way", WAYS)
async def test_an_orderly_end_is_the_end_of_a_body(way: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(head("content-type: application/json") + BODY)

    server = await raw_server(serve)
    async with client_by(way, monkeypatch, server.base_url) as client:
        for _ in range(5):
            assert (await client.models.retrieve("m")).id == "right"


class Refusing(threading.Thread):
    """A server that answers an upload at its head and resets the connection; `done` is set after the reset."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def run(self) -> None:
        with self._socket, self._socket.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: 37\r\n\r\n"
                b'{"error": {"message": "Too large."}}\n'
            )
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.done.set()


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
@pytest.mark.parametrize("way", ["direct", "connector"])
async def test_an_answer_that_the_loop_sees_after_the_reset(
    way: str, blocking: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer and the reset arrive while the loop stands still, and the next write fails before it reads."""
    server = Refusing()
    server.start()

    async def pieces() -> Any:
        yield bytes(1_000)
        # The loop stands still here.
        assert server.done.wait(20)
        for _ in range(20):
            yield bytes(300_000)

    options: Any = {"connector": aiohttp.TCPConnector} if way == "connector" else {}
    options |= {"api_key": "k", "base_url": server.base_url, "max_retries": 0}
    async with AsyncOpenAI(**options) as client:
        other = OpenAI(**options)
        call = asyncio.to_thread(other.post, "/x", cast_to=object, content=pieces()) if blocking else None
        with pytest.raises(APIStatusError, match=r"Too large\.") as caught:
            await (call or client.post("/x", cast_to=object, content=pieces()))
        other.close()
    assert caught.value.status_code == 413
    server.join()
    assert not [record for record in caplog.records if "socket.send() raised" in record.getMessage()]


@pytest.mark.parametrize("way", OWN)
@pytest.mark.parametrize("kind", ["iterator", "long", "file"])
async def test_an_early_answer_before_a_reset(
    way: str,
    kind: str,
    raw_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Any,
) -> None:
    """A server that refuses an upload answers, and closes with bytes unread: the reset must not hide the answer."""

    async def refuse(server: Any, reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(server.reply(b'{"error": {"message": "Too large."}}', status="413 Too Large"))
        await writer.drain()
        resets(writer)

    async def pieces() -> Any:
        for _ in range(300):
            yield bytes(70_000)

    path = tmp_path / "large"
    path.write_bytes(bytes(20_000_000))
    server = await raw_server(refuse, limit=1024)
    refused = 0
    async with client_by(way, monkeypatch, server.base_url) as client:
        for _ in range(15):
            if kind == "file":
                call: Any = client.files.create(file=path, purpose="batch")
            else:
                content = pieces() if kind == "iterator" else bytes(20_000_000)
                call = client.post("/x", cast_to=object, content=content)
            with pytest.raises(APIError, match=r"Too large|Connection error") as caught:
                await call
            refused += "Too large." in str(caught.value)
    # The reset throws bytes away in the kernel only before the client has them there.
    assert refused >= 13
    assert "socket.send() raised exception" not in caplog.text


class TestWithoutConflict:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (["A: b"], None),
            (["Content-Length: 5"], None),
            (["Transfer-Encoding: chunked"], None),
            (["Content-Length: 5", "Transfer-Encoding: gzip"], None),
            (["Content-Length: 5", "Content-Length: 6"], None),
            (["Content-Length: 5", "Transfer-Encoding: chunked", "A: b"], ["Transfer-Encoding: chunked", "A: b"]),
            (["Transfer-Encoding: gzip, chunked", "content-length : 5"], ["Transfer-Encoding: gzip, chunked"]),
            (["Content-Length: 5", "A: b", "content-length: 5"], ["A: b", "Content-Length: 5"]),
            (["A: b", "Content-Length: 5,5"], ["A: b", "Content-Length: 5"]),
            (["X-Content-Length: 4", "Transfer-Encoding: chunked"], None),
        ],
    )
    def test_examples(self, lines: list[str], expected: list[str] | None) -> None:
        assert without_conflict(head(*lines)) == (None if expected is None else head(*expected))

    names = st.sampled_from(["Content-Length", "transfer-encoding", "A", "X-Content-Length"])
    values = st.sampled_from(["5", "6", "5, 5", "chunked", "gzip", ""])

    @given(st.lists(st.tuples(names, values), max_size=5))
    def test_the_rest_stays(self, pairs: list[tuple[str, str]]) -> None:
        mended = without_conflict(head(*[f"{name}: {value}" for name, value in pairs]))
        if mended is None:
            return
        kept = [f"{name}: {value}" for name, value in pairs if name != "Content-Length"]
        lines = mended.decode().split("\r\n")[1:-2]
        assert [line for line in lines if not line.startswith("Content-Length:")] == kept
        assert without_conflict(mended) is None

    def test_interim_heads(self) -> None:
        final = head("a: b")
        interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        assert without_interim(interim * 3 + final) == without_interim(final) == final
        assert without_interim(interim[:-2]) == interim[:-2]
        switching = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        assert without_interim(switching) == switching


class TestSalvaging:
    """The bytes that arrived before a reset, read from the socket itself."""

    def ready(self) -> tuple[socket.socket, socket.socket]:
        one, other = socket.socketpair()
        return one, other

    @pytest.mark.parametrize("poll", [True, False])
    def test_readable(self, poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """`select` fails for file numbers of 1,024 and more, so it serves only where there is no `poll`."""
        if poll and not hasattr(select, "poll"):
            pytest.skip("this is a system without poll")
        if poll:
            monkeypatch.setattr(select, "select", None)
        else:
            monkeypatch.delattr(select, "poll", raising=False)
        one, other = self.ready()
        assert not readable(one.fileno())
        other.send(b"x")
        assert readable(one.fileno())
        one.close()
        other.close()

    def test_all_that_is_there(self) -> None:
        one, other = self.ready()
        other.send(b"x" * 5000)
        found: dict[str, Any] = {"socket": one, "sslcontext": None}
        assert b"".join(salvaged(SimpleNamespace(get_extra_info=found.get))) == b"x" * 5000
        # The end of the connection is no piece.
        other.send(b"y")
        other.close()
        assert salvaged(SimpleNamespace(get_extra_info=found.get)) == [b"y"]
        one.close()
        assert salvaged(SimpleNamespace(get_extra_info=found.get)) == []

    def test_tls_has_buffers_of_its_own(self) -> None:
        one, other = self.ready()
        other.send(b"packed")
        found: dict[str, Any] = {"socket": one, "sslcontext": object()}
        assert salvaged(SimpleNamespace(get_extra_info=found.get)) == []
        assert salvaged(None) == []
        one.close()
        other.close()
