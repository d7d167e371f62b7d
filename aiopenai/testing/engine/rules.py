"""The rules that a test gives to the server: faults and prepared replies."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiopenai.testing.engine.received import Fault, ReceivedRequest, check_headers, matches
from aiopenai.testing.engine.socket_faults import SocketFault
from aiopenai.testing.engine.values import encode

__all__ = ["Prepared", "Rules", "as_bytes"]

_FaultT = TypeVar("_FaultT", Fault, SocketFault)


@dataclass(slots=True, eq=False)
class Prepared:
    """A reply that a test prepared. `Server.reply_with` makes it."""

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
            raise ValueError("times must be at least 1, or None for no end")
        check_headers(self.headers)


class Rules:
    """The faults and the prepared replies of a server, in the order in which a test added them.

    Any thread may change them while the server runs.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._prepared: list[Prepared] = []
        self._socket_faults: list[SocketFault] = []
        self._lock = threading.Lock()

    def add_fault(self, fault: Fault) -> None:
        """Adds a fault at the end."""
        with self._lock:
            self._faults.append(fault)

    def add_prepared(self, prepared: Prepared) -> None:
        """Adds a prepared reply at the end. It replaces a reply for its path that has no end."""
        with self._lock:
            self._prepared = [old for old in self._prepared if old.path != prepared.path or old.times is not None]
            self._prepared.append(prepared)

    def add_socket_fault(self, fault: SocketFault) -> None:
        """Adds a fault of sockets at the end."""
        with self._lock:
            self._socket_faults.append(fault)

    def clear_faults(self) -> None:
        """Drops all faults."""
        with self._lock:
            self._faults.clear()
            self._socket_faults.clear()

    def clear_prepared(self) -> None:
        """Drops all prepared replies."""
        with self._lock:
            self._prepared.clear()

    def fault_for(self, request: ReceivedRequest) -> Fault | None:
        """Returns the first fault that applies to the request, and counts its use."""
        return self._first(self._faults, request)

    def socket_fault_for(self, request: ReceivedRequest) -> SocketFault | None:
        """Returns the first fault that applies to the socket of a handshake, and counts its use."""
        return self._first(self._socket_faults, request)

    def _first(self, faults: list[_FaultT], request: ReceivedRequest) -> _FaultT | None:
        if not faults:
            return None
        with self._lock:
            for fault in faults:
                if (fault.times is None or fault.applied < fault.times) and matches(fault.match, request):
                    fault.applied += 1
                    if fault.times is not None and fault.applied >= fault.times:
                        faults.remove(fault)
                    return fault
        return None

    def prepared_for(self, path: str) -> Prepared | None:
        """Returns the first prepared reply for a path (relative to the base URL), and counts its use."""
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
    """Returns the bytes of a body: text is encoded as UTF-8, other values as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else encode(body)
