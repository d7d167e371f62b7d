"""What the server received, for tests to look at."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from aiopenai.testing.engine.multipart import Part, parse_multipart

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from aiopenai.testing.engine.faults import Fault

__all__ = ["Journal", "ReceivedRequest"]


class ReceivedRequest:
    """One request as it arrived.

    method: verb, upper case.
    path: path without the query, percent-decoded, for example `/v1/chat/completions`.
    raw_path: path and query exactly as sent.
    headers: case-insensitive, repeated headers kept (`headers.getall(name)`).
    body: the raw bytes; empty when there were none.
    arrived: `time.monotonic()` when the request's headers had been read.
    connection: number of the connection it came on; the server counts from 1.
    fault: the fault that was applied to it, if any.
    """

    __slots__ = ("arrived", "body", "connection", "fault", "headers", "method", "path", "raw_path")

    def __init__(
        self,
        *,
        method: str,
        raw_path: str,
        headers: CIMultiDictProxy[str],
        body: bytes,
        arrived: float,
        connection: int,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        path = raw_path.partition("?")[0]
        self.path = unquote(path) if "%" in path else path
        self.headers = headers
        self.body = body
        self.arrived = arrived
        self.connection = connection
        self.fault: Fault | None = None

    @property
    def query_list(self) -> list[tuple[str, str]]:
        """The query's pairs in the order in which they were sent."""
        return parse_qsl(self.raw_path.partition("?")[2], keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The query as a dict; of repeated names the last one counts (see `query_list`)."""
        return dict(self.query_list)

    def json(self) -> Any:
        """The body decoded as JSON; raises `ValueError` if it is not JSON."""
        return json.loads(self.body)

    def multipart(self) -> list[Part]:
        """The parts of a multipart body in order; raises `ValueError` if it is not one."""
        return parse_multipart(self.headers.get("content-type", ""), self.body)

    def __repr__(self) -> str:
        # Headers stay out: they hold the key.
        return f"<ReceivedRequest {self.method} {self.path}, {len(self.body)} bytes, connection {self.connection}>"


class Journal:
    """The last requests, oldest first, bounded by number and by the bytes of their bodies.

    The newest request is kept whatever its size. Safe to read from any thread.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        if max_entries < 1 or max_bytes < 0:
            raise ValueError("a journal needs room for at least one request")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[ReceivedRequest] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, request: ReceivedRequest) -> None:
        """Record a request, dropping the oldest ones beyond the bounds."""
        with self._lock:
            entries = self._entries
            entries.append(request)
            self._bytes += len(request.body)
            while len(entries) > self._max_entries or (self._bytes > self._max_bytes and len(entries) > 1):
                self._bytes -= len(entries.popleft().body)

    def snapshot(self) -> list[ReceivedRequest]:
        """A copy of the list."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0
