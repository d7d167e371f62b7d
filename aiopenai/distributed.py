"""A job on many machines: what each worker of Ray Data or of Dask does with its partitions of the requests.

The engine reads the requests, cuts them into partitions, places these on machines and replaces workers that are lost;
`Worker` answers a partition. Each process has one client and one limiter, whatever number of partitions it is given,
and keeps to its share of the limits. So nothing has to be agreed upon between machines while the job runs.

A partition's state is its two files in a directory that all machines see, with the lines of `aiopenai run`: results,
and failures beside them. They are named after what the partition holds. Whoever is given the same requests again, in
the same run since a worker was lost or in the next one, goes on where the files end: what was only in flight is asked
twice, and what is finished never.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._base.deadlines import within
from aiopenai._client.client import AsyncOpenAI
from aiopenai._data.codec import encode
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.lines import CHAT, Asked, LockedError, Log, asked_line, asked_prompt, failure, is_batch_line
from aiopenai._jobs.run import Prices, Progress, ask, beside

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Worker"]

# Seconds between two syncs to the disk.
SYNC_SECONDS = 1.0
# How long a partition may be held by somebody else: a worker that the engine believes lost, and that is not.
LOCK_SECONDS = 300.0
_LOOK_SECONDS = 0.2
_CLOSE_SECONDS = 5.0
_FIELDS = ("custom_id", "method", "url", "body")

_logger = logging.getLogger("aiopenai")


class Worker:
    """Answers partitions of requests, for `Dataset.map_batches` of Ray Data and `Bag.map_partitions` of Dask.

    ```
    settings = {"checkpoints": "/shared/job", "workers": 8, "rpm": 30_000}
    # Ray: the class; a batch must be a whole block, so that it is the same one in the next run
    lines = ray.data.read_text(paths, override_num_blocks=len(paths))
    workers = ray.data.ActorPoolStrategy(size=8)
    answers = lines.map_batches(Worker, fn_constructor_kwargs=settings, compute=workers, batch_size=None)
    # Dask: an object; of 8 worker processes
    answers = dask.bag.read_text(paths, files_per_partition=1).map_partitions(Worker(**settings))
    ```

    - `checkpoints`: a directory that all machines see, on a file system. It keeps all results.
    - `workers`: the number of processes that share the limits.
    - `model`: for prompts, and for lines that name none.
    - `concurrency`: at most so many requests at a time, in each worker.
    - `rpm`, `tpm`: requests and tokens a minute, of all workers together; what the replies' headers tell where they
      are not given. A worker keeps to its share of either.
    - `retry_failed`: ask once more for what has failed in earlier runs; else a failure is an answer, too.
    - `client`: makes the client, where the worker is; by default one with five retries. A key in it would travel with
      the job: leave that to OPENAI_API_KEY on the machines.

    A partition holds texts, which are lines of a batch file or prompts, or objects: such lines, or `prompt` with or
    without a `custom_id`. What cannot be asked becomes a failure with the code `bad_line` and a `custom_id` made of
    partition and place; likewise the ids of prompts that have none.

    Raises ValueError for impossible limits, and TypeError for a client instead of what makes one.
    """

    def __init__(
        self,
        checkpoints: str | os.PathLike[str],
        *,
        workers: int,
        model: str | None = None,
        concurrency: int = 1_000,
        rpm: float | None = None,
        tpm: float | None = None,
        retry_failed: bool = False,
        client: Callable[[], AsyncOpenAI] | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"there must be at least 1 worker, not {workers}")
        if isinstance(client, AsyncOpenAI) or not (client is None or callable(client)):
            # Not what it is, which may be a key.
            raise TypeError(
                f"client must be a function that makes one where the worker is, not {type(client).__name__}"
            )
        self.checkpoints = os.fspath(checkpoints)
        self.model = model
        self.retry_failed = retry_failed
        self._limits: dict[str, Any] = {
            "concurrency": concurrency,
            "rpm": None if rpm is None else rpm / workers,
            "tpm": None if tpm is None else tpm / workers,
            "share": 1 / workers,
        }
        # Better here than on a machine far away.
        Limiter(**self._limits)
        self._client = client
        # Copies in one process, which is what an engine makes of it, are one worker.
        self._name = os.urandom(16).hex()

    def __call__(self, partition: Any) -> Any:
        """Answer a partition in the form in which it came.

        A table (a batch of Ray's, as NumPy columns or as an Arrow table) has the lines in its column `text`, or a
        column for each field. It gives the columns `custom_id` and `text`, the results' lines. Any other partition is
        an iterable, and gives a list: lines without their line breaks for texts, dicts for objects.

        Raises JobError where going on is of no use, a wrong key say, FilesError for what is wrong with the files,
        TypeError and ValueError for what is no such partition, and OpenAIError where no client can be made.
        """
        if is_mapping(partition) or hasattr(partition, "to_pylist"):
            answers = self.answer(_rows(partition))
            return {
                "custom_id": [custom_id for custom_id, _ in answers],
                "text": [line.decode().rstrip() for _, line in answers],
            }
        if isinstance(partition, (str, bytes)) or hasattr(partition, "columns"):
            raise TypeError(f"a partition is a table of Ray's or an iterable of lines, not {type(partition).__name__}")
        items = list(partition)
        lines = [line for _, line in self.answer(items)]
        if items and is_mapping(items[0]):
            return [msgspec.json.decode(line) for line in lines]
        return [line.decode().rstrip() for line in lines]

    def answer(self, items: Iterable[str | bytes | Mapping[str, Any]]) -> list[tuple[str, bytes]]:
        """Answer a partition: each request's `custom_id`, and its line of the Batch API's output. Raises as a call."""
        partition = _Partition(Path(self.checkpoints), _lines(items, self.model), self.model)
        partition.open(self.retry_failed)
        try:
            if partition.left:
                self._process().run(partition)
        finally:
            partition.close()
        _logger.info("partition %s: %d lines, %d failed", partition.key, len(partition.answers), partition.failed)
        return partition.in_order()

    def close(self) -> None:
        """Close this process's connections; what is under way is broken off. Otherwise they end with the process."""
        with _lock:
            process = _processes.pop((os.getpid(), self._name), None)
        if process is not None:
            process.close()

    def __repr__(self) -> str:
        return f"<Worker {self.checkpoints!r}>"

    def __dask_tokenize__(self) -> tuple[str, str]:
        # Dask would name tasks after a pickle.
        return type(self).__name__, self._name

    def _process(self) -> _Process:
        key = os.getpid(), self._name
        with _lock:
            process = _processes.get(key)
            if process is None:
                client = AsyncOpenAI(max_retries=5) if self._client is None else self._client()
                process = _processes[key] = _Process(client, Limiter(**self._limits))
            return process


# What partitions are made of


def _rows(table: Any) -> list[dict[str, Any]]:
    """A table's rows, as JSON has them. Raises TypeError for a value that JSON has not."""
    if hasattr(table, "to_pylist"):
        rows: list[dict[str, Any]] = table.to_pylist()
        return [_plain(row) for row in rows]
    columns: list[Any] = [column.tolist() if hasattr(column, "tolist") else column for column in table.values()]
    return [_plain(dict(zip(table, row, strict=True))) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    """A value of a table. Rows of one table have all fields that any of them has: an empty one was not there."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if is_mapping(value):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in cast("list[Any]", value)]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    # Readers that guess types make times of texts. There is no way back.
    raise TypeError(f"a line cannot hold a {type(value).__name__}: read the lines as text")


class _Line(NamedTuple):
    """A line of a file, and whether it is a prompt."""

    raw: bytes
    prompt: bool


def _lines(items: Iterable[Any], model: str | None) -> list[_Line]:
    """Items as lines. As in a file, the first text tells what the others are.

    Raises TypeError, and ValueError for a prompt without a model.
    """
    prompts: bool | None = None
    lines: list[_Line] = []
    for item in items:
        text = item.get("text") if is_mapping(item) and "body" not in item else item
        if isinstance(text, (str, bytes)):
            # What UTF-8 cannot hold is told when the line is parsed.
            raw = text.strip() if isinstance(text, bytes) else text.strip().encode(errors="surrogatepass")
            if prompts is None:
                prompts = model is not None and not is_batch_line(raw)
            if raw:
                lines.append(_Line(raw, prompts))
        elif not is_mapping(item):
            raise TypeError(f"a partition holds texts and objects, not {type(item).__name__}")
        elif "prompt" in item:
            lines.append(_prompt(item["prompt"], item.get("custom_id"), model))
        else:
            lines.append(_Line(encode({name: item[name] for name in _FIELDS if name in item}), False))
    return lines


def _prompt(prompt: Any, custom_id: Any, model: str | None) -> _Line:
    if model is None:
        raise ValueError("prompts need a model")
    if not isinstance(prompt, str):
        raise TypeError(f"a prompt is a text, not {type(prompt).__name__}")
    if custom_id is None:
        return _Line(encode(prompt), True)
    body = {"messages": [{"role": "user", "content": prompt}]}
    return _Line(encode({"custom_id": str(custom_id), "url": CHAT, "body": body}), False)


class _Partition:
    """A partition's lines and files: what `run.ask` asks, and keeps what comes.

    `answers` are the lines of both files by `custom_id`; `left` counts those that are not there yet.
    """

    def __init__(self, folder: Path, lines: list[_Line], model: str | None) -> None:
        self.key = _key(lines, model)
        self.answers: dict[str, bytes] = {}
        self.failed = 0
        self._path = folder / f"{self.key}.jsonl"
        self._logs: list[Log] = []
        # By `custom_id`: what to ask, or why that is not possible.
        self._asked: dict[str, Asked | str] = {}
        for number, (raw, prompt) in enumerate(lines, 1):
            name = f"{self.key}-{number}"
            try:
                asked = asked_prompt(raw, number, name, model) if prompt else asked_line(raw, number, model)
            except (ValueError, RecursionError) as error:
                self._asked[name] = str(error)
                continue
            if asked.custom_id in self._asked:
                self._asked[name] = f"`custom_id` {asked.custom_id[:100]!r} was there before"
            else:
                self._asked[asked.custom_id] = asked

    @property
    def left(self) -> int:
        """How many have no answer."""
        return len(self._asked) - len(self.answers)

    def open(self, retry_failed: bool) -> None:
        """Read what is finished, once nobody else writes it. Raises FilesError."""
        if not self._asked:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(self._path)
            failures = beside(self._path, "errors")
            if retry_failed:
                # Whoever holds the first file has the second one, too.
                failures.unlink(missing_ok=True)
            self._open(failures)
            self._read(self._logs[0])
            self.failed = self._read(self._logs[1])
            for custom_id, asked in self._asked.items():
                if isinstance(asked, str):
                    self.broken(custom_id, failure(custom_id, "bad_line", asked))
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                self._logs.append(Log(path))
                return
            except LockedError:
                if time.monotonic() > end:
                    raise
            time.sleep(_LOOK_SECONDS)

    def _read(self, log: Log) -> int:
        """Take the lines of a file as answers; how many there are."""
        before = len(self.answers)
        for custom_id, line in log.lines():
            if custom_id in self._asked:
                self.answers.setdefault(custom_id, line)
        return len(self.answers) - before

    def pending(self) -> Iterator[Asked]:
        """What is left to ask."""
        for custom_id, asked in self._asked.items():
            if isinstance(asked, Asked) and custom_id not in self.answers:
                yield asked

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Keep a result."""
        return self._keep(self._logs[0], custom_id, line)

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Keep a failure."""
        kept = self._keep(self._logs[1], custom_id, line)
        self.failed += kept
        return kept

    def _keep(self, log: Log, custom_id: str, line: bytes) -> bool:
        if custom_id in self.answers:
            return False
        log.append(line)
        self.answers[custom_id] = line
        return True

    def in_order(self) -> list[tuple[str, bytes]]:
        """All answers, in the order of the requests."""
        return [(custom_id, self.answers[custom_id]) for custom_id in self._asked]

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        for log in self._logs:
            log.sync()

    def close(self) -> None:
        """Sync, and let others write. A file of failures that has none goes."""
        with contextlib.ExitStack() as closing:
            for log in self._logs:
                closing.callback(log.close)
            if len(self._logs) == 2 and not self.failed:
                self._logs[1].path.unlink(missing_ok=True)
            self._logs = []


def _key(lines: list[_Line], model: str | None) -> str:
    digest = hashlib.sha256((model or "").encode())
    for raw, prompt in lines:
        digest.update(b"\n>" if prompt else b"\n ")
        digest.update(raw)
    return digest.hexdigest()[:32]


# What a process has one of


class _Process:
    """A client and a limiter, on an event loop in a thread that lives as long as the process.

    An engine's threads hand their partitions over, so that two of them are answered by one client under one limiter.
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
            # Before the client closes: a request that finds it closed counts as failed.
            for task in self._jobs:
                task.cancel()
            if self._jobs:
                await asyncio.wait(self._jobs)

    def run(self, partition: _Partition) -> None:
        """Ask what is left of a partition. What interrupts the thread breaks it off."""
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(self._ask(partition, ended), self._loop)
        try:
            future.result()
        except BaseException:
            # The files are closed after this: wait for whoever writes them.
            future.cancel()
            ended.wait(_CLOSE_SECONDS)
            raise

    async def _ask(self, partition: _Partition, ended: threading.Event) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._jobs.add(task)
        try:
            await _syncing(partition, ask(self._client, partition, self._limiter, Progress(partition.left, Prices())))
        finally:
            self._jobs.discard(task)
            ended.set()

    def close(self) -> None:
        """Break off what is under way and close the connections."""
        atexit.unregister(self.close)
        if self._pid == os.getpid() and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(_CLOSE_SECONDS)


async def _syncing(partition: _Partition, work: Coroutine[Any, Any, None]) -> None:
    """Meanwhile, bring what was written to the disk."""
    end = asyncio.Event()

    async def sync() -> None:
        while not end.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await within(SYNC_SECONDS, end.wait())
            # Waiting for a disk is nothing for the loop.
            await asyncio.get_running_loop().run_in_executor(None, partition.sync)

    task = asyncio.ensure_future(sync())
    try:
        await work
    finally:
        end.set()
        await task


# By process and worker: a forked child has its parent's, which it must neither use nor collect.
_processes: dict[tuple[int, str], _Process] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
