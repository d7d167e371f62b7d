"""Faults on demand: what a test asks the server to do wrong, and prepared replies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from aiopenai.testing.engine.exchange import error_body
from aiopenai.testing.engine.journal import ReceivedRequest

__all__ = ["Fault", "Match", "Prepared", "Rules"]

Match: TypeAlias = "str | Callable[[ReceivedRequest], bool] | None"

# What the API calls its errors: status -> (type, code, message).
_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request was invalid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "permission_denied", "You have insufficient permissions for this operation."),
    404: ("invalid_request_error", "not_found", "The requested resource was not found."),
    408: ("server_error", "timeout", "The request timed out."),
    409: ("invalid_request_error", "conflict", "The resource was updated by another request."),
    422: ("invalid_request_error", "unprocessable_entity", "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
}


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not name or any(char in name + value for char in "\r\n\0"):
            raise ValueError(f"not a header: {name!r}")


def _matches(match: Match, request: ReceivedRequest) -> bool:
    if match is None:
        return True
    if isinstance(match, str):
        return match in request.path
    return match(request)


@dataclass(slots=True, eq=False)
class Fault:
    """Something that goes wrong with a request. Made by `Server.fault`, which says what each field means.

    `applied` counts the requests that had it.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    content_type: str = "application/json"
    delay: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None
    reset: bool = False
    times: int | None = 1
    match: Match = None
    applied: int = 0

    def __post_init__(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status must be between 200 and 599")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or None for ever")
        if self.delay < 0:
            raise ValueError("delay must not be negative")
        if self.cut_after is not None and self.stall_after is not None:
            raise ValueError("a reply is either cut or stalled: give one of cut_after and stall_after")
        for limit in (self.cut_after, self.stall_after):
            if limit is not None and limit < 0:
                raise ValueError("cut_after and stall_after count bytes from 0")
        _check_headers(self.headers)

    def takes(self, request: ReceivedRequest) -> bool:
        """Whether the fault applies to the request and is not used up."""
        return (self.times is None or self.applied < self.times) and _matches(self.match, request)

    def replacement(self) -> bytes | None:
        """The body to send in place of the endpoint's, or None to let the endpoint answer."""
        if self.body is not None:
            return self.body
        if self.status is None:
            return None
        if self.status < 400:
            return b""
        kind, code, message = _ERRORS.get(
            self.status, ("server_error", None, "The server had an error while processing your request.")
        )
        return error_body(message, type=kind, code=code)


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
        _check_headers(self.headers)


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
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)
