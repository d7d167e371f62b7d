"""Streams of events that do not end with one answer: the connection waits for the next event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from aiopenai.testing.engine.replies import EventReply

__all__ = ["EventFeed"]


class EventFeed(EventReply):
    """A streamed reply whose events are made while it is sent.

    advance: makes the next event and adds it to all feeds that it concerns. Returns False if there is none now.
    """

    __slots__ = ("__weakref__", "_advance", "_ended", "_waiting", "wake")

    def __init__(self, advance: Callable[[], bool]) -> None:
        super().__init__(())
        self._advance = advance
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self.wake: Callable[[], None] | None = None
        """Wakes the connection that waits for events; None while none does."""

    @property
    def ended(self) -> bool:
        """Whether no event follows."""
        return self._ended and not self._waiting

    def add(self, block: bytes) -> None:
        """Adds an event, and wakes the connection."""
        if not self._ended:
            self._waiting.append(block)
            self.notify()

    def end(self) -> None:
        """Ends the feed after the events that are waiting."""
        self._ended = True
        self.notify()

    def take(self) -> bytes | None:
        """Returns the next event, or None if there is none now."""
        while not self._waiting and not self._ended and self._advance():
            pass
        return self._waiting.popleft() if self._waiting else None

    def notify(self) -> None:
        """Wakes the connection: there may be an event to send or to make."""
        if self.wake is not None:
            self.wake()
