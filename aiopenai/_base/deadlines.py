"""Time limits of coroutines: `async with time_limit(seconds)` and `await within(seconds, coroutine)`.

`asyncio.wait_for` loses a cancellation that arrives in the same turn of the loop as the result (Python 3.10 and 3.11):
the cancelled call runs on. Neither form here does. Both cancel the running task at the limit, and raise
`asyncio.TimeoutError` only if no other cancellation arrived meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

__all__ = ["time_limit", "within"]

T = TypeVar("T")


if sys.version_info >= (3, 11):

    def time_limit(seconds: float | None) -> AbstractAsyncContextManager[Any]:
        """Limits the time of a block. Raises asyncio.TimeoutError at its end; None is no limit."""
        return asyncio.timeout(seconds)

else:

    class time_limit:  # noqa: N801 - a function on later versions
        """Limits the time of a block. Raises asyncio.TimeoutError at its end; None is no limit.

        Tasks of Python 3.10 do not count their cancellations. The messages of cancellations tell this one from others:
        the exception has that of the first, and the task that of the last.
        """

        def __init__(self, seconds: float | None) -> None:
            self._seconds = seconds
            self._expired = self._left = False
            self._before: object = None
            self._timer: asyncio.TimerHandle | None = None
            self._task: Any = None

        async def __aenter__(self) -> time_limit:
            if self._seconds is not None:
                self._task = asyncio.current_task()
                self._timer = asyncio.get_running_loop().call_later(max(self._seconds, 0.0), self._expire)
            return self

        def reschedule(self, when: None) -> None:
            """Takes the limit back."""
            if self._timer is not None:
                self._timer.cancel()

        def _expire(self) -> None:
            self._expired = True
            # `cancel` sets the message of a suspended task on its future only.
            self._before, self._task._cancel_message = self._task._cancel_message, self
            self._task.cancel(msg=self)

        async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._left = True
            if self._expired and self._task._cancel_message is self:
                self._task._cancel_message = self._before
                first = _message(error)
                # Of nested limits that end together, the outer one raises.
                if isinstance(first, time_limit) and (first is self or first._left):
                    raise asyncio.TimeoutError

    def _message(error: BaseException | None) -> object:
        """Returns the message of a cancellation; None for another exception, and for one without a message.

        A task that is cancelled drops the message, and has the exception with it as its context: those of
        `asyncio.gather` do.
        """
        while isinstance(error, asyncio.CancelledError):
            if error.args and error.args[0] is not None:
                return error.args[0]
            error = error.__context__
        return None


async def within(seconds: float | None, awaitable: Awaitable[T]) -> T:
    """Returns the result of an awaitable. Raises asyncio.TimeoutError after so many seconds; None is no limit."""
    async with time_limit(seconds):
        return await awaitable
