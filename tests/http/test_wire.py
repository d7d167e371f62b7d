"""One connection of the direct transport: its states, its clocks, and which replies leave it usable."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, Timeout
from aiopenai._http.connection import Connection
from aiopenai._http.direct import DirectSession
from aiopenai._http.interface import Settings
from aiopenai._http.outgoing import header_block
from aiopenai._http.states import CLOSED, CONNECTING, IDLE, TRANSITIONS, State
from aiopenai._http.wire import Wire

BODY = b'{"id": "right"}'
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[State, State]]]:
    """Watches the states of all connections of a test, and holds each step to the table."""
    slot: Any = vars(Connection)["state"]
    steps: set[tuple[State, State]] = set()

    def move(wire: Connection, state: State) -> None:
        before = slot.__get__(wire) if hasattr(wire, "loop") and wire in known else None
        known.add(wire)
        if before is not None and before is not state:
            steps.add((before, state))
        slot.__set__(wire, state)

    known: set[Connection] = set()
    monkeypatch.setattr(Connection, "state", property(slot.__get__, move))
    yield steps
    for before, after in steps:
        assert after in TRANSITIONS[before], f"{before} -> {after}"


@pytest.fixture
async def session() -> Any:
    session = DirectSession(Settings())
    yield session
    await session.shut()


def send(session: DirectSession, server: Any, body: Any = b"{}", **limits: Any) -> Any:
    timeout = Timeout(**{"connect": 5, **limits})
    return session.send("POST", f"{server.base_url}/x", header_block({}), body, timeout)


class TestStates:
    def test_names(self) -> None:
        loop: Any = None
        wire = Wire(loop, loop)
        assert wire.state is CONNECTING
        assert not wire.is_connected()

    async def test_of_all_kinds_of_replies(self, seen: Any, raw_server: Any, session: Any) -> None:
        replies = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n" + BODY,
            b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + b"f\r\n" + BODY + b"\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 15\r\n\r\n" + BODY,
            b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n" + BODY[:3],
            b"nonsense\r\n\r\n",
            b"",
        ]

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                reply = replies[number]
                for at in range(0, len(reply), 9):
                    writer.write(reply[at : at + 9])
                    await asyncio.sleep(0)
                if number in (3, 5, 6, 7):
                    return

        server = await raw_server(serve)
        for number in range(len(replies)):
            try:
                reply = await send(session, server)
                assert await reply.read() in (BODY, b"")
            except APIConnectionError:
                assert number >= 5
        assert len(seen) >= 6

    async def test_of_a_body_that_is_unpacked_after_the_end(self, seen: Any, raw_server: Any, session: Any) -> None:
        import zlib

        packed = zlib.compress(bytes(30_000_000))

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\n\r\n" + packed)

        server = await raw_server(serve)
        reply = await send(session, server)
        await asyncio.sleep(0.05)
        size = 0
        while piece := await reply.read_some():
            size += len(piece)
            await asyncio.sleep(0)
        assert size == 30_000_000
        assert not session.pool.connector.taken

    async def test_of_broken_off_exchanges(self, seen: Any, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            if len(server.requests) % 2:
                writer.write(CHUNKED + b"1\r\nx\r\n")
            await server.watch(reader)

        server = await raw_server(serve)
        for _ in range(3):
            reply = await send(session, server)
            reply.close()
            with pytest.raises(APITimeoutError):
                await send(session, server, read=0.02)
        assert not session.pool.connector.taken
        assert (IDLE, State.AWAITING_HEAD) in seen


class TestBodiesWithoutALength:
    async def test_a_reset_is_not_their_end(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nxyz")
            await go.wait()
            writer.transport.abort()

        server = await raw_server(serve)
        for error in (ConnectionResetError(104, "reset"), OSError(110, "timed out")):
            go = asyncio.Event()
            reply = await send(session, server)
            assert await reply.read_some() == b"xyz"
            (wire,) = session.pool.connector.taken
            wire.connection_lost(error)
            with pytest.raises(APIConnectionError, match="not completed"):
                await reply.read_some()
            go.set()


class TestClocks:
    async def test_the_read_limit_stands_still_while_the_reader_is_slow(self, raw_server: Any, session: Any) -> None:
        size = 3_000_000

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=size) + bytes(size))
            await server.watch(reader)

        server = await raw_server(serve)
        reply: Any = await send(session, server, read=0.1)
        for _ in range(3):
            # Held back by the buffer's limit, three read limits long.
            await asyncio.sleep(0.3)
            assert reply._wire._deadline is None
            await reply.read_some()
        assert len(await reply.read()) > 0
        assert reply.at_end()

    async def test_it_runs_again_afterwards(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=3_000_000) + bytes(2_000_000))
            await server.watch(reader)

        server = await raw_server(serve)
        reply = await send(session, server, read=0.1)
        await asyncio.sleep(0.2)
        with pytest.raises(APITimeoutError):
            await reply.read()

    async def test_it_begins_after_the_upload(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await server.watch(reader)

        async def slow() -> Any:
            for _ in range(4):
                await asyncio.sleep(0.05)
                yield b"x"

        server = await raw_server(serve)
        began = asyncio.get_running_loop().time()
        with pytest.raises(APITimeoutError, match="read"):
            await send(session, server, slow(), read=0.1)
        assert asyncio.get_running_loop().time() - began >= 0.3


class TestDropping:
    async def test_a_call_that_is_cancelled_while_it_uploads(self, raw_server: Any, session: Any, until: Any) -> None:
        """The connection ends at once: the bytes that the server does not take are thrown away."""

        async def deaf(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            heard.set()
            await asyncio.Event().wait()

        heard = asyncio.Event()
        server = await raw_server(deaf, limit=1024)
        call = asyncio.ensure_future(send(session, server, bytes(20_000_000)))
        await asyncio.wait_for(heard.wait(), 30)
        (wire,) = session.pool.connector.taken
        assert wire.transport.get_write_buffer_size()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: wire.transport is None)
        assert not session.pool.connector.taken

    async def test_a_reply_that_is_closed_in_its_body(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=100) + b"x")
            await server.watch(reader)

        server = await raw_server(serve)
        reply = await send(session, server)
        assert await reply.read_some() == b"x"
        reader = asyncio.ensure_future(reply.read_some())
        await asyncio.sleep(0)
        reply.close()
        with pytest.raises((APIError, RuntimeError)):
            await asyncio.wait_for(reader, 30)
        await asyncio.wait_for(server.gone.wait(), 30)

    async def test_the_total_limit_of_a_call_that_is_over(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=2) + b"{")
            await go.wait()
            writer.write(b"}")
            await server.watch(reader)

        go = asyncio.Event()
        server = await raw_server(serve)
        reply = await send(session, server, total=60)
        (wire,) = session.pool.connector.taken
        timer = wire._total
        assert not timer.cancelled()
        go.set()
        assert await reply.read() == b"{}"
        assert timer.cancelled()


class TestReuse:
    @pytest.mark.parametrize("unsent", ["source", "buffer"])
    async def test_an_answer_before_the_end_of_the_request(self, unsent: str, raw_server: Any, session: Any) -> None:
        """The rest of the body would be taken for another request."""

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(server.reply(BODY))
            await server.watch(reader)

        async def endless() -> Any:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.001)

        async def long() -> Any:
            # All of it is handed over; the kernel does not take it.
            for _ in range(100):
                yield bytes(200_000)

        server = await raw_server(serve, limit=1024)
        for number in range(1, 4):
            reply = await send(session, server, endless() if unsent == "source" else long())
            assert await reply.read() == BODY
            assert server.connections == number
        assert not session.pool.connector.taken

    async def test_an_answer_while_the_last_bytes_wait_in_the_transport(self, raw_server: Any, session: Any) -> None:
        handed_over = asyncio.Event()
        wires: list[Wire] = []

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await handed_over.wait()
            writer.write(server.reply(BODY))
            await server.watch(reader)

        async def until_the_kernel_is_full() -> Any:
            wires.extend(session.pool.connector.taken)
            # Less than the high-water mark of the transport, so that the body ends without a wait.
            while not wires[0].transport.get_write_buffer_size():
                yield bytes(20_000)
            handed_over.set()

        server = await raw_server(serve, limit=1024)
        reply = await send(session, server, until_the_kernel_is_full())
        assert await reply.read() == BODY
        assert [wire.state for wire in wires] == [CLOSED]

    async def test_connections_are_handed_over_to_another_origin_that_waits(
        self, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(BODY))

        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 2)
        one, other = await raw_server(serve), await raw_server(serve)
        async with AsyncOpenAI(api_key="k", base_url=one.base_url, max_retries=0) as client:
            there = client.with_options(base_url=other.base_url)
            await asyncio.gather(*(client.models.retrieve("m") for _ in range(4)))
            assert one.connections == 2
            # Both lie idle, and the limit is reached: the other origin gets the place of one of them.
            await asyncio.wait_for(there.models.retrieve("m"), 30)
            await asyncio.wait_for(asyncio.gather(*(there.models.retrieve("m") for _ in range(4))), 30)
            await asyncio.wait_for(client.models.retrieve("m"), 30)
            session: Any = client._sessions.current()
            assert len(session.pool.connector.taken) <= 2


class TestOrigins:
    async def test_many_redirects_fill_no_table(self, raw_server: Any, session: Any, until: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(BODY))

        server = await raw_server(serve)
        pool = session.pool
        reply = await send(session, server)
        await reply.read()
        for number in range(4_500):
            session._target("GET", f"http://host-{number}.test/x")
        assert len(pool._origins) <= 1_000
        assert len(pool.targets) <= 1_000
        # The idle connection of the origin that was dropped is closed, and a call opens another.
        assert not pool.connector.taken
        reply = await send(session, server)
        await reply.read()
        assert server.connections == 2
        reply = await send(session, server)
        await reply.read()
        assert server.connections == 2

    async def test_many_hosts_fill_no_table_of_the_general_transport(self, session: Any) -> None:
        general = session.general()
        for number in range(4_500):
            general._proxy(general._url(f"http://host-{number}.test/x"))
            general._limits(Timeout(1 + number))
        for table in (general._urls, general._proxies, general._timeouts):
            assert 0 < len(table) <= 1_000

    async def test_an_origin_that_is_dropped_during_a_call(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await go.wait()
            writer.write(server.reply(BODY))
            await server.watch(reader)

        go = asyncio.Event()
        server = await raw_server(serve)
        call = asyncio.ensure_future(send(session, server))
        while not server.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for number in range(1_100):
            session._target("GET", f"http://host-{number}.test/x")
        go.set()
        assert await (await call).read() == BODY
        assert not session.pool.connector.taken
        await asyncio.wait_for(server.gone.wait(), 30)


async def test_errors_show_no_key(raw_server: Any, session: Any) -> None:
    """Error reporters print the local variables of each frame."""

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)

    server = await raw_server(serve)
    block = header_block({"Authorization": "Bearer hunter2"})
    for body in (b"{}", bytes(600_000)):
        with pytest.raises(APIError) as caught:
            await session.send("POST", f"{server.base_url}/x", block, body, Timeout(5))
        frame = caught.value.__traceback__
        while frame is not None:
            if "aiopenai" in frame.tb_frame.f_code.co_filename:
                assert "hunter2" not in repr(frame.tb_frame.f_locals)
            frame = frame.tb_next
    del caught, frame
    gc.collect()


async def test_a_call_that_waits_keeps_neither_a_parser_nor_its_request(raw_server: Any, session: Any) -> None:
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def held(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        arrived.set()
        await answer.wait()
        writer.write(server.reply(BODY))

    server = await raw_server(held)
    call = asyncio.ensure_future(send(session, server))
    await arrived.wait()
    waiting: Any = call.get_coro()
    assert waiting.cr_frame.f_locals["data"] == b""
    assert waiting.cr_frame.f_locals["wire"]._parser is None
    answer.set()
    assert await (await call).read() == BODY


class Transport:
    """The writing half of a socket in memory; bytes arrive by `data_received`."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & {*self.calls})

    def get_extra_info(self, name: str) -> Any:
        return None if name == "sslcontext" else self

    def fileno(self) -> int:
        return -1

    def __getattr__(self, name: str) -> Any:
        if name not in ("close", "abort", "pause_reading", "resume_reading"):
            raise AttributeError(name)
        return lambda: self.calls.append(name)


class Pool:
    """The owner of one connection."""

    def __init__(self) -> None:
        self.kept: list[Wire] = []
        self.dropped: list[Wire] = []

    def keep(self, wire: Wire) -> None:
        self.kept.append(wire)

    def drop(self, wire: Wire) -> None:
        self.dropped.append(wire)


class Bare:
    """A wire without a socket."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.transport: Any = Transport()
        self.wire = Wire(self.pool, asyncio.get_running_loop())
        self.wire.connection_made(self.transport)
        self.wire.held = True

    def begin(self, read: float | None = None) -> asyncio.Future[Any]:
        return self.wire.begin(b"GET / HTTP/1.1\r\n\r\n", read, asyncio.get_running_loop().time())

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.wire.data_received(piece)

    @property
    def end(self) -> str:
        """The state, and whether the pool has kept or dropped the connection."""
        return f"{self.wire.state.value}, {len(self.pool.kept)} kept, {len(self.pool.dropped)} dropped"


def told(token: asyncio.Future[Any]) -> tuple[int, bytes]:
    """The status and the bytes of a reply that are here."""
    message, body, _ = token.result()
    return message.code, body.read_nowait()


OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"content-length: 3\r\n\r\n"


@pytest.fixture
async def bare() -> Bare:
    return Bare()


class TestBytes:
    """Each row of the table, by the bytes that arrive."""

    async def test_a_reply_in_one_piece(self, bare: Bare) -> None:
        token = bare.begin()
        assert bare.transport.written == [b"GET / HTTP/1.1\r\n\r\n"]
        bare.feed(COUNTED + b"abc")
        assert told(token) == (200, b"abc")
        assert (bare.end, bare.wire.token, bare.wire.should_close) == ("idle, 1 kept, 0 dropped", None, False)

    @pytest.mark.parametrize("body", [COUNTED + b"abc", CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"], ids=["counted", "chunked"])
    async def test_in_two_pieces_and_again(self, bare: Bare, body: bytes) -> None:
        for cut in range(1, len(body)):
            token = bare.begin()
            bare.feed(body[:cut], body[cut:])
            assert told(token) == (200, b"abc")
            assert bare.wire.state is IDLE
        assert bare.pool.dropped == []

    @pytest.mark.parametrize("size", [2**14 - 100, 2**14 + 1, 2**16])
    async def test_long_pieces(self, bare: Bare, size: int) -> None:
        token = bare.begin()
        bare.feed(OK + f"content-length: {size}\r\n\r\n".encode() + b"x" * size)
        assert told(token) == (200, b"x" * size)
        assert bare.end == "idle, 1 kept, 0 dropped"

    async def test_a_head_longer_than_a_piece(self, bare: Bare) -> None:
        token = bare.begin()
        head = OK + b"x-a: %s\r\ncontent-length: 3\r\n\r\n" % (b"v" * 20_000)
        bare.feed(head[:17_000], head[17_000:] + b"abc")
        assert told(token) == (200, b"abc")
        # The same head at once: its end is the end of the piece.
        token = bare.begin()
        bare.feed(head, b"abc")
        assert told(token) == (200, b"abc")
        assert bare.end == "idle, 2 kept, 0 dropped"

    @pytest.mark.parametrize("more", [b"\n", COUNTED])
    @pytest.mark.parametrize(
        "reply", [COUNTED + b"abc", CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"], ids=["counted", "chunked"]
    )
    async def test_bytes_after_the_reply(self, bare: Bare, reply: bytes, more: bytes) -> None:
        token = bare.begin()
        bare.feed(reply + more)
        assert told(token) == (200, b"abc")
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_another_reply_with_the_end_of_a_body(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(COUNTED + b"ab", b"c" + COUNTED + b"abc")
        assert told(token) == (200, b"abc")
        assert (bare.end, bare.wire.should_close) == ("closed, 0 kept, 1 dropped", True)

    async def test_bytes_on_an_idle_connection(self, bare: Bare) -> None:
        bare.feed(b"")
        assert bare.wire.state is IDLE
        bare.feed(b"x")
        assert (bare.end, bare.wire.should_close) == ("closed, 0 kept, 1 dropped", True)
        bare.feed(b"y")
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_interim_replies(self, bare: Bare) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        for pieces in (
            [*interim, COUNTED + b"abc"],
            [b"".join(interim) + COUNTED + b"abc"],
            [interim[0] + OK, COUNTED[17:], b"abc"],
        ):
            token = bare.begin()
            for piece in pieces:
                assert not token.done() or piece == b"abc"
                bare.feed(piece)
            assert told(token) == (200, b"abc")
            assert bare.wire.state is IDLE

    async def test_a_reply_without_a_body(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert told(token) == (204, b"")
        assert bare.end == "idle, 1 kept, 0 dropped"

    @pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", OK + b"connection: close\r\n"])
    async def test_a_server_that_closes(self, bare: Bare, head: bytes) -> None:
        token = bare.begin()
        bare.feed(head + b"content-length: 3\r\n\r\nabc")
        assert told(token) == (200, b"abc")
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_bytes_that_are_no_reply(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(b"SSH-2.0-x\r\n")
        assert isinstance(token.exception(), Exception)
        assert (bare.end, bare.transport.calls) == ("closed, 0 kept, 1 dropped", ["abort"])

    async def test_a_body_that_breaks_its_framing(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(CHUNKED + b"3\r\nabc\r\n", b"no size\r\n")
        _, body, _ = token.result()
        assert isinstance(body.exception(), Exception)
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_a_body_that_cannot_be_unpacked(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(OK + b"content-encoding: gzip\r\ncontent-length: 40\r\n\r\n", b"not packed at all")
        _, body, _ = token.result()
        assert isinstance(body.exception(), Exception)
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_two_lengths(self, bare: Bare) -> None:
        """The chunks count (RFC 9112, section 6.3), and the connection is not used again."""
        both = OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
        for cut in (len(both), 30, 60):
            other = Bare()
            token = other.begin()
            other.feed(both[:cut], both[cut:] + b"3\r\nabc\r\n0\r\n\r\n")
            assert told(token) == (200, b"abc")
            assert other.end == "closed, 0 kept, 1 dropped"

    async def test_two_lengths_of_which_neither_counts(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc")
        assert isinstance(token.exception(), Exception)
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_a_mended_head_that_is_still_wrong(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n")
        assert isinstance(token.exception() or token.result()[1].exception(), Exception)
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_a_reply_to_a_call_that_was_cancelled(self, bare: Bare) -> None:
        token = bare.begin()
        token.cancel()
        bare.feed(COUNTED + b"abc")
        assert bare.end == "idle, 1 kept, 0 dropped"


class TestTokens:
    """The holder of an older token has no power over the connection any more."""

    async def test_of_an_exchange_that_is_over(self, bare: Bare) -> None:
        old = bare.begin()
        bare.feed(COUNTED + b"abc")
        new = bare.begin()
        bare.wire.drop(old)
        bare.wire.fail(old, OSError())
        bare.wire.expect_reply(old, 0.001)
        assert bare.wire._deadline is None
        with pytest.raises(RuntimeError, match="being read already"):
            bare.wire.more(old)
        bare.feed(COUNTED + b"abc")
        assert told(new) == (200, b"abc")
        assert bare.end == "idle, 2 kept, 0 dropped"

    async def test_one_reader(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(COUNTED + b"a")
        reader = bare.wire.more(token)
        with pytest.raises(RuntimeError, match="being read already"):
            bare.wire.more(token)
        bare.feed(b"b")
        assert reader.done()
        bare.wire.more(token).cancel()
        bare.feed(b"c")
        assert told(token) == (200, b"abc")

    async def test_dropped_before_and_in_the_body(self, bare: Bare) -> None:
        for pieces in ([], [COUNTED + b"a"]):
            other = Bare()
            token = other.begin()
            other.feed(*pieces)
            other.wire.drop(token)
            assert (other.end, other.transport.calls) == ("closed, 0 kept, 1 dropped", ["abort"])
            other.wire.drop(token)
            assert len(other.pool.dropped) == 1

    async def test_a_connection_that_the_pool_does_not_hold_closes_by_itself(self, bare: Bare) -> None:
        bare.wire.held = False
        bare.feed(b"x")
        assert (bare.end, bare.transport.calls) == ("closed, 0 kept, 0 dropped", ["close"])

    def test_dropped_after_the_loop(self) -> None:
        loop = asyncio.new_event_loop()

        async def make() -> tuple[Bare, Any]:
            found = Bare()
            return found, found.begin()

        bare, token = loop.run_until_complete(make())
        loop.close()
        bare.wire.drop(token)
        assert (bare.wire.token, bare.transport.calls, bare.pool.dropped) == (None, [], [])


class TestReadLimit:
    async def test_it_runs_from_the_last_bytes(self, bare: Bare) -> None:
        token = bare.begin(60)
        deadlines = [bare.wire._deadline]
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", COUNTED[:9], COUNTED[9:] + b"a", b"b"):
            await asyncio.sleep(0.002)
            bare.feed(piece)
            deadlines.append(bare.wire._deadline)
        assert None not in deadlines
        assert deadlines == sorted({*deadlines})  # type: ignore[type-var]
        bare.feed(b"c")
        assert bare.wire._deadline is None
        assert told(token) == (200, b"abc")

    async def test_it_fails_the_exchange(self, bare: Bare) -> None:
        token = bare.begin(60)
        bare.wire._late()
        assert "no data within the read limit" in str(token.exception())
        assert bare.transport.calls == ["abort"]
        # A timer that comes too late finds nothing to fail.
        bare.wire._late()
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_it_stands_still_while_the_reader_is_slow(self, bare: Bare) -> None:
        token = bare.begin(60)
        bare.feed(OK + b"content-length: 6\r\n\r\nab")
        bare.wire.pause_reading()
        assert bare.wire._deadline is None
        bare.wire.expect_reply(token, 60)
        assert bare.wire._deadline is None
        bare.wire.resume_reading()
        assert bare.wire._deadline is not None
        # Twice, as the loop and the parser may both go on.
        bare.wire.resume_reading()
        assert bare.transport.calls == ["pause_reading", "resume_reading"]

    async def test_a_parser_that_goes_on_by_itself(self, bare: Bare) -> None:
        bare.begin(60)
        bare.feed(OK + b"content-length: 6\r\n\r\nab")
        bare.wire.pause_reading()
        bare.wire.resume_reading(resume_parser=False)
        # No bytes have arrived: the limit does not begin anew.
        assert bare.wire._deadline is None
        assert bare.transport.calls == ["pause_reading", "resume_reading"]


class TestLostConnections:
    @pytest.mark.parametrize(
        "error", [None, ConnectionResetError(104, "reset"), ValueError("tls")], ids=["end", "os", "other"]
    )
    async def test_before_the_head(self, bare: Bare, error: BaseException | None) -> None:
        token = bare.begin()
        bare.wire.connection_lost(error)
        found = token.exception()
        if isinstance(error, OSError):
            assert (type(found).__name__, getattr(found, "errno", None)) == ("ClientOSError", 104)
        else:
            assert found is error or type(found).__name__ == "ServerDisconnectedError"
        assert bare.end == "closed, 0 kept, 1 dropped"

    @pytest.mark.parametrize("error", [None, ConnectionResetError(104, "reset")], ids=["end", "reset"])
    @pytest.mark.parametrize("head", [COUNTED, CHUNKED + b"3\r\n"], ids=["counted", "chunked"])
    async def test_in_the_body(self, bare: Bare, head: bytes, error: BaseException | None) -> None:
        token = bare.begin()
        bare.feed(head + b"ab")
        bare.wire.connection_lost(error)
        failure = token.result()[1].exception()
        assert type(failure).__name__ == "ClientPayloadError"
        assert failure.__cause__ is not None
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_at_the_end_of_a_body_without_a_length(self, bare: Bare) -> None:
        token = bare.begin()
        bare.feed(OK + b"\r\nab", b"c")
        bare.wire.connection_lost(None)
        assert told(token) == (200, b"abc")
        assert bare.end == "closed, 0 kept, 1 dropped"

    async def test_idle(self, bare: Bare) -> None:
        bare.wire.connection_lost(None)
        assert bare.end == "closed, 0 kept, 1 dropped"
        assert not bare.wire.is_connected()
