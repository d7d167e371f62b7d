"""The part of a distributed job that a process has once: a client and a limiter, on an event loop of their own."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from aiopenai._client.client import AsyncOpenAI
from aiopenai._jobs.by_call import ask_lines
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.partitions import Partition
from aiopenai._jobs.progress import JobProgress
from aiopenai._jobs.syncing import while_syncing

__all__ = ["WorkerProcess", "end_process", "process_of"]

_CLOSE_SECONDS = 5.0


class WorkerProcess:
    """A client and a limiter on an event loop, in a thread that lives as long as the process.

    The threads of an engine hand their partitions over, so that one client answers all of them under one limiter.
    """

    def __init__(self, client: AsyncOpenAI, limiter: Limiter) -> None:
        self._client = client
        self._limiter = limiter
        self._pid = os.getpid()
        self._jobs: set[asyncio.Task[Any]] = set()
        self._end = asyncio.Event()
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._live, args=(started,), name="aiopenai-worker", daemon=True)
        self._thread.start()
        self._loop = started.result()
        atexit.register(self.close)

    def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        started.set_result(asyncio.get_running_loop())
        async with self._client:
            await self._end.wait()
            # Before the client closes: a request that finds it closed would count as failed.
            for task in self._jobs:
                task.cancel()
            if self._jobs:
                await asyncio.wait(self._jobs)

    def run(self, partition: Partition) -> None:
        """Asks the requests that are left of a partition. An exception in this thread ends the work on it."""
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(self._ask(partition, ended), self._loop)
        try:
            future.result()
        except BaseException:
            # The caller closes the files next, so the task that writes them has to end first.
            future.cancel()
            ended.wait(_CLOSE_SECONDS)
            raise

    async def _ask(self, partition: Partition, ended: threading.Event) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._jobs.add(task)
        try:
            progress = JobProgress(partition.left)
            await while_syncing(partition, ask_lines(self._client, partition, self._limiter, progress))
        finally:
            self._jobs.discard(task)
            ended.set()

    def close(self) -> None:
        """Ends the work and closes the connections."""
        atexit.unregister(self.close)
        if self._pid == os.getpid() and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(_CLOSE_SECONDS)


# By process and worker: a forked child has its parent's entries, which it must neither use nor collect.
_processes: dict[tuple[int, str], WorkerProcess] = {}
_processes_lock = threading.Lock()


def process_of(name: str, make: Callable[[], WorkerProcess]) -> WorkerProcess:
    """Returns this process's part of a worker, made on first use."""
    key = os.getpid(), name
    with _processes_lock:
        process = _processes.get(key)
        if process is None:
            process = _processes[key] = make()
        return process


def end_process(name: str) -> None:
    """Closes this process's part of a worker, if there is one."""
    with _processes_lock:
        process = _processes.pop((os.getpid(), name), None)
    if process is not None:
        process.close()


def _renew_lock() -> None:
    global _processes_lock  # noqa: PLW0603
    _processes_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
