"""Bringing a job's files to the disk while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from aiopenai._calls.hedging import cancelled

__all__ = ["SYNC_SECONDS", "while_syncing"]

WorkT = TypeVar("WorkT")

# Seconds between two syncs.
SYNC_SECONDS = 1.0


class Syncable(Protocol):
    """Files that are written."""

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        ...


async def while_syncing(files: Syncable, work: Coroutine[Any, Any, WorkT]) -> WorkT:
    """Runs `work` and syncs the files every second, in a thread, because a disk may take its time.

    A disk that fails cancels the work at once. Its error is raised: results that cannot be kept are worth nothing.
    """
    working = asyncio.ensure_future(work)
    syncing = asyncio.ensure_future(_sync_every_second(files))
    try:
        await asyncio.wait((working, syncing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled([working, syncing])
        failures = [task.exception() for task in (syncing, working) if not task.cancelled()]
    for failure in failures:
        if failure is not None:
            raise failure
    return working.result()


async def _sync_every_second(files: Syncable) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SYNC_SECONDS)
        await loop.run_in_executor(None, files.sync)
