"""A bounded queue of events between the task of a run and its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

__all__ = ["EventChannel"]

_LIMIT = 64


class EventChannel:
    """Holds so many events at most: the run waits for its reader. Unlike a queue it can be closed."""

    def __init__(self) -> None:
        self._events: deque[Any] = deque()
        self._closed = False
        self._ready = asyncio.Event()
        self._space = asyncio.Event()

    async def put(self, event: Any) -> None:
        """Adds an event, when there is room."""
        while len(self._events) >= _LIMIT:
            self._space.clear()
            await self._space.wait()
        self._events.append(event)
        self._ready.set()

    def close(self, _: object = None) -> None:
        """Ends the events after those that are waiting."""
        self._closed = True
        self._ready.set()

    async def get(self) -> Any:
        """Returns the next event. Raises StopAsyncIteration after the last one."""
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        self._space.set()
        return self._events.popleft()
