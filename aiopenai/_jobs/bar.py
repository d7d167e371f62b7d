"""The progress bars of `client.map(..., progress=True)`, by `rich`, on a terminal and in a notebook."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import threading
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TextIO

from aiopenai._calls.hedging import cancelled
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.progress import JobProgress, reason_of
from aiopenai._jobs.result import Result
from aiopenai._jobs.usage import tokens_from
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["BAR_SECONDS", "JobBar", "job_bars", "report_console"]

# Seconds between two updates of a bar.
BAR_SECONDS = 0.25


def report_console(stream: TextIO | None = None) -> Console:
    """Returns a console on a stream, or on standard error. Raises ImportError without `rich`."""
    from rich.console import Console

    class ReportConsole(Console):
        def on_broken_pipe(self) -> None:
            # The method of `rich` ends the process, and closes standard output.
            raise BrokenPipeError

    return ReportConsole(file=stream, stderr=True)


def job_bars(console: Console) -> Progress:
    """Returns a display of bars, each with its facts. It is refreshed by its user only."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}", markup=False))
    return Progress(*columns, console=console, auto_refresh=False)


class _Screen:
    """The display of all jobs that run, one bar below the other: two displays would overwrite each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._jobs = 0

    def open(self, progress: JobProgress) -> TaskID:
        """Begins a bar."""
        with self._lock:
            if self._bars is None:
                bars = job_bars(report_console())
                bars.start()
                self._bars = bars
            self._jobs += 1
            return self._bars.add_task("", total=progress.total, facts="")

    def show(self, bar: TaskID, progress: JobProgress) -> None:
        """Brings a bar up to date."""
        assert self._bars is not None
        self._bars.update(bar, total=progress.total, completed=progress.ended, facts=progress.facts(), refresh=True)

    def close(self, bar: TaskID, progress: JobProgress) -> None:
        """Ends a bar, and lists the failures by kind."""
        assert self._bars is not None
        try:
            self.show(bar, progress)
            for line in progress.failures():
                self._bars.console.print(line, style="red", markup=False, highlight=False)
        finally:
            with self._lock:
                self._jobs -= 1
                bars = self._bars
                if not self._jobs:
                    self._bars = None
                    bars.stop()


_screen = _Screen()


class JobBar:
    """The progress bar of a job. Nothing is shown where standard error is neither a terminal nor a notebook.

    Raises OpenAIError without `rich`.
    """

    def __init__(self, source: Any, limiter: Limiter) -> None:
        try:
            console = report_console()
        except ImportError as error:
            raise OpenAIError("`progress=True` needs rich: pip install 'aiopenai[cli]'") from error
        self._visible = console.is_terminal or console.is_jupyter
        self._progress = JobProgress(operator.length_hint(source) or None)
        self._progress.waits = limiter.words_of_wait
        self.note_trouble = self._progress.note_trouble

    def around(self, results: AsyncGenerator[Result[Any], None]) -> AsyncGenerator[Result[Any], None]:
        """Returns the results of the job; the progress is shown as they are taken."""
        return self._counted(results) if self._visible else results

    async def _counted(self, results: AsyncGenerator[Result[Any], None]) -> AsyncGenerator[Result[Any], None]:
        progress = self._progress
        progress.begin()
        async with self._shown(), contextlib.aclosing(results):
            async for result in results:
                progress.count(tokens_from(result.usage))
                if result.error is None:
                    progress.done += 1
                    progress.trouble = ""
                else:
                    progress.fail(*reason_of(result.error))
                yield result
            progress.total = progress.ended

    @contextlib.asynccontextmanager
    async def _shown(self) -> AsyncGenerator[None, None]:
        bar: TaskID | None = None
        # A display that fails ends the report and never the job.
        with contextlib.suppress(OSError, ValueError):
            bar = _screen.open(self._progress)
        if bar is None:
            yield
            return
        task = asyncio.ensure_future(_repeat(bar, self._progress))
        try:
            yield
        finally:
            await cancelled([task])
            with contextlib.suppress(OSError, ValueError):
                _screen.close(bar, self._progress)


async def _repeat(bar: TaskID, progress: JobProgress) -> None:
    with contextlib.suppress(OSError, ValueError):
        while True:
            _screen.show(bar, progress)
            await asyncio.sleep(BAR_SECONDS)
