"""What an endpoint gets and what it gives back: plain values, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeGuard

import msgspec

from aiopenai.testing.engine.journal import ReceivedRequest
from aiopenai.testing.memory.state import State

__all__ = [
    "DONE",
    "ApiError",
    "Call",
    "Endpoint",
    "Events",
    "Object",
    "Outcome",
    "Reply",
    "data_event",
    "encode",
    "error_body",
    "is_array",
    "is_object",
    "named_event",
    "section",
    "strings",
    "text_of",
]

Object: TypeAlias = "dict[str, Any]"

encode = msgspec.json.encode
DONE = b"data: [DONE]\n\n"


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded JSON value is an object."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a decoded JSON value is an array."""
    return type(value) is list


class Reply:
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
    def json(cls, value: Object, *, tokens: int = 0, headers: Mapping[str, str] | None = None) -> Reply:
        """A 200 reply with `value` as JSON."""
        return cls(encode(value), tokens=tokens, headers=headers)


class Events:
    """A streamed reply: every item of `blocks` is one complete server-sent event, sent as a chunk of its own."""

    __slots__ = ("blocks", "tokens")

    def __init__(self, blocks: Iterable[bytes], *, tokens: int = 0) -> None:
        self.blocks = blocks
        self.tokens = tokens


Outcome: TypeAlias = "Reply | Events"


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

    def reply(self) -> Reply:
        """The reply that carries this error in the API's envelope."""
        body = error_body(self.message, type=self.type, param=self.param, code=self.code)
        return Reply(body, status=self.status, headers=self.headers)


def error_body(message: str, *, type: str, param: str | None = None, code: str | None = None) -> bytes:
    """The API's error envelope: `{"error": {"message", "type", "param", "code"}}`."""
    return encode({"error": {"message": message, "type": type, "param": param, "code": code}})


def data_event(value: Object) -> bytes:
    """A server-sent event without a name, as chat and completions send them."""
    return b"data: " + encode(value) + b"\n\n"


def named_event(value: Object) -> bytes:
    """A server-sent event named by its `type`, as responses send them."""
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"


class Call:
    """One request on its way to an endpoint.

    `ids` are the values of the path's parameters, in order; `request_id` is what goes into `x-request-id`.
    """

    __slots__ = ("ids", "request", "request_id", "state")

    def __init__(self, state: State, request: ReceivedRequest, ids: tuple[str, ...], request_id: str) -> None:
        self.state = state
        self.request = request
        self.ids = ids
        self.request_id = request_id

    def body(self) -> Object:
        """The JSON object that was sent; raises `ApiError` 400 for anything else. An empty body is an empty object."""
        raw = self.request.body
        if not raw:
            return {}
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ApiError(
                400,
                f"We could not parse the JSON body of your request: {exc}. The API expects a JSON payload.",
            ) from exc
        if not is_object(value):
            raise ApiError(400, "The body of your request must be a JSON object.")
        return value

    def now(self) -> int:
        """Seconds since the epoch, by the server's clock."""
        return int(self.state.clock())

    def polled(self, value: Object, *, unfinished: bool) -> Reply:
        """A reply about work that goes on on the server; while it is unfinished it says when to look again."""
        headers = {"openai-poll-after-ms": str(self.state.poll_after_ms)} if unfinished else None
        return Reply.json(value, headers=headers)


Endpoint: TypeAlias = Callable[[Call], Outcome]


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the texts of its parts joined by newlines."""
    if type(content) is str:
        return content
    if not is_array(content):
        return ""
    texts: list[str] = []
    for part in content:
        if is_object(part):
            text = part.get("text")
            if type(text) is str:
                texts.append(text)
    return "\n".join(texts)


def section(body: Object, name: str) -> Object:
    """An object inside a request's body, empty when it is absent or null."""
    return body.get(name) or {}


def strings(value: object) -> list[str]:
    """The strings of an array, or nothing."""
    return [item for item in value if type(item) is str] if is_array(value) else []
