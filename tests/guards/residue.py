"""What a client must not leave behind: `async with clean()` looks at tasks, timers, descriptors and complaints."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

__all__ = ["LOOPS", "clean", "complaints", "descriptors", "new_loop", "on_transport", "timers"]

LOOPS = ["asyncio"]
with contextlib.suppress(ImportError):
    import uvloop

    LOOPS.append("uvloop")


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Returns a loop of a kind of `LOOPS`."""
    return uvloop.new_event_loop() if kind == "uvloop" else asyncio.SelectorEventLoop()


@contextlib.contextmanager
def on_transport(kind: str) -> Iterator[None]:
    """Makes new sessions use the direct or the general transport."""
    from aiopenai._http import direct

    def unfit(_: Any) -> None:
        raise direct.UnfitError("the test wants the general transport")

    before = direct.examine
    if kind == "general":
        direct.examine = unfit  # type: ignore[assignment]
    try:
        yield
    finally:
        direct.examine = before


def descriptors() -> list[str]:
    """Returns the sockets and files that this process has open, in words; none where the system does not tell."""
    found: list[str] = []
    folder = "/proc/self/fd"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with contextlib.suppress(OSError):  # the folder's own
            found.append(os.readlink(f"{folder}/{name}"))
    # uvloop keeps one in reserve from its first connection on.
    return [name for name in found if name != "/dev/null"]


def timers(loop: Any) -> list[str]:
    """Returns the timers that are set in a loop, in words; none on loops that do not tell."""
    return [repr(each) for each in getattr(loop, "_scheduled", ()) if not each.cancelled()]


class _Records(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        self._into.append(record.getMessage())


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    """Collects warnings, records of loggers at WARNING and above, and exceptions that nothing can catch."""
    found: list[str] = []
    handler = _Records(found)
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(f"{unraisable.err_msg}: {unraisable.exc_value!r}")
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield found
            gc.collect()
        found += [str(each.message) for each in warned]
    finally:
        logging.getLogger().removeHandler(handler)
        sys.unraisablehook = hook


@contextlib.asynccontextmanager
async def clean(seconds: float = 20.0) -> AsyncIterator[None]:
    """Asserts that a block leaves no task, timer and complaint of its loop, and no descriptor that was not there."""
    loop = asyncio.get_running_loop()
    gc.collect()
    tasks, before = asyncio.all_tasks(), descriptors()
    with complaints() as found:
        yield
        end = time.monotonic() + seconds
        while time.monotonic() < end and (
            Counter(descriptors()) - Counter(before) or asyncio.all_tasks() != tasks or timers(loop)
        ):
            gc.collect()
            # The timer of a sleep is gone when it ends.
            await asyncio.sleep(0.02)
        left = asyncio.all_tasks() - tasks
    assert not left, f"tasks are left: {left}"
    assert timers(loop) == [], f"timers are left: {timers(loop)}"
    more = Counter(descriptors()) - Counter(before)
    assert not more, f"descriptors are left: {more}"
    assert found == [], f"complaints: {found[:5]}"
