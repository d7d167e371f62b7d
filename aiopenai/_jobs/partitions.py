"""The partitions of a distributed job: their lines, and their two files in a folder that all machines see.

The files are named after the content of the partition. So the same requests, given again in this run or in the next
one, go on where the files end.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import encode
from aiopenai._jobs.failures import LockedError, disk_errors
from aiopenai._jobs.lines import (
    BOM,
    CHAT,
    RequestLine,
    failure,
    is_batch_line,
    prompt_line,
    request_line,
)
from aiopenai._jobs.outputs import ResultFile, beside

__all__ = ["Partition", "PartitionLine", "partition_lines", "rows_of"]

# The time for which a partition may be held by another worker: one that the engine believes lost, and that is not.
LOCK_SECONDS = 300.0
LOCK_LOOK_SECONDS = 0.2
_FIELDS = ("custom_id", "method", "url", "body")


class PartitionLine(NamedTuple):
    """A line of a partition, and whether it is a prompt."""

    raw: bytes
    prompt: bool


def rows_of(table: Any) -> list[Any]:
    """Returns the rows of a table as JSON values. Raises TypeError for a value that JSON does not have.

    A column `bytes` holds whole files, of which each line is a row.
    """
    if hasattr(table, "to_pylist"):
        rows: list[dict[str, Any]] = table.to_pylist()
    else:
        columns: list[Any] = [column.tolist() if hasattr(column, "tolist") else column for column in table.values()]
        rows = [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)]
    found: list[Any] = []
    for row in rows:
        if isinstance(content := row.get("bytes"), bytes):
            found.extend(content.removeprefix(BOM).split(b"\n"))
        else:
            found.append(_json_value(row))
    return found


def _json_value(value: Any) -> Any:
    """Returns a value of a table. Rows of a table have all fields that any row has: an empty one was not there."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if is_mapping(value):
        return {key: _json_value(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_json_value(each) for each in cast("list[Any]", value)]
    if hasattr(value, "tolist"):
        return _json_value(value.tolist())
    # Readers that guess types turn texts into times. There is no way back.
    raise TypeError(f"a line cannot hold a {type(value).__name__}: read the lines as text")


def partition_lines(items: Iterable[Any], model: str | None) -> list[PartitionLine]:
    """Returns the items of a partition as lines. As in a file, one request makes all texts requests.

    Raises TypeError, and ValueError for a prompt without a model.
    """
    found: list[PartitionLine | bytes] = []
    prompts = model is not None
    for item in items:
        text = item.get("text") if is_mapping(item) and "body" not in item else item
        if isinstance(text, (str, bytes)):
            # Text that UTF-8 cannot hold is reported when the line is parsed.
            raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
            raw = raw.removeprefix(BOM).strip()
            prompts = prompts and not is_batch_line(raw)
            if raw:
                found.append(raw)
        elif not is_mapping(item):
            raise TypeError(f"a partition holds texts and objects, not {type(item).__name__}")
        elif "prompt" in item:
            found.append(_prompt_of(item["prompt"], item.get("custom_id"), model))
        else:
            found.append(PartitionLine(encode({name: item[name] for name in _FIELDS if name in item}), False))
    return [PartitionLine(each, prompts) if isinstance(each, bytes) else each for each in found]


def _prompt_of(prompt: Any, custom_id: Any, model: str | None) -> PartitionLine:
    if model is None:
        raise ValueError("prompts need a model: give `model` to the worker")
    if not isinstance(prompt, str):
        raise TypeError(f"`prompt` must be a string, not {type(prompt).__name__}")
    if custom_id is None:
        return PartitionLine(encode(prompt), True)
    body = {"messages": [{"role": "user", "content": prompt}]}
    return PartitionLine(encode({"custom_id": str(custom_id), "url": CHAT, "body": body}), False)


class Partition:
    """The lines of a partition and its files.

    `answers` has the lines of both files by `custom_id`, and `left` is the number of requests without an answer.
    """

    def __init__(self, folder: Path, lines: list[PartitionLine], model: str | None) -> None:
        self.key = _name_of(lines, model)
        self.answers: dict[str, bytes] = {}
        self.failed = 0
        self._path = folder / f"{self.key}.jsonl"
        self._logs: list[ResultFile] = []
        # By `custom_id`: the request, or the reason why there is none.
        self._requests: dict[str, RequestLine | str] = {}
        for number, (raw, prompt) in enumerate(lines, 1):
            name = f"{self.key}-{number}"
            try:
                line = prompt_line(raw, number, name, model) if prompt else request_line(raw, number, model)
            except (ValueError, RecursionError) as error:
                self._requests[name] = str(error)
                continue
            if line.custom_id in self._requests:
                self._requests[name] = f"`custom_id` {line.custom_id[:100]!r} was there before"
            else:
                self._requests[line.custom_id] = line

    @property
    def left(self) -> int:
        """The number of requests without an answer."""
        return len(self._requests) - len(self.answers)

    def open(self, retry_failed: bool) -> None:
        """Reads the answers of earlier runs, as soon as no other worker writes them. Raises FilesError."""
        if not self._requests:
            return
        with disk_errors(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(self._path)
            failures = beside(self._path, "errors")
            if retry_failed:
                # The lock of the first file holds for the second one, too.
                with disk_errors(failures):
                    failures.unlink(missing_ok=True)
            self._open(failures)
            self._read(self._logs[0])
            self.failed = self._read(self._logs[1])
            for custom_id, line in self._requests.items():
                if isinstance(line, str):
                    self.broken(custom_id, failure(custom_id, "bad_line", line))
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                self._logs.append(ResultFile(path))
                return
            except LockedError:
                if time.monotonic() > end:
                    raise
            time.sleep(LOCK_LOOK_SECONDS)

    def _read(self, log: ResultFile) -> int:
        """Takes the lines of a file as answers; returns their number."""
        before = len(self.answers)
        for parts, line in log.lines():
            if parts.custom_id in self._requests:
                self.answers.setdefault(parts.custom_id, line)
        return len(self.answers) - before

    def pending(self) -> Iterator[RequestLine]:
        """Yields the requests that are left."""
        for custom_id, line in self._requests.items():
            if isinstance(line, RequestLine) and custom_id not in self.answers:
                yield line

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Keeps a result."""
        return self._keep(self._logs[0], custom_id, line)

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Keeps a failure."""
        kept = self._keep(self._logs[1], custom_id, line)
        self.failed += kept
        return kept

    def _keep(self, log: ResultFile, custom_id: str, line: bytes) -> bool:
        if custom_id in self.answers:
            return False
        log.append(line)
        self.answers[custom_id] = line
        return True

    def in_order(self) -> list[tuple[str, bytes]]:
        """Returns all answers in the order of the requests."""
        return [(custom_id, self.answers[custom_id]) for custom_id in self._requests]

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        for log in self._logs:
            log.sync()

    def close(self) -> None:
        """Syncs, and lets others write. An empty file of failures is removed."""
        with contextlib.ExitStack() as closing:
            for log in self._logs:
                closing.callback(log.close)
            if len(self._logs) == 2 and not self.failed:
                with disk_errors(self._logs[1].path):
                    self._logs[1].path.unlink(missing_ok=True)
            self._logs = []


def _name_of(lines: list[PartitionLine], model: str | None) -> str:
    digest = hashlib.sha256((model or "").encode())
    for raw, prompt in lines:
        digest.update(b"\n>" if prompt else b"\n ")
        digest.update(raw)
    return digest.hexdigest()[:32]
