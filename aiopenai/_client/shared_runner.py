"""One event loop for the calls of several threads: one of them leads and runs the loop, the others wait."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from typing_extensions import override

from aiopenai._client.runner import Runner, work_without_threads
from aiopenai.errors import OpenAIError

__all__ = ["SharedRunner"]

T = TypeVar("T")

_LOST = (
    "The event loop of this call has ended, because another thread was interrupted while it ran the loop: make the "
    "call again."
)


class _Call(Generic[T]):
    """The call of one thread on a shared loop."""

    __slots__ = ("_context", "_coroutine", "leads", "lost", "task", "woken")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._context = copy_context()
        self.task: asyncio.Task[T] | None = None
        self.leads = False
        """Whether its thread runs the loop."""
        self.lost = False
        """Whether the loop is ended before its result."""
        # Held until the call is over, or leads.
        self.woken = threading.Lock()
        self.woken.acquire()

    def begin(self, loop: asyncio.AbstractEventLoop, ended: Callable[[_Call[Any]], None]) -> None:
        """Makes the task of this call, in the context of its thread."""
        # `create_task` itself takes a context only from Python 3.11 on.
        self.task = self._context.run(loop.create_task, self._coroutine)
        self.task.add_done_callback(lambda _: ended(self))

    def cancel(self) -> None:
        """Ends the coroutine without its result."""
        if self.task is None:
            self._coroutine.close()
        else:
            self.task.cancel()

    def result(self) -> T:
        """Returns the result of the coroutine, or raises its error."""
        if self.task is None or (self.lost and self.task.cancelled()):
            self._coroutine.close()
            raise OpenAIError(_LOST)
        return self.task.result()


class _Selector(selectors.DefaultSelector):
    """The selector of a shared loop, which begins the calls that came while the loop was busy.

    `call_soon_threadsafe` writes to the loop's own socket each time, and the write gives the interpreter lock away: a
    switch of threads for each call. A busy loop needs no wake-up.
    """

    def __init__(self, begin: Callable[[_Call[Any]], None]) -> None:
        super().__init__()
        self._begin = begin
        self.calls: deque[_Call[Any]] = deque()
        """The calls that have not begun."""
        self.asleep = False
        """Whether the loop waits for its sockets, and nothing has woken it yet."""

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Set before the look at the calls: a thread adds its call before it looks whether the loop sleeps.
        self.asleep = timeout is None or timeout > 0
        if self.calls:
            timeout = 0
            while self.calls:
                self._begin(self.calls.popleft())
        try:
            return super().select(timeout)
        finally:
            self.asleep = False


class SharedRunner(Runner):
    """A loop that threads share by the pattern of leader and followers.

    The first thread with a call leads: it runs the loop until its own call is over, with the calls of other threads
    beside it, which wait. Then it hands the loop over to one of these. So no thread is started, and a thread that is
    alone runs its calls itself.

    Coroutines run in other threads than their caller's. They must be of the package's own code: code of the program
    may depend on its thread, or take a lock that a waiting thread holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector: _Selector | None = None
        if type(self._loop) is asyncio.SelectorEventLoop:
            self._loop.close()
            self._selector = _Selector(self._begin)
            self._loop = asyncio.SelectorEventLoop(self._selector)
        # Held for the steps that decide which call leads. Callbacks of the loop need no lock: while they run, its
        # leader does not hand the loop over.
        self._guard = threading.Lock()
        self._led = False
        self._waiting: dict[_Call[Any], None] = {}
        self._retired = False

    def load(self) -> int:
        """Returns the number of calls on the loop."""
        return len(self._waiting) + self._led

    def enter(self, coroutine: Coroutine[Any, Any, T]) -> _Call[T] | None:
        """Returns the call of a coroutine for `run_call`, or None if the loop takes no further calls."""
        call = _Call(coroutine)
        with self._guard:
            if self._retired or self.closed:
                return None
            call.leads = not self._led
            self._led = True
            if not call.leads:
                self._waiting[call] = None
        return call

    def run_call(self, call: _Call[T]) -> T:
        """Runs a call to its end, in this thread or in that of another call."""
        try:
            begun = not call.leads
            if begun:
                self._follow(call)
            if call.leads:
                self._lead(call, begun)
            return call.result()
        except BaseException:
            if call.leads or call in self._waiting:
                self._leave(call)
            raise
        finally:
            # The traceback of an error keeps this frame, and the frame would keep the error by the call's task.
            del call

    def _follow(self, call: _Call[Any]) -> None:
        """Waits until a call is over, or leads."""
        # A loop that has ended in the meantime raises, and `_give_up` wakes this call.
        with contextlib.suppress(RuntimeError):
            selector = self._selector
            if selector is None:
                self._loop.call_soon_threadsafe(self._begin, call)
            else:
                selector.calls.append(call)
                if selector.asleep:
                    selector.asleep = False
                    self._loop.call_soon_threadsafe(_wake)
        call.woken.acquire()

    def _lead(self, call: _Call[Any], begun: bool) -> None:
        """Runs the loop until a call is over, and hands it over."""
        if not threading.main_thread().is_alive():
            work_without_threads(self._loop)
        try:
            if not begun:
                self._begin(call)
            self._loop.run_forever()
        except BaseException:
            # Raised into this thread by another one, perhaps in the middle of the loop's own code.
            self._give_up(call)
            raise
        self._hand_over(call)

    def _begin(self, call: _Call[Any]) -> None:
        call.begin(self._loop, self._ended)

    def _ended(self, call: _Call[Any]) -> None:
        if call.leads:
            self._loop.stop()
        else:
            self._waiting.pop(call, None)
            call.woken.release()

    def _leave(self, call: _Call[Any]) -> None:
        """Takes a call from the loop whose thread goes on: another thread raised an exception into it."""
        with self._guard:
            self._waiting.pop(call, None)
        if call.leads:
            # The loop does not run now: `_lead` has its own end for that.
            call.cancel()
            self._hand_over(call)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(call.cancel)

    def _hand_over(self, call: _Call[Any]) -> None:
        """Lets another call lead: the last one that came, which leads for the longest time."""
        with self._guard:
            call.leads = False
            following = self._waiting.popitem()[0] if self._waiting else None
            self._led = following is not None
            if following is not None:
                following.leads = True
        if following is not None:
            following.woken.release()
        elif self._retired:
            self.close()

    def _give_up(self, call: _Call[Any]) -> None:
        """Ends the loop, and the calls on it."""
        with self._guard:
            call.leads = False
            self._retired = True
        for following in list(self._waiting):
            following.lost = True
        try:
            if call.task is not None:
                self._break_off(call.task)
        finally:
            while self._waiting:
                self._waiting.popitem()[0].woken.release()
            self._led = False

    def retire(self) -> None:
        """Closes the loop after the calls on it."""
        with self._guard:
            self._retired = True
            if self._led:
                return
        self.close()

    @override
    def abandon(self) -> None:
        super().abandon()
        # A thread that the child has not got may hold it.
        self._guard = threading.Lock()


def _wake() -> None:
    """Does nothing: the callback that wakes a loop."""
