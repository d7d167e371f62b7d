"""Reconnects and the send queue, as REFERENCE's rules have them, in both clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from aiopenai import OpenAIError
from aiopenai.errors import WebSocketConnectionClosedError, WebSocketQueueFullError
from aiopenai.types.websocket_reconnection import ReconnectingEvent, is_recoverable_close

from .conftest import Both, Peer, Scripted
from .test_connections import CREATED

QUICK: dict[str, Any] = {"initial_delay": 0.001, "max_delay": 0.001}


def closing(code: int) -> Any:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED)
        if code == 1006:
            peer.cut()
        else:
            await peer.socket.close(code=code)

    return script


async def last(peer: Peer) -> None:
    await peer.say('{"type":"last"}')
    await peer.end(1000)


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 1013])
async def test_recoverable_codes(both: Both, code: int) -> None:
    seen: list[ReconnectingEvent] = []
    async with Scripted(closing(code), last) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=seen.append, **QUICK)
        async with both.opened(manager) as connection:
            assert [event.type for event in await both.events(connection)] == ["session.created", "last"]
    assert [(event.attempt, event.max_attempts, event.close_code) for event in seen] == [(1, 5, code)]
    assert 0.00075 <= seen[0].delay <= 0.001


@pytest.mark.parametrize("code", [1008, 4000])
async def test_other_codes_end_the_connection(both: Both, code: int) -> None:
    seen: list[Any] = []
    async with Scripted(closing(code), last) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=seen.append, **QUICK)
        async with both.opened(manager) as connection:
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await both.events(connection)
    assert (caught.value.code, seen, len(server.requests)) == (code, [], 1)
    assert not is_recoverable_close(code)


async def test_without_a_callback_and_by_recv_nothing_reconnects(both: Both) -> None:
    async with Scripted(closing(1006), last) as server:
        async with both.opened(both.client(server).realtime.connect(model="m")) as connection:
            with pytest.raises(WebSocketConnectionClosedError):
                await both.events(connection)
        seen: list[Any] = []
        server.scripts = (closing(1011),)
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=seen.append, **QUICK)
        async with both.opened(manager) as connection:
            await both(connection.recv)
            with pytest.raises(WebSocketConnectionClosedError):
                await both(connection.recv)
        assert seen == []


async def test_overrides_replace_query_and_headers(both: Both) -> None:
    def change(event: ReconnectingEvent) -> Any:
        return {"extra_query": {"n": event.attempt}, "extra_headers": {"X-N": "new"}}

    async with Scripted(closing(1011), last) as server:
        manager = both.client(server).realtime.connect(
            model="m", extra_query={"old": 1}, on_reconnecting=change, **QUICK
        )
        async with both.opened(manager) as connection:
            assert len(await both.events(connection)) == 2
        assert dict(server.requests[1].query) == {"model": "m", "n": "1"}
        assert server.requests[1].headers["X-N"] == "new"


async def test_an_async_callback(both: Both) -> None:
    async def change(event: ReconnectingEvent) -> Any:
        await asyncio.sleep(0)
        return {"extra_query": {"n": 1}}

    async with Scripted(closing(1011), last) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=change, **QUICK)
        async with both.opened(manager) as connection:
            assert len(await both.events(connection)) == 2
        assert server.requests[1].query["n"] == "1"


@pytest.mark.parametrize("way", ["abort", "raise"])
async def test_the_callback_can_give_up(both: Both, way: str) -> None:
    def refuse(_: ReconnectingEvent) -> Any:
        if way == "raise":
            raise ValueError("no")
        return {"abort": True}

    async with Scripted(closing(1011), last) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=refuse, **QUICK)
        async with both.opened(manager) as connection:
            with pytest.raises(WebSocketConnectionClosedError):
                await both.events(connection)
    assert len(server.requests) == 1


async def test_attempts_are_given_back_by_events_and_not_by_errors(both: Both) -> None:
    attempts: list[int] = []

    async def error(peer: Peer) -> None:
        await peer.say('{"type":"error","error":{"message":"m"}}')
        peer.cut()

    async with Scripted(closing(1006), error, error, closing(1006), error, error, error) as server:
        manager = both.client(server).realtime.connect(
            model="m", on_reconnecting=lambda event: attempts.append(event.attempt), max_retries=3, **QUICK
        )
        async with both.opened(manager) as connection:
            with pytest.raises(WebSocketConnectionClosedError):
                await both.events(connection)
    assert attempts == [1, 2, 3, 1, 2, 3]


async def test_failed_handshakes_use_attempts_up(both: Both) -> None:
    attempts: list[int] = []

    def note(event: ReconnectingEvent) -> None:
        attempts.append(event.attempt)
        if event.attempt < 3:
            server.refusals = [web.Response(status=401)]

    async with Scripted(closing(1006), last) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=note, **QUICK)
        async with both.opened(manager) as connection:
            assert len(await both.events(connection)) == 2
    assert attempts == [1, 2, 3]


async def test_messages_sent_while_reconnecting_arrive_in_order(both: Both) -> None:
    got: list[Any] = []

    async def second(peer: Peer) -> None:
        got.extend([await peer.hear() for _ in range(3)])
        await peer.say('{"type":"last"}')
        await peer.end()

    holder: list[Any] = []

    def queue(_: ReconnectingEvent) -> None:
        connection = holder[0]
        assert connection._is_reconnecting
        for frame in ("a", b"\xff", "c"):
            # The coroutine of the asynchronous client ends in one step: the message is queued.
            sending = connection.send_raw(frame)
            if sending is not None:
                with pytest.raises(StopIteration):
                    sending.send(None)

    async with Scripted(closing(1006), second) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=queue, **QUICK)
        async with both.opened(manager) as connection:
            holder.append(connection)
            await both.events(connection)
    assert got == ["a", b"\xff", "c"]


async def test_unsent_messages_are_reported(both: Both) -> None:
    holder: list[Any] = []

    def queue(_: ReconnectingEvent) -> Any:
        for frame in ("a", b"\xff", b"c"):
            sending = holder[0].send_raw(frame)
            if sending is not None:
                with pytest.raises(StopIteration):
                    sending.send(None)
        return {"abort": True}

    async with Scripted(closing(1006)) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=queue, **QUICK)
        async with both.opened(manager) as connection:
            holder.append(connection)
            with pytest.raises(WebSocketConnectionClosedError, match="unsent") as caught:
                await both.events(connection)
    assert caught.value.unsent_frames == ["a", b"\xff", b"c"]
    assert caught.value.unsent_messages == ["a", "c"]
    assert "xff" not in str(caught.value)


async def test_the_queue_before_entry_is_sent_and_bounded(both: Both) -> None:
    got: list[Any] = []

    async def script(peer: Peer) -> None:
        got.extend([await peer.hear(), await peer.hear()])
        await peer.end()

    async with Scripted(script) as server:
        manager = both.client(server).realtime.connect(model="m", max_queue_size=40)
        manager.send({"type": "a"})
        with pytest.raises(WebSocketQueueFullError, match="max_queue_size=40"):
            manager.send({"type": "b" * 40})
        manager.send({"type": "c"})
        async with both.opened(manager) as connection:
            assert await both.events(connection) == []
    assert got == ['{"type":"a"}', '{"type":"c"}']


async def test_closing_ends_a_wait_for_a_reconnect(both: Both) -> None:
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(_: ReconnectingEvent) -> None:
        loop.call_soon_threadsafe(waiting.set)

    async with Scripted(closing(1006), last) as server:
        manager = both.client(server).realtime.connect(
            model="m", on_reconnecting=note, initial_delay=600.0, max_delay=600.0
        )
        connection = await both(manager.enter)
        reading = asyncio.ensure_future(both.events(connection))
        await waiting.wait()
        await both(connection.close)
        with pytest.raises(WebSocketConnectionClosedError):
            await reading
    assert len(server.requests) == 1


async def test_handlers(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED, '{"type":"x"}', '{"type":"x"}', "[1]")
        await peer.end()

    seen: list[Any] = []
    async with Scripted(script) as server:
        manager = both.client(server).realtime.connect(model="m")
        manager.on("session.created", lambda event: seen.append(("first", event.type)))

        @manager.once("x")
        def once(event: Any) -> None:
            seen.append(("once", event.type))

        async with both.opened(manager) as connection:

            @connection.on("event")
            def every(event: Any) -> None:
                seen.append(("all", getattr(event, "type", event)))

            if not both.blocking:

                async def later(event: Any) -> None:
                    await asyncio.sleep(0)
                    seen.append(("async", event.type))

                connection.on("session.created", later)
            removed = seen.append
            connection.on("x", removed).off("x", removed)
            await both(connection.dispatch_events)
    wanted: list[Any] = [("first", "session.created"), ("all", "session.created"), ("once", "x")]
    if not both.blocking:
        wanted.insert(1, ("async", "session.created"))
    assert seen == [*wanted, ("all", "x"), ("all", "x"), ("all", [1])]


async def test_an_error_event_without_a_handler_raises_and_the_socket_stays_open(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say('{"type":"error","error":{"message":"m","type":"t"}}', CREATED)
        await peer.socket.receive()

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        with pytest.raises(OpenAIError, match="WebSocket error"):
            await both(connection.dispatch_events)
        assert (await both(connection.recv)).type == "session.created"
