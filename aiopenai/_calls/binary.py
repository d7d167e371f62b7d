"""`HttpxBinaryResponseContent`: a binary reply in memory. The reference's name is kept; httpx is not used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from os import PathLike
from typing import Any

from typing_extensions import Self, deprecated

from aiopenai._http.messages import HTTPResponse, charset_of

__all__ = ["HttpxBinaryResponseContent"]


class HttpxBinaryResponseContent:
    """A binary reply in memory: its content as bytes, text, pieces or lines, or written to a file.

    For a body too large for memory use `with_streaming_response`.
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
        """The charset of `text`."""
        return charset_of(self.response.headers)

    def json(self) -> Any:
        """Returns the body's JSON. Raises ValueError for a body that is no JSON."""
        return self.response.json()

    def read(self) -> bytes:
        """Returns the body."""
        return self.response.content

    async def aread(self) -> bytes:
        """Returns the body."""
        return self.response.content

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yields the body in pieces of `chunk_size` bytes, or as one piece."""
        content = self.response.content
        step = chunk_size or max(len(content), 1)
        return (content[start : start + step] for start in range(0, len(content), step))

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yields the body in pieces of `chunk_size` bytes, or as one piece."""
        for piece in self.iter_bytes(chunk_size):
            yield piece

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yields the body like `iter_bytes`: a compressed body was decompressed."""
        return self.iter_bytes(chunk_size)

    async def aiter_raw(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Yields the body like `aiter_bytes`."""
        for piece in self.iter_bytes(chunk_size):
            yield piece

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Yields the body as text in pieces of `chunk_size` characters, or as one piece."""
        text = self.text
        step = chunk_size or max(len(text), 1)
        return (text[start : start + step] for start in range(0, len(text), step))

    async def aiter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Yields the body as text in pieces of `chunk_size` characters, or as one piece."""
        for piece in self.iter_text(chunk_size):
            yield piece

    def iter_lines(self) -> Iterator[str]:
        """Yields the body's lines without their ends."""
        return iter(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Yields the body's lines without their ends."""
        for line in self.iter_lines():
            yield line

    def write_to_file(self, file: str | PathLike[str]) -> None:
        """Writes the body to a file. It blocks: in a coroutine use `asyncio.to_thread`."""
        with open(file, "wb") as out:
            out.write(self.response.content)

    @deprecated("The body is in memory already: use write_to_file, or with_streaming_response to stream it")
    def stream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Writes the body to a file. It blocks: in a coroutine use `astream_to_file`."""
        with open(file, "wb") as out:
            for piece in self.iter_bytes(chunk_size):
                out.write(piece)

    @deprecated("The body is in memory already: use write_to_file, or with_streaming_response to stream it")
    async def astream_to_file(self, file: str | PathLike[str], *, chunk_size: int | None = None) -> None:
        """Writes the body to a file without blocking the event loop."""
        import aiofiles

        async with aiofiles.open(file, "wb") as out:
            for piece in self.iter_bytes(chunk_size):
                await out.write(piece)

    def close(self) -> None:
        """Does nothing: the body was read, and the connection is free."""

    async def aclose(self) -> None:
        """Does nothing: the body was read, and the connection is free."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
