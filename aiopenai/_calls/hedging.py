"""Hedging: a second attempt beside one that is late.

One reply in a hundred takes many times as long as the others, for reasons that have nothing to do with its request. A
second attempt usually arrives in the usual time. It costs as many calls as there are late replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

from typing_extensions import override

from aiopenai._base.aliases import python_value

__all__ = ["HedgePolicy", "cancelled", "harmless"]

T = TypeVar("T")

# Latencies kept for each kind of call, and how many new ones lead to new percentiles.
_REMEMBERED = 500
_NEEDED = 20
# Second attempts that can be saved up for a bad moment.
_SAVED = 10.0
# POSTs that change nothing on the server, unless they ask it to store something.
_HARMLESS = frozenset({"/chat/completions", "/completions", "/embeddings", "/moderations", "/responses/input_tokens"})


class HedgePolicy:
    """The rule for second attempts: `after` so many seconds, or after a percentile ("p95") of the latencies so far.

    At most the share `max_extra` of all calls has a second attempt: 0.05 is one in twenty. The first reply wins, and
    the other attempt is cancelled. Uploads are never hedged, nor are calls that change something without an
    `idempotency_key`. `calls` and `extra` count calls and second attempts. One policy may serve several clients.

    Raises ValueError for values that are out of range.
    """

    def __init__(self, after: float | str = "p95", max_extra: float = 0.05) -> None:
        self._share: float | None = None
        self._seconds = 0.0
        if isinstance(after, str):
            with contextlib.suppress(ValueError):
                self._share = float(after[1:]) / 100 if after.startswith("p") else None
            if self._share is None or not 0 < self._share < 1:
                raise ValueError(f"after must be seconds or a percentile such as 'p95', not {after!r}")
        elif 0 <= after < float("inf"):
            self._seconds = after
        else:
            raise ValueError(f"after must be a number of seconds, not {after!r}")
        if not 0 <= max_extra <= 1:
            raise ValueError(f"max_extra must be between 0 and 1, not {max_extra!r}")
        self.after = after
        self.max_extra = max_extra
        self.calls = self.extra = 0
        self._credit = 0.0
        self._kinds: dict[str, _Usual] = {}

    @override
    def __repr__(self) -> str:
        return f"HedgePolicy(after={self.after!r}, max_extra={self.max_extra!r})"

    async def race(self, kind: str, attempt: Callable[[], Coroutine[Any, Any, T]], discard: Callable[[T], object]) -> T:
        """Returns the result of the quicker of two attempts, or raises the first one's error if both fail.

        `discard` is called with the result of the slower one, if it has one.
        """
        self.calls += 1
        self._credit = min(self._credit + self.max_extra, _SAVED)
        usual = self._kinds.get(kind)
        if usual is None:
            if len(self._kinds) > 1_000:
                self._kinds.clear()
            usual = self._kinds[kind] = _Usual()
        begun = time.perf_counter()
        delay = self._seconds if self._share is None else usual.percentile(self._share)
        if delay is None or self._credit < 1:
            value = await attempt()
        else:
            value = await self._both(delay, attempt, discard)
        usual.add(time.perf_counter() - begun)
        return value

    async def _both(
        self, delay: float, attempt: Callable[[], Coroutine[Any, Any, T]], discard: Callable[[T], object]
    ) -> T:
        tasks = [asyncio.ensure_future(attempt())]
        winner: asyncio.Task[T] | None = None
        try:
            await asyncio.wait(tasks, timeout=delay)
            if not tasks[0].done() and self._credit >= 1:
                self._credit -= 1
                self.extra += 1
                tasks.append(asyncio.ensure_future(attempt()))
            pending: Collection[asyncio.Task[T]] = tasks
            while winner is None and pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                winner = next((task for task in tasks if task in done and task.exception() is None), None)
        finally:
            losers = [task for task in tasks if task is not winner]
            await cancelled(losers)
            for task in losers:
                if not task.cancelled() and task.exception() is None:
                    discard(task.result())
        return (winner or tasks[0]).result()


class _Usual:
    """The latencies of one kind of call."""

    def __init__(self) -> None:
        self._latencies: deque[float] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        self._latencies.append(seconds)
        self._count += 1
        if self._count % _NEEDED == 0:
            self._sorted = sorted(self._latencies)

    def percentile(self, share: float) -> float | None:
        """Returns the latency that a share of the calls did not exceed; None while too few are known."""
        return self._sorted[min(int(share * len(self._sorted)), len(self._sorted) - 1)] if self._sorted else None


def harmless(method: str, path: str, body: Any) -> bool:
    """Returns whether a request may be made twice, because it changes nothing on the server."""
    if method in ("GET", "HEAD"):
        return True
    store = python_value(body.get("store")) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if path == "/responses":
        # A response is stored unless `store` is False.
        return store is False
    return path in _HARMLESS and not store


async def cancelled(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits until they end."""
    tasks = [task for task in tasks if not task.done()]
    while tasks:
        for task in tasks:
            task.cancel()
        # Again where a task swallowed it.
        _, pending = await asyncio.wait(tasks, timeout=0.05)
        tasks = list(pending)
