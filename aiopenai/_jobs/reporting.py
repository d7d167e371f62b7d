"""The progress of a job on a terminal: a bar, or lines where there is no terminal or no `rich`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TextIO

from aiopenai._calls.hedging import cancelled
from aiopenai._jobs.bar import BAR_SECONDS, job_bars, report_console
from aiopenai._jobs.progress import JobProgress

__all__ = ["BAR_SECONDS", "LINE_SECONDS", "reporting"]

# Seconds between two lines.
LINE_SECONDS = 5.0


@contextlib.asynccontextmanager
async def reporting(progress: JobProgress, stream: TextIO | None) -> AsyncGenerator[None, None]:
    """Shows the progress during the block. A stream that is closed or fails ends the report and never the job."""
    if stream is None:
        yield
        return
    task = asyncio.ensure_future(_report(progress, stream))
    try:
        yield
    finally:
        await cancelled([task])
        if not task.cancelled():
            task.result()


async def _report(progress: JobProgress, stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError), _view(progress, stream) as show:
        while True:
            await asyncio.sleep(BAR_SECONDS)
            show()


@contextlib.contextmanager
def _view(progress: JobProgress, stream: TextIO) -> Generator[Callable[[], None], None, None]:
    with _bar(progress, stream) if stream.isatty() else _text_lines(progress, stream) as show:
        yield show


@contextlib.contextmanager
def _text_lines(progress: JobProgress, stream: TextIO) -> Generator[Callable[[], None], None, None]:
    shown = time.monotonic()
    troubled = False

    def show() -> None:
        nonlocal shown, troubled
        # The first trouble is shown at once: it may be a wrong address.
        new_trouble = bool(progress.trouble) and not troubled
        if new_trouble or time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            troubled = troubled or new_trouble
            stream.write(f"{progress.ended_of_total()}: {progress.facts()}\n")
            stream.flush()

    yield show


@contextlib.contextmanager
def _bar(progress: JobProgress, stream: TextIO) -> Generator[Callable[[], None], None, None]:
    try:
        bars = job_bars(report_console(stream))
    except ImportError:
        with _text_lines(progress, stream) as show_line:
            yield show_line
        return
    with bars:
        task = bars.add_task("", total=progress.total, facts="")

        def show() -> None:
            bars.update(task, completed=progress.ended, facts=progress.facts(), refresh=True)

        try:
            yield show
        finally:
            show()
