"""The progress on a terminal, in a file, and where neither works."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any

import pytest

from aiopenai._jobs import reporting as reports
from aiopenai._jobs.progress import JobProgress
from aiopenai._jobs.reporting import reporting


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BAR_SECONDS", 0.002)


class Stream(io.StringIO):
    def __init__(self, terminal: bool = False, fail: Exception | None = None) -> None:
        super().__init__()
        self.terminal = terminal
        self.fail = fail
        self.writes = 0

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.writes += 1
        if self.fail is not None:
            raise self.fail
        return super().write(text)


async def shown(progress: JobProgress, stream: Any, condition: Any) -> None:
    async with reporting(progress, stream):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "LINE_SECONDS", 0.01)
    progress, stream = JobProgress(10, done=2), Stream()
    await shown(progress, stream, lambda: stream.getvalue().count("\n") >= 2)
    assert stream.getvalue().startswith("2 of 10: 0 failed, ")


async def test_the_first_trouble_is_shown_at_once_and_once() -> None:
    progress, stream = JobProgress(5), Stream()
    progress.trouble = "APIConnectionError: refused"
    async with reporting(progress, stream):
        while not stream.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for _ in range(20):
            await asyncio.sleep(0.002)
    assert stream.getvalue().count("last error: APIConnectionError: refused") == 1


@pytest.mark.parametrize("rich", [True, False])
async def test_a_terminal(monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    if rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(sys.modules, "rich.console", None)
        monkeypatch.setattr(reports, "LINE_SECONDS", 0.0)
    progress, stream = JobProgress(10, done=2), Stream(terminal=True)
    progress.note = "[all] well"
    await shown(progress, stream, lambda: "[all] well" in stream.getvalue())
    assert ("2/10" in stream.getvalue()) is rich


@pytest.mark.parametrize("error", [OSError(28, "full"), BrokenPipeError(), ValueError("I/O operation on closed file")])
@pytest.mark.parametrize("terminal", [True, False])
async def test_a_stream_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception, terminal: bool) -> None:
    monkeypatch.setattr(reports, "LINE_SECONDS", 0.0)
    stream = Stream(terminal, error)
    await shown(JobProgress(1), stream, lambda: stream.writes)


async def test_no_stream() -> None:
    async with reporting(JobProgress(1), None):
        pass


async def test_an_error_of_the_block() -> None:
    with pytest.raises(LookupError):
        async with reporting(JobProgress(1), Stream()):
            raise LookupError
    assert len(asyncio.all_tasks()) == 1
