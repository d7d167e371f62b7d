"""The event loop of a command: uvloop if it is installed, and signals that cancel."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar, cast

__all__ = ["cancel_on", "run_async"]

ValueT = TypeVar("ValueT")


def run_async(main: Coroutine[Any, Any, ValueT]) -> ValueT:
    """Runs a coroutine as `asyncio.run` does. Raises KeyboardInterrupt if it was cancelled."""
    run: Any = asyncio.run
    with contextlib.suppress(ImportError):
        run = importlib.import_module("uvloop").run
    try:
        with _restored_handlers():
            return cast("ValueT", run(_interruptible(main)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextlib.contextmanager
def _restored_handlers() -> Generator[None, None, None]:
    """Restores the signal handlers of the program: uvloop leaves behind its own, of a loop that is closed."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)


async def _interruptible(main: Coroutine[Any, Any, ValueT]) -> ValueT:
    """Has Ctrl-C cancel: until Python 3.11 it would be raised in the middle of any code, and be reported twice."""
    cancel_on(signal.SIGINT)
    return await main


def cancel_on(number: signal.Signals) -> None:
    """Has a signal cancel the running task."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows, where `asyncio.run` does it
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
