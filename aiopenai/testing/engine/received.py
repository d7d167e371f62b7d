"""A request as it arrived, and the fault that the server applied to it.

The two types share a file because each has the other as a field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote

from aiopenai.testing.engine.multipart import Part, parse_multipart
from aiopenai.testing.engine.values import error_body

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

__all__ = ["Fault", "Match", "ReceivedRequest", "check_headers", "matches"]


# Messages of the client that the journal keeps for each socket.
_MAX_MESSAGES = 10_000


class ReceivedRequest:
    """One request as it arrived.

    method: the verb in upper case.
    path: the path without the query, percent-decoded, for example `/v1/chat/completions`.
    raw_path: path and query exactly as sent.
    headers: case-insensitive; repeated headers are kept (`headers.getall(name)`).
    body: the raw bytes; empty for a request without a body.
    arrived: the `time.monotonic()` at which the headers had been read.
    connection: the number of the connection; the server counts from 1.
    fault: the fault that was applied to the request, or None.
    messages: the messages that arrived on the websocket that this request opened, the first 10,000.
    """

    __slots__ = ("arrived", "body", "connection", "fault", "headers", "messages", "method", "path", "raw_path")

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
        self.messages: list[str | bytes] = []

    @property
    def opens_socket(self) -> bool:
        """Whether the request is the handshake of a websocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def query_list(self) -> list[tuple[str, str]]:
        """The pairs of the query in the order in which they were sent."""
        return parse_qsl(self.raw_path.partition("?")[2], keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """The query as a dict. The last one of repeated names counts (see `query_list`)."""
        return dict(self.query_list)

    def note_message(self, data: str | bytes) -> None:
        """Adds a message that arrived on the websocket of this request, up to a bound."""
        if len(self.messages) < _MAX_MESSAGES:
            self.messages.append(data)

    def json(self) -> Any:
        """Returns the body decoded as JSON. Raises `ValueError` for a body that is not JSON, or nests too deeply."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the body nests too deeply to be decoded") from None

    def multipart(self) -> list[Part]:
        """Returns the parts of a multipart body in order. Raises `ValueError` for other bodies."""
        return parse_multipart(self.headers.get("content-type", ""), self.body)

    def __repr__(self) -> str:
        # Headers stay out, because they hold the key.
        return f"<ReceivedRequest {self.method} {self.path}, {len(self.body)} bytes, connection {self.connection}>"


Match: TypeAlias = "str | Callable[[ReceivedRequest], bool] | None"


# The errors of the API: status -> (type, code, message).
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


def check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not name or any(char in name + value for char in "\r\n\0"):
            raise ValueError(f"not a valid header: {name!r}")


def matches(match: Match, request: ReceivedRequest) -> bool:
    """Returns whether a request is one that a fault is for."""
    if match is None:
        return True
    if isinstance(match, str):
        return match in request.path
    return match(request)


@dataclass(slots=True, eq=False)
class Fault:
    """A failure to apply to requests. `Server.fault` makes it, and explains the fields.

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
            raise ValueError("times must be at least 1, or None for no end")
        if self.delay < 0:
            raise ValueError("delay must not be negative")
        if self.cut_after is not None and self.stall_after is not None:
            raise ValueError("give one of cut_after and stall_after: a reply is either cut or stalled")
        for limit in (self.cut_after, self.stall_after):
            if limit is not None and limit < 0:
                raise ValueError("cut_after and stall_after are numbers of bytes, and must not be negative")
        check_headers(self.headers)

    def replacement(self) -> bytes | None:
        """Returns the body that replaces the one of the endpoint, or None to let the endpoint answer."""
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
