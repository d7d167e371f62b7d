"""A job on many machines: a worker for the partitions of Ray Data or of Dask.

The engine reads the requests, cuts them into partitions, places these on machines and replaces workers that are lost.
`Worker` answers a partition. Each process has one client and one limiter for all its partitions, and keeps to its share
of the limits. So the machines need not agree on anything while the job runs.

The state of a partition is in two files in a folder that all machines see: results, and failures beside them, in the
lines of `aiopenai run`. They are named after the content of the partition. The same requests, given again, go on where
the files end: a request in flight may be asked twice, a finished one never.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from typing_extensions import override

from aiopenai._base.aliases import is_mapping
from aiopenai._client.client import AsyncOpenAI
from aiopenai._client.environment import client_of_environment
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.partitions import Partition, partition_lines, rows_of
from aiopenai._jobs.workers import WorkerProcess, end_process, process_of

__all__ = ["Worker"]

_worker_log = logging.getLogger("aiopenai")


class Worker:
    """Answers partitions of requests, for `Dataset.map_batches` of Ray Data and `Bag.map_partitions` of Dask.

    ```
    settings = {"checkpoints": "/shared/job", "workers": 8, "rpm": 30_000}
    # Ray: the class. A batch is a whole file, so that it is the same one in the next run.
    files = ray.data.read_binary_files(paths, override_num_blocks=len(paths))
    workers = ray.data.ActorPoolStrategy(size=8)
    answers = files.map_batches(Worker, fn_constructor_kwargs=settings, compute=workers, batch_size=None)
    # Dask: an object, for 8 worker processes.
    answers = dask.bag.read_text(paths, files_per_partition=1).map_partitions(Worker(**settings))
    ```

    Ray's `read_text` cuts lines at U+2028 and other characters that JSON allows in strings: use it only for lines
    without them.

    - `checkpoints`: a folder that all machines see, on a file system. It keeps all results.
    - `workers`: the number of processes that share the limits.
    - `model`: for prompts, and for lines that name none.
    - `concurrency`: the most requests at a time, in each worker.
    - `rpm`, `tpm`: requests and tokens per minute of all workers together. A worker keeps to its share of these and of
      the limits in the replies' headers.
    - `retry_failed`: asks again for the failures of earlier runs. Otherwise a failure is an answer, too.
    - `client`: a function that makes the client, where the worker is. The default is a client with five retries, of
      the service that the environment names. A key in it would travel with the job, so leave that to the environment
      of the machines.

    A partition holds texts, which are lines of a batch file or prompts, or objects: such lines, or `prompt` with or
    without a `custom_id`. A line that cannot be sent becomes a failure with the code `bad_line` and a `custom_id` made
    of partition and place. The ids of prompts without one are made in the same way.

    Raises ValueError for impossible limits, and TypeError for a `client` that is not a function.
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
            raise ValueError(f"`workers` must be at least 1, not {workers}")
        if isinstance(client, AsyncOpenAI) or not (client is None or callable(client)):
            # Its type and not its value, which may be a key.
            raise TypeError(
                f"`client` must be a function that makes one where the worker is, not {type(client).__name__}"
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
        # An impossible limit is an error here, and not on a machine far away.
        Limiter(**self._limits)
        self._client = client
        # An engine makes copies of the worker. Those in one process are one worker.
        self._name = os.urandom(16).hex()

    def __call__(self, partition: Any) -> Any:
        """Answers a partition, in the form in which it came.

        A table (a batch of Ray's, as NumPy columns or as an Arrow table) has whole files in its column `bytes`, lines
        in its column `text`, or a column for each field. Its answer has the columns `custom_id` and `text`, the lines
        of the results. Any other partition is an iterable. Its answer is a list: lines without line breaks for texts,
        dicts for objects.

        Raises JobError where going on is of no use, with a wrong key for example; FilesError for files that cannot be
        used; TypeError and ValueError for a partition of another form; OpenAIError if no client can be made.
        """
        if is_mapping(partition) or hasattr(partition, "to_pylist"):
            answers = self.answer(rows_of(partition))
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
        """Returns each request's `custom_id` and its line in the form of the Batch API. Raises as a call does."""
        partition = Partition(Path(self.checkpoints), partition_lines(items, self.model), self.model)
        partition.open(self.retry_failed)
        try:
            if partition.left:
                process_of(self._name, self._make_process).run(partition)
        finally:
            partition.close()
        _worker_log.info("partition %s: %d lines, %d failed", partition.key, len(partition.answers), partition.failed)
        return partition.in_order()

    def close(self) -> None:
        """Closes this process's connections and ends its work. Without it they end with the process."""
        end_process(self._name)

    @override
    def __repr__(self) -> str:
        return f"<Worker {self.checkpoints!r}>"

    def __dask_tokenize__(self) -> tuple[str, str]:
        # Dask would name tasks after a pickle.
        return type(self).__name__, self._name

    def _make_process(self) -> WorkerProcess:
        client = client_of_environment(max_retries=5) if self._client is None else self._client()
        return WorkerProcess(client, Limiter(**self._limits))
