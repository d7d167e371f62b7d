"""Blocking replies that are dropped: in their loop, once, and not in one that is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import OpenAIError
from aiopenai._calls.held_loop import drop, items_of


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


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        yield number


def test_items_come_one_by_one() -> None:
    loop = asyncio.new_event_loop()
    assert list(items_of(numbers(), loop.run_until_complete)) == [0, 1, 2]
    loop.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OpenAIError("the client is closed")])
def test_a_step_that_never_began_is_closed(error: Any) -> None:
    """Python warns of a coroutine that was never awaited, and warnings are errors here."""
    steps: list[Any] = []

    def run(step: Any) -> Any:
        steps.append(step)
        raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        next(items_of(numbers(), run))
    assert steps[0].cr_frame is None


def test_a_step_under_way_is_left_to_its_loop() -> None:
    steps: list[Any] = []

    async def waiting() -> AsyncIterator[int]:
        await asyncio.sleep(0)
        yield 1

    def run(step: Any) -> Any:
        steps.append(step)
        step.send(None)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(items_of(waiting(), run))
    assert steps[0].cr_frame is not None
    steps[0].close()
