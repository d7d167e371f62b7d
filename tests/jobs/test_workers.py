"""The client and limiter that a process of a distributed job has once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._jobs import workers
from aiopenai._jobs.failures import JobError
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.partitions import Partition, partition_lines
from aiopenai._jobs.workers import WorkerProcess, end_process, process_of
from aiopenai.testing import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def process(server: Server) -> Iterator[WorkerProcess]:
    process = WorkerProcess(AsyncOpenAI(api_key="x", base_url=server.base_url, max_retries=0), Limiter(10))
    yield process
    process.close()


def partition(folder: Path, *texts: str) -> Partition:
    found = Partition(folder, partition_lines(texts, "gpt-4o"), "gpt-4o")
    found.open(False)
    return found


def test_asks_a_partition(process: WorkerProcess, server: Server, tmp_path: Path) -> None:
    mine = partition(tmp_path, "one;", "two;")
    process.run(mine)
    assert mine.left == 0
    assert server.request_count == 2
    mine.close()


def test_an_error_ends_the_work(process: WorkerProcess, server: Server, tmp_path: Path) -> None:
    server.fault(status=401, times=None)
    mine = partition(tmp_path, "one;")
    with pytest.raises(JobError, match="AuthenticationError"):
        process.run(mine)
    assert process._jobs == set()
    mine.close()


def test_closing_ends_the_work(process: WorkerProcess, server: Server, tmp_path: Path) -> None:
    server.latency = 60
    mine = partition(tmp_path, "one;")
    errors: list[BaseException] = []

    def run() -> None:
        try:
            process.run(mine)
        except CancelledError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not server.request_count:
        time.sleep(0.001)
    # The client closes after the work: a request that finds it closed would count as failed.
    left: list[int] = []
    close = process._client.close

    async def closing() -> None:
        left.append(len(process._jobs))
        await close()

    process._client.close = closing  # type: ignore[method-assign]
    process.close()
    thread.join(30)
    assert [type(error) for error in errors] == [CancelledError]
    assert left == [0]
    assert not process._thread.is_alive()
    process.close()
    mine.close()


def test_one_per_process_and_worker(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make() -> WorkerProcess:
        made.append(WorkerProcess(AsyncOpenAI(api_key="x", base_url=server.base_url), Limiter()))
        return made[-1]

    assert process_of("a", make) is process_of("a", make)
    assert process_of("b", make) is not process_of("a", make)
    assert len(made) == 2
    for name in ("a", "b", "b", "none"):
        end_process(name)
    assert not any(each._thread.is_alive() for each in made)
    again = process_of("a", make)
    assert again is made[2]
    # A child of a fork leaves its parent's thread alone, and has a lock of its own.
    lock = workers._processes_lock
    workers._renew_lock()
    assert workers._processes_lock is not lock
    monkeypatch.setattr(os, "getpid", lambda: 1)
    again.close()
    assert again._thread.is_alive()
    monkeypatch.undo()
    again.close()
    end_process("a")
