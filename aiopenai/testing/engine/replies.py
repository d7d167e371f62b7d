"""Replies of endpoints: whole ones, streams of events, and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from aiopenai.testing.engine.values import Object, encode, error_body

__all__ = ["DONE", "ApiError", "EventReply", "Outcome", "WholeReply", "data_event", "named_event"]

DONE = b"data: [DONE]\n\n"


class WholeReply:
    """A whole reply.

    tokens: the tokens that it costs, for the rate-limit headers.
    chunk_size: the size of its HTTP chunks in bytes; None sends it without chunks.
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
        """Returns a 200 reply with `value` as JSON."""
        return cls(encode(value), tokens=tokens, headers=headers)


class EventReply:
    """A streamed reply. Every item of `blocks` is one complete server-sent event, and a chunk of its own."""

    __slots__ = ("blocks", "tokens")

    headers: Mapping[str, str] | None = None

    def __init__(self, blocks: Iterable[bytes], *, tokens: int = 0) -> None:
        self.blocks = blocks
        self.tokens = tokens


Outcome: TypeAlias = "WholeReply | EventReply"


class ApiError(Exception):
    """An error reply of the API. Endpoints raise it; it never leaves the server as an exception."""

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
        """Returns the reply that carries this error in the envelope of the API."""
        body = error_body(self.message, type=self.type, param=self.param, code=self.code)
        return WholeReply(body, status=self.status, headers=self.headers)


def data_event(value: Object) -> bytes:
    """Returns a server-sent event without a name, as in chat and completions."""
    return b"data: " + encode(value) + b"\n\n"


def named_event(value: Object) -> bytes:
    """Returns a server-sent event named by its `type`, as in responses."""
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"
