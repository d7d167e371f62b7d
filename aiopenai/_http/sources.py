"""The contents of uploads: files and bytes that are read while they are sent, piece by piece and off the event loop."""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import IO, Any, Final, cast

from typing_extensions import Self, override

__all__ = ["EXPECTED", "PIECE_BYTES", "MemorySource", "Source", "content_of", "source_of"]

PIECE_BYTES: Final = 512 * 1024
"""The most of a file that is in memory, and that the transport gets, at a time."""

EXPECTED: Final = (
    "must be bytes, an os.PathLike, a file open for binary reading, "
    "or a tuple (file name, one of these[, content type[, headers]])"
)


_Read = Callable[[int], Awaitable[object]]


class Source(ABC):
    """Content that is read while it is sent, or a slice of it: `size` bytes from `start` on.

    `once` tells that it can be read only once.
    """

    once = False
    start = 0
    size: int | None = None
    progress: Callable[[int], object] | None = None

    @abstractmethod
    async def measure(self) -> int | None:
        """Returns the size in bytes; None if it is unknown. Raises the OSError of a source that cannot be read."""

    @abstractmethod
    def reader(self) -> AbstractAsyncContextManager[_Read]:
        """Returns a function that reads up to n bytes, from `start` on, without blocking the loop; b"" at the end.

        The caller has measured the source, and stops at the end of a slice.
        """

    def slice(self, start: int, size: int, progress: Callable[[int], object] | None = None) -> Self:
        """Returns `size` bytes from `start` on as a source. Not for sources that can be read only once.

        `progress` gets the number of bytes that the transport has taken. A new attempt begins at 0 again.
        """
        part = copy.copy(self)
        part.start, part.size, part.progress = start, size, progress
        return part


class _PathSource(Source):
    def __init__(self, path: str) -> None:
        self._path = path

    @override
    def __str__(self) -> str:
        return f"the file {self._path!r}"

    @override
    async def measure(self) -> int | None:
        size = await asyncio.to_thread(self._probe)
        return size if self.size is None else self.size

    def _probe(self) -> int | None:
        mode = os.stat(self._path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            # A pipe or a device has no size, and opening it would take from it.
            self.once = True
            return None
        # Opened, because a directory or an unreadable file must fail before the request is sent.
        with open(self._path, "rb", buffering=0) as file:
            return os.fstat(file.fileno()).st_size

    @override
    @asynccontextmanager
    async def reader(self) -> AsyncGenerator[_Read, None]:
        from aiofiles.threadpool import wrap  # needed for uploads from a path only

        opening = _Opening(self._path)
        try:
            await asyncio.to_thread(opening.open)
            file = wrap(opening.file)
            if self.start:
                await file.seek(self.start)
            yield file.read
        finally:
            opening.close()


class _Opening:
    """A file that a thread opens, closed also if the upload was cancelled meanwhile.

    A task that is cancelled while it waits for a thread does not learn whether the thread has opened the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._wanted = True
        self.file: Any = None

    def open(self) -> None:
        self.file = open(self._path, "rb")  # noqa: SIM115 - `close` closes it
        if not self._wanted:
            self.file.close()

    def close(self) -> None:
        self._wanted = False
        if self.file is not None:
            self.file.close()


class _FileSource(Source):
    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self.once = not _seekable(file)

    @override
    def __str__(self) -> str:
        return f"the file given as `{self._name}`"

    @override
    async def measure(self) -> int | None:
        if self.once or self.size is not None:
            return self.size
        return await asyncio.to_thread(self._probe)

    def _probe(self) -> int:
        self._file.seek(0, os.SEEK_END)
        return self._file.tell()

    @override
    @asynccontextmanager
    async def reader(self) -> AsyncGenerator[_Read, None]:
        if not self.once:
            await asyncio.to_thread(self._file.seek, self.start)
        # The file belongs to the caller: it stays open.
        yield partial(asyncio.to_thread, self._file.read)


class MemorySource(Source):
    """Bytes in memory, for slices of them: they are copied piece by piece."""

    def __init__(self, content: bytes) -> None:
        self._view = memoryview(content)

    @override
    def __str__(self) -> str:
        return "the bytes"

    @override
    async def measure(self) -> int | None:
        return len(self._view) if self.size is None else self.size

    @override
    @asynccontextmanager
    async def reader(self) -> AsyncGenerator[_Read, None]:
        at = self.start

        async def read(size: int) -> bytes:
            nonlocal at
            piece = bytes(self._view[at : at + size])
            at += len(piece)
            return piece

        yield read


def source_of(name: str, content: object) -> Source:
    """Returns the content of the file given as parameter `name`, for slicing. Raises TypeError if it cannot be sent."""
    found = content_of(name, content)
    return MemorySource(found) if isinstance(found, bytes) else found


def _seekable(file: IO[bytes]) -> bool:
    seekable: Any = getattr(file, "seekable", None)
    # Not every file-like object can say so: before Python 3.11 a SpooledTemporaryFile cannot.
    return bool(seekable()) if callable(seekable) else hasattr(file, "seek") and hasattr(file, "tell")


def content_of(name: str, content: object) -> bytes | Source:
    """Returns the content of the file given as parameter `name`. Raises TypeError if it cannot be sent."""
    if isinstance(content, (bytes, Source)):
        return content
    if isinstance(content, (bytearray, memoryview)):
        return bytes(cast("Iterable[int]", content))
    if isinstance(content, os.PathLike):
        return _PathSource(os.fsdecode(cast("os.PathLike[str]", content)))
    if isinstance(content, io.BytesIO):
        return content.getvalue()
    if isinstance(content, str):
        raise TypeError(f"`{name}` {EXPECTED}, not str: write pathlib.Path(...) for a path, .encode() for content")
    read: Any = getattr(content, "read", None)
    if isinstance(content, type) or not callable(read):
        raise TypeError(f"`{name}` {EXPECTED}, not {type(content).__name__}")
    if isinstance(content, io.TextIOBase):
        raise TypeError(f"`{name}` is a file open in text mode: open it in binary mode")
    if inspect.iscoroutinefunction(read):
        raise TypeError(f"`{name}` is an asynchronous file: give its path or its bytes")
    return _FileSource(cast("IO[bytes]", content), name)
