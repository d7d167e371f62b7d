"""A loop for the calls of several threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from aiopenai._client.shared_runner import SharedRunner
from aiopenai.errors import OpenAIError

NAME: ContextVar[str] = ContextVar("NAME")


class OtherLoop(asyncio.SelectorEventLoop):
    """A loop with a selector of its own, as of another implementation."""


@pytest.fixture(params=["plain", "other"])
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedRunner]:
    if request.param == "other":
        monkeypatch.setattr(asyncio, "new_event_loop", OtherLoop)
    runner = SharedRunner()
    monkeypatch.undo()
    yield runner
    runner.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def share(runner: SharedRunner, coroutine: Coroutine[Any, Any, Any]) -> Any:
    call = runner.enter(coroutine)
    assert call is not None
    return runner.run_call(call)


class Gate:
    """Coroutines that wait until another thread opens it."""

    def __init__(self) -> None:
        self.open = False
        self.inside: list[int] = []

    async def wait(self, result: Any = None) -> Any:
        self.inside.append(threading.get_ident())
        # Set by another thread, on which an event could not count.
        while not self.open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        if isinstance(result, BaseException):
            raise result
        return result


def until(condition: Callable[[], object]) -> None:
    while not condition():
        pass


def test_followers_run_in_the_thread_of_the_leader(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    first, others = Gate(), Gate()
    leader = pool.submit(share, runner, first.wait("leader"))
    until(lambda: first.inside)
    followers = [pool.submit(share, runner, others.wait(number)) for number in range(4)]
    until(lambda: len(others.inside) == 4)
    assert set(others.inside) == set(first.inside)
    assert runner.load() == 5
    others.open = True
    assert [each.result(30) for each in followers] == [0, 1, 2, 3]
    assert runner.load() == 1
    first.open = True
    assert leader.result(30) == "leader"
    assert runner.load() == 0


def test_the_loop_is_handed_over_when_the_leader_is_done(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    first, others = Gate(), Gate()
    leader = pool.submit(share, runner, first.wait())
    until(lambda: first.inside)
    followers = [pool.submit(share, runner, others.wait(number)) for number in range(3)]
    until(lambda: len(others.inside) == 3)
    first.open = True
    assert leader.result(30) is None
    # One of them runs the loop now: a call that comes later is served as well.
    assert pool.submit(share, runner, asyncio.sleep(0, "late")).result(30) == "late"
    others.open = True
    assert sorted(each.result(30) for each in followers) == [0, 1, 2]


def test_a_sleeping_loop_wakes_for_a_new_call(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    ends: list[Callable[[], Any]] = []

    async def sleeping() -> str:
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(event.set))
        await event.wait()
        return "woken"

    leader = pool.submit(share, runner, sleeping())
    until(lambda: ends)
    for number in range(20):
        assert pool.submit(share, runner, asyncio.sleep(0, number)).result(30) == number
    ends[0]()
    assert leader.result(30) == "woken"


def test_errors_reach_their_own_threads(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    calls = [pool.submit(share, runner, gate.wait(ValueError(str(number)))) for number in range(4)]
    until(lambda: len(gate.inside) == 4)
    gate.open = True
    assert [str(each.exception(30)) for each in calls] == ["0", "1", "2", "3"]
    cancelled = pool.submit(share, runner, gate.wait(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        cancelled.result(30)


def test_a_call_has_the_context_of_its_thread(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    gate = Gate()

    async def name() -> str:
        await gate.wait()
        found = NAME.get()
        NAME.set("changed")
        return found

    def call(own: str) -> tuple[str, str]:
        NAME.set(own)
        return share(runner, name()), NAME.get()

    calls = [pool.submit(call, str(number)) for number in range(4)]
    until(lambda: len(gate.inside) == 4)
    gate.open = True
    assert [each.result(30) for each in calls] == [(str(number), str(number)) for number in range(4)]


def test_an_interrupted_leader_loses_the_calls_of_the_others(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    first, others = Gate(), Gate()
    leader = pool.submit(share, runner, first.wait(SystemExit(3)))
    until(lambda: first.inside)
    followers: list[Future[Any]] = [pool.submit(share, runner, others.wait()) for _ in range(3)]
    until(lambda: len(others.inside) == 3)
    first.open = True
    with pytest.raises(SystemExit):
        leader.result(30)
    for each in followers:
        with pytest.raises(OpenAIError, match=r"another thread was interrupted .* make the call again"):
            each.result(30)
    assert runner.closed
    coroutine = first.wait()
    assert runner.enter(coroutine) is None
    coroutine.close()


class BrokenOffError(BaseException):
    """Raised into a thread by another one, as libraries for timeouts do."""


@pytest.mark.parametrize("moment", ["before it waits", "after it has waited", "as it leads"])
def test_a_thread_that_is_broken_off_leaves_the_loop_to_the_others(
    runner: SharedRunner, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    first, others, lost = Gate(), Gate(), Gate()
    broken = runner.enter(lost.wait()) if moment == "as it leads" else None
    leader = pool.submit(share, runner, first.wait("leader"))
    follow, lead = runner._follow, runner._lead

    def follow_and_break(call: Any) -> None:
        if call is broken and moment == "before it waits":
            raise BrokenOffError
        follow(call)
        if call is broken:
            raise BrokenOffError

    def lead_or_break(call: Any, begun: bool) -> None:
        if call is broken:
            raise BrokenOffError
        lead(call, begun)

    monkeypatch.setattr(runner, "_follow", follow_and_break)
    monkeypatch.setattr(runner, "_lead", lead_or_break)
    if broken is None:
        until(lambda: first.inside)
    follower = pool.submit(share, runner, others.wait("follower"))
    until(lambda: runner.load() == 2 + (broken is not None))
    if broken is None:
        broken = runner.enter(lost.wait())
    breaking = pool.submit(runner.run_call, broken)  # type: ignore[arg-type]
    if moment == "after it has waited":
        until(lambda: lost.inside)
        # The last one that came leads next.
        first.open = True
    with pytest.raises(BrokenOffError):
        breaking.result(30)
    first.open = others.open = True
    assert (leader.result(30), follower.result(30)) == ("leader", "follower")
    assert share(runner, asyncio.sleep(0, "works on")) == "works on"
    assert runner.load() == 0


def test_a_call_that_comes_to_a_lost_loop_is_refused(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    """It entered before the loop ended, and begins after that."""
    leader = runner.enter(asyncio.sleep(0))
    follower = runner.enter(asyncio.sleep(0))
    assert leader is not None
    assert follower is not None
    runner._give_up(leader)
    runner._loop.close()
    with pytest.raises(OpenAIError, match="make the call again"):
        pool.submit(runner.run_call, follower).result(30)
    with pytest.raises(OpenAIError, match="make the call again"):
        leader.result()
    # It has no task that could close it.
    runner.closed = True


def test_a_retired_loop_closes_after_its_last_call(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    gate = Gate()
    calls = [pool.submit(share, runner, gate.wait()) for _ in range(3)]
    until(lambda: len(gate.inside) == 3)
    runner.retire()
    assert not runner.closed
    coroutine = gate.wait()
    assert runner.enter(coroutine) is None
    coroutine.close()
    gate.open = True
    for each in calls:
        each.result(30)
    until(lambda: runner.closed)


def test_an_idle_loop_retires_at_once(runner: SharedRunner) -> None:
    runner.retire()
    assert runner.closed


def test_many_short_calls(runner: SharedRunner, pool: ThreadPoolExecutor) -> None:
    """Calls that end while the loop is handed over, and come while it falls asleep."""

    def calls(start: int) -> list[int]:
        return [share(runner, asyncio.sleep(0, start + number)) for number in range(200)]

    found = [each.result(60) for each in [pool.submit(calls, 1_000 * number) for number in range(8)]]
    assert found == [[1_000 * number + each for each in range(200)] for number in range(8)]
    assert runner.load() == 0
