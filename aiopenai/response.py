"""What came back: the HTTP side of replies and errors, and replies that are not parsed.

`HTTPRequest` and `HTTPResponse` are plain values that errors and raw replies carry; they pickle, and know no
credentials. `LegacyAPIResponse` (the reference's name) is what `with_raw_response` gives, `AsyncAPIResponse` and
`APIResponse` what `with_streaming_response` gives in the asynchronous and in the blocking client.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from os import PathLike
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec
from typing_extensions import Self, override

from aiopenai.codec import decode_json
from aiopenai.headers import REDACTED, SECRET_HEADERS
from aiopenai.runner import Lease
from aiopenai.urls import without_user

__all__ = [
    "APIResponse",
    "AsyncAPIResponse",
    "HTTPRequest",
    "HTTPResponse",
    "Headers",
    "HttpxBinaryResponseContent",
    "LegacyAPIResponse",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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
        self.url = without_user(url) if "@" in url else url
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
        return _json(self.content)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @override
    def __repr__(self) -> str:
        return f"<HTTPResponse [{self.status_code} {self.reason_phrase}]>"


def _json(content: bytes) -> Any:
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


class _Response:
    """What raw replies of both kinds have in common."""

    def __init__(self, reply: Reply, retries_taken: int) -> None:
        self._reply = reply
        self.retries_taken = retries_taken
        self._headers: Headers | None = None

    @property
    def headers(self) -> Headers:
        """The reply's headers."""
        if self._headers is None:
            self._headers = Headers(self._reply.items())
        return self._headers

    @property
    def http_request(self) -> HTTPRequest:
        """What was sent."""
        return request_of(self._reply)

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def url(self) -> str:
        """Where the reply came from."""
        return self._reply.request.url

    @property
    def method(self) -> str:
        """The HTTP verb."""
        return self._reply.request.method

    @property
    def request_id(self) -> str | None:
        """The `x-request-id` header, to be named when a problem is reported."""
        return self.headers.get("x-request-id")

    @property
    def elapsed(self) -> timedelta:
        """The time from the start of the attempt to the reply's head."""
        return timedelta(seconds=self._reply.elapsed)

    @property
    def is_closed(self) -> bool:
        """Whether no more of the body can be read."""
        return self._reply.closed

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status_code} {self._reply.reason}]>"


class LegacyAPIResponse(_Response, Generic[T]):
    """A reply with its headers, whose body was read: what `with_raw_response` gives. `parse()` has the usual result."""

    def __init__(self, reply: Reply, content: bytes, parse: Callable[[Any], T], retries_taken: int) -> None:
        super().__init__(reply, retries_taken)
        self.content = content
        self._parse = parse
        self._parsed: dict[Any, Any] = {}

    def parse(self, *, to: Any = None) -> T:
        """What the plain method returns; `to` names another type. Raises APIResponseValidationError."""
        if to not in self._parsed:
            self._parsed[to] = self._parse(to)
        return cast("T", self._parsed[to])

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(charset_of(self.headers), "replace")

    def json(self) -> Any:
        """The body's JSON, as plain values. Raises ValueError where it is none."""
        return _json(self.content)

    def read(self) -> bytes:
        """The body."""
        return self.content


class _Body:
    """Reading a body piece by piece, whoever owns it."""

    _reply: Reply

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive; closing the iterator early drops the connection."""
        try:
            while piece := await self._reply.read_some():
                yield piece
        finally:
            self._reply.close()

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The body in pieces of `chunk_size` bytes (the last may be shorter), or as they arrive."""
        if chunk_size is not None and chunk_size < 1:
            raise ValueError("chunk_size must be at least 1")
        pieces = self.iter_raw()
        try:
            if chunk_size is None:
                async for piece in pieces:
                    yield piece
                return
            buffer = bytearray()
            async for piece in pieces:
                buffer += piece
                start = 0
                while len(buffer) - start >= chunk_size:
                    yield bytes(buffer[start : start + chunk_size])
                    start += chunk_size
                del buffer[:start]
            if buffer:
                yield bytes(buffer)
        finally:
            await cast("Any", pieces).aclose()

    async def iter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """The body as text, by its charset, in pieces of `chunk_size` bytes or as they arrive."""
        decoder = codecs.getincrementaldecoder(charset_of(self._reply.headers))("replace")
        pieces = self.iter_bytes(chunk_size)
        try:
            async for piece in pieces:
                if text := decoder.decode(piece):
                    yield text
            if text := decoder.decode(b"", True):
                yield text
        finally:
            await cast("Any", pieces).aclose()

    async def iter_lines(self) -> AsyncIterator[str]:
        """The body's lines, without their ends (LF, CR or CRLF)."""
        rest = ""
        texts = self.iter_text()
        try:
            async for text in texts:
                # A CR at the very end may be half of a CRLF: it waits for what follows.
                held = "\r" if text.endswith("\r") else ""
                lines = (rest + text[: len(text) - len(held)]).replace("\r\n", "\n").replace("\r", "\n").split("\n")
                rest = lines.pop() + held
                for line in lines:
                    yield line
            if rest:
                yield rest.rstrip("\r")
        finally:
            await cast("Any", texts).aclose()

    async def stream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to a file piece by piece, without blocking the event loop and without holding it in memory."""
        import aiofiles

        async with aiofiles.open(file, "wb") as out:
            async for piece in self.iter_bytes(chunk_size):
                await out.write(piece)


class AsyncAPIResponse(_Response, _Body, Generic[T]):
    """A reply whose body has not been read: what `with_streaming_response` gives.

    `parse()`, `read()`, `text()` and `json()` read it whole; `iter_bytes` and its kin as it arrives.
    """

    def __init__(self, reply: Reply, parse: Callable[[bytes | None, Any], Awaitable[T]], retries_taken: int) -> None:
        super().__init__(reply, retries_taken)
        self._parse = parse
        self._content: bytes | None = None

    async def read(self) -> bytes:
        """The body, read whole; once read it is kept."""
        if self._content is None:
            self._content = await self._reply.read()
        return self._content

    async def parse(self, *, to: Any = None) -> T:
        """What the plain method returns; `to` names another type. Raises APIResponseValidationError."""
        return await self._parse(self._content, to)

    async def text(self) -> str:
        """The body as text."""
        return (await self.read()).decode(charset_of(self.headers), "replace")

    async def json(self) -> Any:
        """The body's JSON, as plain values. Raises ValueError where it is none."""
        return _json(await self.read())

    async def close(self) -> None:
        """Drop the connection unless the body was read."""
        self._reply.close()


class APIResponse(_Response, Generic[T]):
    """The same in the blocking client: what `with_streaming_response` gives there, on the loop that `lease` holds."""

    def __init__(self, response: AsyncAPIResponse[T], lease: Lease) -> None:
        super().__init__(cast("Any", response)._reply, response.retries_taken)
        self._response = response
        self._lease = lease

    def read(self) -> bytes:
        """The body, read whole; once read it is kept."""
        return self._lease.run(self._response.read())

    def parse(self, *, to: Any = None) -> T:
        """What the plain method returns; `to` names another type. Raises APIResponseValidationError."""
        return self._lease.run(self._response.parse(to=to))

    def text(self) -> str:
        """The body as text."""
        return self._lease.run(self._response.text())

    def json(self) -> Any:
        """The body's JSON, as plain values. Raises ValueError where it is none."""
        return self._lease.run(self._response.json())

    def iter_raw(self) -> Iterator[bytes]:
        """The body in pieces as they arrive; closing the iterator early drops the connection."""
        return self._lease.iterate(self._response.iter_raw())

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body in pieces of `chunk_size` bytes (the last may be shorter), or as they arrive."""
        return self._lease.iterate(self._response.iter_bytes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """The body as text, by its charset, in pieces of `chunk_size` bytes or as they arrive."""
        return self._lease.iterate(self._response.iter_text(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """The body's lines, without their ends (LF, CR or CRLF)."""
        return self._lease.iterate(self._response.iter_lines())

    def stream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to a file piece by piece, without holding it in memory."""
        self._lease.run(self._response.stream_to_file(file, chunk_size=chunk_size))

    def close(self) -> None:
        """Drop the connection unless the body was read."""
        self._reply.close()
        self._lease.release()


class HttpxBinaryResponseContent:
    """A binary reply, read whole: `content`, `read()`, pieces, lines, or written to a file.

    For bodies that should not be held in memory use `with_streaming_response`.
    """

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response

    @property
    def content(self) -> bytes:
        """The body."""
        return self.response.content

    @property
    def text(self) -> str:
        """The body as text."""
        return self.response.text

    @property
    def encoding(self) -> str:
        """The charset by which `text` decodes."""
        return charset_of(self.response.headers)

    def json(self) -> Any:
        """The body's JSON. Raises ValueError where it is none."""
        return self.response.json()

    def read(self) -> bytes:
        """The body."""
        return self.response.content

    async def aread(self) -> bytes:
        """The body."""
        return self.response.content

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body in pieces of `chunk_size` bytes, or in one."""
        content = self.response.content
        step = chunk_size or max(len(content), 1)
        return (content[start : start + step] for start in range(0, len(content), step))

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The body in pieces of `chunk_size` bytes, or in one."""
        for piece in self.iter_bytes(chunk_size):
            yield piece

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The same: a body that was compressed has been decompressed."""
        return self.iter_bytes(chunk_size)

    async def aiter_raw(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The same."""
        for piece in self.iter_bytes(chunk_size):
            yield piece

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """The body as text in pieces of `chunk_size` characters, or in one."""
        text = self.text
        step = chunk_size or max(len(text), 1)
        return (text[start : start + step] for start in range(0, len(text), step))

    async def aiter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """The body as text in pieces of `chunk_size` characters, or in one."""
        for piece in self.iter_text(chunk_size):
            yield piece

    def iter_lines(self) -> Iterator[str]:
        """The body's lines, without their ends."""
        return iter(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    async def aiter_lines(self) -> AsyncIterator[str]:
        """The body's lines, without their ends."""
        for line in self.iter_lines():
            yield line

    def write_to_file(self, file: str | PathLike[str]) -> None:
        """Write the body to a file. Blocks; in a coroutine use `astream_to_file`."""
        with open(file, "wb") as out:
            out.write(self.response.content)

    def stream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to a file. Blocks; in a coroutine use `astream_to_file`."""
        with open(file, "wb") as out:
            for piece in self.iter_bytes(chunk_size):
                out.write(piece)

    async def astream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to a file without blocking the event loop."""
        import aiofiles

        async with aiofiles.open(file, "wb") as out:
            for piece in self.iter_bytes(chunk_size):
                await out.write(piece)

    def close(self) -> None:
        """Nothing is left to close: the body was read."""

    async def aclose(self) -> None:
        """Nothing is left to close: the body was read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
