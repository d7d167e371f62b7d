"""Replies with their headers, as `with_raw_response` and `with_streaming_response` return them.

`LegacyAPIResponse` (the reference's name) belongs to `with_raw_response`, `AsyncAPIResponse` and `APIResponse` to
`with_streaming_response` of the async and of the blocking client.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from os import PathLike
from typing import Any, Generic, TypeVar, cast

from typing_extensions import override

from aiopenai._calls.held_loop import HeldLoop, drop
from aiopenai._http.interface import Reply
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse, charset_of, parse_json
from aiopenai.errors import OpenAIError

__all__ = ["APIResponse", "AsyncAPIResponse", "BaseAPIResponse", "LegacyAPIResponse"]

T = TypeVar("T")


class BaseAPIResponse:
    """The head of a reply, which all raw replies share."""

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
        """The request, without credentials."""
        return self._reply.request

    @property
    def _received(self) -> bytes:
        """The body, if it was read as a whole."""
        return b""

    @property
    def http_response(self) -> HTTPResponse:
        """The reply as a plain value: status, headers and content. A body that was not read yet is empty in it."""
        reply = self._reply
        return HTTPResponse(
            reply.status,
            self.headers,
            self._received,
            reply.request,
            reason=reply.reason,
            elapsed=reply.elapsed,
            retries_taken=self.retries_taken,
            is_closed=reply.closed,
        )

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self._reply.request.url

    @property
    def method(self) -> str:
        """The HTTP verb."""
        return self._reply.request.method

    @property
    def request_id(self) -> str | None:
        """The `x-request-id` header. Include it when you report a problem."""
        return self.headers.get("x-request-id")

    @property
    def elapsed(self) -> timedelta:
        """The time from the start of the attempt to the reply's head."""
        return timedelta(seconds=self._reply.elapsed)

    @property
    def http_version(self) -> str:
        """The version of the protocol, which is always `HTTP/1.1`."""
        return "HTTP/1.1"

    @property
    def is_closed(self) -> bool:
        """Whether no more of the body can be read."""
        return self._reply.closed

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status_code} {self._reply.reason}]>"


class LegacyAPIResponse(BaseAPIResponse, Generic[T]):
    """A reply with its headers, as `with_raw_response` returns it. `parse()` returns the method's usual result."""

    def __init__(self, reply: Reply, content: bytes, parse: Callable[[Any], T], retries_taken: int) -> None:
        super().__init__(reply, retries_taken)
        self.content = content
        self._parse: Callable[[Any], T] = parse
        self._parsed: dict[Any, Any] = {}

    def parse(self, *, to: Any = None) -> T:
        """Returns the method's usual result, or the body as the type `to`. Raises APIResponseValidationError."""
        if to not in self._parsed:
            self._parsed[to] = self._parse(to)
        return cast("T", self._parsed[to])

    def change_parsed(self, change: Callable[[T], T]) -> None:
        """Passes each value that `parse` returns through a function."""
        parse = self._parse

        def changed(to: Any) -> T:
            return change(parse(to))

        self._parse = changed

    @property
    def _received(self) -> bytes:
        return self.content

    def close(self) -> None:
        """Drops the connection of a stream that was not read; a read body has none."""
        self._reply.close()

    async def aclose(self) -> None:
        """Drops the connection of a stream that was not read; a read body has none."""
        self._reply.close()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(charset_of(self.headers), "replace")

    def json(self) -> Any:
        """Returns the body's JSON as plain values. Raises ValueError for a body that is not JSON."""
        return parse_json(self.content)

    def read(self) -> bytes:
        """Returns the body."""
        return self.content


class _Body:
    """The methods that read a body piece by piece."""

    _reply: Reply
    _content: bytes | None = None
    _streamed = False

    async def iter_raw(self) -> AsyncIterator[bytes]:
        """Yields the body in pieces as they arrive. Closing the iterator early drops the connection.

        A body that `read()` keeps is one piece. Raises OpenAIError for a body that was streamed before.
        """
        if self._content is not None:
            yield self._content
            return
        if self._streamed:
            raise OpenAIError("This body was streamed before and is gone: `read()` keeps a body for further calls.")
        self._streamed = True
        try:
            while piece := await self._reply.read_some():
                yield piece
        finally:
            self._reply.close()

    async def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yields the body in pieces of `chunk_size` bytes (the last may be shorter), or as they arrive."""
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
        """Yields the body as text by its charset, in pieces of `chunk_size` bytes or as they arrive."""
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
        """Yields the body's lines without their ends (LF, CR or CRLF)."""
        rest = ""
        texts = self.iter_text()
        try:
            async for text in texts:
                # A CR at the end may be half of a CRLF, so it is kept until the next piece.
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
        """Writes the body to a file piece by piece, without blocking the loop or holding the body in memory."""
        import aiofiles

        async with aiofiles.open(file, "wb") as out:
            async for piece in self.iter_bytes(chunk_size):
                await out.write(piece)


class AsyncAPIResponse(BaseAPIResponse, _Body, Generic[T]):
    """A reply with its body unread, as `with_streaming_response` returns it.

    `parse()`, `read()`, `text()` and `json()` read the whole body; `iter_bytes` and the like yield it as it arrives.
    """

    def __init__(self, reply: Reply, parse: Callable[[bytes | None, Any], Awaitable[T]], retries_taken: int) -> None:
        super().__init__(reply, retries_taken)
        self._parse = parse

    @property
    def _received(self) -> bytes:
        return self._content or b""

    async def read(self) -> bytes:
        """Returns the whole body, which is kept for further calls."""
        if self._content is None:
            self._content = await self._reply.read()
        return self._content

    async def parse(self, *, to: Any = None) -> T:
        """Returns the method's usual result, or the body as the type `to`. Raises APIResponseValidationError."""
        return await self._parse(self._content, to)

    async def text(self) -> str:
        """Returns the body as text."""
        return (await self.read()).decode(charset_of(self.headers), "replace")

    async def json(self) -> Any:
        """Returns the body's JSON as plain values. Raises ValueError for a body that is no JSON."""
        return parse_json(await self.read())

    async def close(self) -> None:
        """Drops the connection unless the body was read."""
        self._reply.close()


class APIResponse(BaseAPIResponse, Generic[T]):
    """The blocking form of `AsyncAPIResponse`; `lease` holds the loop on which it reads."""

    def __init__(self, response: AsyncAPIResponse[T], lease: HeldLoop, parsed: Callable[[T], T]) -> None:
        super().__init__(cast("Any", response)._reply, response.retries_taken)
        self._response = response
        self._lease = lease
        self._parsed = parsed

    @property
    def _received(self) -> bytes:
        received: bytes = cast("Any", self._response)._received
        return received

    def read(self) -> bytes:
        """Returns the whole body, which is kept for further calls."""
        return self._lease.run(self._response.read())

    def parse(self, *, to: Any = None) -> T:
        """Returns the method's usual result, or the body as the type `to`. Raises APIResponseValidationError."""
        return self._parsed(self._lease.run(self._response.parse(to=to)))

    def text(self) -> str:
        """Returns the body as text."""
        return self._lease.run(self._response.text())

    def json(self) -> Any:
        """Returns the body's JSON as plain values. Raises ValueError for a body that is no JSON."""
        return self._lease.run(self._response.json())

    def iter_raw(self) -> Iterator[bytes]:
        """Yields the body in pieces as they arrive. Closing the iterator early drops the connection."""
        return self._lease.iterate(self._response.iter_raw())

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yields the body in pieces of `chunk_size` bytes (the last may be shorter), or as they arrive."""
        return self._lease.iterate(self._response.iter_bytes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Yields the body as text by its charset, in pieces of `chunk_size` bytes or as they arrive."""
        return self._lease.iterate(self._response.iter_text(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """Yields the body's lines without their ends (LF, CR or CRLF)."""
        return self._lease.iterate(self._response.iter_lines())

    def stream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Writes the body to a file piece by piece, without holding it in memory."""
        self._lease.run(self._response.stream_to_file(file, chunk_size=chunk_size))

    def close(self) -> None:
        """Drops the connection unless the body was read."""
        try:
            drop(self._lease, self._reply)
            self._reply.close()
        finally:
            self._lease.release()
