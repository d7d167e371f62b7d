"""Iterations of connections with a `recv` that is not their own, in both clients."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai.errors import WebSocketConnectionClosedError

from .conftest import Both, Peer, Scripted

QUICK: dict[str, Any] = {"initial_delay": 0.001, "max_delay": 0.001}


def telling(*kinds: str, code: int) -> Any:
    async def script(peer: Peer) -> None:
        await peer.say(*(f'{{"type":"{kind}"}}' for kind in kinds))
        await peer.end(code)

    return script


def traced(recv: Any, seen: list[str], blocking: bool) -> Any:
    """Returns a `recv` that notes each event, as a tracer's wrapper does."""
    if blocking:

        def receive(*args: Any) -> Any:
            event = recv(*args)
            seen.append(event.type)
            return event

        return receive

    async def receive_async(*args: Any) -> Any:
        event = await recv(*args)
        seen.append(event.type)
        return event

    return receive_async


@pytest.mark.parametrize("where", ["class", "object"])
async def test_a_tracer_sees_the_events_of_iterations(both: Both, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    handled: list[str] = []
    scripts = (telling("a", "b", code=1012), telling("c", code=1000))
    async with Scripted(*scripts) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=lambda _: None, **QUICK)
        manager.on("event", lambda event: handled.append(event.type))
        async with both.opened(manager) as connection:
            holder = type(connection) if where == "class" else connection
            # Nothing but the connection's own class is changed: the bases stay for other tests.
            monkeypatch.setattr(holder, "recv", traced(holder.recv, seen, both.blocking), raising=False)
            await both(connection.dispatch_events)
            assert await both.events(connection) == []
            monkeypatch.undo()
    assert seen == handled == ["a", "b", "c"]


async def test_the_end_of_such_an_iteration(both: Both) -> None:
    async with Scripted(telling("a", code=1008)) as server:
        async with both.opened(both.client(server).realtime.connect(model="m")) as connection:
            seen: list[str] = []
            connection.recv = traced(connection.recv, seen, both.blocking)
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await both.events(connection)
        assert (seen, caught.value.code) == (["a"], 1008)


async def test_such_an_iteration_ends_with_the_close_of_the_program(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.socket.receive(timeout=10)

    async with Scripted(script) as server:
        manager = both.client(server).realtime.connect(model="m", on_reconnecting=lambda _: None, **QUICK)
        async with both.opened(manager) as connection:
            connection.recv = traced(connection.recv, [], both.blocking)
            await both(connection.close)
            assert await both.events(connection) == []
    assert len(server.requests) == 1
