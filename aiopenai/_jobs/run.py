"""What `python -m aiopenai run` does: a file of requests, answered line by line into another file.

First the input is read once, to tell what is wrong with it and what is left to do; then what is left is asked, either
call by call or through the Batch API, and each result is on its way to the disk as soon as it is there. Everything
that a second run needs to know is in the files: see joblines.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import msgspec

from aiopenai._base.deadlines import within
from aiopenai._client.client import AsyncOpenAI
from aiopenai._jobs.bulk import Tokens, run_requests
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.lines import Asked, BadLine, Ids, Input, Log, failed_line, finished_line
from aiopenai.errors import APIConnectionError, APIError, AuthenticationError, OpenAIError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse

__all__ = ["Asking", "Job", "JobError", "Prices", "Progress", "UsageError", "ask", "fatal", "reporting"]

# How many bad lines are shown.
SHOWN = 50
# Seconds between two syncs to the disk, two looks of the progress bar, and two lines where there is no bar.
SYNC_SECONDS = 1.0
BAR_SECONDS = 0.25
LINE_SECONDS = 5.0
# So many requests in a row without a connection, and nobody is there.
ALONE = 50


class UsageError(Exception):
    """The command cannot be what is meant; says why in one line."""


class JobError(Exception):
    """The job cannot go on; says why in one line."""


class UnreadableReplyError(OpenAIError):
    """A reply that is no JSON object, which no result can hold."""


class _Object(msgspec.Struct):
    pass


_check_object = msgspec.json.Decoder(_Object).decode


class Prices:
    """What a million tokens cost, read and written; 0 where it is not given."""

    def __init__(self, read: float | None = None, written: float | None = None) -> None:
        self.known = read is not None or written is not None
        self._read = read or 0.0
        self._written = written or 0.0

    def of(self, read: int, written: int) -> float:
        """What so many tokens cost."""
        return (read * self._read + written * self._written) / 1e6


class Progress:
    """How far a job is, for whoever watches.

    `done` and `failed` count lines, those of earlier runs included; `read` and `written` this run's tokens. `note` is
    what else there is to say.
    """

    def __init__(self, total: int, prices: Prices, *, done: int = 0, failed: int = 0) -> None:
        self.total = total
        self.done = done
        self.failed = failed
        self.read = self.written = 0
        self.note = ""
        self._prices = prices
        self._before = done + failed
        self._began = 0.0
        # Times and counts of the last looks: what the rate is made of.
        self._looks: deque[tuple[float, int]] = deque()

    def begin(self) -> None:
        """The clock runs from now on."""
        self._began = time.monotonic()
        self._looks.append((self._began, self._before))

    @property
    def ended(self) -> int:
        """Lines that are done or failed."""
        return self.done + self.failed

    def count(self, usage: Tokens | None) -> None:
        """Add a reply's tokens."""
        if usage is not None:
            self.read += usage.read
            self.written += usage.written

    def facts(self) -> str:
        """Failures, rate, tokens, cost and time left, as far as there is something to tell."""
        now = time.monotonic()
        looks = self._looks
        looks.append((now, self.ended))
        while len(looks) > 2 and now - looks[0][0] > 15:
            looks.popleft()
        at, ended = looks[0]
        rate = (self.ended - ended) / (now - at) if now > at else 0.0
        parts = [f"{self.failed:,} failed", f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        if self.read or self.written:
            parts.append(f"{self.read + self.written:,} tokens")
        if self._prices.known:
            parts.append(self._cost())
        if rate:
            parts.append(f"{_clock((self.total - self.ended) / rate)} left")
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)

    def summary(self) -> str:
        """The end, in one line."""
        text = f"{self.done:,} of {self.total:,} done, {self.failed:,} failed"
        now = self.ended - self._before
        if now:
            seconds = time.monotonic() - self._began
            text += f"; {now:,} in {seconds:,.1f} s ({now / max(seconds, 1e-3):,.0f}/s)"
        if self.read or self.written:
            text += f", {self.read:,} tokens read, {self.written:,} written"
        if self._prices.known:
            text += f", {self._cost()}"
        return text

    def _cost(self) -> str:
        return f"${self._prices.of(self.read, self.written):,.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


class Asking(Protocol):
    """What is asked, and where the answers go: each line once, whatever it is that keeps them."""

    def pending(self) -> Iterator[Asked]:
        """What is left to ask."""
        ...

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Keep a result; False where there is one."""
        ...

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Keep a failure; False where there is one or a result."""
        ...


class Job:
    """The files of a job, and what is left of it.

    Opening it reads them all: what earlier runs have written is done, torn last lines are repaired, each line of the
    input is checked. What had failed counts as done, too; with `retry_failed` it is what is left, and nothing else is.
    `say` is told what is wrong with which line. Raises UsageError for files that do not go together and for bad lines,
    unless they are to be skipped, and FilesError for what is no such file.
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        *,
        model: str | None = None,
        retry_failed: bool = False,
        skip_bad: bool = False,
        say: Callable[[str], object] = str,
    ) -> None:
        self.input = Input(source, model)
        self.output_path = output
        self.failures_path = beside(output, "errors")
        # What a retry has to do is in a file of its own, so that a retry can be killed and go on like everything else.
        self._retrying_path = beside(output, "retrying")
        if not source.is_file():
            raise UsageError(f"{source} is not a file")
        if output.exists() and output.samefile(source):
            raise UsageError("the output must be another file than the input")
        with contextlib.ExitStack() as opened:
            self._output = Log(output)
            opened.callback(self._output.close)
            if retry_failed and not self._retrying_path.exists() and self.failures_path.exists():
                Log(self.failures_path).close()  # repaired
                self.failures_path.replace(self._retrying_path)
            self._failures = Log(self.failures_path)
            opened.callback(self._failures.close)
            self._ended = Ids(self._output.ids())
            failed = Ids(self._failures.ids())
            self._only: Ids | None = None
            if retry_failed:
                self._only = Ids(_ids_of(self._retrying_path))
            self._read_input(failed, skip_bad, say)
            self._close = opened.pop_all().close

    def _read_input(self, failed: Ids, skip_bad: bool, say: Callable[[str], object]) -> None:
        self.total = self.done = self.failed = self.left = self.bad = self.lines = 0
        seen = Ids()
        for line in self.input:
            self.lines = line.number
            if isinstance(line, Asked):
                if seen.add(line.custom_id):
                    self._count(line.custom_id, failed)
                    continue
                line = BadLine(line.number, f"`custom_id` {line.custom_id[:100]!r} was there before")
            self.bad += 1
            if self.bad <= SHOWN:
                say(f"{self.input.path} line {line.number}: {line.reason}")
        if self.bad > SHOWN:
            say(f"and {self.bad - SHOWN:,} more bad lines")
        if self.bad and not skip_bad:
            lines = "1 bad line" if self.bad == 1 else f"{self.bad:,} bad lines"
            raise UsageError(f"{lines} in {self.input.path}; nothing was sent (--skip-bad goes on without)")

    def _count(self, custom_id: str, failed: Ids) -> None:
        self.total += 1
        if custom_id in self._ended:
            self.done += 1
        elif custom_id in failed:
            self.failed += 1
            self._ended.add(custom_id)
        elif self._only is None or custom_id in self._only:
            self.left += 1

    def pending(self) -> Iterator[Asked]:
        """What is left to ask, each line once."""
        asked = Ids()
        only = self._only
        for line in self.input:
            if not isinstance(line, Asked) or line.custom_id in self._ended:
                continue
            if (only is None or line.custom_id in only) and asked.add(line.custom_id):
                yield line

    def finished(self, custom_id: str, line: bytes) -> bool:
        """Write a result, unless there is one."""
        return self._write(self._output, custom_id, line)

    def broken(self, custom_id: str, line: bytes) -> bool:
        """Write a failure, unless there is one or a result."""
        return self._write(self._failures, custom_id, line)

    def _write(self, log: Log, custom_id: str, line: bytes) -> bool:
        if not self._ended.add(custom_id):
            return False
        log.append(line)
        return True

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        self._output.sync()
        self._failures.sync()

    def complete(self) -> None:
        """Nothing is left."""
        self.sync()
        self._retrying_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Sync, and let others write. A file of failures that has none goes."""
        self._close()
        if self.failures_path.exists() and not self.failures_path.stat().st_size:
            self.failures_path.unlink()


def beside(path: Path, what: str) -> Path:
    """`results.errors.jsonl` beside `results.jsonl`."""
    return path.with_name(f"{path.stem}.{what}{path.suffix or '.jsonl'}")


def _ids_of(path: Path) -> Iterator[str]:
    if path.exists():
        log = Log(path)
        try:
            yield from log.ids()
        finally:
            log.close()


async def ask(client: AsyncOpenAI, job: Asking, limiter: Limiter, progress: Progress) -> None:
    """Ask what is left, call by call. Raises JobError where going on is of no use."""
    alone = 0
    async with aclosing(run_requests(client, job.pending(), limiter, read=_whole)) as results:
        async for result in results:
            asked: Any = result.request
            custom_id: str = asked.custom_id
            error = result.error
            progress.count(result.usage)
            if error is None:
                alone = 0
                response: Any = result.reply
                job.finished(
                    custom_id,
                    finished_line(custom_id, response.status_code, response.request_id, response.content),
                )
                progress.done += 1
                continue
            if fatal(error):
                raise JobError(f"{type(error).__name__}: {error}")
            job.broken(custom_id, failed_line(custom_id, error))
            progress.failed += 1
            alone = alone + 1 if isinstance(error, APIConnectionError) else 0
            if alone >= ALONE:
                raise JobError(f"{ALONE} requests in a row found nobody; the last one: {error}")


def _whole(response: LegacyAPIResponse[Any]) -> LegacyAPIResponse[Any]:
    try:
        _check_object(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReplyError(f"the reply is no JSON object; it begins: {response.text[:200]!r}") from error
    return response


def fatal(error: Exception) -> bool:
    """Whether all other requests will fail for the same reason."""
    if isinstance(error, AuthenticationError):
        return True
    return isinstance(error, APIError) and "insufficient_quota" in (error.code, error.type)


@contextlib.asynccontextmanager
async def reporting(job: Job, progress: Progress, stream: TextIO) -> AsyncGenerator[None, None]:
    """Meanwhile, bring what was written to the disk and show the progress: a bar, or lines where it cannot be one."""
    end = asyncio.Event()
    task = asyncio.ensure_future(_report(job, progress, stream, end))
    try:
        yield
    finally:
        end.set()
        await task


async def _report(job: Job, progress: Progress, stream: TextIO, end: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    synced = loop.time()
    with _bar(progress, stream) if stream.isatty() else _lines(progress, stream) as show:
        while not end.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await within(BAR_SECONDS, end.wait())
            show()
            if loop.time() - synced >= SYNC_SECONDS:
                # Waiting for a disk is nothing for the loop.
                await loop.run_in_executor(None, job.sync)
                synced = loop.time()


@contextlib.contextmanager
def _lines(progress: Progress, stream: TextIO) -> Generator[Callable[[], None], None, None]:
    shown = time.monotonic()

    def show() -> None:
        nonlocal shown
        if time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            stream.write(f"{progress.ended:,} of {progress.total:,}: {progress.facts()}\n")
            stream.flush()

    yield show


@contextlib.contextmanager
def _bar(progress: Progress, stream: TextIO) -> Generator[Callable[[], None], None, None]:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar
    except ImportError:
        with _lines(progress, stream) as show_line:
            yield show_line
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}"))
    with Bar(*columns, console=Console(file=stream), auto_refresh=False) as bar:
        task = bar.add_task("", total=progress.total, facts="")

        def show() -> None:
            bar.update(task, completed=progress.ended, facts=progress.facts(), refresh=True)

        yield show
        show()
