"""The calls of tools of one turn: each runs in a task of its own, so many at once as `max_parallel` allows.

Coroutine functions run on the event loop, plain functions in threads. A thread per call costs 60 us and cannot starve
the executor of the loop, in which names are resolved. Python cannot interrupt a thread: after a timeout or a
cancellation the function runs to its end, and its result is dropped.
"""

# Tools are callable dicts and values of any type, which the type system does not have.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import copy_context
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any, TypeAlias

from aiopenai._data.codec import encode
from aiopenai.lib.calls import awaited
from aiopenai.lib.running._records import ToolExecution, ToolFinishedEvent, ToolStartedEvent, ToolStatus
from aiopenai.lib.running._registry import RunnableTool
from aiopenai.lib.tools import is_content

__all__ = ["Executions", "Report", "join", "output_of", "refuse"]

# The wait for plain functions after a cancellation.
_GRACE_SECONDS = 1.0

Report: TypeAlias = Callable[[Any], Awaitable[object]]
ToolCoroutine: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]


async def join(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks and waits until all have ended, also if this task is cancelled meanwhile."""
    waiting = {task for task in tasks if not task.done()}
    for task in waiting:
        task.cancel()
    cancelled = False
    while waiting:
        try:
            _, waiting = await asyncio.wait(waiting)
        except asyncio.CancelledError:
            cancelled = True
            waiting = {task for task in waiting if not task.done()}
    if cancelled:
        raise asyncio.CancelledError


class Executions:
    """The calls of one turn. `report` gets an event at the start and at the end of each."""

    def __init__(self, max_parallel: int, report: Report | None) -> None:
        self._places = asyncio.Semaphore(max_parallel)
        self._report = report
        self._tasks: list[asyncio.Task[None]] = []
        # The threads that are running, as futures.
        self._threads: set[asyncio.Future[Any]] = set()

    def start(self, execution: ToolExecution, tool: RunnableTool, given: Any, timeout: float | None) -> None:
        """Starts a call with validated arguments."""
        self._tasks.append(asyncio.create_task(self._run(execution, partial(self._call, tool, given), timeout)))

    async def settle(self, failure: Callable[[], BaseException | None]) -> None:
        """Waits until all calls have ended. Raises the error that `failure` returns after the end of any of them."""
        waiting: set[asyncio.Task[None]] = set(self._tasks)
        while True:
            if (error := failure()) is not None:
                raise error
            if not waiting:
                return
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def abort(self) -> None:
        """Cancels all calls and waits for their end; for plain functions a second."""
        await join(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()
        if self._threads:
            await asyncio.wait(self._threads, timeout=_GRACE_SECONDS)

    async def _run(self, execution: ToolExecution, call: ToolCoroutine, timeout: float | None) -> None:
        # A call that waits for a place can be cancelled too.
        _set_stop(execution, partial(_cancelled, execution))
        try:
            async with self._places:
                if not execution.is_finished:
                    execution.status = "running"
                    if self._report is not None:
                        await self._report(ToolStartedEvent(execution))
                if not execution.is_finished:
                    await self._limited(execution, call, timeout)
        except asyncio.CancelledError:
            # The whole run ends: its record tells so for each call.
            if not execution.is_finished:
                _cancelled(execution)
            raise
        if self._report is not None:
            await self._report(ToolFinishedEvent(execution))

    async def _limited(self, execution: ToolExecution, call: ToolCoroutine, timeout: float | None) -> None:
        """Runs a call for so many seconds at most, and notes its result."""
        began = monotonic()
        task = asyncio.create_task(call())
        _set_stop(execution, task.cancel)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout)
        finally:
            _set_stop(execution, None)
            await join([task])
            execution.seconds = monotonic() - began
        if done:
            _conclude(execution, task)
        else:
            if not task.cancelled():
                # Looked at, so that asyncio does not report it as lost.
                task.exception()
            reason = f"it did not finish within {timeout:g} seconds"
            _fail(execution, "timed_out", asyncio.TimeoutError(f"{execution.name}: {reason}"), reason)

    async def _call(self, tool: RunnableTool, arguments: Any) -> Any:
        assert tool.call is not None
        if tool.is_async:
            return await tool.call(arguments)
        return await awaited(await self._in_thread(partial(tool.call, arguments), tool.name))

    async def _in_thread(self, function: Callable[[], Any], name: str) -> Any:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        context = copy_context()

        def finish(value: Any, error: BaseException | None) -> None:
            if not outcome.done():
                outcome.set_result((value, error))

        def work() -> None:
            value: Any = None
            failure: BaseException | None = None
            try:
                value = context.run(function)
            except BaseException as error:
                failure = error
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, value, failure)

        self._threads.add(outcome)
        outcome.add_done_callback(self._threads.discard)
        # A daemon: a function that hangs does not keep the program from ending.
        Thread(target=work, name=f"tool {name}", daemon=True).start()
        # Shielded: `abort` waits for the future after the cancellation of this coroutine.
        value, failure = await asyncio.shield(outcome)
        if isinstance(failure, StopIteration):
            # A coroutine cannot raise it.
            raise RuntimeError("the function raised StopIteration") from failure
        if failure is not None:
            raise failure
        return value


def _set_stop(execution: ToolExecution, stop: Callable[[], object] | None) -> None:
    execution._stop = stop  # pyright: ignore[reportPrivateUsage]


def _cancelled(execution: ToolExecution) -> None:
    _fail(execution, "cancelled", asyncio.CancelledError(), "it was cancelled")


def _fail(execution: ToolExecution, status: ToolStatus, error: BaseException, reason: str) -> None:
    execution.status, execution.error = status, error
    execution.output = f"The call of {execution.name} failed: {reason}"


def _conclude(execution: ToolExecution, task: asyncio.Task[Any]) -> None:
    """Notes the result of a task that has ended."""
    if task.cancelled():
        _cancelled(execution)
        return
    if (error := task.exception()) is None:
        execution.result = task.result()
        try:
            execution.output = output_of(execution.result)
        except (TypeError, ValueError, RecursionError) as unfit:
            error = TypeError(f"{execution.name} returned an object that JSON cannot hold: {unfit}")
    if error is None:
        execution.status = "completed"
    elif isinstance(error, Exception):
        _fail(execution, "failed", error, f"{type(error).__name__}: {error}")
    else:
        # `SystemExit` and its like end the run.
        raise error


def refuse(execution: ToolExecution, error: Exception, reason: str) -> None:
    """Notes that a call cannot be made: its tool is unknown, or its arguments do not fit."""
    _fail(execution, "invalid", error, reason)


def output_of(result: Any) -> Any:
    """Returns a tool's result as the model gets it: text as it is, a list of content parts, all else as JSON.

    Raises TypeError and ValueError for a result that JSON cannot hold.
    """
    if isinstance(result, str):
        return result
    if is_content(result) and result:
        return result
    return encode(result).decode()
