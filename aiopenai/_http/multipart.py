"""Uploads: ``multipart/form-data`` bodies (RFC 7578) that can be sent again for each attempt.

The constructor checks types, escapes names and renders headers. It leaves a list of segments: bytes, and sources that
are read while the request is being sent (sources.py). A file on disk is never in memory as a whole.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import AsyncGenerator, Mapping
from pathlib import PurePath
from typing import Final, cast

from typing_extensions import override

from aiopenai._base.aliases import RequestFiles
from aiopenai._base.querystring import flatten
from aiopenai._http.form import Form
from aiopenai._http.sources import EXPECTED, PIECE_BYTES, Source, content_of

__all__ = ["MultipartBody", "file_name"]

# Characters of a quoted header parameter that are escaped: C0 controls and the quote as the WHATWG multipart/form-data
# encoding writes them, and the backslash doubled for servers that read quoted-pairs, as the reference does. No CR or LF
# of a file name ever reaches the header block.
_ESCAPES: Final = {code: f"%{code:02X}" for code in range(0x20)} | {ord('"'): "%22", ord("\\"): "\\\\"}
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.1: a token
_NOT_IN_HEADER_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, section 5.5
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046, section 5.1.1
_BOUNDARY_AS_TOKEN: Final = re.compile(r"[0-9A-Za-z'+_\-.]+")


class MultipartBody(Form):
    """The form of one request: fields first, then files, in the order given.

    ``fields`` are flattened as query strings are (``expires_after[anchor]``, ``include[]``). ``files`` are
    `RequestFiles`; a file's name defaults to that of its path or file object, else ``upload``; its content type to
    the guess of `mimetypes`, else ``application/octet-stream``. ``boundary`` is random unless given. An open file is
    sent whole, from its start, wherever it stands.

    Raises TypeError, with the name of the parameter, for a value that cannot be sent. Raises ValueError for a header or
    a boundary that the formats do not allow. No file is opened here.
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
    @override
    def replayable(self) -> bool:
        """Whether `open` can be called: always, until a source that can be read only once has been used."""
        return not self._spent

    @override
    def as_bytes(self, limit: int = 2 * PIECE_BYTES) -> bytes | None:
        """Returns the whole body if it is in memory and at most ``limit`` bytes long, for one write; else None."""
        length = 0
        for segment in self._segments:
            if not isinstance(segment, bytes):
                return None
            length += len(segment)
        if length > limit:
            return None
        return b"".join(cast("list[bytes]", self._segments))

    @override
    async def open(self) -> tuple[AsyncGenerator[bytes, None], int | None]:
        """Returns the body for one attempt: its pieces, each at most `PIECE_BYTES` long, and its length in bytes.

        The length is None if a source does not know its own. Raises the OSError of a path that cannot be read
        (FileNotFoundError, PermissionError, ...) before anything is sent, and RuntimeError if the body is no longer
        `replayable`. A source that ends early or fails raises out of the iteration. Close the iterator (``aclose``) if
        you leave it early: it may hold an open file.
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
                # In slices: a socket takes a part of a long write, and the rest is copied.
                for start in range(0, len(segment), PIECE_BYTES):
                    yield segment[start : start + PIECE_BYTES]
                continue
            left = size
            async with segment.reader() as read:
                # A file that grows meanwhile is sent at its announced length.
                while left is None or left > 0:
                    piece: object = await read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
                    if not isinstance(piece, bytes):
                        raise TypeError(f"{segment} must return bytes when read, not {type(piece).__name__}")
                    if not piece:
                        break
                    if left is not None:
                        left -= len(piece)
                    yield piece
                    # Resumed for the next piece: the transport has taken this one.
                    if segment.progress is not None and size is not None and left is not None:
                        segment.progress(size - left)
            if left:
                raise OSError(f"{segment} is {left} bytes shorter than when its upload began")


def _part(name: str, file: object) -> tuple[bytes, bytes | Source]:
    """Returns the header block of a file, with the blank line that ends it, and its content."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"the name of a file's field must be a string, not {type(name).__name__}")
    filename: object
    content_type: object = None
    headers: object = None
    if isinstance(file, tuple):
        items = cast("tuple[object, ...]", file)
        if not 2 <= len(items) <= 4:
            raise TypeError(f"`{name}` {EXPECTED}, not a tuple of {len(items)}")
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
    return "\r\n".join([*lines, "", ""]).encode(), content_of(name, content)


def file_name(file: object) -> str:
    """Returns the file name of a path or a file object, without directories; an empty string if it has none."""
    path = cast("os.PathLike[str] | None", file if isinstance(file, os.PathLike) else getattr(file, "name", None))
    name: object = os.fsdecode(path) if isinstance(path, (bytes, os.PathLike)) else path
    # The name of a file that was opened by its descriptor is a number.
    return PurePath(name).name if isinstance(name, str) else ""


def _guess(filename: str) -> str:
    try:
        guessed = mimetypes.guess_type(filename)[0]
    except ValueError:
        # From Python 3.13 on a name that looks like a malformed URL is refused.
        guessed = None
    return guessed or "application/octet-stream"
