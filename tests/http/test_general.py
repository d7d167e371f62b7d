"""The general transport: patched sessions, `Expect`, finalisers. test_transport.py has what both transports share."""

from __future__ import annotations

import asyncio
import functools
import gc
from typing import Any
from unittest import mock

import aiohttp
import pytest

from aiopenai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
    AsyncOpenAI,
    OpenAI,
    Timeout,
)
from aiopenai._http.direct import DirectReply
from aiopenai._http.general import BodyPieces, GeneralReply, GeneralSession
from aiopenai._http.interface import Settings
from aiopenai._http.multipart import MultipartBody
from aiopenai._http.outgoing import header_block
from aiopenai._http.private.session import Maker, pristine
from aiopenai._http.states import IDLE
from aiopenai.testing import Server
from tests.http.ways import WAYS, client_by

ORIGINAL = aiohttp.ClientSession._request


class Wrapper:
    """A wrapper that claims to be the function inside, as those of wrapt do."""

    def __init__(self, inner: Any, before: Any) -> None:
        self._inner = inner
        self._before = before
        self.__globals__ = inner.__globals__

    @property
    def __class__(self) -> Any:
        return type(self._inner)

    @__class__.setter
    def __class__(self, _: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        return bool(self._inner == other)

    def __hash__(self) -> int:
        return hash(self._inner)

    def __get__(self, instance: Any, _: Any = None) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self._before(options)
            return self._inner(instance, *arguments, **options)

        return call


class TestPatchedSessions:
    """Mocks and tracers patch `ClientSession`: every call goes through it then, whenever the patch came."""

    @pytest.mark.parametrize("way", ["direct", "general", "connector"])
    @pytest.mark.parametrize("name", ["_request", "request"])
    @pytest.mark.parametrize("kind", ["function", "partial", "wrapper", "mock"])
    async def test_methods(
        self, way: str, name: str, kind: str, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = 0
        original = vars(aiohttp.ClientSession)[name]

        def count(_: Any = None) -> None:
            nonlocal calls
            calls += 1

        def function(self: Any, *arguments: Any, **options: Any) -> Any:
            count()
            return original(self, *arguments, **options)

        async def awaited(*arguments: Any, **options: Any) -> Any:
            return await function(*arguments, **options)

        effect = awaited if name == "_request" else function
        patched: Any = {
            "function": function,
            "partial": functools.partialmethod(function),
            "wrapper": Wrapper(original, count),
            "mock": mock.patch.object(aiohttp.ClientSession, name, autospec=True, side_effect=effect),
        }[kind]
        async with client_by(way, monkeypatch, server.base_url) as client:
            await client.models.list()
            for number in range(1, 3):
                with patched if kind == "mock" else mock.patch.object(aiohttp.ClientSession, name, patched):
                    await client.models.list()
                    assert calls == number
                await client.models.list()
                assert calls == number
        assert pristine()

    @pytest.mark.parametrize("way", ["direct", "general", "connector"])
    @pytest.mark.parametrize("kind", ["function", "wrapper"])
    async def test_constructors(
        self, way: str, kind: str, server: Server, monkeypatch: pytest.MonkeyPatch, chat: dict[str, Any]
    ) -> None:
        """OpenTelemetry and Sentry add traces in `__init__`."""
        began = 0
        original = vars(aiohttp.ClientSession)["__init__"]

        def traced(options: dict[str, Any]) -> None:
            async def start(*_: Any) -> None:
                nonlocal began
                began += 1

            trace = aiohttp.TraceConfig()
            trace.on_request_start.append(start)
            options["trace_configs"] = [trace]

        def init(self: Any, *arguments: Any, **options: Any) -> None:
            traced(options)
            original(self, *arguments, **options)

        patched: Any = init if kind == "function" else Wrapper(original, traced)
        async with client_by(way, monkeypatch, server.base_url) as client:
            await client.models.list()
            for number in range(1, 3):
                with mock.patch.object(aiohttp.ClientSession, "__init__", patched):
                    await client.models.list()
                    stream = await client.chat.completions.create(**chat, stream=True)
                    assert [chunk async for chunk in stream]
                    assert began == 2 * number
                await client.models.list()
                assert began == 2 * number

    async def test_the_class(self, client: AsyncOpenAI) -> None:
        class Fake:
            connector = None
            closed = False

            def __init__(self, **_: Any) -> None: ...

            async def request(self, *_: Any, **__: Any) -> Any:
                raise aiohttp.ClientConnectionError("the fake was asked")

            async def close(self) -> None: ...

        await client.models.list()
        with mock.patch("aiohttp.ClientSession", Fake):
            assert not pristine()
            with pytest.raises(APIConnectionError, match="the fake was asked"):
                await client.with_options(max_retries=0).models.list()
        await client.models.list()

    def test_blocking(self) -> None:
        with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
            client.models.list()
            patch = mock.patch.object(aiohttp.ClientSession, "_request", side_effect=aiohttp.ClientError("no"))
            with patch, pytest.raises(APIConnectionError, match="no"):
                client.with_options(max_retries=0).models.list()
            client.models.list()

    def test_makers(self) -> None:
        maker = Maker.current()
        assert maker.is_current()
        original = vars(aiohttp.ClientSession)["__init__"]
        with mock.patch.object(aiohttp.ClientSession, "__init__", Wrapper(original, lambda _: None)):
            # An equal wrapper is another constructor.
            assert not maker.is_current()
        assert maker.is_current()


@pytest.mark.usefixtures("transport")
async def test_cookies_are_not_kept(raw_server: Any) -> None:
    async def serve(server: Any, reader: Any, writer: Any) -> None:
        while True:
            await server.request(reader)
            writer.write(server.reply(b'{"id": "x"}', "set-cookie: session=secret; Path=/"))

    server = await raw_server(serve)
    # aiohttp's jar takes cookies of names only: of addresses it would not anyway.
    url = server.base_url.replace("127.0.0.1", "localhost")
    async with AsyncOpenAI(api_key="k", base_url=url) as client:
        for _ in range(3):
            await client.models.retrieve("m")
    assert len(server.requests) == 3
    assert all("cookie" not in headers for _, headers, _ in server.requests)


class TestExpect:
    @pytest.mark.parametrize("kind", ["bytes", "iterator", "none"])
    async def test_a_server_that_never_says_continue(self, kind: str, raw_server: Any) -> None:
        async def mute(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await server.watch(reader)

        async def pieces() -> Any:
            yield b"x"

        server = await raw_server(mute)
        content: Any = {"bytes": b"x", "iterator": pieces(), "none": None}[kind]
        async with AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=Timeout(30, read=0.2)
        ) as client:
            with pytest.raises(APITimeoutError, match="read limit"):
                await asyncio.wait_for(
                    client.post("/x", cast_to=object, content=content, options={"headers": {"Expect": "100-continue"}}),
                    5,
                )

    async def test_a_server_that_does(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"100-continue" in head.lower()
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert await reader.readexactly(5) == b"hello"
            # The limit of the answer begins with the end of the body.
            await asyncio.sleep(0.25)
            writer.write(server.reply(b'{"id": "x"}'))

        async def slow() -> Any:
            yield b"hel"
            await asyncio.sleep(0.4)
            yield b"lo"

        server = await raw_server(serve)
        headers = {"expect": "100-continue", "content-length": "5"}
        async with AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=Timeout(30, read=0.35)
        ) as client:
            for content in (b"hello", slow()):
                found = await client.post("/x", cast_to=dict, content=content, options={"headers": headers})
                assert found == {"id": "x"}


def loops() -> list[Any]:
    found = [pytest.param(None, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        return found
    return [*found, pytest.param(uvloop.new_event_loop, id="uvloop")]


class TestFinalisers:
    """The garbage collector runs in any thread: a finaliser must not touch a loop, only leave it a message."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("make_loop", loops())
    def test_replies_in_cycles(self, way: str, make_loop: Any, monkeypatch: pytest.MonkeyPatch, until: Any) -> None:
        class Box:
            reply: Any
            box: Any

        async def main(url: str) -> None:
            async with client_by(way, monkeypatch, url) as client:
                session: Any = await client._sessions.open("GET", url)
                for _ in range(6):
                    for _ in range(10):
                        box = Box()
                        box.box = box
                        body = b'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "a b c d"}]}'
                        headers = header_block({"authorization": "Bearer k", "content-type": "application/json"})
                        box.reply = await session.send("POST", f"{url}/chat/completions", headers, body, Timeout(5))
                        assert isinstance(box.reply, DirectReply if way == "direct" else GeneralReply)
                    del box
                    # The thread collects while this loop is busy.
                    collecting = asyncio.ensure_future(asyncio.to_thread(gc.collect))
                    while not collecting.done():  # noqa: ASYNC110
                        await asyncio.sleep(0)
                await until(lambda: not getattr(session, "unread", ()))
                if way == "direct":
                    # A reply that was complete by then has left its connection for others.
                    await until(lambda: {wire.state for wire in session.pool.connector.taken} <= {IDLE})

        was_enabled = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            with Server(token_delay=0.2) as server:
                loop = asyncio.new_event_loop() if make_loop is None else make_loop()
                try:
                    loop.run_until_complete(main(server.base_url))
                    loop.run_until_complete(loop.shutdown_asyncgens())
                finally:
                    loop.close()
        finally:
            if was_enabled:
                gc.enable()

    @pytest.mark.parametrize("way", WAYS)
    async def test_only_a_message_to_the_loop(self, way: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        server.reply_with("/x", b"x" * 3_000_000)
        async with client_by(way, monkeypatch, server.base_url) as client:
            session: Any = await client._sessions.open("GET", server.base_url)
            headers = header_block({"authorization": "Bearer k"})
            reply: Any = await session.send("GET", f"{server.base_url}/x", headers, None, Timeout(5))
            reply.abandon()
            # Nothing has happened yet.
            assert not reply.closed
            assert reply.loop is asyncio.get_running_loop()
            raw = getattr(reply, "raw", None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if raw is not None:
                assert raw.closed
            with pytest.raises((APIError, RuntimeError)):
                await reply._to_end()

    @pytest.mark.parametrize("way", WAYS)
    async def test_closing_in_another_thread(
        self, way: str, server: Server, monkeypatch: pytest.MonkeyPatch, until: Any
    ) -> None:
        server.reply_with("/x", b"x" * 3_000_000)
        async with client_by(way, monkeypatch, server.base_url) as client:
            session: Any = await client._sessions.open("GET", server.base_url)
            headers = header_block({"authorization": "Bearer k"})
            for _ in range(3):
                reply: Any = await session.send("GET", f"{server.base_url}/x", headers, None, Timeout(5))
                await asyncio.to_thread(reply.close)
                await until(lambda reply=reply: reply.closed)
            await until(lambda: server.open_connections == 0)


@pytest.fixture
async def session() -> Any:
    session = GeneralSession(Settings())
    yield session
    await session.shut()


def replies(*bodies: bytes, hold: Any = None) -> Any:
    """A connection that answers its requests with these bodies in chunks, the last one again and again."""

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        while True:
            await server.request(reader)
            writer.write(server.head())
            for body in bodies:
                writer.write(server.chunk(body))
                if hold is not None:
                    await writer.drain()
                    await hold.wait()
            writer.write(server.chunk(b""))

    return serve


class TestBodies:
    @pytest.mark.parametrize("limit", [4, 5, 3, 1])
    async def test_the_limit(self, raw_server: Any, limit: int) -> None:
        """Whether the body comes at once or in pieces, which the limit can end early."""
        go = asyncio.Event()
        session = GeneralSession(Settings(max_response_bytes=limit))
        for hold in (None, go):
            server = await raw_server(replies(b"12", b"34", hold=hold))
            reply = await session.send("GET", server.base_url, {}, None, Timeout(60))
            reading = asyncio.ensure_future(reply.read())
            await asyncio.sleep(0.01)
            go.set()
            if limit >= 4:
                assert await reading == b"1234"
            else:
                with pytest.raises(APIResponseValidationError, match=f"max_response_bytes={limit}"):
                    await reading
            assert not session.unread
            go.clear()
        await session.shut()

    async def test_pieces(self, raw_server: Any, session: Any) -> None:
        go = asyncio.Event()
        server = await raw_server(replies(b"ab", b"c", hold=go))
        reply = await session.send("GET", server.base_url, {"authorization": "Bearer k"}, None, Timeout(60, total=50))
        assert reply.request is reply.request
        assert (reply.reason, reply.request.url, reply.session) == ("OK", server.base_url, session)
        assert "Bearer k" not in repr(reply.request.headers)
        assert await reply.read_some() == b"ab"
        assert (reply.at_end(), reply.closed, len(session.unread)) == (False, False, 1)
        go.set()
        assert b"".join([await reply.read_some() for _ in range(2)]) == b"c"
        assert (reply.at_end(), len(session.unread)) == (True, 0)
        # The connection is free, and used again.
        assert await (await session.send("GET", server.base_url, {}, None, Timeout(60))).read() == b"abc"
        assert server.connections == 1

    @pytest.mark.parametrize("way", ["read", "read_some"])
    async def test_a_body_that_breaks_off(self, raw_server: Any, session: Any, way: str) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=9) + b"abc")

        server = await raw_server(serve)
        reply = await session.send("GET", server.base_url, {}, None, Timeout(60))

        async def drain() -> None:
            while await getattr(reply, way)():
                pass

        with pytest.raises(APIConnectionError, match="not completed"):
            await drain()
        assert reply.closed
        assert not session.unread

    @pytest.mark.parametrize("way", ["read", "read_some"])
    async def test_a_reset_is_no_end_of_a_body_without_a_length(
        self, raw_server: Any, session: Any, way: str, until: Any
    ) -> None:
        go = asyncio.Event()

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
            await go.wait()

        server = await raw_server(serve)
        reply: Any = await session.send("GET", server.base_url, {}, None, Timeout(60))
        await until(lambda: reply.raw.content.total_bytes)
        reply.raw.connection.protocol.connection_lost(ConnectionResetError(104, "reset"))

        async def drain() -> None:
            while await getattr(reply, way)():
                pass

        with pytest.raises(APIConnectionError, match="not completed"):
            await drain()
        go.set()

    async def test_a_cancelled_read_closes_the_connection(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=9) + b"abc")
            await server.watch(reader)

        server = await raw_server(serve)
        reply = await session.send("GET", server.base_url, {}, None, Timeout(60))
        reading = asyncio.ensure_future(reply.read())
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(server.gone.wait(), 60)


class TestRequestBodies:
    @pytest.mark.parametrize("size", [3, 2_000_000])
    @pytest.mark.parametrize("expect", [False, True])
    async def test_forms_and_bytes(self, server: Server, session: Any, size: int, expect: bool) -> None:
        server.reply_with("/x", {})
        headers = {
            "Authorization": "Bearer k",
            "Content-Type": "text/plain",
            **({"Expect": "100-continue"} if expect else {}),
        }
        form = MultipartBody({"purpose": "batch"}, {"file": ("a.txt", b"x" * size)})
        for body in (b"x" * size, form):
            reply = await session.send("POST", f"{server.base_url}/x", headers, body, Timeout(60))
            assert (reply.status, await reply.read()) == (200, b"{}")
        plain, parts = server.journal
        assert (plain.body, plain.headers["content-type"]) == (b"x" * size, "text/plain")
        assert plain.headers["content-length"] == str(size)
        assert parts.headers["content-type"] == form.content_type
        assert [part.data for part in parts.multipart()] == [b"batch", b"x" * size]

    async def test_sources_and_nothing(self, server: Server, session: Any) -> None:
        async def source() -> Any:
            yield b"ab"
            yield b"c"

        server.reply_with("/x", {})
        for body in (source(), None, b""):
            reply = await session.send("POST", f"{server.base_url}/x", {"Authorization": "Bearer k"}, body, Timeout(60))
            await reply.read()
        assert [request.body for request in server.journal] == [b"abc", b"", b""]
        # A missing body has no type.
        assert "content-type" not in server.journal[1].headers

    async def test_a_body_in_pieces_is_no_text(self) -> None:
        with pytest.raises(TypeError, match="not text"):
            BodyPieces(b"x", None, None).decode()


class TestProxies:
    async def test_headers_of_a_proxy_go_with_plain_requests(self, raw_server: Any) -> None:
        server = await raw_server(replies(b"{}"))
        session = GeneralSession(Settings(proxy=f"http://us:pw@127.0.0.1:{server.port}"))
        reply = await session.send("GET", "http://api.test/x", {"X-Mine": "1"}, None, Timeout(60))
        assert await reply.read() == b"{}"
        ((line, headers, _),) = server.requests
        assert line == "GET http://api.test/x HTTP/1.1"
        assert (headers["proxy-authorization"], headers["x-mine"]) == ("Basic dXM6cHc=", "1")
        await session.shut()

    async def test_one_session_for_each_socks_proxy(self) -> None:
        pytest.importorskip("aiohttp_socks")
        session: Any = GeneralSession(Settings(proxy="socks5://127.0.0.1:1"))
        for _ in range(2):
            with pytest.raises(APIConnectionError):
                await session.send("GET", "http://api.test/x", {}, None, Timeout(5))
        assert len(session._socks) == 1
        await session.shut()
        assert all(each.closed for each in session._socks.values())


class TestEnds:
    async def test_forgetting(self, session: Any) -> None:
        assert session.general() is session
        session.forget()
        assert session.closed
        # Again, as a forked child does.
        session.forget()
        await session.shut()

    async def test_a_session_of_the_program_stays(self, raw_server: Any) -> None:
        server = await raw_server(replies(b"{}"))
        async with aiohttp.ClientSession() as own:
            session = GeneralSession(Settings(http_client=own))
            reply = await session.send("GET", server.base_url, {}, None, Timeout(60, pool=50, total=40))
            assert await reply.read() == b"{}"
            session.forget()
            await session.shut()
            assert not own.closed
            assert not session.closed

    async def test_a_connector_of_the_program_stays(self, raw_server: Any) -> None:
        server = await raw_server(replies(b"{}"))
        async with aiohttp.TCPConnector() as own:
            session = GeneralSession(Settings(connector=own))
            assert await (await session.send("GET", server.base_url, {}, None, Timeout(60))).read() == b"{}"
            await session.shut()
            assert session.closed
            assert not own.closed

    async def test_open_websockets_end_with_the_session(self, session: Any) -> None:
        class WebSocket:
            aborted = False

            def abort(self) -> None:
                self.aborted = True
                session.upgraded.discard(self)

        websockets = {WebSocket(), WebSocket()}
        session.upgraded |= websockets
        await session.shut()
        assert all(each.aborted for each in websockets)
        assert session.closed

    async def test_a_total_limit_before_the_head(self, raw_server: Any, session: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await server.watch(reader)

        server = await raw_server(serve)
        with pytest.raises(APITimeoutError, match="total limit"):
            await session.send("GET", server.base_url, {}, None, Timeout(60, total=0.05))
        await asyncio.wait_for(server.gone.wait(), 60)

    async def test_errors_of_the_program_pass(self, raw_server: Any, session: Any) -> None:
        server = await raw_server(replies(b"{}"))

        class Broken(Exception):
            pass

        async def source() -> Any:
            yield b"a"
            raise Broken

        with pytest.raises((Broken, APIConnectionError)) as caught:
            await session.send("POST", server.base_url, {}, source(), Timeout(60))
        found: BaseException | None = caught.value
        while found is not None and not isinstance(found, Broken):
            found = found.__cause__
        assert isinstance(found, Broken)
