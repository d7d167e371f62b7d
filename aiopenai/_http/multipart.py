"""Uploads: ``multipart/form-data`` bodies (RFC 7578) that can be sent again for each attempt.

Everything that can be known early is done once, in the constructor: types are checked, names escaped, headers rendered.
What remains is a list of segments, ready bytes between sources that are read while the request is being sent, piece by
piece and off the event loop; a file on disk is never in memory as a whole.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import mimetypes
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import PurePath
from typing import IO, Any, Final, cast

from typing_extensions import Self, override

from aiopenai._base.querystring import flatten

__all__ = [
    "FileContent",
    "FileTypes",
    "MemorySource",
    "MultipartBody",
    "RequestFiles",
    "Source",
    "file_name",
    "source_of",
]

FileContent = IO[bytes] | bytes | os.PathLike[str]
"""A file to upload: an open binary file, its bytes, or its path."""

FileTypes = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
"""A file, alone or as (file name, file), (file name, file, content type), (file name, file, content type, headers)."""

RequestFiles = Mapping[str, FileTypes] | Sequence[tuple[str, FileTypes]]
"""The files of one request by field name; a sequence may repeat names."""

PIECE_BYTES: Final = 512 * 1024
"""How much of a file is in memory at a time, and the most that is handed to the transport at once."""

# What cannot stand in a quoted header parameter: C0 controls and the quote as the WHATWG multipart/form-data encoding
# writes them, and the backslash doubled for servers that read quoted-pairs, as the reference does. No CR or LF of a
# user's file name ever reaches the header block.
_ESCAPES: Final = {code: f"%{code:02X}" for code in range(0x20)} | {ord('"'): "%22", ord("\\"): "\\\\"}
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.1: a token
_NOT_IN_HEADER_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, section 5.5
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046, section 5.1.1
_BOUNDARY_AS_TOKEN: Final = re.compile(r"[0-9A-Za-z'+_\-.]+")

_EXPECTED: Final = (
    "must be bytes, an os.PathLike, a file open for binary reading, "
    "or a tuple (file name, one of these[, content type[, headers]])"
)


class MultipartBody:
    """One request's form: fields first, then files, in the order given.

    ``fields`` are flattened as query strings are (``expires_after[anchor]``, ``include[]``). ``files`` are
    `RequestFiles`; a file's name defaults to that of its path or file object, else ``upload``; its content type to
    the guess of `mimetypes`, else ``application/octet-stream``. ``boundary`` is random unless given. An open file is
    sent whole, from its start, wherever it stands.

    Raises TypeError that names the parameter for a value that cannot be sent, ValueError for a header or a boundary
    that the formats do not allow. No file is opened here.
    """

    def __init__(self, fields: Mapping[str, object], files: RequestFiles = (), *, boundary: str | None = None) -> None:
        if boundary is None:
            boundary = os.urandom(16).hex()
        elif _BOUNDARY.fullmatch(boundary) is None:
            raise ValueError("the multipart boundary must be 1 to 70 characters of those that RFC 2046 allows")
        quoted = boundary if _BOUNDARY_AS_TOKEN.fullmatch(boundary) else f'"{boundary}"'
        self.content_type = f"multipart/form-data; boundary={quoted}"
        self._spent = False
        self._segments: list[bytes | Source] = []
        ready = bytearray()
        delimiter = f"--{boundary}\r\n".encode()
        for name, value in flatten(fields):
            ready += delimiter
            ready += f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"\r\n\r\n'.encode()
            ready += value.encode()
            ready += b"\r\n"
        pairs = files.items() if isinstance(files, Mapping) else files
        for name, file in pairs:
            head, content = _part(name, file)
            ready += delimiter
            ready += head
            if isinstance(content, bytes) and len(content) <= PIECE_BYTES:
                ready += content
            else:
                self._segments += (bytes(ready), content)
                ready.clear()
            ready += b"\r\n"
        ready += f"--{boundary}--\r\n".encode()
        self._segments.append(bytes(ready))

    @property
    def replayable(self) -> bool:
        """Whether `open` can be called (again): always, unless a source that can be read only once has been used."""
        return not self._spent

    def as_bytes(self, limit: int = 2 * PIECE_BYTES) -> bytes | None:
        """The whole body, when it is in memory already and no longer than ``limit`` bytes: one write instead of many.

        None otherwise: then `open` it.
        """
        length = 0
        for segment in self._segments:
            if not isinstance(segment, bytes):
                return None
            length += len(segment)
        if length > limit:
            return None
        return b"".join(cast("list[bytes]", self._segments))

    async def open(self) -> tuple[AsyncGenerator[bytes, None], int | None]:
        """The body for one attempt: its pieces, each at most `PIECE_BYTES` long, and its length in bytes.

        The length is None when a source does not know its own. Raises the OSError of a path that cannot be read
        (FileNotFoundError, PermissionError, ...) before anything is sent, RuntimeError when the body is not
        `replayable` any more. A source that ends early or fails raises out of the iteration. Close the iterator
        (``aclose``) when it is left early: it may hold an open file.
        """
        if self._spent:
            raise RuntimeError("the upload was read from a stream that cannot be rewound: it cannot be sent again")
        length: int | None = 0
        sizes: list[int | None] = []
        for segment in self._segments:
            size = len(segment) if isinstance(segment, bytes) else await segment.measure()
            sizes.append(size)
            length = None if length is None or size is None else length + size
        self._spent = any(not isinstance(segment, bytes) and segment.once for segment in self._segments)
        return self._pieces(sizes), length

    async def _pieces(self, sizes: list[int | None]) -> AsyncGenerator[bytes, None]:
        for segment, size in zip(self._segments, sizes, strict=True):
            if isinstance(segment, bytes):
                # In slices: a socket takes what it can at a time, and the rest of a write is copied.
                for start in range(0, len(segment), PIECE_BYTES):
                    yield segment[start : start + PIECE_BYTES]
                continue
            left = size
            async with segment.reader() as read:
                # A file that grows meanwhile is sent as it was: its length has been announced.
                while left is None or left > 0:
                    piece: object = await read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
                    if not isinstance(piece, bytes):
                        raise TypeError(f"{segment} must give bytes when read, not {type(piece).__name__}")
                    if not piece:
                        break
                    if left is not None:
                        left -= len(piece)
                    yield piece
                    # Asked for the next one, which is when the transport has taken this one.
                    if segment.progress is not None and size is not None and left is not None:
                        segment.progress(size - left)
            if left:
                raise OSError(f"{segment} is {left} bytes shorter than when its upload began")


_Read = Callable[[int], Awaitable[object]]


class Source(ABC):
    """Content that is read while it is sent. `once` says that it can be read only once.

    It can stand for a slice of what there is: `size` bytes from `start` on.
    """

    once = False
    start = 0
    size: int | None = None
    progress: Callable[[int], object] | None = None

    @abstractmethod
    async def measure(self) -> int | None:
        """The size in bytes, None when the source has none. Raises the OSError of what cannot be read."""

    @abstractmethod
    def reader(self) -> AbstractAsyncContextManager[_Read]:
        """Reads from `start`: a function that gives up to n bytes without blocking the loop, b"" at the end.

        That a slice ends before its source does is for the caller to know, who has measured it.
        """

    def slice(self, start: int, size: int, progress: Callable[[int], object] | None = None) -> Self:
        """`size` bytes from `start` on, as content of its own; not for what can be read only once.

        `progress` is told how many of these bytes the transport has taken; a new attempt begins at 0 again.
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
            # A pipe or a device has no size, and opening it to see would take from it.
            self.once = True
            return None
        # Opened, not only looked at: what cannot be read, or is a directory, must fail before the request is sent.
        with open(self._path, "rb", buffering=0) as file:
            return os.fstat(file.fileno()).st_size

    @override
    @asynccontextmanager
    async def reader(self) -> AsyncGenerator[_Read, None]:
        from aiofiles.threadpool import wrap  # only who uploads from a path pays for it

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
    """A file that a thread opens, and that is closed also when nobody waits for the thread any more.

    What is cancelled while it waits for a thread does not learn what that thread did, or whether it began at all.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._wanted = True
        self.file: Any = None

    def open(self) -> None:
        self.file = open(self._path, "rb")  # noqa: SIM115 - for who asked to close
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
        # The file is its owner's: it stays open.
        yield partial(asyncio.to_thread, self._file.read)


class MemorySource(Source):
    """Bytes that are in memory already, for slices of them: what is sent is copied piece by piece."""

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
    """The content of a file given as the parameter `name`, to be sliced. Raises TypeError for what is no content."""
    found = _content(name, content)
    return MemorySource(found) if isinstance(found, bytes) else found


def _seekable(file: IO[bytes]) -> bool:
    seekable: Any = getattr(file, "seekable", None)
    # Not every file-like object can say so: before Python 3.11 a SpooledTemporaryFile cannot.
    return bool(seekable()) if callable(seekable) else hasattr(file, "seek") and hasattr(file, "tell")


def _part(name: str, file: object) -> tuple[bytes, bytes | Source]:
    """One file's header block, with the blank line that ends it, and its content."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"the name of a file's field must be a string, not {type(name).__name__}")
    filename: object
    content_type: object = None
    headers: object = None
    if isinstance(file, tuple):
        items = cast("tuple[object, ...]", file)
        if not 2 <= len(items) <= 4:
            raise TypeError(f"`{name}` {_EXPECTED}, not a tuple of {len(items)}")
        filename, content, content_type, headers = (*items, None, None)[:4]
        if filename is not None and not isinstance(filename, str):
            raise TypeError(f"the file name of `{name}` must be a string or None, not {type(filename).__name__}")
        if content_type is not None and not isinstance(content_type, str):
            raise TypeError(f"the content type of `{name}` must be a string or None, not {type(content_type).__name__}")
        if headers is not None and not isinstance(headers, Mapping):
            raise TypeError(f"the headers of `{name}` must be a mapping, not {type(headers).__name__}")
        if isinstance(content, str):
            # Named and typed by its tuple, text cannot be mistaken for a path.
            content = content.encode()
    else:
        content = file
        filename = file_name(file) or "upload"
    lines = [f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"']
    if filename:
        lines[0] += f'; filename="{filename.translate(_ESCAPES)}"'
        content_type = content_type or _guess(filename)
    given = list(cast("Mapping[object, object]", headers or {}).items())
    if content_type and not any(str(key).lower() == "content-type" for key, _ in given):
        given.append(("Content-Type", content_type))
    for key, value in given:
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"the headers of `{name}` must be strings")
        if _HEADER_NAME.fullmatch(key) is None or _NOT_IN_HEADER_VALUE.search(value) is not None:
            raise ValueError(f"`{name}` has a header that is not allowed in HTTP: {key!r}")
        lines.append(f"{key}: {value}")
    return "\r\n".join([*lines, "", ""]).encode(), _content(name, content)


def _content(name: str, content: object) -> bytes | Source:
    if isinstance(content, (bytes, Source)):
        return content
    if isinstance(content, (bytearray, memoryview)):
        return bytes(cast("Iterable[int]", content))
    if isinstance(content, os.PathLike):
        return _PathSource(os.fsdecode(cast("os.PathLike[str]", content)))
    if isinstance(content, io.BytesIO):
        return content.getvalue()
    if isinstance(content, str):
        raise TypeError(f"`{name}` {_EXPECTED}, not str: write pathlib.Path(...) for a path, .encode() for content")
    read: Any = getattr(content, "read", None)
    if isinstance(content, type) or not callable(read):
        raise TypeError(f"`{name}` {_EXPECTED}, not {type(content).__name__}")
    if isinstance(content, io.TextIOBase):
        raise TypeError(f"`{name}` is a file open in text mode: open it in binary mode")
    if inspect.iscoroutinefunction(read):
        raise TypeError(f"`{name}` is an asynchronous file: give its path or its bytes")
    return _FileSource(cast("IO[bytes]", content), name)


def file_name(file: object) -> str:
    """Returns the file name of a path or a file object, without directories; an empty string where it has none."""
    name: object = file if isinstance(file, os.PathLike) else getattr(file, "name", None)
    if isinstance(name, (bytes, os.PathLike)):
        name = os.fsdecode(cast("os.PathLike[str]", name))
    # The name of a file that was opened by its descriptor is a number.
    return PurePath(name).name if isinstance(name, str) else ""


def _guess(filename: str) -> str:
    try:
        guessed = mimetypes.guess_type(filename)[0]
    except ValueError:
        # From Python 3.13 on a name that looks like a malformed URL is refused.
        guessed = None
    return guessed or "application/octet-stream"
