"""The direct transport: what is its own. What it has in common with the general one is in test_transport.py."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import logging
import os
import random
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import http_parser

from aiopenai import APIConnectionError, APIError, APIResponseValidationError, APITimeoutError, AsyncOpenAI, Timeout
from aiopenai._http import pool as pool_module
from aiopenai._http.connector import Connector
from aiopenai._http.direct import DirectReply, DirectSession, UnfitError, examine
from aiopenai._http.general import GeneralSession
from aiopenai._http.interface import Settings
from aiopenai._http.outgoing import header_block
from aiopenai._http.private import examine as examine_module
from aiopenai._http.private.parser import Body
from aiopenai._http.sessions import choose
from aiopenai._http.wire import Wire
from aiopenai.testing import Server

BODY = b'{"id": "right"}'
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\na;x=y\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"


def make(server: Any, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, "max_retries": 0, **options})


def session_of(client: AsyncOpenAI) -> Any:
    return client._sessions.current()


def idle(client: AsyncOpenAI) -> list[Wire]:
    """The connections that wait for work."""
    origins = session_of(client).pool._origins.values()
    return [wire for origin in origins if origin is not None for wire in origin.free]


def taken(client: AsyncOpenAI) -> int:
    """How many connections the connector counts as taken, those that wait among them."""
    return len(session_of(client).pool.connector.taken)


def whole(body: bytes, *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"content-length: {len(body)}", *lines, "", ""]).encode() + body


class TestChoice:
    async def test_the_plain_case(self, client: AsyncOpenAI) -> None:
        await client.models.list()
        assert isinstance(session_of(client), DirectSession)
        assert session_of(client)._general is None

    @pytest.mark.parametrize("how", ["session", "connector", "factory", "proxy"])
    async def test_anything_else(self, how: str, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "aiopenai")
        async with aiohttp.ClientSession() as session:
            options: dict[str, Any] = {
                "session": {"http_client": session},
                "connector": {"connector": session.connector},
                "factory": {"connector": aiohttp.TCPConnector},
                "proxy": {"proxy": server.base_url},
            }[how]
            async with make(server, **options) as client:
                if how == "proxy":
                    with pytest.raises(APIError):
                        await client.models.list()
                else:
                    await client.models.list()
                assert isinstance(session_of(client), GeneralSession)
        assert "General transport" in caplog.text

    async def test_hosts_behind_a_proxy(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Server() as proxy:
            monkeypatch.setenv("http_proxy", proxy.base_url)
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            async with make(server) as client:
                await client.models.list()
                assert session_of(client)._general is None
                with pytest.raises(APIError):
                    await client.with_options(base_url="http://api.test/v1").models.list()
                assert session_of(client)._general is not None
            assert (server.request_count, proxy.request_count) == (1, 1)

    async def test_what_is_not_plain(self, server: Server) -> None:
        session = DirectSession(Settings())
        login = server.base_url.replace("://", "://user:secret@")
        for method, url in (
            ("GET", f"{server.base_url}/models"),
            ("HEAD", f"{server.base_url}/models"),
            ("GET", login),
        ):
            reply = await session.send(method, url, header_block({}), None, Timeout(5))
            await reply.read()
            assert isinstance(reply, DirectReply) == (method == "GET" and "@" not in url)
        assert server.journal[-1].headers["authorization"].startswith("Basic ")
        with pytest.raises(APIConnectionError, match="control character"):
            await session.send("GET", f"{server.base_url}/a\nb", header_block({}), None, Timeout(5))
        await session.shut()

    @pytest.mark.parametrize(
        "change",
        [
            lambda patch: patch.setattr(http_parser, "HttpResponseParser", http_parser.HttpResponseParserPy),
            lambda patch: patch.setattr(http_parser, "HttpResponseParser", lambda *_: None),
            lambda patch: patch.setattr(aiohttp.TCPConnector, "_release", lambda self, key: None),
            lambda patch: patch.delattr(aiohttp.BaseConnector, "_available_connections"),
            lambda patch: patch.setattr(pool_module, "speak", lambda connector, _: connector._no_such_thing),
            lambda patch: patch.setattr(Body, "take", lambda self: b"wrong"),
        ],
        ids=range(6),
    )
    async def test_an_aiohttp_that_is_not_what_it_was(
        self, change: Any, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "aiopenai")
        examine_module._examine_parser.cache_clear()
        with monkeypatch.context() as patch:
            change(patch)
            transport = choose(Settings())
        assert isinstance(transport, GeneralSession)
        assert "General transport: " in caplog.text
        await transport.shut()
        examine_module._examine_parser.cache_clear()
        await client.models.list()
        assert isinstance(session_of(client), DirectSession)

    async def test_this_aiohttp_is_fit(self) -> None:
        connector = Connector(Settings())
        examine(connector)
        with pytest.raises(AttributeError):
            examine(object())
        assert issubclass(UnfitError, Exception)
        await connector.close()


class TestExactness:
    @pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\nx: ", b"\r\n" + whole(b'{"id": "wrong"}')])
    @pytest.mark.parametrize("framing", ["length", "chunks"])
    @pytest.mark.parametrize("when", ["at once", "later"])
    async def test_more_than_was_asked_for(
        self, more: bytes, framing: str, when: str, raw_server: Any, until: Any
    ) -> None:
        # What a server sends beyond a reply must not be taken for the next one, or for its beginning.
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            sent = server.reply(BODY) if framing == "length" else HEAD + CHUNKS
            if when == "at once":
                writer.write(sent + more)
            else:
                writer.write(sent)
                await received.wait()
                writer.write(more)
            await server.request(reader)
            writer.write(server.reply(b'{"id": "wrong"}'))

        received = asyncio.Event()
        server = await raw_server(serve)
        async with make(server) as client:
            for number in range(3):
                try:
                    assert (await client.models.retrieve("m")).id == "right"
                except APIConnectionError:
                    assert when == "at once"
                received.set()
                if when == "later":
                    await until(lambda: not idle(client))
                    received.clear()
                assert server.connections == number + 1

    async def test_split_anywhere(self, raw_server: Any) -> None:
        # The same verdict however the bytes come in: driven by hand, on a connection that is real.
        async def mute(server: Any, reader: Any, writer: Any) -> None:
            await server.watch(reader)

        server = await raw_server(mute)
        early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        replies = [
            whole(BODY),
            HEAD + CHUNKS,
            early + whole(BODY),
            early * 2 + HEAD + CHUNKS,
            whole(b""),
            whole(BODY * 9),
        ]
        session = DirectSession(Settings())
        dice = random.Random(5)
        try:
            target = session._target("POST", f"{server.base_url}/x")
            for reply in replies:
                ways = [[at] for at in range(1, len(reply), 1 if len(reply) < 150 else 7)]
                ways += [sorted(dice.sample(range(1, len(reply)), 3)) for _ in range(10)]
                for more in (b"", b"H", b"HTTP/1.1 200 OK\r\n"):
                    wire = await session.pool.connect(target.origin, Timeout(5))
                    for ends in ways:
                        token = wire.begin(b"", None, session.loop.time())
                        for start, end in zip([0, *ends], [*ends, len(reply)], strict=True):
                            piece = reply[start:end] + (more if end == len(reply) else b"")
                            wire.data_received(piece)
                        message, body, _ = await token
                        assert message.code == 200
                        assert body._eof
                        if more:
                            assert not wire.held
                            wire = await session.pool.connect(target.origin, Timeout(5))
                        else:
                            assert session.pool.idle(target.origin, session.loop.time()) is wire
                    wire.leave()
        finally:
            await session.shut()


class TestUploads:
    async def test_answered_before_they_are_sent(self, raw_server: Any) -> None:
        async def refuse(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(server.reply(b'{"error": {"message": "Enough."}}', status="413 Too Large"))
            await server.watch(reader)

        ended: list[str] = []

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(100_000)
                    await asyncio.sleep(0)
            finally:
                ended.append("closed")

        server = await raw_server(refuse)
        async with make(server) as client:
            for number in range(1, 3):
                with pytest.raises(APIError, match=r"Enough|Connection error"):
                    await client.post("/x", cast_to=object, content=endless())
                # Half a body was sent: what follows would be taken for its rest.
                assert server.connections == number
            await asyncio.wait_for(server.gone.wait(), 30)
        assert ended == ["closed"] * 2

    async def test_a_slow_server_holds_the_source_back(self, raw_server: Any, until: Any) -> None:
        async def deaf(server: Any, reader: Any, writer: Any) -> None:
            await asyncio.Event().wait()

        given = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal given
            while True:
                given += 1
                yield bytes(200_000)

        server = await raw_server(deaf, limit=1024)
        async with make(server, timeout=None) as client:
            task = asyncio.ensure_future(client.post("/x", cast_to=object, content=pieces()))
            await until(lambda: given)
            before = -1
            while before != given:
                before = given
                await asyncio.sleep(0.05)
            assert given < 100
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert taken(client) == 0


def loops() -> list[Any]:
    """Makers of event loops, of each kind that is to be had."""
    found = [pytest.param(asyncio.new_event_loop, id="asyncio")]
    with contextlib.suppress(ImportError):
        import uvloop

        found.append(pytest.param(uvloop.new_event_loop, id="uvloop"))
    return found


@pytest.fixture(params=loops())
def loop_by_hand(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A loop that runs only when the test says so, as a blocking client's does."""
    loop = request.param()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server without a loop: the test accepts, reads and writes by hand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


class TestIdleConnections:
    def answer(self, peer: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        peer.sendall(whole(b'{"data": []}'))

    # With a connector of the user's the general transport is used, which cannot tell bytes that nobody asked for.
    @pytest.mark.parametrize(
        ("what", "wiring"),
        [
            ("end", {}),
            ("bytes", {}),
            ("reset", {}),
            ("end", {"connector": aiohttp.TCPConnector}),
            ("reset", {"connector": aiohttp.TCPConnector}),
        ],
        ids=["end", "bytes", "reset", "general-end", "general-reset"],
    )
    def test_the_end_comes_while_the_loop_stands_still(
        self, what: str, wiring: dict[str, Any], loop_by_hand: Any, listener: socket.socket
    ) -> None:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        client = AsyncOpenAI(api_key="k", base_url=url, max_retries=0, **wiring)
        pool = concurrent.futures.ThreadPoolExecutor(1)

        def call(peer: socket.socket | None) -> socket.socket:
            """One call, answered by `peer`, or by whoever comes."""

            def serve() -> socket.socket:
                accepted = listener.accept()[0] if peer is None else peer
                # What is sent beyond the reply must be here before the next call, not wait for an acknowledgement.
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.answer(accepted)
                return accepted

            answered = pool.submit(serve)
            loop_by_hand.run_until_complete(client.post("/x", cast_to=object))
            return answered.result(5)

        peer = call(None)
        for _ in range(3):
            assert call(peer) is peer
        for _ in range(3):
            if what == "bytes":
                peer.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            else:
                if what == "reset":
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
            old = peer
            peer = call(None)
            assert peer is not old
            old.close()
        loop_by_hand.run_until_complete(client.close())
        pool.shutdown()
        peer.close()

    async def test_those_too_old_are_closed(
        self, client: AsyncOpenAI, server: Server, monkeypatch: pytest.MonkeyPatch, until: Any
    ) -> None:
        monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.5)
        server.latency = 0.02
        await asyncio.gather(*(client.models.list() for _ in range(5)))
        assert len(idle(client)) == taken(client) == 5
        server.latency = 0
        # The one that is used last stays young.
        for _ in range(20):
            await client.models.list()
            await asyncio.sleep(0.04)
        await until(lambda: taken(client) == 1)
        await until(lambda: taken(client) == 0)
        assert session_of(client).pool._sweeping is None
        await until(lambda: server.open_connections == 0)
        await client.models.list()
        assert server.connections == 6

    async def test_one_that_is_too_old_is_not_used(
        self, client: AsyncOpenAI, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await client.models.list()
        monkeypatch.setattr(pool_module, "UNSEEN_SECONDS", -1.0)
        monkeypatch.setattr(pool_module, "IDLE_SECONDS", -1.0)
        await client.models.list()
        assert server.connections == 2

    async def test_the_server_ends_one_that_waits(self, raw_server: Any, until: Any) -> None:
        async def once(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(whole(b'{"data": []}'))

        server = await raw_server(once)
        async with make(server) as client:
            for number in range(1, 4):
                await client.models.list()
                assert server.connections == number
                await until(lambda: taken(client) == 0)

    @pytest.mark.parametrize("method", ["get", "post"])
    async def test_a_connection_that_ends_as_it_is_used(self, method: str, raw_server: Any) -> None:
        async def twice(server: Any, reader: Any, writer: Any) -> None:
            for answered in (True, server.connections > 1):
                await server.request(reader)
                if answered:
                    writer.write(whole(b'{"id": "x"}'))

        server = await raw_server(twice)
        async with make(server) as client:
            call = getattr(client, method)
            await call("/x", cast_to=object)
            if method == "get":
                # Asking twice does no harm.
                assert await call("/x", cast_to=dict) == {"id": "x"}
            else:
                with pytest.raises(APIConnectionError):
                    await call("/x", cast_to=dict)
        assert [line.split()[0] for line, _, _ in server.requests] == [method.upper()] * (3 if method == "get" else 2)


class TestPool:
    async def test_two_hosts_and_one_connection(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        async with Server() as other, make(server) as client:
            there = client.with_options(base_url=other.base_url)
            for _ in range(3):
                await client.models.list()
                await there.models.list()
            await asyncio.wait_for(
                asyncio.gather(*(each.models.list() for each in (client, there) for _ in range(20))), timeout=10
            )
            assert taken(client) == 1
            assert not session_of(client).pool.connector.queue

    async def test_a_queue_is_served_in_its_order(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 2)
        server.latency = 0.005
        order: list[int] = []

        async def call(number: int) -> None:
            await client.models.list()
            order.append(number)

        async with make(server) as client:
            await asyncio.gather(*(call(number) for number in range(20)))
        assert all(abs(place - number) <= 2 for place, number in enumerate(order))
        assert server.connections == 2

    async def test_a_reply_that_nobody_reads(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        server.reply_with("/x", b"x" * 5_000_000)
        await client.models.list()
        for _ in range(3):
            await session_of(client).send(
                "GET", f"{server.base_url}/x", header_block({"authorization": "x"}), None, Timeout(5)
            )
        gc.collect()
        await until(lambda: taken(client) == 0)
        await until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("where", ["connecting", "waiting", "reading", "uploading"])
    @pytest.mark.parametrize("times", [1, 2])
    async def test_cancelled(self, where: str, times: int, raw_server: Any, until: Any) -> None:
        reached = asyncio.Event()

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            if where != "connecting":
                await reader.readuntil(b"\r\n\r\n")
            if where == "reading":
                writer.write(whole(bytes(1000))[:100])
            reached.set()
            if where == "uploading":
                await asyncio.Event().wait()
            await server.watch(reader)

        server = await raw_server(serve, limit=1024)
        url = server.base_url.replace("http:", "https:") if where == "connecting" else server.base_url
        async with make(server, base_url=url) as client:
            content = bytes(20_000_000) if where == "uploading" else b"x"
            task = asyncio.ensure_future(client.post("/x", cast_to=object, content=content))
            await reached.wait()
            await asyncio.sleep(0.02)
            for _ in range(times):
                task.cancel()
                if times == 2:
                    asyncio.get_running_loop().call_soon(task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert taken(client) == 0
            if where != "uploading":
                await asyncio.wait_for(server.gone.wait(), 30)

    async def test_cancelled_as_the_reply_comes(self, client: AsyncOpenAI, server: Server) -> None:
        # In each turn of the loop from the beginning of a call to its end.
        await client.models.list()
        for turns in range(12):
            task = asyncio.ensure_future(client.models.list())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert taken(client) == len(idle(client))
            await client.models.list()

    async def test_nothing_is_logged_of_a_failure_that_nobody_awaits(
        self, server: Server, until: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.latency = 30
        client = make(server)
        call = asyncio.ensure_future(client.models.list())
        await until(lambda: server.request_count)
        (wire,) = session_of(client).pool.connector.taken
        # In one turn: the connection ends, and whoever waited is cancelled.
        wire.connection_lost(None)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await client.close()
        del call, wire
        gc.collect()
        assert "never retrieved" not in caplog.text

    async def test_closed_under_way(self, server: Server, until: Any) -> None:
        server.latency = 30
        client = make(server)
        calls = [asyncio.ensure_future(client.models.list()) for _ in range(3)]
        await until(lambda: server.request_count == 3)
        await client.close()
        results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)
        assert all(isinstance(result, APIConnectionError) for result in results)

    async def test_two_readers(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(HEAD)
            await server.watch(reader)

        server = await raw_server(serve)
        session = DirectSession(Settings())
        reply = await session.send("GET", f"{server.base_url}/x", header_block({}), None, Timeout(5))
        first = asyncio.ensure_future(reply.read_some())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await reply.read_some()
        with pytest.raises(APIConnectionError):
            await first
        assert reply.closed
        await session.shut()

    @pytest.mark.parametrize("encoding", ["identity", "gzip"])
    async def test_a_slow_reader_holds_the_server_back(self, encoding: str, raw_server: Any, until: Any) -> None:
        written = 0
        piece = os.urandom(100_000)

        async def endless(server: Any, reader: Any, writer: Any) -> None:
            nonlocal written
            await server.request(reader)
            writer.write(HEAD.replace(b"transfer", f"content-encoding: {encoding}\r\ntransfer".encode()))
            packer = zlib.compressobj(0, wbits=31)
            while True:
                data = packer.compress(piece) if encoding == "gzip" else piece
                written += len(data)
                writer.write(server.chunk(data) if data else b"")
                await writer.drain()

        server = await raw_server(endless)
        session = DirectSession(Settings())
        reply: Any = await session.send("GET", f"{server.base_url}/x", header_block({}), None, Timeout(0.2))
        read = 0
        for _ in range(5):
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.03)
            # What is held here; the kernel holds some megabytes besides.
            assert reply._body.size < 1_000_000
            # Held back by its own reader, a server is not late.
            await asyncio.sleep(0.1)
            for _ in range(20):
                read += len(await reply.read_some())
        assert written < read + 30_000_000
        reply.close()
        await session.shut()


class TestFork:
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize("transport", ["direct", "general"])
    def test_a_child_leaves_its_parents_connections_alone(self, loop: str, transport: str) -> None:
        pytest.importorskip(loop)
        script = """
import asyncio, gc, os, sys, importlib, aiohttp, threading, time
from aiopenai import AsyncOpenAI
options = {} if sys.argv[3] == "direct" else {"connector": aiohttp.TCPConnector}
client = AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0, **options)
new_loop = importlib.import_module(sys.argv[2]).new_event_loop
parent, child = new_loop(), None
chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
stream = parent.run_until_complete(client.chat.completions.create(**chat, stream=True))
parent.run_until_complete(client.models.list())
pid = os.fork()
if pid == 0:
    assert not client._sessions._sessions._by_loop
    child = new_loop()
    for _ in range(3):
        child.run_until_complete(client.models.list())
    del stream
    gc.collect()
    child.run_until_complete(client.close())
    child.close()
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
for _ in range(3):
    parent.run_until_complete(client.models.list())

async def rest():
    return [chunk async for chunk in stream]

assert parent.run_until_complete(rest())
parent.run_until_complete(client.close())
parent.run_until_complete(parent.shutdown_asyncgens())
parent.close()
"""
        with Server(token_delay=0.01) as server:
            command = [
                sys.executable,
                "-W",
                "error",
                "-W",
                "ignore::DeprecationWarning",
                "-c",
                script,
                server.base_url,
                loop,
                transport,
            ]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            assert done.stderr == ""
            assert done.returncode == 0
            used = [request.connection for request in server.journal]
            of_the_parent, of_the_child = {*used[:2], *used[5:]}, set(used[2:5])
            assert len(used) == 8
            assert len(of_the_child) == 1
            assert not of_the_parent & of_the_child


class TestReplies:
    """The session itself, without a client above it."""

    async def test_the_limit_of_a_whole_body(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(b"12345"))

        server = await raw_server(serve)
        for limit in (5, 4):
            session = DirectSession(Settings(max_response_bytes=limit))
            reply = await session.send("GET", server.base_url, {}, None, Timeout(5))
            if limit == 5:
                assert await reply.read() == b"12345"
            else:
                with pytest.raises(APIResponseValidationError, match="max_response_bytes=4"):
                    await reply.read()
            assert reply.closed
            await session.shut()

    async def test_the_request_is_made_once(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.reply(b"{}", status="200 Fine"))

        server = await raw_server(serve)
        session = DirectSession(Settings())
        reply = await session.send("GET", server.base_url, {"authorization": "Bearer k"}, None, Timeout(5))
        assert reply.request is reply.request
        assert (reply.request.method, reply.request.url) == ("GET", server.base_url)
        assert "Bearer k" not in repr(reply.request.headers)
        assert (reply.reason, reply.loop, reply.status) == ("Fine", asyncio.get_running_loop(), 200)
        await session.shut()

    async def test_pieces_up_to_the_end(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head() + server.chunk(b"ab"))
            await go.wait()
            writer.write(server.chunk(b"c") + server.chunk(b""))

        go = asyncio.Event()
        server = await raw_server(serve)
        session = DirectSession(Settings())
        reply = await session.send("GET", server.base_url, {}, None, Timeout(5))
        assert reply.whole() is None
        assert await reply.read_some() == b"ab"
        assert not reply.at_end()
        go.set()
        assert [await reply.read_some(), await reply.read_some()] == [b"c", b""]
        assert reply.closed
        # Nothing is left to close.
        reply.close()
        reply.abandon()
        await session.shut()

    async def test_a_total_limit(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await server.watch(reader)

        server = await raw_server(serve)
        session = DirectSession(Settings())
        with pytest.raises(APITimeoutError, match="total limit of"):
            await session.send("GET", server.base_url, {}, None, Timeout(60, total=0.05))
        await asyncio.wait_for(server.gone.wait(), 60)
        await session.shut()

    async def test_a_method_that_cannot_be(self) -> None:
        session = DirectSession(Settings())
        with pytest.raises(APIConnectionError, match="the method 'GE T' has a character"):
            await session.send("GE T", "http://127.0.0.1:1/x", {}, None, Timeout(5))
        await session.shut()

    async def test_forgetting(self) -> None:
        session = DirectSession(Settings())
        general = session.general()
        assert session.general() is general
        session.forget()
        assert session.closed
        assert general.closed
        # Again, as a forked child does; and without a general session.
        session.forget()
        other = DirectSession(Settings())
        other.forget()
        assert other.closed
        for each in (session, other):
            await each.shut()
