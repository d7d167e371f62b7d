"""Reconnects and the send queue, as REFERENCE's rules have them, in both clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from aiopenai import OpenAIError
from aiopenai._live.link import Link, Reconnects
from aiopenai._live.queue import SendQueue
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.types.websocket_reconnection import ReconnectingEvent, is_recoverable_close

from .conftest import Both, Peer, Scripted
from .played import PlayedSocket
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


async def test_a_closed_client_does_not_reconnect(both: Both) -> None:
    """Each attempt would fail, after a wait of up to eight seconds."""
    asked: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.say(CREATED)
        if (await peer.socket.receive(timeout=10)).type is web.WSMsgType.TEXT:
            peer.cut()

    async with Scripted(script) as server:
        client = both.client(server)
        manager = client.realtime.connect(model="m", on_reconnecting=asked.append)
        async with both.opened(manager) as connection:
            events = asyncio.ensure_future(both.events(connection))
            await both(client.close)
            if both.blocking:
                # The connection outlives the blocking client, until the server cuts it.
                await both(connection.send, {"type": "x"})
            with pytest.raises(WebSocketConnectionClosedError):
                await asyncio.wait_for(events, 30)
    assert asked == []
    assert len(server.requests) == 1


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


# The link alone, on websockets without a network


def linked(*sockets: Any, max_bytes: int = 1_000, **rules: Any) -> tuple[Link, list[Any]]:
    """A link whose connections are these websockets, or failures, and the query and headers of each."""
    asked: list[Any] = []
    left = iter(sockets)

    async def connect(query: Any, headers: Any) -> Any:
        asked.append((query, headers))
        found = next(left)
        if isinstance(found, BaseException):
            raise found
        return found

    return Link(connect, Reconnects(**rules), SendQueue(max_bytes), {"q": 1}, {"H": "1"}), asked


def agree(_: ReconnectingEvent) -> None:
    """Agrees to each reconnect."""


SOON: dict[str, Any] = {**QUICK, "on_reconnecting": agree}


def test_delays_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        shares.append((low, high))
        return high

    monkeypatch.setattr("aiopenai._live.link.random.uniform", uniform)
    rules = Reconnects(initial_delay=0.5, max_delay=6.0)
    assert [rules.delay(attempt) for attempt in (1, 2, 3, 4, 5, 5_000)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0]
    assert {*shares} == {(0.75, 1.0)}
    assert (rules.max_retries, Reconnects().initial_delay, Reconnects().max_delay) == (5, 0.5, 8.0)


async def test_a_message_that_fails_at_the_entry_is_lost_and_the_rest_waits(caplog: pytest.LogCaptureFixture) -> None:
    socket = PlayedSocket()
    link, _ = linked(socket)
    for text in (b"a", b"b", b"c"):
        link.queue.put(text, text=True)

    async def fail() -> None:
        socket.on_send = None
        raise socket.closed_error()

    socket.on_send = fail
    with caplog.at_level("WARNING", logger="aiopenai"):
        await link.open()
    assert "queued before the connection could not be sent" in caplog.text
    assert (socket.texts, len(link.queue)) == ([], 2)
    await link.send(b"d", text=False)
    assert socket.texts == ["b", "c", b"d"]
    assert len(link.queue) == 0


async def test_an_entry_that_is_cancelled_leaves_no_websocket() -> None:
    socket = PlayedSocket()
    link, _ = linked(socket)
    link.queue.put(b"a", text=True)
    socket.on_send = asyncio.get_running_loop().create_future
    opening = asyncio.ensure_future(link.open())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert socket.aborted


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [([1] * 70, 64), ([2**15, 2**15, 5], 2), ([2**16, 1], 1), ([2**16 - 1, 1, 1], 2), ([1], 1)],
    ids=["number", "bytes", "one", "nearly", "alone"],
)
async def test_a_batch_is_bounded(sizes: list[int], taken: int) -> None:
    link, _ = linked(PlayedSocket(*(b"x" * size for size in sizes)))
    await link.open()
    assert [len(frame) for frame in await link.batch(link.next)] == sizes[:taken]
    assert link.socket.waiting == len(sizes) - taken


@pytest.mark.parametrize(
    ("frame", "used"),
    [
        (b'{"type":"x"}', 0),
        (b'{"type":"error"}', 2),
        (b'{"type":""}', 2),
        (b"{}", 2),
        (b"no json", 2),
        (b"[]", 2),
    ],
)
@pytest.mark.parametrize("way", ["read", "next"])
async def test_events_give_attempts_back(frame: bytes, used: int, way: str) -> None:
    link, _ = linked(PlayedSocket(frame))
    await link.open()
    link.used = 2
    assert await getattr(link, way)() == frame
    assert link.used == used


async def test_a_send_after_the_close_is_not_queued() -> None:
    link, _ = linked(PlayedSocket())
    await link.open()
    await link.close(3000, "bye")
    link.queue.put(b"waits", text=True)
    with pytest.raises(WebSocketConnectionClosedError):
        await link.send(b"late", text=True)
    assert len(link.queue) == 1
    assert (link.socket.said, link.closing) == ((3000, "bye"), True)  # type: ignore[attr-defined]


async def test_messages_for_a_closed_websocket_come_back_with_the_error() -> None:
    socket = PlayedSocket()
    link, _ = linked(socket)
    await link.open()
    link.queue.put(b"a", text=True)
    socket.abort()
    with pytest.raises(WebSocketConnectionClosedError) as caught:
        await link.send(b"b", text=False)
    assert caught.value.unsent_frames == ["a", b"b"]
    assert isinstance(caught.value.__cause__, WebSocketConnectionClosedError)
    assert len(link.queue) == 0


async def test_a_message_waits_for_those_before_it_and_fails_alone() -> None:
    """Two sends at once: the first one fails on the websocket, and the other one hears of it from the queue."""
    socket = PlayedSocket()
    link, _ = linked(socket)
    await link.open()
    going = asyncio.Event()
    results = [None, OSError("lost"), None]

    async def send() -> None:
        await going.wait()
        failure = results.pop(0)
        if failure is not None:
            raise failure

    link.queue.put(b"first", text=True)
    socket.on_send = send
    sends = [asyncio.ensure_future(link.send(frame, text=True)) for frame in (b"second", b"third")]
    await asyncio.sleep(0)
    going.set()
    failed, sent = await asyncio.gather(*sends, return_exceptions=True)
    assert (type(failed), sent, socket.texts) == (OSError, None, ["first", "third"])


async def test_a_reconnect_takes_over_the_queue_and_drops_the_old_websocket() -> None:
    old, new = PlayedSocket(code=1012), PlayedSocket(b'{"type":"x"}')
    link, asked = linked(old, new, **SOON)
    await link.open()
    seen: list[bool] = []

    async def ask(function: Any, event: ReconnectingEvent) -> Any:
        seen.append(link.reconnecting)
        link.queue.put(b"meanwhile", text=True)
        return {"extra_headers": {"H": str(event.attempt)}}

    assert await link.next(ask) == b'{"type":"x"}'
    assert (seen, link.reconnecting, link.used) == ([True], False, 0)
    assert (old.aborted, new.aborted, new.texts) == (True, False, ["meanwhile"])
    assert asked == [({"q": 1}, {"H": "1"}), ({"q": 1}, {"H": "1"})]


async def test_attempts_are_used_up_by_failures() -> None:
    failures = [OpenAIError("no"), OSError("no"), ValueError("no")]
    link, asked = linked(PlayedSocket(code=1011), *failures, PlayedSocket(), **SOON, max_retries=3)
    await link.open()
    with pytest.raises(WebSocketConnectionClosedError) as caught:
        await link.next()
    assert (caught.value.code, len(asked), link.used, link.reconnecting) == (1011, 4, 3, False)


@pytest.mark.parametrize("code", [1001, 1008])
async def test_a_new_websocket_that_ends_during_the_flush(code: int) -> None:
    """It is replaced in its turn if its code allows that; no message is sent twice, and none is lost."""
    old, second, third = PlayedSocket(code=1006), PlayedSocket(code=code), PlayedSocket(b'{"type":"x"}')
    link, asked = linked(old, second, third, **SOON)
    await link.open()
    for text in (b"a", b"b"):
        link.queue.put(text, text=True)

    async def end() -> None:
        second.closed = True

    second.on_send = end
    if code == 1001:
        assert await link.next() == b'{"type":"x"}'
        assert (len(asked), third.texts) == (3, ["b"])
    else:
        with pytest.raises(WebSocketConnectionClosedError) as caught:
            await link.next()
        assert (len(asked), caught.value.unsent_frames) == (2, ["b"])
        assert isinstance(caught.value.__cause__, WebSocketConnectionClosedError)


async def test_messages_before_the_end_of_a_new_websocket_are_read_first() -> None:
    second = PlayedSocket(b'{"type":"error"}', code=1008)
    second.closed = True
    link, asked = linked(PlayedSocket(code=1006), second, **SOON)
    await link.open()
    link.queue.put(b"a", text=True)
    assert await link.next() == b'{"type":"error"}'
    with pytest.raises(WebSocketConnectionClosedError) as caught:
        await link.next()
    assert (caught.value.unsent_frames, len(asked)) == (["a"], 2)


async def test_a_connection_that_is_closed_during_a_handshake_keeps_no_websocket() -> None:
    old, new = PlayedSocket(code=1011), PlayedSocket()
    link, _ = linked(old, **SOON)
    await link.open()
    connecting, go_on = asyncio.Event(), asyncio.Event()

    async def connect(query: Any, headers: Any) -> Any:
        connecting.set()
        await go_on.wait()
        return new

    link._connect = connect
    reading = asyncio.ensure_future(link.next())
    await connecting.wait()
    await link.close()
    go_on.set()
    with pytest.raises(WebSocketConnectionClosedError):
        await reading
    assert (new.aborted, link.socket is old) == (True, True)


async def test_a_callback_that_raises_gives_up_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: ReconnectingEvent) -> None:
        raise ValueError("my own reason")

    link, asked = linked(PlayedSocket(code=1011), PlayedSocket(), **{**SOON, "on_reconnecting": refuse})
    await link.open()
    with caplog.at_level("ERROR", logger="aiopenai"), pytest.raises(WebSocketConnectionClosedError):
        await link.next()
    assert "my own reason" in caplog.text
    assert len(asked) == 1


async def test_a_clean_end_stops_the_iteration() -> None:
    link, _ = linked(PlayedSocket(b"1", code=1000))
    await link.open()
    assert await link.next() == b"1"
    with pytest.raises(StopAsyncIteration):
        await link.next()
    link.queue.put(b"a", text=True)
    with pytest.raises(WebSocketConnectionClosedError, match="messages are unsent") as caught:
        await link.next()
    assert (caught.value.unsent_frames, caught.value.clean, caught.value.code) == (["a"], True, 1000)
