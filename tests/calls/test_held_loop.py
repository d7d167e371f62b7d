"""Blocking replies that are dropped: in their loop, once, and not in one that is closed."""

from __future__ import annotations

import asyncio
from typing import Any

from aiopenai import OpenAIError
from aiopenai._calls.held_loop import drop


class Reply:
    def __init__(self, closed: bool = False) -> None:
        self.closed = closed
        self.turns: list[str] = []

    def close(self) -> None:
        self.closed = True
        loop = asyncio.get_running_loop()
        # A transport closes its socket in a later turn.
        loop.call_soon(lambda: loop.call_soon(self.turns.append, "socket closed"))


class Lease:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.ran = 0

    def run(self, coroutine: Any) -> Any:
        self.ran += 1
        if self.error is not None:
            coroutine.close()
            raise self.error
        return asyncio.run(coroutine)


def dropped(lease: Any, reply: Any) -> None:
    drop(lease, reply)


def test_the_socket_is_closed_too() -> None:
    lease, reply = Lease(), Reply()
    dropped(lease, reply)
    assert reply.closed
    assert reply.turns == ["socket closed"]
    assert lease.ran == 1


def test_a_closed_reply_needs_no_loop() -> None:
    lease = Lease()
    dropped(lease, Reply(closed=True))
    assert lease.ran == 0


def test_a_loop_that_is_gone_has_closed_its_connections() -> None:
    lease = Lease(OpenAIError("the client is closed"))
    dropped(lease, Reply())
    assert lease.ran == 1


def test_the_loop_takes_no_more_turns_than_a_transport_needs() -> None:
    """Each turn is two system calls for a caller that waits."""
    turns: list[int] = []

    class Counting(Lease):
        def run(self, coroutine: Any) -> Any:
            try:
                while True:
                    coroutine.send(None)
                    turns.append(1)
            except StopIteration:
                return None

    class Silent(Reply):
        def close(self) -> None:
            self.closed = True

    dropped(Counting(), Silent())
    assert len(turns) == 2
