"""The results of `connect`: checks, the queue before the entry, and blocks, in both clients."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from aiopenai import APIResponseValidationError, PermissionDeniedError
from aiopenai.errors import WebSocketQueueFullError

from .conftest import Both, Peer, Scripted
from .test_connections import echo


async def test_the_error_of_a_block_wins(both: Both) -> None:
    async with Scripted(echo) as server:
        manager = both.client(server).realtime.connect(model="m")

        async def work() -> None:
            async with manager:
                raise KeyError("mine")

        def blocking() -> None:
            with manager:
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await both(blocking if both.blocking else work)


async def test_wrong_arguments_are_refused_where_they_are_written(both: Both) -> None:
    async with Scripted(echo) as server:
        client = both.client(server)
        with pytest.raises(ValueError, match="max_size"):
            client.realtime.connect(model="m", websocket_connection_options={"max_size": -1})
        with pytest.raises(TypeError, match="has no option 'sll'"):
            client.realtime.connect(model="m", websocket_connection_options={"sll": True})
        with pytest.raises(ValueError, match="session_id"):
            client.live.forks.connect(session_id="")
        with pytest.raises(TypeError, match="model"):
            client.realtime.translations.connect()
    assert server.requests == []


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


async def test_handlers_of_a_manager_move_to_its_connection(both: Both) -> None:
    seen: list[str] = []
    async with Scripted(echo) as server:
        manager = both.client(server).realtime.connect(model="m")
        manager.on("session.created", lambda event: seen.append(event.type))
        async with both.inside(manager) as connection:
            assert connection._event_handler_registry.has_handlers("session.created")
            assert not manager._event_handler_registry.has_handlers("session.created")
            await both(connection.close)
            await both(connection.dispatch_events)
    assert seen in ([], ["session.created"])


async def test_a_block_that_was_never_entered_closes_nothing(both: Both) -> None:
    async with Scripted(echo) as server:
        manager = both.client(server).realtime.connect(model="m")
        assert await both(manager.__exit__ if both.blocking else manager.__aexit__, None, None, None) is None
    assert server.requests == []


@pytest.mark.parametrize("of_block", [False, True], ids=["closing", "block"])
async def test_an_error_of_closing(both: Both, of_block: bool) -> None:
    """It is raised if the block had none of its own."""

    def refuse(*_: object) -> Any:
        raise OSError("closing")

    async with Scripted(echo) as server:
        manager = both.client(server).realtime.connect(model="m")
        connection = await both(manager.__enter__ if both.blocking else manager.__aenter__)
        close = connection.close
        connection.close = refuse
        error = KeyError("mine") if of_block else None
        leave = manager.__exit__ if both.blocking else manager.__aexit__
        if of_block:
            await both(leave, type(error), error, None)
        else:
            with pytest.raises(OSError, match="closing"):
                await both(leave, None, None, None)
        await both(close)


async def test_options_and_their_defaults(both: Both) -> None:
    def note(_: Any) -> None: ...

    async with Scripted(echo) as server:
        client = both.client(server)
        plain = client.realtime.connect(model="m", extra_query=None, extra_headers=None)
        rules = plain._rules
        assert (rules.on_reconnecting, rules.max_retries, rules.initial_delay, rules.max_delay) == (None, 5, 0.5, 8.0)
        assert (plain._query, plain._headers, plain._own) == ({}, {}, {"model": "m"})
        for _ in range(2):
            plain.send({"type": "x", "text": "y" * 500_000})
        with pytest.raises(WebSocketQueueFullError, match="max_queue_size=1048576"):
            plain.send({"type": "x", "text": "y" * 500_000})
        given: dict[str, Any] = {"on_reconnecting": note, "max_retries": 2, "initial_delay": 1.0, "max_delay": 3.0}
        rules = client.realtime.connect(model="m", **given)._rules
        assert (rules.on_reconnecting, rules.max_retries, rules.initial_delay, rules.max_delay) == (note, 2, 1.0, 3.0)
    assert server.requests == []


async def test_a_strict_client_has_strict_connections(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say('{"type":"session.created"}')
        await peer.socket.receive()

    async with Scripted(script) as server:
        for strict in (False, True):
            client = both.client(server, _strict_response_validation=strict)
            async with both.opened(client.realtime.connect(model="m")) as connection:
                if strict:
                    with pytest.raises(APIResponseValidationError, match="session"):
                        await both(connection.recv)
                else:
                    assert (await both(connection.recv)).type == "session.created"


def threads() -> int:
    return sum(thread.name == "aiopenai-websockets" for thread in threading.enumerate())


async def test_a_blocking_entry_that_fails_leaves_no_thread(until: Callable[..., Awaitable[None]]) -> None:
    both = Both(blocking=True)
    await until(lambda: not threads())
    async with Scripted(echo) as server:
        server.refusals = [web.Response(status=403)]
        client = both.client(server)
        with pytest.raises(PermissionDeniedError):
            await both(client.realtime.connect(model="m").enter)
        await until(lambda: not threads())
        # Copies of a client share the sessions, and the thread with them.
        async with both.opened(client.live.connect()), both.opened(client.copy().live.connect()):
            assert threads() == 1
        await until(lambda: not threads())
    await both.close()
