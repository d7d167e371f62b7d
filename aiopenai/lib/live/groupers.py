"""Groupers of transcripts for both clients: they call handlers, and wait for the ends of turns."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, overload

from typing_extensions import Self, override

from aiopenai._live.handlers import EventHandlerRegistry, Registering
from aiopenai.errors import OpenAIError
from aiopenai.lib.live.segments import (
    GroupingRules,
    TranscriptSegment,
    TranscriptSegmentClosedEvent,
    TranscriptUpdate,
)
from aiopenai.lib.live.timing import TimedTurns

if TYPE_CHECKING:
    from types import TracebackType

    from aiopenai.types.live import ServerEvent

__all__ = ["AsyncTranscriptGrouper", "TranscriptGrouper"]

ReturnT = TypeVar("ReturnT")
OnUpdate = Callable[[TranscriptSegment], ReturnT]
OnClosed = Callable[[TranscriptSegmentClosedEvent], ReturnT]


class _Timer(Protocol):
    def cancel(self) -> Any: ...


@dataclass(eq=False)
class _Delivery:
    """A task that calls handlers, and the number of callers that wait for it."""

    waiters: int
    task: asyncio.Task[None] | None = None


class _Grouper(Registering, Generic[ReturnT]):
    """The part that both groupers share."""

    def __init__(
        self,
        *,
        min_turn_separation_ms: float | None = None,
        assistant_silence_ms: float | None = None,
        backchannel_max_duration_ms: float | None = None,
        backchannel_isolation_ms: float | None = None,
        additional_acknowledgments: Sequence[str] | None = None,
    ) -> None:
        rules = GroupingRules.of(
            min_turn_separation_ms,
            assistant_silence_ms,
            backchannel_max_duration_ms,
            backchannel_isolation_ms,
            additional_acknowledgments,
        )
        self._turns = TimedTurns(rules)
        self._event_handler_registry = EventHandlerRegistry()
        self._updates: deque[TranscriptUpdate] = deque()
        self._lock = threading.Lock()
        self._timer: _Timer | None = None
        self._timer_due = 0.0

    @overload
    def on(self, event_type: Literal["segment.updated"], handler: OnUpdate[ReturnT]) -> Self: ...
    @overload
    def on(self, event_type: Literal["segment.closed"], handler: OnClosed[ReturnT]) -> Self: ...
    @overload
    def on(self, event_type: Literal["segment.updated"]) -> Callable[[OnUpdate[ReturnT]], OnUpdate[ReturnT]]: ...
    @overload
    def on(self, event_type: Literal["segment.closed"]) -> Callable[[OnClosed[ReturnT]], OnClosed[ReturnT]]: ...
    def on(self, event_type: str, handler: Callable[..., ReturnT] | None = None) -> Any:
        """Adds a handler for an event type; a decorator without `handler`."""
        return self._added(event_type, handler, once=False)

    @overload
    def once(self, event_type: Literal["segment.updated"], handler: OnUpdate[ReturnT]) -> Self: ...
    @overload
    def once(self, event_type: Literal["segment.closed"], handler: OnClosed[ReturnT]) -> Self: ...
    @overload
    def once(self, event_type: Literal["segment.updated"]) -> Callable[[OnUpdate[ReturnT]], OnUpdate[ReturnT]]: ...
    @overload
    def once(self, event_type: Literal["segment.closed"]) -> Callable[[OnClosed[ReturnT]], OnClosed[ReturnT]]: ...
    def once(self, event_type: str, handler: Callable[..., ReturnT] | None = None) -> Any:
        """Adds a handler for the next event of a type; a decorator without `handler`."""
        return self._added(event_type, handler, once=True)

    def off(self, event_type: Literal["segment.updated", "segment.closed"], handler: Callable[..., ReturnT]) -> Self:
        """Removes the first registration of a handler."""
        self._event_handler_registry.remove(event_type, handler)
        return self

    def _handlers(self, update: TranscriptUpdate) -> list[Callable[..., ReturnT]]:
        kind = "segment.updated" if isinstance(update, TranscriptSegment) else "segment.closed"
        return self._event_handler_registry.get_handlers(kind)

    def _set_timer(self) -> None:
        delay = self._turns.delay()
        due = 0.0 if delay is None else time.monotonic() + delay / 1000
        if self._timer is not None:
            # A timer that fires too early sets the next one: cheaper than a new timer, or a thread, for each event.
            if delay is not None and self._timer_due <= due:
                return
            self._timer.cancel()
            self._timer = None
        if delay is not None:
            self._timer_due = due
            self._timer = self._started_timer(delay / 1000)

    def _started_timer(self, seconds: float) -> _Timer:
        raise NotImplementedError

    def _tick(self) -> None:
        """Takes the updates of a timer that fired."""
        self._timer = None
        if self._turns.delay() == 0:
            self._updates += self._turns.tick()
        self._set_timer()


class TranscriptGrouper(_Grouper[None]):
    """Groups the events of one live session of the blocking client into segments.

    `on("segment.updated", handler)` gets each segment as it grows, `on("segment.closed", handler)` at its end. Short
    acknowledgements of the assistant while the user speaks make no segment; `backchannel_max_duration_ms=0` keeps
    them. Handlers run one at a time: in the thread that calls `push` or `close`, or in a daemon thread after a silence,
    whose exceptions go to `threading.excepthook`. The grouper does not close the connection.
    """

    _delivering = False

    def push(self, event: ServerEvent) -> None:
        """Takes an event of the connection; duplicates and unrelated events change nothing.

        Raises OpenAIError for a malformed event and after `close`, and the exceptions of handlers.
        """
        with self._lock:
            updates = self._turns.push(event)
            if updates is None:
                return
            self._updates += updates
            self._set_timer()
        self._deliver()

    def close(self) -> None:
        """Ends all segments, for the reason `manual`. Later calls do nothing."""
        with self._lock:
            self._updates += self._turns.close("manual")
            self._set_timer()
        self._deliver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @override
    def _started_timer(self, seconds: float) -> _Timer:
        timer = threading.Timer(seconds, lambda: self._fired(timer))
        timer.daemon = True
        timer.start()
        return timer

    def _fired(self, timer: _Timer) -> None:
        with self._lock:
            # A timer may be replaced while it wakes up.
            if timer is not self._timer:
                return
            self._tick()
        self._deliver()

    def _deliver(self) -> None:
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        try:
            while (update := self._next()) is not None:
                for handler in self._handlers(update):
                    handler(update)
        except BaseException:
            with self._lock:
                self._delivering = False
            raise

    def _next(self) -> TranscriptUpdate | None:
        """Returns the next update, or ends the delivery under the same lock, so that no update is left behind."""
        with self._lock:
            if self._updates:
                return self._updates.popleft()
            self._delivering = False
            return None


class AsyncTranscriptGrouper(_Grouper[Awaitable[None] | None]):
    """Groups the events of one live session of the asynchronous client into segments.

    It has the rules of `TranscriptGrouper`. Handlers may be coroutine functions, and run one at a time in the loop that
    used the grouper first. Exceptions of handlers after a silence go to the loop's exception handler.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    # The one that runs.
    _delivery: _Delivery | None = None

    async def push(self, event: ServerEvent) -> None:
        """Takes an event of the connection, and waits for the handlers.

        Raises OpenAIError for a malformed event and after `close`, and the exceptions of handlers.
        """
        self._own_loop()
        updates = self._turns.push(event)
        if updates is None:
            return
        self._updates += updates
        self._set_timer()
        await self._deliver()

    async def close(self) -> None:
        """Ends all segments, for the reason `manual`. Later calls do nothing."""
        self._own_loop()
        self._updates += self._turns.close("manual")
        self._set_timer()
        await self._deliver()

    async def __aenter__(self) -> Self:
        self._own_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise OpenAIError("This grouper belongs to another event loop: use it in the loop of its first use.")
        return loop

    @override
    def _started_timer(self, seconds: float) -> _Timer:
        return self._own_loop().call_later(seconds, self._fired)

    def _fired(self) -> None:
        self._tick()
        if self._updates and self._delivery is None:
            self._start_delivery(waiters=0)

    async def _deliver(self) -> None:
        delivery = self._delivery
        if delivery is None:
            if not self._updates:
                return
            delivery = self._start_delivery(waiters=1)
        elif delivery.task is asyncio.current_task():
            # A handler that pushes or closes would wait for itself.
            return
        else:
            delivery.waiters += 1
        assert delivery.task is not None
        try:
            # The handlers of an update run to their end, even if this caller is cancelled.
            await asyncio.shield(delivery.task)
        finally:
            delivery.waiters -= 1

    def _start_delivery(self, *, waiters: int) -> _Delivery:
        self._delivery = delivery = _Delivery(waiters)
        delivery.task = self._own_loop().create_task(self._run(delivery))
        return delivery

    async def _run(self, delivery: _Delivery) -> None:
        # An eager task runs before `create_task` has returned it.
        delivery.task = asyncio.current_task()
        try:
            while self._updates:
                update = self._updates.popleft()
                for handler in self._handlers(update):
                    result = handler(update)
                    if inspect.isawaitable(result):
                        await result
        except Exception as error:
            if delivery.waiters:
                raise
            loop = self._own_loop()
            message = "A handler of a transcript's segments failed"
            # Later, because a loop's handler runs in the task's context, which cannot be entered twice.
            loop.call_soon(loop.call_exception_handler, {"message": message, "exception": error, "task": delivery.task})
        finally:
            self._delivery = None
