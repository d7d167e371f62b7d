"""One event loop of the blocking client, run by one thread at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiopenai._base.deadlines import within
from aiopenai._client.interrupts import Interrupts
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Runner", "patched_by_gevent", "work_without_threads"]

T = TypeVar("T")

# The time that a broken-off call may take to close its connection.
_GRACE_SECONDS = 1.0
# The time that the connections of a loop may take to close. An interrupt may have hit one of them.
_END_SECONDS = 5.0
# Threads for calls from threads with a running loop. Each such thread waits for its call, so few are busy.
_MAX_THREADS = 256


_told_of_the_running_loop = False


def _tell_of_the_running_loop() -> None:
    """Logs once that a blocking call holds up an event loop. It does no harm in notebooks and under gevent."""
    global _told_of_the_running_loop  # noqa: PLW0603
    if _told_of_the_running_loop or "ipykernel" in sys.modules or asyncio._get_running_loop() is None:
        return
    _told_of_the_running_loop = True
    import logging

    logging.getLogger("aiopenai").warning(
        "a blocking client was called in a coroutine: the event loop stands still until the reply is there; "
        "use AsyncOpenAI with `await`, or asyncio.to_thread"
    )


class Runner:
    """One loop, run by one thread at a time."""

    def __init__(self) -> None:
        self._loop = _new_loop()
        self._lock = threading.Lock()
        self.closed = False
        """Whether nothing more can be run."""
        self.inherited = False
        """Whether that is so because this process is a forked child."""

    def run(self, coroutine: Coroutine[Any, Any, T], *, here: bool = False) -> T:
        """Runs a coroutine to its end. Ctrl-C cancels it and raises KeyboardInterrupt.

        It runs in this thread, unless this thread has a running loop and not `here`.
        """
        # Greenlets share a thread: while one runs a loop, another could not.
        if not here and (asyncio._get_running_loop() is not None or patched_by_gevent()):
            _tell_of_the_running_loop()
            return self._run_elsewhere(coroutine)
        if self.closed:
            coroutine.close()
            raise OpenAIError(_INHERITED if self.inherited else _INTERRUPTED)
        loop = self._loop
        if not threading.main_thread().is_alive():
            work_without_threads(loop)
        with self._lock:
            interrupts = Interrupts(loop)
            task: asyncio.Task[T] | None = None
            try:
                task = interrupts.task = loop.create_task(coroutine)
                # The steps of `run_until_complete`, without its check of the argument.
                task.add_done_callback(self._stop)
                loop.run_forever()
                if interrupts.count:
                    raise KeyboardInterrupt
                return task.result()
            except BaseException as error:
                own = isinstance(error, (Exception, asyncio.CancelledError)) and task is not None and task.done()
                if interrupts.count or not own:
                    self._settle(interrupts, coroutine)
                raise
            finally:
                interrupts.end()
                # The traceback of an error keeps this frame, and the frame would keep the error by its task.
                del interrupts, task

    def _run_elsewhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in another thread, because this thread's own loop is running."""
        if patched_by_gevent():
            # Under gevent only its own pool has real threads, ten of them unless the program sets another size.
            pool = sys.modules["gevent"].get_hub().threadpool
            return cast("T", pool.apply(self.run, (coroutine,), {"here": True}))
        interrupted = False

        def work() -> T:
            if interrupted:
                coroutine.close()
                raise KeyboardInterrupt
            return self.run(coroutine)

        future: Any = None
        try:
            future = _threads().submit(copy_context().run, work)
            return cast("T", future.result())
        except BaseException:
            # Interrupted, also in the middle of `submit`, unless the future is done and has failed.
            if future is None or not future.done():
                interrupted = True
                self._loop.call_soon_threadsafe(self._cancel, coroutine)
            raise
        finally:
            del future

    def _stop(self, _: object) -> None:
        self._loop.stop()

    def _settle(self, interrupts: Interrupts, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Brings the loop into order after an interrupt: it can be used again, unless an exception broke out of it."""
        task = interrupts.task
        if task is None:
            coroutine.close()
        elif task.done() and interrupts.count == 1:
            # Cancelled as asked. Its error is looked at, so that asyncio does not report it as lost.
            if not task.cancelled():
                task.exception()
        else:
            task.remove_done_callback(self._stop)
            self._break_off(task)

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        """Ends the loop after an exception of a signal handler, which may come in the middle of the loop's own code."""
        loop = self._loop
        if asyncio._get_running_loop() is loop:
            asyncio._set_running_loop(None)
        # Tasks that the exception has hit would be reported as "never retrieved".
        loop.set_exception_handler(_ignore)
        task.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                loop.run_until_complete(within(_GRACE_SECONDS, asyncio.shield(task)))
        finally:
            self._end()

    def abandon(self) -> None:
        """Makes a forked child leave the loop alone, also when it is collected."""
        self.closed = self.inherited = True
        with contextlib.suppress(AttributeError):  # another implementation of loops
            cast("Any", self._loop)._closed = True

    def _cancel(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        for task in asyncio.all_tasks(self._loop):
            if task.get_coro() is coroutine:
                task.cancel()

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def close(self) -> None:
        """Closes the loop and the connections on it."""
        if self.closed:
            return
        if asyncio._get_running_loop() is not None:
            _threads().submit(self._close).result()
        else:
            self._close()

    def _close(self) -> None:
        with self._lock:
            if not self.closed:
                self._end()

    def _end(self) -> None:
        loop = self._loop
        try:
            self._cancel_all()
            # A session waits for the end of its loop as an asynchronous generator.
            with contextlib.suppress(asyncio.TimeoutError):
                loop.run_until_complete(within(_END_SECONDS, loop.shutdown_asyncgens()))
            # Transports that were told to close do so in the turns that follow.
            loop.run_until_complete(_turns(3))
        finally:
            self.closed = True
            loop.close()


_INHERITED = (
    "This reply was opened before the process was forked. Only the parent can read it; the child must make a new call."
)
_INTERRUPTED = "This reply was interrupted (Ctrl-C) and cannot be read any further."


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _ignore(_loop: object, _context: object) -> None:
    """The exception handler of a loop that an interrupt has ended."""


def _new_loop() -> asyncio.AbstractEventLoop:
    """Returns a loop for a real thread. Under gevent, the default selectors and threads are those of greenlets."""
    if not patched_by_gevent():
        return asyncio.new_event_loop()
    selector: Any = sys.modules["gevent.monkey"].get_original("selectors", "DefaultSelector")
    loop = asyncio.SelectorEventLoop(selector())
    work_without_threads(loop)
    return loop


def work_without_threads(loop: Any) -> None:
    """Makes a loop do the work of its threads itself: the interpreter is exiting, and starts none in `atexit`."""

    def run_in_executor(_: object, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = loop.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return cast("asyncio.Future[Any]", future)

    with contextlib.suppress(AttributeError):  # another implementation of loops, which has threads of its own
        loop.run_in_executor = run_in_executor


def patched_by_gevent() -> bool:
    """Returns whether gevent has replaced the threads of the standard library by greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_executor: ThreadPoolExecutor | None = None
# Reentrant: a lease that is collected meanwhile may need a thread.
_executor_lock = threading.RLock()


def _threads() -> ThreadPoolExecutor:
    global _executor  # noqa: PLW0603
    with _executor_lock:
        if _executor is None:
            from concurrent.futures import ThreadPoolExecutor

            _executor = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="aiopenai")
        return _executor


def _after_fork() -> None:
    global _executor, _executor_lock  # noqa: PLW0603
    # Threads do not survive a fork.
    _executor = None
    _executor_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
