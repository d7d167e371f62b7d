"""The state of a job, which is in its files: requests that are done, that have failed and that are left.

A job that was killed goes on where its files end. A result counts only for the request that it answers: each line has
the hash of its request, and a request that has changed since is not done. Each line takes some 40 bytes of memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Protocol

from aiopenai._jobs.failures import UsageError, disk_errors
from aiopenai._jobs.idset import IdSet
from aiopenai._jobs.inputs import InputSource, RequestFile
from aiopenai._jobs.lines import BadLine, RequestLine, ResultLine
from aiopenai._jobs.outputs import ResultFile, ResultLog, ResultStream, beside, is_stream

__all__ = ["JobFiles", "JobLines"]

# The most bad or changed lines that are shown.
SHOWN = 50
# The files beside the output.
SIDE_FILES = ("errors", "retrying", "batches", "new", "errors.new")


class JobLines(Protocol):
    """The lines of a job for an engine: the requests that are left, and a place for each outcome."""

    def pending(self) -> Iterator[RequestLine]:
        """Yields the requests that are left."""
        ...

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Keeps a result; returns False if there is one."""
        ...

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Keeps a failure; returns False if there is one or a result."""
        ...


class _KnownOutcomes:
    """The requests that a file of results answers."""

    def __init__(self, lines: Iterable[tuple[ResultLine, bytes]] = ()) -> None:
        self.ids = IdSet()
        # Lines without a hash, from the Batch API or an earlier release, count for their `custom_id`.
        self._untied = IdSet()
        self._tied = IdSet()
        for parts, _ in lines:
            self.ids.add(parts.custom_id)
            if parts.request_hash is None:
                self._untied.add(parts.custom_id)
            else:
                self._tied.add(f"{parts.custom_id}\n{parts.request_hash}")

    def answers(self, line: RequestLine) -> bool:
        """Returns whether there is an outcome of this very request."""
        return f"{line.custom_id}\n{line.key}" in self._tied or line.custom_id in self._untied


class JobFiles:
    """The files of a job and the requests that are left.

    Opening them reads all: torn last lines are repaired, and each line of the input is checked. A failure counts as an
    outcome. With `retry_failed` only the failures are left. With `ask_changed` the results of
    requests that have changed are dropped; without it they are an error. `say` gets messages about single lines.

    Raises UsageError for files that do not go together, for changed requests and for bad lines (unless `skip_bad`), and
    FilesError for a file that is something else. Until then nothing is changed, but for the repairs.
    """

    def __init__(
        self,
        source: InputSource,
        output: Path,
        *,
        model: str | None = None,
        template: str | None = None,
        retry_failed: bool = False,
        skip_bad: bool = False,
        ask_changed: bool = False,
        say: Callable[[str], object] = str,
    ) -> None:
        if output.is_dir():
            raise UsageError(f"{output} is a folder; name a file for the output")
        self.output_path = output
        self.stream = is_stream(output)
        self.failures_path = beside(output, "errors")
        # The requests of a retry are in a file of its own, so that a retry that was killed goes on, too.
        self._retrying_path = beside(output, "retrying")
        if self.stream and retry_failed:
            raise UsageError("--retry-failed needs an output file, not a stream")
        if not self.stream:
            _refuse_collisions(source, output)
        self.input = RequestFile(source.path, model, name=source.name, template=template)
        self.total = self.done = self.failed = self.left = self.bad = self.lines = 0
        self._ended = IdSet()
        self._only: IdSet | None = None
        self._output: ResultLog
        self._failures: ResultLog
        with contextlib.ExitStack() as opened:
            if self.stream:
                self._output = self._failures = ResultStream(output)
                opened.callback(self._output.close)
                self._read_input(_KnownOutcomes(), _KnownOutcomes(), skip_bad, say)
            else:
                self._open_files(opened, retry_failed, skip_bad, ask_changed, say)
            self._close = opened.pop_all().close

    def _open_files(
        self,
        opened: contextlib.ExitStack,
        retry_failed: bool,
        skip_bad: bool,
        ask_changed: bool,
        say: Callable[[str], object],
    ) -> None:
        self._output = output = ResultFile(self.output_path)
        opened.callback(output.close)
        if retry_failed and not self._retrying_path.exists() and self.failures_path.exists():
            ResultFile(self.failures_path).close()  # repaired
            with disk_errors(self.failures_path):
                self.failures_path.replace(self._retrying_path)
        self._failures = failures = ResultFile(self.failures_path)
        opened.callback(failures.close)
        if retry_failed:
            self._only = IdSet(_ids_of(self._retrying_path))
        results, failed = _KnownOutcomes(output.lines()), _KnownOutcomes(failures.lines())
        changed, outdated = self._read_input(results, failed, skip_bad, say)
        if changed and not ask_changed:
            self._refuse_changes(len(changed))
        # The failure of a request that has changed costs nothing: such a request is asked without a question.
        for log, ids in ((output, changed), (failures, outdated)):
            if ids:
                log.keep(lambda parts, ids=ids: parts.custom_id not in ids)  # type: ignore[misc]
        others = len(results.ids) - self.done - len(changed)
        if others:
            results_of = f"{_plural(others, 'result')} of requests that are not in {self.input.name}"
            say(f"{self.output_path} also has {results_of}")

    def _read_input(
        self, results: _KnownOutcomes, failed: _KnownOutcomes, skip_bad: bool, say: Callable[[str], object]
    ) -> tuple[IdSet, IdSet]:
        """Counts the lines; returns the ids of requests that have changed since their result, or their failure."""
        seen, changed, outdated = IdSet(), IdSet(), IdSet()
        for line in self.input:
            self.lines = line.number
            if isinstance(line, RequestLine) and not seen.add(line.custom_id):
                line = BadLine(line.number, f"`custom_id` {line.custom_id[:100]!r} was there before")
            if isinstance(line, BadLine):
                self.bad += 1
                if self.bad <= SHOWN:
                    say(f"{self.input.name} line {line.number}: {line.reason}")
                continue
            self.total += 1
            if results.answers(line):
                self.done += 1
                self._ended.add(line.custom_id)
                continue
            if line.custom_id in results.ids:
                changed.add(line.custom_id)
            if failed.answers(line):
                self.failed += 1
                self._ended.add(line.custom_id)
                continue
            if line.custom_id in failed.ids:
                outdated.add(line.custom_id)
            if self._only is None or line.custom_id in self._only:
                self.left += 1
        if self.bad > SHOWN:
            say(f"and {self.bad - SHOWN:,} more bad lines")
        if self.bad and not skip_bad:
            lines = _plural(self.bad, "bad line")
            raise UsageError(f"{lines} in {self.input.name}; nothing was sent (--skip-bad goes on without)")
        return changed, outdated

    def _refuse_changes(self, number: int) -> None:
        requests = "1 request has" if number == 1 else f"{number:,} requests have"
        raise UsageError(
            f"{requests} another content or model than when {self.output_path} got the results; nothing was sent. "
            "Choose another output file, or replace these results with --ask-changed"
        )

    def pending(self) -> Iterator[RequestLine]:
        """Yields the requests that are left, each once."""
        asked = IdSet()
        only = self._only
        for line in self.input:
            if not isinstance(line, RequestLine) or line.custom_id in self._ended:
                continue
            if (only is None or line.custom_id in only) and asked.add(line.custom_id):
                yield line

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Writes a result, unless there is one."""
        return self._write(self._output, custom_id, line)

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Writes a failure, unless there is one or a result."""
        return self._write(self._failures, custom_id, line)

    def _write(self, log: ResultLog, custom_id: str, line: bytes) -> bool:
        if not self._ended.add(custom_id):
            return False
        log.append(line)
        return True

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        self._output.sync()
        self._failures.sync()

    def complete(self) -> None:
        """Ends a job of which nothing is left."""
        self.sync()
        if not self.stream:
            with disk_errors(self._retrying_path):
                self._retrying_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Syncs, and lets others write. An empty file of failures is removed."""
        self._close()
        if not self.stream:
            with disk_errors(self.failures_path):
                if self.failures_path.exists() and not self.failures_path.stat().st_size:
                    self.failures_path.unlink()


def _refuse_collisions(source: InputSource, output: Path) -> None:
    """Raises UsageError if two files of the job are the same file, under whatever names."""
    own = {"the output": output}
    for kind in SIDE_FILES:
        path = beside(output, kind)
        own[f"{path.name}, which the job writes beside the output,"] = path
    for name, path in own.items():
        if source.is_same_file(path) or _real(source.path) == _real(path):
            raise UsageError(f"{name} would be the input itself ({source.name}); choose another output file")
    for (name, path), (other, there) in combinations(own.items(), 2):
        if _real(path) == _real(there) or (path.exists() and there.exists() and path.samefile(there)):
            raise UsageError(f"{name} and {other} are the same file; choose another output file")


def _real(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def _ids_of(path: Path) -> Iterator[str]:
    if path.exists():
        log = ResultFile(path)
        try:
            for parts, _ in log.lines():
                yield parts.custom_id
        finally:
            log.close()


def _plural(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
