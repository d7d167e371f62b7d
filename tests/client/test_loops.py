"""Private loops: who runs them, how long they are kept, and what interrupts them."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aiopenai._client.loops import MAX_IDLE, MAX_SHARED, Lease, Runners
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


class TestElsewhere:
    """Calls that this thread cannot run itself."""

    async def test_an_interrupt_cancels_the_call(self, runners: Runners) -> None:
        """The thread waits for another one when KeyboardInterrupt comes."""
        began, ended = threading.Event(), threading.Event()

        async def call() -> None:
            began.set()
            try:
                await asyncio.sleep(30)
            finally:
                ended.set()

        def interrupt() -> None:
            began.wait(timeout=10)
            main = threading.main_thread().ident or 0
            # A signal just before the thread begins to wait would be seen only after the wait: another one follows.
            while not ended.wait(0.5):
                if sys._current_frames()[main].f_code.co_name == "wait":
                    # To the main thread: the kernel may give a signal of the process to this one, which wakes no lock.
                    signal.pthread_kill(main, signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            threading.Thread(target=interrupt).start()
            with pytest.raises(KeyboardInterrupt):
                runners.run(call())
        finally:
            signal.signal(signal.SIGINT, before)
        assert await asyncio.to_thread(ended.wait, 10)

    def test_greenlets_use_real_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As with gevent, which is not needed for this."""
        used: list[int] = []

        class Pool:
            def apply(self, function: Any, args: Any, kwds: Any) -> Any:
                with ThreadPoolExecutor(1) as executor:
                    future = executor.submit(function, *args, **kwds)
                    used.append(1)
                    return future.result()

        class Monkey:
            @staticmethod
            def is_module_patched(name: str) -> bool:
                return name == "threading"

            @staticmethod
            def get_original(module: str, name: str) -> Any:
                return getattr(sys.modules[module], name)

        monkeypatch.setitem(sys.modules, "gevent.monkey", cast("Any", Monkey))
        hub = SimpleNamespace(threadpool=Pool())
        monkeypatch.setitem(sys.modules, "gevent", cast("Any", SimpleNamespace(get_hub=lambda: hub)))

        async def thread() -> tuple[int, int]:
            # The work of the loop's threads is done where the loop runs.
            return threading.get_ident(), await asyncio.get_running_loop().run_in_executor(None, threading.get_ident)

        pool = Runners()
        mine, worker = pool.run(thread())
        assert mine == worker != threading.get_ident()
        assert used
        monkeypatch.undo()
        pool.close()


class TestExit:
    def test_a_loop_does_the_work_of_threads(self, runners: Runners, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading, "main_thread", lambda: SimpleNamespace(is_alive=lambda: False, ident=0))

        def fail_in_thread() -> None:
            raise LookupError("below")

        async def work() -> int:
            loop = asyncio.get_running_loop()
            with pytest.raises(LookupError, match="below"):
                await loop.run_in_executor(None, fail_in_thread)
            return await loop.run_in_executor(None, threading.get_ident)

        assert runners.run(work()) == threading.get_ident()


def test_a_closed_pool_closes_what_comes_back() -> None:
    pool = Runners()
    runner = pool.take()
    pool.close()
    pool.give(runner)
    assert runner.closed
    pool.give(runner)
    runner.close()


def test_a_run_that_cannot_begin_closes_its_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Runners()
    monkeypatch.setattr(pool, "take", lambda: 1 / 0)
    coroutine = loop_of_this()
    with pytest.raises(ZeroDivisionError):
        pool.run(coroutine)
    assert coroutine.cr_frame is None


def test_an_iteration_on_a_loop_that_was_ended(runners: Runners) -> None:
    pieces, lease = Pieces(), runners.lease()
    iterator = lease.iterate(pieces())
    assert next(iterator) == 0
    lease.release()
    with pytest.raises(OpenAIError, match="closed"):
        next(iterator)


class Crowd:
    """Coroutines of several threads that wait for each other, on whatever loops they run."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._here: list[asyncio.AbstractEventLoop] = []

    async def meet(self) -> asyncio.AbstractEventLoop:
        self._here.append(asyncio.get_running_loop())
        # An event belongs to one loop.
        while len(self._here) < self._size:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return asyncio.get_running_loop()


def in_threads(count: int, function: Callable[[], Any]) -> list[Any]:
    """Returns the results of a function in several threads at once."""
    with ThreadPoolExecutor(count) as pool:
        return [each.result(30) for each in [pool.submit(function) for _ in range(count)]]


class TestShared:
    def test_many_threads_share_few_loops(self, runners: Runners) -> None:
        crowd = Crowd(12)
        found = set(in_threads(12, lambda: runners.share(crowd.meet())))
        assert len(found) == MAX_SHARED
        assert found == {each._loop for each in runners._shared}
        again = Crowd(12)
        assert set(in_threads(12, lambda: runners.share(again.meet()))) == found

    def test_a_thread_that_is_alone_runs_its_calls_itself(self, runners: Runners) -> None:
        async def thread() -> tuple[int, asyncio.AbstractEventLoop]:
            return threading.get_ident(), asyncio.get_running_loop()

        with ThreadPoolExecutor(1) as pool:
            mine = pool.submit(threading.get_ident).result()
            first, second = [pool.submit(lambda: runners.share(thread())).result(30) for _ in range(2)]
        assert first == second
        assert first[0] == mine

    def test_the_main_thread_shares_no_loop(self, runners: Runners) -> None:
        """A signal handler may raise an exception there, in the middle of the loop's own code."""
        assert runners.share(loop_of_this()) is runners.run(loop_of_this())
        assert not runners._shared

    def test_a_thread_with_a_running_loop_shares_none(self, runners: Runners) -> None:
        """It waits for another thread, which must not wait for this one to lead."""

        async def call() -> Any:
            return runners.share(loop_of_this())

        assert in_threads(1, lambda: asyncio.run(call()))
        assert not runners._shared

    def test_closing_lets_the_calls_end(self) -> None:
        pool = Runners()
        crowd = Crowd(5)
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(lambda: pool.share(crowd.meet())) for _ in range(4)]
            while len(crowd._here) < 4:
                pass
            shared = list(pool._shared)
            pool.close()
            assert not any(each.closed for each in shared)
            crowd._here.append(asyncio.new_event_loop())
            loops = {call.result(30) for call in calls}
            crowd._here.pop().close()
            assert all(loop.is_closed() for loop in loops)
            # As on any closed pool: the loop is closed when it is given back.
            assert threads.submit(lambda: pool.share(loop_of_this())).result(30).is_closed()

    def test_a_pool_that_is_dropped_closes_its_loops(self) -> None:
        pool = Runners()
        with ThreadPoolExecutor(1) as threads:
            loop = threads.submit(pool.share, loop_of_this()).result(30)
        del pool
        gc.collect()
        assert loop.is_closed()

    def test_a_loop_that_was_lost_is_replaced(self, runners: Runners) -> None:
        with pytest.raises(SystemExit):
            in_threads(1, lambda: runners.share(fail(SystemExit())))
        (lost,) = runners._shared
        (private,) = in_threads(1, lambda: runners.share(loop_of_this()))
        assert not runners._shared
        (shared,) = in_threads(1, lambda: runners.share(loop_of_this()))
        assert len({lost._loop, private, shared}) == 3

    def test_a_forked_child_leaves_shared_loops_alone(self, runners: Runners) -> None:
        (loop,) = in_threads(1, lambda: runners.share(loop_of_this()))
        (shared,) = runners._shared
        runners.abandon()
        assert shared.closed
        assert not runners._shared
        (new,) = in_threads(1, lambda: runners.share(loop_of_this()))
        assert new is not loop
        # What abandoning says, taken back: this process is no child.
        vars(loop)["_closed"] = False
        loop.close()
