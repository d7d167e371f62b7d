"""The event loop of blocking connections, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from aiopenai.errors import OpenAIError

__all__ = ["Bridge"]

T = TypeVar("T")

# The seconds that an interrupted call may take to end.
_GRACE_SECONDS = 1.0


class Bridge:
    """Runs coroutines on a loop in a background thread, for any number of threads.

    The thread lives as long as the connections that use it: pings are answered while the program does not call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def hold(self, user: object) -> None:
        """Keeps the thread until `release`; starts it for the first user."""
        with self._lock:
            self._users.add(id(user))
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()
                threading.Thread(target=self._serve, args=(loop,), name="aiopenai-websockets", daemon=True).start()

    def release(self, user: object) -> None:
        """Lets the thread end after the last user. Further calls do nothing."""
        with self._lock:
            self._users.discard(id(user))
            loop = self._loop
            if self._users or loop is None:
                return
            self._loop = None
        loop.call_soon_threadsafe(loop.stop)

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(_ended())
            # A session waits for the end of its loop as an asynchronous generator.
            loop.run_until_complete(loop.shutdown_asyncgens())
            # Transports that were told to close do so in the turns that follow.
            for _ in range(3):
                loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()

    def run(
        self,
        make: Callable[[Any], Awaitable[T]],
        timeout: float | None = None,
        *,
        late: Callable[[T], None] | None = None,
    ) -> T:
        """Runs the coroutine that `make` returns, and waits for its result.

        `make` gets a function that calls others in this thread. Raises TimeoutError after `timeout` seconds. `late`
        gets a result that arrived while the call was being interrupted. Raises OpenAIError after the last connection.
        """
        loop = self._loop
        if loop is None:
            raise OpenAIError("This connection is closed: make a new one with `connect`.")
        box: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        task: asyncio.Task[T] | None = None

        def here(function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
            future = asyncio.get_running_loop().create_future()
            box.put((function, args, future))
            return future

        async def work() -> T:
            return await make(here)

        def start() -> None:
            nonlocal task
            task = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda done: box.put((done,)))

        loop.call_soon_threadsafe(start, context=copy_context())
        try:
            return cast("T", self._wait(loop, box, timeout))
        except BaseException as error:
            if task is None or not task.done() or isinstance(error, (Empty, KeyboardInterrupt)):
                kept = self._stop(loop, box, lambda: task, late)
                if isinstance(error, Empty):
                    if kept:
                        return kept[0]
                    raise TimeoutError(f"nothing was received within {timeout} s") from None
                if kept and late is not None:
                    late(kept[0])
            raise

    def _wait(self, loop: asyncio.AbstractEventLoop, box: SimpleQueue[tuple[Any, ...]], timeout: float | None) -> Any:
        while True:
            item = box.get(timeout=timeout)
            if len(item) == 1:
                return item[0].result()
            function, args, future = item
            try:
                result, failure = function(*args), None
            except Exception as error:
                result, failure = None, error
            loop.call_soon_threadsafe(_settle, future, result, failure)

    def _stop(
        self,
        loop: asyncio.AbstractEventLoop,
        box: SimpleQueue[tuple[Any, ...]],
        task: Callable[[], asyncio.Task[T] | None],
        late: Callable[[T], None] | None,
    ) -> list[T]:
        """Cancels a call, and returns its result if it was quicker."""

        def cancel() -> None:
            if (running := task()) is not None:
                running.cancel()

        loop.call_soon_threadsafe(cancel)
        try:
            item = box.get(timeout=_GRACE_SECONDS)
        except Empty:
            return []
        if len(item) == 1 and not item[0].cancelled() and item[0].exception() is None:
            return [item[0].result()]
        return []


async def _ended() -> None:
    """Cancels the tasks that are left, and waits for them."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _settle(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
