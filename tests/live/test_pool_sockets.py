"""The sockets of a pool without a server: turns that are cancelled, and the end during a handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

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
