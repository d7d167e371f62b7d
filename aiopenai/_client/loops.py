"""Private event loops for code that has none: how the blocking client runs what the asynchronous one consists of.

A loop is run by the thread that needs it, for as long as it needs it, and lies idle with its open connections between
calls: `run_until_complete` costs 8 us where a hop to another thread's loop costs 40 to 80. Loops are lent, the last
one first, so that one thread always gets the same one, 32 threads get 32, and short-lived threads find warm
connections. What outlives a call, a stream say, keeps its loop until it ends. In a thread whose own loop is running
(a notebook) nothing else can run, so there the call hops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiopenai._base.deadlines import within
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Lease", "Runner", "Runners"]

T = TypeVar("T")

# How many idle loops, each with its connections, are kept after a burst of threads; the reference keeps 100 as well.
MAX_IDLE = 100
# How long a call that is interrupted may take to put its things in order.
_GRACE_SECONDS = 1.0
# Threads for calls from threads whose own loop is running: each such thread waits for its call, so few are busy.
_MAX_THREADS = 256


class Runner:
    """One loop, run by one thread at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self.closed = False
        """Whether nothing more can be run."""
        self.inherited = False
        """Whether that is so because this is a forked child."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. Ctrl-C cancels it and raises KeyboardInterrupt."""
        if asyncio._get_running_loop() is None:
            return self._run(coroutine)
        future = _threads().submit(copy_context().run, self._run, coroutine)
        try:
            return future.result()
        except BaseException:
            # Interrupted while waiting, not failed: whoever interrupts does not want the rest.
            if not future.done() and not future.cancel():
                self._loop.call_soon_threadsafe(self._cancel_all)
            raise
        finally:
            del future

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self.closed:
            coroutine.close()
            why = (
                "before the process was forked: only its parent can"
                if self.inherited
                else "and interrupted: nobody can"
            )
            raise OpenAIError(f"The reply was opened {why} read on.")
        loop = self._loop
        with self._lock:
            task = loop.create_task(coroutine)
            # What `run_until_complete` does, without finding out what it has been given.
            task.add_done_callback(self._stop)
            try:
                loop.run_forever()
                return task.result()
            except BaseException as error:
                if not task.done() or isinstance(error, (KeyboardInterrupt, SystemExit)):
                    task.remove_done_callback(self._stop)
                    self._break_off(task)
                raise
            finally:
                del task

    def _stop(self, _: object) -> None:
        self._loop.stop()

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        """After Ctrl-C, which comes in the middle of anything: the loop's own state may be half done, so it ends here.

        To keep the signal away from the loop instead costs more per call (15 us) than a new connection does in the end.
        """
        if asyncio._get_running_loop() is self._loop:
            asyncio._set_running_loop(None)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            self._loop.run_until_complete(within(_GRACE_SECONDS, asyncio.shield(task)))
        self._end()

    def abandon(self) -> None:
        """In a forked child: never touch the loop again, as collecting it would."""
        self.closed = self.inherited = True
        with contextlib.suppress(AttributeError):  # another implementation of loops
            cast("Any", self._loop)._closed = True

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def close(self) -> None:
        """Close the loop and what is open on it."""
        if self.closed:
            return
        if asyncio._get_running_loop() is not None:
            _threads().submit(self._close).result()
        else:
            self._close()

    def _close(self) -> None:
        with self._lock:
            if not self.closed:
                self._end()

    def _end(self) -> None:
        loop = self._loop
        try:
            self._cancel_all()
            # Sessions stand by as asynchronous generators, to close when their loop does.
            loop.run_until_complete(loop.shutdown_asyncgens())
            # What was told to close by others is done in the turns that follow.
            loop.run_until_complete(_turns(3))
        finally:
            self.closed = True
            loop.close()


class Runners:
    """The loops of one client and its copies."""

    def __init__(self) -> None:
        self._idle: list[Runner] = []
        self._made: weakref.WeakSet[Runner] = weakref.WeakSet()
        self.closed = False
        weakref.finalize(self, _close_all, self._idle)
        _pools.add(self)

    def take(self) -> Runner:
        """A loop that nobody else uses until it is given back."""
        try:
            runner = self._idle.pop()
        except IndexError:
            runner = Runner()
            self._made.add(runner)
        return runner

    def give(self, runner: Runner) -> None:
        """Take a loop back."""
        if self.closed or len(self._idle) >= MAX_IDLE:
            runner.close()
        elif not runner.closed:
            self._idle.append(runner)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on one of the loops."""
        try:
            runner = self.take()
        except BaseException:
            coroutine.close()
            raise
        try:
            return runner.run(coroutine)
        finally:
            self.give(runner)

    def lease(self) -> Lease:
        """A loop for something that outlives a call."""
        return Lease(self, self.take())

    def close(self) -> None:
        """Close the idle loops now, and those in use when they are given back."""
        self.closed = True
        _close_all(self._idle)

    def abandon(self) -> None:
        """In a forked child: leave the parent's loops and connections alone, also when they are collected.

        The two processes share what the operating system knows of a loop: to close one here would disturb it there.
        """
        for runner in self._made:
            runner.abandon()
            _inherited.append(runner)
        self._made = weakref.WeakSet()
        self._idle.clear()


class Lease:
    """A loop that something holds which outlives a call: a stream, or a reply whose body is not read yet."""

    def __init__(self, pool: Runners, runner: Runner) -> None:
        self._pool = pool
        self._runner: Runner | None = runner

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. Raises OpenAIError when what held the loop is closed."""
        if self._runner is None:
            coroutine.close()
            raise OpenAIError("The reply was closed: nothing more of it can be read.")
        return self._runner.run(coroutine)

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """What an async generator yields; it is closed when the iteration ends, also early."""
        try:
            while True:
                try:
                    piece = self.run(_next(pieces))
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            if self._runner is not None:
                self.run(_aclose(pieces))

    def release(self) -> None:
        """Give the loop back; more than once is as good as once."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._pool.give(runner)

    def __del__(self) -> None:
        self.release()


async def _next(pieces: AsyncIterator[T]) -> T:
    return await pieces.__anext__()


async def _aclose(pieces: Any) -> None:
    await pieces.aclose()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _close_all(idle: list[Runner]) -> None:
    while idle:
        idle.pop().close()


_pools: weakref.WeakSet[Runners] = weakref.WeakSet()
_inherited: list[Runner] = []
_executor: ThreadPoolExecutor | None = None
# Reentrant: a lease that is collected meanwhile may need a thread, too.
_executor_lock = threading.RLock()


def _threads() -> ThreadPoolExecutor:
    global _executor  # noqa: PLW0603
    with _executor_lock:
        if _executor is None:
            from concurrent.futures import ThreadPoolExecutor

            _executor = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="aiopenai")
        return _executor


def _after_fork() -> None:
    global _executor, _executor_lock  # noqa: PLW0603
    for pool in list(_pools):
        pool.abandon()
    # Threads do not survive a fork.
    _executor = None
    _executor_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
