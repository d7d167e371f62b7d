"""The general transport: patched sessions, `Expect`, finalisers. test_transport.py has what both transports share."""

from __future__ import annotations

import asyncio
import functools
import gc
from typing import Any
from unittest import mock

import aiohttp
import pytest

from aiopenai import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, OpenAI, Timeout
from aiopenai._http.direct import DirectReply
from aiopenai._http.general import GeneralReply
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
