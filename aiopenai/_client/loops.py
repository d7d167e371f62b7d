"""The event loops on which the blocking client runs its coroutines.

A thread runs a loop itself, for one call at a time: `run_until_complete` costs 8 us, a hop to the thread of another
loop 40 to 80. Between calls the loop lies idle with its open connections. Loops are lent last in, first out: one thread
always gets the same loop, and a short-lived thread finds warm connections. A stream keeps its loop until it ends. In a
thread with a running loop, as in a notebook, the call hops to another thread. Many threads share few loops; see
`Runners.share`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from aiopenai._calls.held_loop import items_of
from aiopenai._client.runner import Runner, patched_by_gevent
from aiopenai._client.shared_runner import SharedRunner
from aiopenai._http.interface import interrupted
from aiopenai.errors import OpenAIError

__all__ = ["Lease", "Runners"]

T = TypeVar("T")

# Idle loops, each with its connections, that are kept after a burst of threads; the reference keeps 100 connections.
MAX_IDLE = 100
# The loops of calls that share a loop. With 8 threads two are cheaper than one by an eighth, with 32 than four.
MAX_SHARED = 2


class Runners:
    """The loops of one client and its copies."""

    def __init__(self) -> None:
        self._idle: list[Runner] = []
        self._made: weakref.WeakSet[Runner] = weakref.WeakSet()
        self._shared: list[SharedRunner] = []
        # Held while a shared loop is made.
        self._making = threading.Lock()
        self.closed = False
        weakref.finalize(self, _close_all, self._idle)
        weakref.finalize(self, _close_all, self._shared)
        _pools.add(self)

    def take(self) -> Runner:
        """Returns a loop that is lent to no one else until it is given back."""
        try:
            return self._idle.pop()
        except IndexError:
            runner = Runner()
            self._made.add(runner)
            return runner

    def give(self, runner: Runner) -> None:
        """Takes a loop back."""
        if self.closed or len(self._idle) >= MAX_IDLE:
            runner.close()
        elif not runner.closed:
            self._idle.append(runner)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end on one of the loops."""
        try:
            runner = self.take()
        except BaseException:
            coroutine.close()
            raise
        try:
            return runner.run(coroutine)
        finally:
            self.give(runner)

    def share(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the package's own code to its end, perhaps on a loop with the calls of other threads.

        With 32 threads a call costs two thirds of the CPU that it costs on a loop of its own: a turn of the loop
        reads the replies of several calls. The main thread has a loop of its own, which Ctrl-C may interrupt.
        """
        if (
            threading.get_ident() == threading.main_thread().ident
            or asyncio._get_running_loop() is not None
            or self.closed
            or patched_by_gevent()
        ):
            return self.run(coroutine)
        runner = self._least_loaded()
        call = runner.enter(coroutine)
        if call is not None:
            return runner.run_call(call)
        # The pool was closed just now, or the loop has ended after an interrupt.
        with self._making:
            self._shared[:] = [each for each in self._shared if each is not runner]
        return self.run(coroutine)

    def _least_loaded(self) -> SharedRunner:
        shared = self._shared
        for runner in shared:
            if not runner.load():
                return runner
        if len(shared) < MAX_SHARED:
            with self._making:
                if len(shared) < MAX_SHARED:
                    runner = SharedRunner()
                    self._made.add(runner)
                    shared.append(runner)
                    return runner
        return min(shared, key=SharedRunner.load)

    def lease(self) -> Lease:
        """Returns a loop for a stream or an unread reply."""
        return Lease(self, self.take())

    def close(self) -> None:
        """Closes the idle loops now, and those in use when they are given back."""
        self.closed = True
        _close_all(self._idle)
        while self._shared:
            self._shared.pop().retire()

    def abandon(self) -> None:
        """Makes a forked child leave the parent's loops and connections alone, also when they are collected.

        Both processes share the kernel's objects of a loop: closing one here would disturb the parent.
        """
        for runner in self._made:
            runner.abandon()
            _inherited.append(runner)
        self._made = weakref.WeakSet()
        self._idle.clear()
        self._shared.clear()
        self._making = threading.Lock()


class Lease:
    """A loop that a stream or an unread reply holds until `release`."""

    def __init__(self, pool: Runners, runner: Runner) -> None:
        self._pool = pool
        self._runner: Runner | None = runner

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end. Raises OpenAIError if the loop was given back."""
        if self._runner is None:
            coroutine.close()
            raise OpenAIError("This reply is closed and cannot be read any further.")
        return self._runner.run(coroutine)

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, and closes it when the iteration ends, also early."""
        try:
            yield from items_of(pieces, self.run)
        finally:
            # After an interrupt that ended the loop, the generator has ended with it.
            if self._runner is not None and not self._runner.closed:
                self.run(_aclose(pieces))

    def release(self) -> None:
        """Gives the loop back. Further calls do nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._pool.give(runner)

    def __del__(self) -> None:
        try:
            self.release()
        except KeyboardInterrupt:
            interrupted(self.release)


async def _aclose(pieces: Any) -> None:
    await pieces.aclose()


def _close_all(idle: list[Any]) -> None:
    while idle:
        idle.pop().close()


_pools: weakref.WeakSet[Runners] = weakref.WeakSet()
_inherited: list[Runner] = []


def _after_fork() -> None:
    for pool in list(_pools):
        pool.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
