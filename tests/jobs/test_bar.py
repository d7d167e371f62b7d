"""The progress bars of `map` and `gather`: on terminals only, and never in the way of the job."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, OpenAIError
from aiopenai._jobs import bar as bars
from aiopenai.testing import Server

pytest.importorskip("rich")


class Terminal(io.StringIO):
    def __init__(self, fails: Callable[[], bool] = bool) -> None:
        super().__init__()
        self.fails = fails

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.fails():
            raise OSError(5, "gone")
        return super().write(text)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    # Not sys.stderr, which pytest replaces between a fixture and its test.
    monkeypatch.setattr(bars, "report_console", partial(bars.report_console, stream))
    return stream


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = sys.stdout
    yield
    # Live displays of rich replace it while they run.
    assert sys.stdout is before
    assert bars._screen._bars is None
    assert bars._screen._jobs == 0


def requests(client: Any, number: int) -> list[Any]:
    ask = client.chat.completions.create.request
    return [ask(model="m", messages=[{"role": "user", "content": f"number {each}"}]) for each in range(number)]


def refuse_odd(server: Server) -> None:
    server.fault(status=400, times=None, match=lambda request: request.body.count(b"number 1") > 0)


async def test_a_bar_with_failures_by_kind(client: AsyncOpenAI, server: Server, terminal: Terminal) -> None:
    refuse_odd(server)
    results = await client.gather(requests(client, 12), progress=True)
    assert [result.ok for result in results].count(False) == 3
    shown = terminal.getvalue()
    assert "12/12" in shown
    assert "3 failed" in shown
    assert "tokens" in shown
    assert "3 x BadRequestError 400" in shown


async def test_a_bar_names_the_last_trouble_and_the_wait(
    client: AsyncOpenAI, server: Server, terminal: Terminal
) -> None:
    server.fault(status=429, headers={"retry-after": "2"}, times=1)
    results = await client.gather(requests(client, 1), progress=True)
    assert results[0].ok
    shown, _, last = terminal.getvalue().rpartition("1/1")
    assert "last error: RateLimitError 429" in shown
    assert re.search(r"waiting \d s for ", shown)
    assert "last error" not in last


def test_the_blocking_client_has_it_too(terminal: Terminal) -> None:
    with Server() as server, OpenAI(api_key="test", base_url=server.base_url) as client:
        source = (request for request in requests(client, 5))
        assert sum(result.ok for result in client.map(source, progress=True)) == 5
        # The number of requests is known at the end of a generator only.
        assert "0/?" in terminal.getvalue()
        assert "5/5" in terminal.getvalue()
        assert all(result.ok for result in client.gather(requests(client, 2), progress=True))
    assert "2/2" in terminal.getvalue()


async def test_two_jobs_share_the_screen(client: AsyncOpenAI, server: Server, terminal: Terminal) -> None:
    server.latency = 0.02
    await asyncio.gather(*(client.gather(requests(client, number), progress=True) for number in (3, 7)))
    assert "3/3" in terminal.getvalue()
    assert "7/7" in terminal.getvalue()


async def test_nothing_is_shown_without_a_terminal(client: AsyncOpenAI, capsys: pytest.CaptureFixture[str]) -> None:
    await client.gather(requests(client, 3), progress=True)
    assert capsys.readouterr() == ("", "")


async def test_rich_is_needed_at_once(client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(OpenAIError, match=r"pip install 'aiopenai\[cli\]'"):
        client.map([], progress=True)
    with pytest.raises(OpenAIError, match=r"pip install 'aiopenai\[cli\]'"):
        await client.gather([], progress=True)


@pytest.mark.parametrize("after", [0, 3], ids=["at-once", "later"])
async def test_a_terminal_that_fails(client: AsyncOpenAI, terminal: Terminal, after: int) -> None:
    writes = 0

    def fails() -> bool:
        nonlocal writes
        writes += 1
        return writes > after

    terminal.fails = fails
    results = await client.gather(requests(client, 5), progress=True)
    assert all(result.ok for result in results)
    assert writes > after


async def test_the_iteration_may_end_early(client: AsyncOpenAI, terminal: Terminal) -> None:
    async with aclosing(client.map(requests(client, 50), progress=True)) as results:
        async for _ in results:
            break
    assert "1/50" in terminal.getvalue()


@pytest.mark.parametrize("error", [ValueError("bad source"), OSError("bad source")], ids=["ValueError", "OSError"])
async def test_errors_of_the_source_are_raised(client: AsyncOpenAI, terminal: Terminal, error: Exception) -> None:
    def source() -> Iterator[Any]:
        yield from requests(client, 2)
        raise error

    with pytest.raises(type(error), match="bad source"):
        await client.gather(source(), progress=True)
    assert "2/" in terminal.getvalue()
