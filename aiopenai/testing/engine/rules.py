"""The rules that a test gives to the server: faults and prepared replies."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiopenai.testing.engine.received import Fault, ReceivedRequest, check_headers
from aiopenai.testing.engine.values import encode

__all__ = ["Prepared", "Rules", "as_bytes"]


@dataclass(slots=True, eq=False)
class Prepared:
    """A reply prepared by a test. Made by `Server.reply_with`."""

    path: str
    body: bytes
    status: int
    headers: Mapping[str, str]
    content_type: str
    chunk_size: int | None
    times: int | None
    applied: int = 0

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError("status must be between 200 and 599")
        if self.chunk_size is not None and self.chunk_size < 1:
            raise ValueError("chunk_size must be at least 1")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or None for ever")
        check_headers(self.headers)


class Rules:
    """The faults and the prepared replies of a server, in the order in which they were asked for.

    Tests change them from any thread while the server serves.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._prepared: list[Prepared] = []
        self._lock = threading.Lock()

    def add_fault(self, fault: Fault) -> None:
        """Queue a fault."""
        with self._lock:
            self._faults.append(fault)

    def add_prepared(self, prepared: Prepared) -> None:
        """Queue a prepared reply; one that is served for ever gives way to later ones for its path."""
        with self._lock:
            self._prepared = [old for old in self._prepared if old.path != prepared.path or old.times is not None]
            self._prepared.append(prepared)

    def clear_faults(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def clear_prepared(self) -> None:
        """Forget all prepared replies."""
        with self._lock:
            self._prepared.clear()

    def fault_for(self, request: ReceivedRequest) -> Fault | None:
        """Take the first fault that applies to the request."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.takes(request):
                    fault.applied += 1
                    if fault.times is not None and fault.applied >= fault.times:
                        self._faults.remove(fault)
                    return fault
        return None

    def prepared_for(self, path: str) -> Prepared | None:
        """Take the first prepared reply for a path (relative to the base URL)."""
        if not self._prepared:
            return None
        with self._lock:
            for prepared in self._prepared:
                if prepared.path == path:
                    prepared.applied += 1
                    if prepared.times is not None and prepared.applied >= prepared.times:
                        self._prepared.remove(prepared)
                    return prepared
        return None


def as_bytes(body: bytes | str | Mapping[str, Any] | list[Any]) -> bytes:
    """A body given by a test: bytes as they are, text as UTF-8, anything else as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else encode(body)
