"""Standard output and standard error of the commands, also when they are closed, full or gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys

__all__ = ["OutputError", "notify", "open_standard_streams", "say", "silence"]


class OutputError(Exception):
    """Standard output cannot be written."""


def open_standard_streams() -> None:
    """Opens the null device for each standard stream that is closed.

    Otherwise the next file that is opened gets its number, and messages would go into a file of results.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # The words of a model may not exist in the terminal's encoding.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(*words: object, end: str = "\n", flush: bool = False) -> None:
    """Prints to standard output. Raises OutputError, and BrokenPipeError if the reader is gone."""
    try:
        print(*words, end=end, flush=flush)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror or error}") from error


def notify(text: str) -> None:
    """Prints to standard error, which may be gone: a message that cannot be shown stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def silence() -> None:
    """Leads standard output to the null device: Python flushes it once more at exit, when no error can be caught."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
