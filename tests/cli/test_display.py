"""Colours and bars: on a terminal that knows them, with `rich`; plain text anywhere else."""

from __future__ import annotations

import importlib.util
import io
import sys
from typing import Any

import pytest

from aiopenai._cli.display import painted, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Makes standard error a terminal with colours. No fixture: pytest replaces standard error after those."""
    pytest.importorskip("rich")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def unfit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away one condition of colours."""
    if kind == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    elif kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    elif kind == "file":
        monkeypatch.setattr(sys, "stderr", io.StringIO())
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


UNFIT = ["NO_COLOR", "dumb", "file", "without rich"]


def steps(number: int) -> list[Any]:
    """What a bar reports of so many steps."""
    said: list[Any] = []
    with progress_bar(number, "[calls] ", said.append) as step:
        for _ in range(number):
            step()
    return said


def test_a_bar_moves_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    assert steps(40) == []
    assert "[calls]" in stream.getvalue()
    assert "40/40" in stream.getvalue()


@pytest.mark.parametrize("kind", UNFIT)
def test_quarters_are_reported_elsewhere(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    unfit(kind, monkeypatch)
    assert steps(40) == [f"[calls] {number} of 40 done" for number in (10, 20, 30, 40)]
    assert stream.getvalue() == ""


def test_a_terminal_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    assert painted("text", "bold red", sys.stderr) == "\x1b[1;31mtext\x1b[0m"


@pytest.mark.parametrize("kind", UNFIT)
def test_nothing_else_has_colours(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    unfit(kind, monkeypatch)
    assert painted("text", "bold red", sys.stderr) == "text"
