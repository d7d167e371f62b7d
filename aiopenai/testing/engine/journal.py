"""The journal of received requests, bounded by number and by bytes."""

from __future__ import annotations

import threading
from collections import deque

from aiopenai.testing.engine.received import ReceivedRequest

__all__ = ["Journal"]


class Journal:
    """The last requests, oldest first, bounded by number and by the bytes of their bodies.

    The newest request is always kept. Any thread may read the journal.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        if max_entries < 1 or max_bytes < 0:
            raise ValueError("max_journal_entries must be at least 1, and max_journal_bytes not negative")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[ReceivedRequest] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, request: ReceivedRequest) -> None:
        """Records a request, and drops the oldest ones beyond the bounds."""
        with self._lock:
            entries = self._entries
            entries.append(request)
            self._bytes += len(request.body)
            while len(entries) > self._max_entries or (self._bytes > self._max_bytes and len(entries) > 1):
                self._bytes -= len(entries.popleft().body)

    def snapshot(self) -> list[ReceivedRequest]:
        """Returns a copy of the list."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Drops all requests."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0
