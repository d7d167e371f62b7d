"""A thread with an event loop of its own, for servers of programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["ServerThread", "at_most"]

_logger = logging.getLogger("aiopenai.testing")


class ServerThread:
    """A thread that runs a server between `begin` and `end`.

    start: begins to listen. stop: closes the server. Both run in the loop of the thread.
    """

    def __init__(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self._stop = stop
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="aiopenai-testing-server", daemon=True)

    def begin(self) -> None:
        """Starts the thread and waits until the server listens. Raises the error of a failed start."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def end(self) -> None:
        """Stops the server and waits for the thread."""
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        try:
            await self._start()
        except BaseException as exc:
            self._error = exc
            return
        finally:
            self._started.set()
        await self._ended.wait()
        await self._stop()


async def at_most(seconds: float, awaited: Awaitable[Any]) -> None:
    """Waits for an awaitable, up to a time limit."""
    # Unlike `wait_for`, `wait` never loses a cancellation on Python 3.10 and 3.11.
    task = asyncio.ensure_future(awaited)
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        task.result()
    else:
        task.cancel()
        _logger.warning("the server did not close within %.0f s", seconds)
