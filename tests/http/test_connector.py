from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import aiohttp
import pytest

from aiopenai import APITimeoutError, AsyncOpenAI, Timeout
from aiopenai._http import connector as connector_module
from aiopenai._http.connector import AttemptClock, ClockedTimeout, ExpectLimit, connection_limit
from aiopenai._http.framing import readable, salvaged
from aiopenai._http.general import GeneralSession
from aiopenai._http.interface import Settings
from aiopenai._http.private.connector import UnfitError, speak, stale_connections
from aiopenai.testing import Server


@pytest.mark.usefixtures("transport")
class TestOpening:
    async def test_only_some_at_a_time(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thousand handshakes at once would turn a burst of calls into connect timeouts."""
        opening = most = 0
        original = aiohttp.TCPConnector._create_connection

        async def create(self: Any, req: Any, traces: Any, timeout: Any) -> Any:
            nonlocal opening, most
            opening += 1
            most = max(most, opening)
            await asyncio.sleep(0.06)
            opening -= 1
            return await original(self, req, traces, timeout)

        monkeypatch.setattr(connector_module, "MAX_OPENING", 4)
        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", create)
        server.latency = 0.2
        # Waiting for the turn to open a connection counts against no limit.
        async with AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=Timeout(60, connect=0.5)
        ) as client:
            await asyncio.gather(*(client.models.list() for _ in range(40)))
        assert 1 < most <= 4


class TestLimit:
    @pytest.mark.parametrize(
        ("soft", "expected"),
        [(1024, 409), (20, 16), (10**6, 10_000), (None, 10_000)],
        ids=["usual", "few", "many", "all"],
    )
    def test_by_the_limit_of_files(self, soft: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
        resource = pytest.importorskip("resource")
        limits = (resource.RLIM_INFINITY if soft is None else soft, 0)
        monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
        connection_limit.cache_clear()
        assert connection_limit() == expected
        monkeypatch.setitem(sys.modules, "resource", None)
        connection_limit.cache_clear()
        assert connection_limit() == 1_000
        connection_limit.cache_clear()


class TestSockets:
    def test_a_peer_that_is_gone_is_noticed(self) -> None:
        """After five probes without an answer, a minute apart."""
        with connector_module._keepalive_socket((), (socket.AF_INET, socket.SOCK_STREAM, 0, "", None)) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
                if hasattr(socket, name):
                    assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value

    def test_options_of_the_program_win(self) -> None:
        info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", None)
        with connector_module._keepalive_socket([(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)], info) as sock:
            assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        with pytest.raises(OSError, match="Errno"):
            connector_module._keepalive_socket([(socket.SOL_SOCKET, 9999, 0)], info)

    @pytest.mark.parametrize("name", ["TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"])
    def test_systems_without_these_options(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(socket, name, raising=False)
        with connector_module._keepalive_socket((), (socket.AF_INET, socket.SOCK_STREAM, 0, "", None)) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    def test_the_name_on_macos(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if not hasattr(socket, "TCP_KEEPIDLE"):
            pytest.skip("this is a system without TCP_KEEPIDLE")
        option = socket.TCP_KEEPIDLE
        monkeypatch.delattr(socket, "TCP_KEEPIDLE")
        monkeypatch.setattr(socket, "TCP_KEEPALIVE", option, raising=False)
        with connector_module._keepalive_socket((), (socket.AF_INET, socket.SOCK_STREAM, 0, "", None)) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, option) == connector_module.KEEPALIVE_SECONDS


class TestExpectLimit:
    async def test_a_request_in_time(self) -> None:
        limit = ExpectLimit(60)
        assert await limit.within(asyncio.sleep(0, 5)) == 5  # type: ignore[arg-type]
        # The limit is over with the request: taking it back must not start it again.
        limit.cancel()

    async def test_no_answer(self) -> None:
        with pytest.raises(aiohttp.SocketTimeoutError, match="no answer to Expect") as caught:
            await ExpectLimit(0.01).within(asyncio.Event().wait())  # type: ignore[arg-type]
        assert isinstance(caught.value.__cause__, asyncio.TimeoutError)

    async def test_the_body_was_asked_for(self) -> None:
        limit = ExpectLimit(0.01)
        asked = asyncio.get_running_loop().create_future()

        async def request() -> Any:
            limit.cancel()
            await asyncio.sleep(0.05)
            asked.set_result(True)
            return "reply"

        assert await limit.within(request()) == "reply"
        assert asked.done()

    async def test_limits_of_aiohttp_stay(self) -> None:
        own = aiohttp.SocketTimeoutError("of aiohttp")

        async def request() -> Any:
            raise own

        with pytest.raises(aiohttp.SocketTimeoutError) as caught:
            await ExpectLimit(60).within(request())
        assert caught.value is own


class TestClocks:
    @pytest.mark.parametrize("streams", [False, True])
    async def test_the_end_of_its_time_fails_the_attempt(self, streams: bool) -> None:
        class Sink:
            def __init__(self) -> None:
                self.error: Any = None
                self.content = self

            def set_exception(self, error: Any) -> None:
                self.error = error

        error = aiohttp.ServerTimeoutError("total")
        clock = AttemptClock(0.001, error)
        protocol, reply = Sink(), Sink()
        if streams:
            clock.reply = reply  # type: ignore[assignment]
        clock.start(protocol)
        await asyncio.sleep(0.05)
        assert (protocol.error, reply.error) == (error, error if streams else None)

    async def test_a_clock_that_is_stopped(self) -> None:
        clock = AttemptClock(0.001, aiohttp.ServerTimeoutError("x"))
        clock.start(None)
        clock.cancel()
        await asyncio.sleep(0.01)

    async def test_a_connection_that_ended_while_the_loop_stood_still(
        self, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next request takes the connection before the loop has seen its end."""

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(b"{}"))

        server = await raw_server(serve)
        session = GeneralSession(Settings())
        asked: list[int] = []

        def ended(fileno: int) -> bool:
            asked.append(fileno)
            return len(asked) == 1

        monkeypatch.setattr(connector_module, "readable", ended)
        for connections in (1, 2, 2):
            reply = await session.send("GET", server.base_url, {}, None, Timeout(5))
            assert await reply.read() == b"{}"
            assert server.connections == connections
        # A connection without a request yet has no bytes that could be left.
        assert len(asked) == 2
        await session.shut()

    async def test_a_clock_that_never_started(self) -> None:
        AttemptClock(1.0, aiohttp.ServerTimeoutError("x")).cancel()

    def test_limits_with_clocks(self) -> None:
        clock = AttemptClock(1.0, aiohttp.ServerTimeoutError("x"))
        limits = ClockedTimeout.of(aiohttp.ClientTimeout(sock_read=3, sock_connect=2), (clock,))
        assert (limits.sock_read, limits.sock_connect, limits.clocks) == (3, 2, (clock,))

    async def test_the_total_limit_ends_a_stream_of_the_general_transport(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=100) + b"x")
            await server.watch(reader)

        server = await raw_server(serve)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0, proxy=None) as client:
            extra = {"connection": "keep-alive"}
            with pytest.raises(APITimeoutError, match="total limit"):
                await client.models.list(extra_headers=extra, timeout=Timeout(5, total=0.1))


class TestParts:
    def test_connectors_that_cannot_speak(self) -> None:
        with pytest.raises(UnfitError):
            speak(object(), lambda: None)

    async def test_connectors_without_a_pool(self) -> None:
        from yarl import URL

        stale_connections(object(), URL("http://a.test"), asyncio.get_running_loop())

    async def test_salvaging_nothing(self, server: Server) -> None:
        assert salvaged(None) == []
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert salvaged(writer.transport) == []
        assert not readable(writer.get_extra_info("socket").fileno())
        writer.close()
        await writer.wait_closed()
        assert salvaged(writer.transport) == []
        assert reader is not None

    async def test_readable_without_poll(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        import select

        monkeypatch.delattr(select, "poll", raising=False)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert not readable(writer.get_extra_info("socket").fileno())
        writer.close()
        await writer.wait_closed()
