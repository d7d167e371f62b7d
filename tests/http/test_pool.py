"""The idle connections of the direct transport: which is taken, which is closed, and how a queue gets them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from aiopenai import APIConnectionError, APITimeoutError, AsyncOpenAI, Timeout
from aiopenai._http import pool as pool_module
from aiopenai._http.direct import DirectSession
from aiopenai._http.interface import Settings
from aiopenai._http.outgoing import header_block
from aiopenai._http.pool import Origin, Pool
from aiopenai._http.private.connector import UnfitError
from aiopenai._http.wire import Wire

BODY = b'{"id": "x"}'


async def serve(server: Any, reader: Any, writer: Any) -> None:
    while True:
        await server.request(reader)
        writer.write(server.reply(BODY))


@pytest.fixture
async def session() -> AsyncIterator[DirectSession]:
    session = DirectSession(Settings())
    yield session
    await session.shut()


def send(session: DirectSession, url: str, **limits: Any) -> Any:
    return session.send("POST", f"{url}/x", header_block({}), b"{}", Timeout(**{"connect": 5, **limits}))


def origin_of(session: DirectSession, server: Any) -> Origin:
    origin = session.pool.origin(URL(server.base_url))
    assert origin is not None
    return origin


async def fill(session: DirectSession, server: Any, count: int) -> list[Wire]:
    """Opens so many connections, which are idle afterwards: the oldest first."""
    for reply in await asyncio.gather(*(send(session, server.base_url) for _ in range(count))):
        assert await reply.read() == BODY
    free = list(origin_of(session, server).free)
    assert len(free) == count
    return free


class TestIdle:
    async def test_the_last_used_is_the_first_taken(self, session: DirectSession, raw_server: Any) -> None:
        server = await raw_server(serve)
        free = await fill(session, server, 3)
        origin = origin_of(session, server)
        now = session.loop.time()
        assert [session.pool.idle(origin, now) for _ in range(4)] == [*reversed(free), None]

    async def test_one_that_is_closing_is_passed_over(self, session: DirectSession, raw_server: Any) -> None:
        server = await raw_server(serve)
        first, second = await fill(session, server, 2)
        second.abort()
        assert session.pool.idle(origin_of(session, server), session.loop.time()) is first
        assert not second.held

    @pytest.mark.parametrize("age", [pool_module.UNSEEN_SECONDS / 2, pool_module.UNSEEN_SECONDS * 2])
    async def test_one_is_polled_only_after_a_while(
        self, age: float, session: DirectSession, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = await raw_server(serve)
        (wire,) = await fill(session, server, 1)
        polls: list[Wire] = []
        monkeypatch.setattr(Wire, "readable", lambda wire: polls.append(wire) or False)
        assert session.pool.idle(origin_of(session, server), wire.idle_since + age) is wire
        assert len(polls) == (age > pool_module.UNSEEN_SECONDS)

    async def test_in_a_burst_many_are_polled_together(
        self, session: DirectSession, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = await raw_server(serve)
        free = await fill(session, server, 12)
        origin = origin_of(session, server)
        polls: list[Wire] = []
        # Bytes have arrived on the third one that is used.
        odd = free[-3]
        monkeypatch.setattr(Wire, "readable", lambda wire: polls.append(wire) or wire is odd)
        monkeypatch.setattr(pool_module, "readable_ones", lambda filenos: {odd.fileno} & {*filenos})
        now = max(wire.idle_since for wire in free) + 2 * pool_module.UNSEEN_SECONDS
        assert [session.pool.idle(origin, now) for _ in range(11)] == [
            *reversed([wire for wire in free if wire is not odd])
        ]
        assert polls == [free[-1], free[-2], odd]
        assert not odd.held

    async def test_after_a_stop_of_the_loop_each_is_polled(
        self, session: DirectSession, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = await raw_server(serve)
        (wire,) = await fill(session, server, 1)
        monkeypatch.setattr(Wire, "readable", lambda _: True)
        session.pool.resumed = wire.idle_since
        assert session.pool.idle(origin_of(session, server), wire.idle_since) is None

    async def test_the_age_has_a_limit(self, session: DirectSession, raw_server: Any) -> None:
        server = await raw_server(serve)
        first, second = await fill(session, server, 2)
        limit = pool_module.IDLE_SECONDS
        assert session.pool.idle(origin_of(session, server), second.idle_since + limit) is second
        assert session.pool.idle(origin_of(session, server), first.idle_since + limit + 0.001) is None

    async def test_the_sweep_closes_the_old_ones_only(
        self, session: DirectSession, raw_server: Any, until: Any
    ) -> None:
        server = await raw_server(serve)
        pool = session.pool
        old, young = await fill(session, server, 2)
        timer = pool._sweeping
        assert timer is not None
        old.idle_since -= pool_module.IDLE_SECONDS + 1
        timer.cancel()
        pool._sweep()
        assert list(origin_of(session, server).free) == [young]
        assert pool._sweeping not in (None, timer)
        young.idle_since -= pool_module.IDLE_SECONDS + 1
        pool._sweeping.cancel()
        pool._sweep()
        assert pool._sweeping is None
        await until(lambda: not (old.is_connected() or young.is_connected()))


class TestConnect:
    async def test_a_queue_gets_the_idle_connections_of_other_origins(
        self, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 2)
        session = DirectSession(Settings())
        one, other = await raw_server(serve), await raw_server(serve)
        await fill(session, one, 2)
        reply = await asyncio.wait_for(send(session, other.base_url), 30)
        assert await reply.read() == BODY
        assert origin_of(session, one).free == {}
        await session.shut()

    async def test_a_place_that_becomes_free_goes_to_the_queue(
        self, raw_server: Any, monkeypatch: pytest.MonkeyPatch, until: Any
    ) -> None:
        async def late(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await answer.wait()
            writer.write(server.reply(BODY))
            await server.watch(reader)

        answer = asyncio.Event()
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        session = DirectSession(Settings())
        one, other = await raw_server(late), await raw_server(serve)
        first = asyncio.ensure_future(send(session, one.base_url))
        await until(lambda: one.requests)
        second = asyncio.ensure_future(send(session, other.base_url))
        await until(lambda: session.pool._queue)
        answer.set()
        for reply in await asyncio.wait_for(asyncio.gather(first, second), 10):
            assert await reply.read() == BODY
        await session.shut()

    async def test_the_pool_limit_counts_in_the_queue(self, raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        async def silent(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            await server.watch(reader)

        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        session = DirectSession(Settings())
        server = await raw_server(silent)
        busy = asyncio.ensure_future(send(session, server.base_url))
        await asyncio.sleep(0)
        with pytest.raises(APITimeoutError):
            await send(session, server.base_url, pool=0.02)
        # The limit is that of one request.
        assert pool_module.pool_limit.get() is None
        busy.cancel()
        await asyncio.wait([busy])
        await session.shut()

    async def test_limits_are_made_once(self, session: DirectSession, raw_server: Any) -> None:
        server = await raw_server(serve)
        await fill(session, server, 1)
        made = session.pool._limits[5]
        origin_of(session, server).free.clear()
        await fill(session, server, 1)
        assert session.pool._limits[5] is made
        assert made.sock_connect == 5

    async def test_a_new_connection_that_has_ended_is_an_error(
        self, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        session = DirectSession(Settings())
        server = await raw_server(serve)
        with monkeypatch.context() as patch:
            patch.setattr(Wire, "is_connected", lambda _: False)
            # The second finds room: the first has given its place back.
            for _ in range(2):
                with pytest.raises(APIConnectionError):
                    await asyncio.wait_for(send(session, server.base_url), 30)
        assert server.connections == 2
        await session.shut()


class TestEnds:
    async def test_a_kept_connection_of_a_closed_pool_goes_to_the_connector(
        self, session: DirectSession, raw_server: Any
    ) -> None:
        server = await raw_server(serve)
        (wire,) = await fill(session, server, 1)
        origin = origin_of(session, server)
        assert session.pool.idle(origin, session.loop.time()) is wire
        session.pool.closed = True
        session.pool.keep(wire)
        assert not wire.held
        assert origin.free == {}

    async def test_a_dropped_connection_leaves_room(self, session: DirectSession, raw_server: Any, until: Any) -> None:
        server = await raw_server(serve)
        (wire,) = await fill(session, server, 1)
        wire.leave()
        assert origin_of(session, server).free == {}
        await until(lambda: wire.transport is None)
        assert len(await fill(session, server, 1)) == 1
        assert server.connections == 2

    async def test_shutting_closes_all_and_stops_the_sweep(self, raw_server: Any, until: Any) -> None:
        session = DirectSession(Settings())
        server = await raw_server(serve)
        free = await fill(session, server, 3)
        timer: Any = session.pool._sweeping
        await session.shut()
        assert timer.cancelled()
        assert session.pool.closed
        assert session.closed
        await until(lambda: not any(wire.is_connected() for wire in free))


class TestOrigins:
    async def test_one_that_is_dropped_closes_its_connections(
        self, session: DirectSession, raw_server: Any, until: Any
    ) -> None:
        server = await raw_server(serve)
        free = await fill(session, server, 2)
        origin = origin_of(session, server)
        origins = session.pool._origins
        assert origins.pop(URL(server.base_url).origin()) is origin
        assert origin.retired
        assert origin.free == {}
        assert not session.pool.targets
        await until(lambda: not any(wire.is_connected() for wire in free))
        assert await (await send(session, server.base_url)).read() == BODY

    async def test_one_behind_a_proxy_has_nothing_to_close(self, session: DirectSession) -> None:
        origins = session.pool._origins
        origins[URL("http://api.test")] = None
        assert origins.pop(URL("http://api.test")) is None
        assert origins.pop(URL("http://api.test"), "none") == "none"


class TestPrepare:
    async def test_a_check_that_fails_in_any_way_means_unfit(self) -> None:
        def broken(_: Any) -> None:
            raise AttributeError("no such part")

        def unfit(_: Any) -> None:
            raise UnfitError("another release")

        pool = Pool(Settings(), asyncio.get_running_loop())
        with pytest.raises(UnfitError, match="AttributeError: no such part"):
            pool.prepare(broken)
        with pytest.raises(UnfitError, match=r"^another release$"):
            pool.prepare(unfit)
        await pool.shut()

    async def test_a_host_behind_a_proxy_has_no_origin(self) -> None:
        pool = Pool(Settings(proxy="http://127.0.0.1:1"), asyncio.get_running_loop())
        url = URL("http://api.test/v1/x")
        assert pool.origin(url) is None
        assert pool.origin(url) is None
        await pool.shut()


@pytest.mark.parametrize("idle", [0.0, 0.02, 0.04])
async def test_a_reply_that_nothing_asked_for_is_not_taken(raw_server: Any, idle: float) -> None:
    """It arrives while the program computes: the loop has not seen it when the next request begins."""
    connection_of: list[Any] = []

    async def handler(server: Any, reader: Any, writer: Any) -> None:
        while True:
            await server.request(reader)
            writer.write(server.reply(b'{"id": "asked"}'))
            connection_of.append(writer)

    server = await raw_server(handler)
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        assert (await client.models.retrieve("m")).id == "asked"
        # Written by this very thread, so that the loop cannot turn before the next request.
        sock = connection_of[-1].get_extra_info("socket")
        os.write(sock.fileno(), server.reply(b'{"id": "stray"}'))
        if not idle:
            # One turn of the loop sees it, too.
            await asyncio.sleep(0.01)
        # The program computes.
        time.sleep(idle)  # noqa: ASYNC251
        assert (await client.models.retrieve("m")).id == "asked"
    assert server.connections == 2
