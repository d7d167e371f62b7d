"""Replies of endpoints: whole ones, streams of events, and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from aiopenai.testing.engine.values import Object, encode, error_body

__all__ = ["DONE", "ApiError", "EventReply", "Outcome", "WholeReply", "data_event", "named_event"]

DONE = b"data: [DONE]\n\n"


class WholeReply:
    """A whole reply. `tokens` feeds the rate-limit headers.

    chunk_size: send it in HTTP chunks of so many bytes; None sends it whole.
    """

    __slots__ = ("body", "chunk_size", "content_type", "headers", "status", "tokens")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        tokens: int = 0,
        chunk_size: int | None = None,
    ) -> None:
        self.body = body
        self.chunk_size = chunk_size
        self.status = status
        self.content_type = content_type
        self.headers = headers
        self.tokens = tokens

    @classmethod
    def json(cls, value: Object, *, tokens: int = 0, headers: Mapping[str, str] | None = None) -> WholeReply:
        """A 200 reply with `value` as JSON."""
        return cls(encode(value), tokens=tokens, headers=headers)


class EventReply:
    """A streamed reply: every item of `blocks` is one complete server-sent event, sent as a chunk of its own."""

    __slots__ = ("blocks", "tokens")

    def __init__(self, blocks: Iterable[bytes], *, tokens: int = 0) -> None:
        self.blocks = blocks
        self.tokens = tokens


Outcome: TypeAlias = "WholeReply | EventReply"


class ApiError(Exception):
    """An error reply of the API. Raised by endpoints, never seen by users of the server."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = headers

    def reply(self) -> WholeReply:
        """The reply that carries this error in the API's envelope."""
        body = error_body(self.message, type=self.type, param=self.param, code=self.code)
        return WholeReply(body, status=self.status, headers=self.headers)


def data_event(value: Object) -> bytes:
    """A server-sent event without a name, as chat and completions send them."""
    return b"data: " + encode(value) + b"\n\n"


def named_event(value: Object) -> bytes:
    """A server-sent event named by its `type`, as responses send them."""
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"
