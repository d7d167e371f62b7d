"""`OPENAI_LOG`: the level of the package's logger, and a handler if the program has none."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import pytest

from aiopenai._base.logs import setup


@contextlib.contextmanager
def without_handlers() -> Iterator[logging.Logger]:
    """The root logger without handlers: pytest adds its own for the call of a test."""
    root, own = logging.getLogger(), logging.getLogger("aiopenai")
    handlers, level = root.handlers[:], own.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        own.setLevel(level)


@pytest.mark.parametrize(
    ("level", "number"), [("info", 20), ("DEBUG", 10), ("Info", 20), ("warning", 30), ("error", 40), ("critical", 50)]
)
def test_level_and_handler(level: str, number: int) -> None:
    with without_handlers() as root:
        setup(level)
        assert logging.getLogger("aiopenai").level == number
        (handler,) = root.handlers
    record = logging.LogRecord("aiopenai", 20, "x.py", 7, "words", (), None)
    assert handler.format(record).endswith(" - aiopenai:7 - INFO] words")


def test_the_handlers_of_a_program_stay() -> None:
    own = logging.NullHandler()
    with without_handlers() as root:
        root.addHandler(own)
        setup("info")
        assert root.handlers == [own]


@pytest.mark.parametrize("level", ["", "loud", "warn", "20"])
def test_other_words_change_nothing(level: str) -> None:
    with without_handlers() as root:
        before = logging.getLogger("aiopenai").level
        setup(level)
        assert root.handlers == []
        assert logging.getLogger("aiopenai").level == before
