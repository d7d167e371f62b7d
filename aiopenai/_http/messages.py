"""Requests and responses as plain values: what errors and raw replies carry. They pickle, and hold no credentials."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
from typing_extensions import override

from aiopenai._base.headers import REDACTED, SECRET_HEADERS
from aiopenai._base.redaction import redacted_url
from aiopenai._data.codec import decode_json

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["HTTPRequest", "HTTPResponse", "Headers", "Reply", "charset_of", "parse_json", "request_of"]


class Headers(Mapping[str, str]):
    """Headers by name, in any case; of repeated ones the values are joined, and `get_list` has them apart."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, list[str]] = {}
        for name, value in items:
            self._items.setdefault(name.lower(), []).append(value)

    @override
    def __getitem__(self, name: str) -> str:
        return ", ".join(self._items[name.lower()])

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    @override
    def __len__(self) -> int:
        return len(self._items)

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def get_list(self, name: str) -> list[str]:
        """All values of one name."""
        return list(self._items.get(name.lower(), ()))

    def multi_items(self) -> list[tuple[str, str]]:
        """All names and values, repeated ones repeated."""
        return [(name, value) for name, values in self._items.items() for value in values]

    @override
    def __repr__(self) -> str:
        shown = {name: REDACTED if name in SECRET_HEADERS else self[name] for name in self}
        return f"Headers({shown})"


class HTTPRequest:
    """What was sent: verb, URL and headers, credentials redacted."""

    __slots__ = ("headers", "method", "url")

    def __init__(self, method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.method = method
        self.url = redacted_url(url) if "@" in url or "?" in url else url
        self.headers = Headers((name, REDACTED if name.lower() in SECRET_HEADERS else value) for name, value in headers)

    @override
    def __repr__(self) -> str:
        return f"<HTTPRequest {self.method} {self.url}>"


class HTTPResponse:
    """A reply that was read: status, headers and body."""

    def __init__(
        self,
        status_code: int,
        headers: Headers,
        content: bytes,
        request: HTTPRequest,
        *,
        reason: str = "",
        elapsed: float = 0.0,
        retries_taken: int = 0,
    ) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content
        self.request = request
        self.reason_phrase = reason
        self.elapsed = timedelta(seconds=elapsed)
        self.retries_taken = retries_taken

    @property
    def url(self) -> str:
        """Where the reply came from."""
        return self.request.url

    @property
    def text(self) -> str:
        """The body as text, by the charset that the reply names, else UTF-8; what cannot be decoded is replaced."""
        return self.content.decode(charset_of(self.headers), "replace")

    def json(self) -> Any:
        """The body's JSON. Raises ValueError where it is none."""
        return parse_json(self.content)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @override
    def __repr__(self) -> str:
        return f"<HTTPResponse [{self.status_code} {self.reason_phrase}]>"


def parse_json(content: bytes) -> Any:
    try:
        return decode_json(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def charset_of(headers: Mapping[str, str]) -> str:
    """The charset of a Content-Type, or utf-8."""
    _, _, rest = headers.get("content-type", "").lower().partition("charset=")
    name = rest.partition(";")[0].strip().strip("\"'")
    try:
        return codecs.lookup(name).name if name else "utf-8"
    except LookupError:
        return "utf-8"


class Reply(Protocol):
    """One reply as the transport gives it: the head is there, the body is read by whoever wants it."""

    request: HTTPRequest
    status: int
    reason: str
    elapsed: float

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in any case."""
        ...

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop of the connection. Finalisers, which run in any thread, close the reply through it."""
        ...

    @property
    def closed(self) -> bool:
        """Whether no more of the body can be read."""
        ...

    async def read(self) -> bytes:
        """The rest of the body; the connection goes back to the pool."""
        ...

    async def read_some(self) -> bytes:
        """The next piece of the body as it arrives; empty at its end."""
        ...

    async def drain(self, seconds: float) -> None:
        """Read what is left, if that is quickly done, so that the connection can be used again; else close it."""
        ...

    def close(self) -> None:
        """Drop the connection at once unless the body was read to its end."""
        ...

    def items(self) -> Iterable[tuple[str, str]]:
        """The headers as they came."""
        ...


def request_of(reply: Reply) -> HTTPRequest:
    """What was sent, as a value: a transport may make it only now that somebody asks."""
    request: Any = reply.request
    return cast("HTTPRequest", request.value() if hasattr(request, "value") else request)
