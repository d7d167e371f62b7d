"""The sockets of a pool without a server: turns that are cancelled, and the end during a handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aiopenai import OpenAIError
from aiopenai._live.pool_sockets import MAX_AGE_SECONDS, PooledSocket, SocketPool


class Socket:
    """A websocket of which the pool needs three methods."""

    closed = False
    waiting = 0

    def abort(self) -> None:
        self.closed = True

    async def close(self) -> None:
        self.closed = True


async def shake_hands() -> Any:
    return Socket()


def test_sockets_are_young_enough_for_a_response_of_ten_minutes() -> None:
    assert MAX_AGE_SECONDS + 600 <= 3600


def test_a_socket_with_an_unread_message_carries_no_response() -> None:
    websocket: Any = Socket()
    socket = PooledSocket(websocket)
    assert socket.usable
    websocket.waiting = 1
    assert not socket.usable


@pytest.mark.parametrize("end", [SocketPool.give, SocketPool.drop], ids=["given", "lost"])
async def test_a_turn_that_is_cancelled_as_it_comes_goes_to_the_next_call(end: Callable[..., None]) -> None:
    pool = SocketPool(shake_hands, 1)
    held = await pool.take(None, None)
    first, second = (asyncio.create_task(pool.take(None, None)) for _ in range(2))
    await asyncio.sleep(0)
    end(pool, held)
    first.cancel()
    found = await asyncio.wait_for(second, 30)
    assert (found is held, first.cancelled()) == (end is SocketPool.give, True)
    await pool.close()


async def test_a_handshake_that_ends_after_the_pool_leaves_no_socket() -> None:
    made: Any = Socket()
    go_on = asyncio.Event()

    async def late() -> Any:
        await go_on.wait()
        return made

    pool = SocketPool(late, 1)
    taking = asyncio.create_task(pool.take(None, None))
    await asyncio.sleep(0)
    await pool.close()
    go_on.set()
    with pytest.raises(OpenAIError, match="pool of sockets is closed"):
        await taking
    assert made.closed


def opening() -> tuple[SocketPool, list[Socket]]:
    """A pool of two, and the websockets that it has opened."""
    made: list[Socket] = []

    async def shake() -> Any:
        made.append(Socket())
        return made[-1]

    return SocketPool(shake, 2), made


async def taken(pool: SocketPool, context: str | None = None) -> PooledSocket:
    socket = await pool.take(context, 30)
    assert socket is not None
    return socket


async def waits(pool: SocketPool, context: str | None = None) -> asyncio.Task[PooledSocket | None]:
    """A call that waits for a socket."""
    task = asyncio.create_task(pool.take(context, None))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_sockets_are_opened_on_demand_and_used_again_from_the_last() -> None:
    pool, made = opening()
    first = await taken(pool)
    second = await taken(pool)
    assert (len(made), first is second) == (2, False)
    pool.give(second)
    pool.give(first)
    assert await taken(pool) is first
    assert await taken(pool) is second
    assert len(made) == 2
    await pool.close()


async def test_contexts_lead_to_their_socket() -> None:
    pool, made = opening()
    home, other = await taken(pool), await taken(pool)
    pool.keep("a", home)
    pool.give(home)
    pool.give(other)
    assert await taken(pool, "a") is home
    assert await taken(pool, "unknown") is other
    # The turn of a call with a context comes before the others that wait.
    anyone, mine = await waits(pool), await waits(pool, "a")
    pool.give(home)
    assert await mine is home
    pool.give(home)
    assert await anyone is home
    assert len(made) == 2
    await pool.close()


async def test_a_lost_socket_takes_its_contexts_along_and_makes_room() -> None:
    pool, made = opening()
    lost, other = await taken(pool), await taken(pool)
    pool.keep("a", lost)
    pool.keep("b", other)
    tasks = [await waits(pool, "a"), await waits(pool)]
    pool.drop(lost)
    pool.drop(lost)
    assert (made[0].closed, pool._homes) == (True, {"b": other})
    # One of both gets the socket that is opened in its place.
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    (found,) = done
    new = found.result()
    assert new is not None
    assert new.websocket is cast("Any", made[2])
    pool.give(new)
    assert {task.result() for task in await finished(tasks)} == {new}
    # A socket that is lost keeps no more contexts.
    pool.keep("c", lost)
    assert pool._homes == {"b": other}
    await pool.close()


async def finished(tasks: list[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    await asyncio.wait(tasks, timeout=30)
    return tasks


@pytest.mark.parametrize("reason", ["closed", "old", "message"])
@pytest.mark.parametrize("when", ["given", "free"])
async def test_a_useless_socket_is_replaced(reason: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, made = opening()
    socket = await taken(pool)
    if when == "free":
        pool.give(socket)
    if reason == "closed":
        made[0].closed = True
    elif reason == "message":
        made[0].waiting = 1
    else:
        socket.opened -= MAX_AGE_SECONDS
    if when == "given":
        pool.give(socket)
        assert pool._open == set()
    assert await taken(pool) is not socket
    assert (len(made), made[0].closed) == (2, True)
    await pool.close()


def test_the_age_of_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    websocket: Any = Socket()
    now = [1_000.0]
    monkeypatch.setattr("aiopenai._live.pool_sockets.time", SimpleNamespace(monotonic=lambda: now[0]))
    socket = PooledSocket(websocket)
    now[0] += MAX_AGE_SECONDS - 1
    assert socket.usable
    now[0] += 1
    assert not socket.usable


async def test_the_wait_for_a_socket_ends_at_its_limit() -> None:
    pool, made = opening()
    held = [await taken(pool), await taken(pool)]
    with pytest.raises(asyncio.TimeoutError):
        await pool.take(None, 0.01)
    # A call that has given up gets no socket: the next one does.
    pool.give(held[0])
    assert await taken(pool) is held[0]
    assert len(made) == 2
    await pool.close()


async def test_after_a_failed_handshake_there_is_a_pause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("aiopenai._live.pool_sockets.time", SimpleNamespace(monotonic=lambda: now[0]))
    asked: list[float] = []

    async def refuse() -> Any:
        asked.append(now[0])
        await asyncio.sleep(0)
        raise OpenAIError("no sockets here")

    pool = SocketPool(refuse, 1)
    with caplog.at_level("INFO", logger="aiopenai"):
        # The second call waits for the handshake of the first, and does not shake hands itself.
        assert await asyncio.gather(pool.take(None, None), pool.take(None, None)) == [None, None]
    assert "no sockets here" in caplog.text
    now[0] += 4.9
    assert await pool.take(None, None) is None
    assert asked == [1_000.0]
    now[0] += 0.2
    assert await pool.take(None, None) is None
    assert len(asked) == 2


async def test_an_error_of_the_program_in_a_handshake_is_raised_and_wakes_the_others() -> None:
    failures: list[BaseException] = [KeyError("mine")]

    async def shake() -> Any:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return Socket()

    pool = SocketPool(shake, 1)
    first, second = await asyncio.gather(pool.take(None, None), pool.take(None, None), return_exceptions=True)
    assert (type(first), type(second)) == (KeyError, PooledSocket)
    await pool.close()


async def test_the_end_of_a_pool_wakes_all_calls_and_closes_all_sockets() -> None:
    pool, made = opening()
    home, _ = await taken(pool), await taken(pool)
    pool.keep("a", home)
    tasks = [await waits(pool, "a"), await waits(pool)]
    await pool.close()
    for task in tasks:
        with pytest.raises(OpenAIError, match="pool of sockets is closed"):
            await task
    assert ([socket.closed for socket in made], pool._open) == ([True, True], set())
    with pytest.raises(OpenAIError, match="pool of sockets is closed"):
        await pool.take(None, None)


@pytest.mark.parametrize("context", [None, "a"])
@pytest.mark.parametrize("end", [SocketPool.give, SocketPool.drop], ids=["given", "lost"])
async def test_a_call_that_was_cancelled_before_its_turn_is_passed_over(
    end: Callable[..., None], context: str | None
) -> None:
    pool = SocketPool(shake_hands, 1)
    held = await taken(pool)
    pool.keep("a", held)
    first, second = await waits(pool, context), await waits(pool, context)
    first.cancel()
    await asyncio.sleep(0)
    end(pool, held)
    found = await asyncio.wait_for(second, 30)
    assert (found is held, first.cancelled()) == (end is SocketPool.give, True)
    await pool.close()
