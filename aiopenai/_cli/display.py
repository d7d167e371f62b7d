"""Colours, tables and bars: by `rich` on a terminal, plain text anywhere else."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Container, Generator, Iterable, Sequence
from typing import Any, TextIO

from aiopenai._cli.output import say

__all__ = ["is_colourful", "painted", "progress_bar", "say_json", "say_table"]

_QUARTERS = 4


def is_colourful(stream: TextIO) -> bool:
    """Returns whether colours may go to a stream: a terminal that knows them, and no NO_COLOR (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return importlib.util.find_spec("rich") is not None


def painted(text: str, style: str, stream: TextIO | None = None) -> str:
    """Returns a text in a style of `rich` such as "bold red"; as it is where the stream takes no colours."""
    if not is_colourful(stream or sys.stdout):
        return text
    from rich.style import Style

    return Style.parse(style).render(text)


def say_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    say(json.dumps(value, ensure_ascii=False, default=str))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Container[int] = ()) -> None:
    """Prints a table. `right` has the numbers of the columns of figures, which are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for number, row in enumerate([list(columns), *cells]):
        padded = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        line = "  ".join(padded).rstrip()
        say(line if number else painted(line, "bold"))


@contextlib.contextmanager
def progress_bar(total: int, words: str, report: Callable[..., None]) -> Generator[Callable[[], object], None, None]:
    """Gives a function to call after each of `total` steps.

    It moves a bar on standard error if that is a terminal and `rich` is installed. Otherwise it reports each quarter.
    """
    if is_colourful(sys.stderr):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(words, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), refresh_per_second=8) as bar:
            task = bar.add_task("", total=total)
            yield lambda: bar.advance(task)
        return
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if done * _QUARTERS // total > (done - 1) * _QUARTERS // total:
            report(f"{words}{done:,} of {total:,} done")

    yield step
