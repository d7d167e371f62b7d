"""Files are brought to the disk while the work runs, and a disk that fails ends it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aiopenai._jobs import syncing
from aiopenai._jobs.failures import FilesError
from aiopenai._jobs.syncing import while_syncing


class Files:
    def __init__(self, fail: int | None = None) -> None:
        self.syncs = 0
        self.threads: set[int] = set()
        self.fail = fail
        self.twice = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def sync(self) -> None:
        self.threads.add(threading.get_ident())
        self.syncs += 1
        if self.syncs == self.fail:
            raise FilesError("out: No space left on device")
        if self.syncs >= 2:
            self._loop.call_soon_threadsafe(self.twice.set)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "SYNC_SECONDS", 0.005)


async def test_in_a_thread_while_the_work_runs() -> None:
    files = Files()

    async def work() -> str:
        await files.twice.wait()
        return "done"

    assert await asyncio.wait_for(while_syncing(files, work()), 10) == "done"
    assert files.syncs >= 2
    assert threading.get_ident() not in files.threads
    assert len(asyncio.all_tasks()) == 1


async def test_a_disk_that_fails_cancels_the_work() -> None:
    cancelled = False

    async def work() -> None:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise

    with pytest.raises(FilesError, match="No space left"):
        await asyncio.wait_for(while_syncing(Files(fail=2), work()), 30)
    assert cancelled
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_of_the_work() -> None:
    async def work() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await while_syncing(Files(), work())
    assert len(asyncio.all_tasks()) == 1


async def test_cancelled_from_outside() -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.ensure_future(while_syncing(Files(), work()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1


async def test_a_short_job_is_not_synced_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "SYNC_SECONDS", 600.0)
    files = Files()

    async def work() -> str:
        for _ in range(20):
            await asyncio.sleep(0)
        return "done"

    assert await while_syncing(files, work()) == "done"
    assert files.syncs == 0
