"""Private loops: who runs them, how long they are kept, and what interrupts them."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from aiopenai._client.loops import MAX_IDLE, Lease, Runner, Runners
from aiopenai.errors import OpenAIError


@pytest.fixture
def runners():
    pool = Runners()
    yield pool
    pool.close()


async def loop_of_this() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def fail(error: BaseException) -> None:
    raise error


def test_one_thread_keeps_one_loop(runners: Runners) -> None:
    assert runners.run(loop_of_this()) is runners.run(loop_of_this())


def test_calls_at_once_have_loops_of_their_own_and_later_ones_use_them_again(runners: Runners) -> None:
    together = threading.Barrier(4)

    async def meet() -> asyncio.AbstractEventLoop:
        together.wait(timeout=10)
        return asyncio.get_running_loop()

    def round_of_calls() -> set[asyncio.AbstractEventLoop]:
        found: list[asyncio.AbstractEventLoop] = []
        threads = [threading.Thread(target=lambda: found.append(runners.run(meet()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return set(found)

    first = round_of_calls()
    assert len(first) == 4
    assert round_of_calls() == first


def test_exceptions_pass(runners: Runners) -> None:
    with pytest.raises(ValueError, match="so"):
        runners.run(fail(ValueError("so")))
    with pytest.raises(asyncio.CancelledError):
        runners.run(fail(asyncio.CancelledError()))
    assert runners.run(asyncio.sleep(0, "next")) == "next"


async def test_inside_a_running_loop(runners: Runners) -> None:
    assert runners.run(loop_of_this()) is not asyncio.get_running_loop()
    with pytest.raises(ValueError, match="so"):
        runners.run(fail(ValueError("so")))


async def test_closing_inside_a_running_loop() -> None:
    pool = Runners()
    loop = pool.run(loop_of_this())
    pool.close()
    assert loop.is_closed()


def test_an_idle_loop_hears_first_what_happened_meanwhile(runners: Runners) -> None:
    heard: list[str] = []
    loop = runners.run(loop_of_this())
    loop.call_soon(heard.append, "while it lay idle")

    async def look() -> list[str]:
        return list(heard)

    assert runners.run(look()) == ["while it lay idle"]


def test_a_lease_keeps_its_loop(runners: Runners) -> None:
    lease = runners.lease()
    mine = lease.run(loop_of_this())
    assert runners.run(loop_of_this()) is not mine
    lease.release()
    lease.release()
    assert runners.run(loop_of_this()) is mine
    with pytest.raises(OpenAIError, match="closed"):
        lease.run(loop_of_this())


def test_a_dropped_lease_gives_its_loop_back(runners: Runners) -> None:
    mine = runners.lease().run(loop_of_this())
    gc.collect()
    assert runners.run(loop_of_this()) is mine


class Pieces:
    """An async generator that tells when it was closed."""

    def __init__(self) -> None:
        self.closed = False

    async def __call__(self):
        try:
            for number in range(3):
                await asyncio.sleep(0)
                yield number
        finally:
            self.closed = True


def test_iterating(runners: Runners) -> None:
    pieces, lease = Pieces(), runners.lease()
    assert list(lease.iterate(pieces())) == [0, 1, 2]
    assert pieces.closed
    lease.release()


def test_iterating_halfway(runners: Runners) -> None:
    pieces, lease = Pieces(), runners.lease()
    iterator = lease.iterate(pieces())
    assert next(iterator) == 0
    iterator.close()
    assert pieces.closed
    lease.release()


def test_no_more_idle_loops_than_its_bound(runners: Runners) -> None:
    leases: list[Lease] = [runners.lease() for _ in range(MAX_IDLE + 2)]
    loops = [lease.run(loop_of_this()) for lease in leases]
    for lease in leases:
        lease.release()
    assert sum(loop.is_closed() for loop in loops) == 2


def test_closing_ends_what_runs_on_the_loop() -> None:
    pool = Runners()
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def start() -> asyncio.Task[None]:
        task = asyncio.ensure_future(background())
        await asyncio.sleep(0)
        return task

    pool.run(start())
    pool.close()
    assert ended == ["cancelled"]


def test_a_pool_that_is_dropped_closes_its_loops() -> None:
    pool = Runners()
    loop = pool.run(loop_of_this())
    del pool
    gc.collect()
    assert loop.is_closed()


def test_what_is_lent_is_closed_when_it_comes_back() -> None:
    pool = Runners()
    lease = pool.lease()
    loop = lease.run(loop_of_this())
    pool.close()
    assert not loop.is_closed()
    lease.release()
    assert loop.is_closed()


def test_the_same_loop_from_two_threads_takes_turns(runners: Runners) -> None:
    runner = runners.take()
    inside = threading.Event()
    leave = threading.Event()
    order: list[str] = []

    async def first() -> None:
        inside.set()
        leave.wait(timeout=10)
        order.append("first")

    async def second() -> None:
        order.append("second")

    thread = threading.Thread(target=lambda: runner.run(first()))
    thread.start()
    inside.wait(timeout=10)
    other = threading.Thread(target=lambda: runner.run(second()))
    other.start()
    leave.set()
    thread.join()
    other.join()
    assert order == ["first", "second"]
    runners.give(runner)


def test_an_inherited_loop_is_not_run() -> None:
    runner = Runner()
    loop = runner.run(loop_of_this())
    runner.abandon()
    with pytest.raises(OpenAIError, match="forked"):
        runner.run(loop_of_this())
    runner.close()
    # What abandoning says, taken back: this process is no child.
    vars(loop)["_closed"] = False
    loop.close()
