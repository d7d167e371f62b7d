"""Large files in parts: `uploads.create`, one `uploads.parts.create` after the other, `uploads.complete`.

A part is a slice of the file, read while it is sent, and read again for another attempt. However large the parts are,
one piece of `multipart.PIECE_BYTES` is in memory.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from aiopenai._base.sentinels import Omit, omit
from aiopenai._http.multipart import file_name
from aiopenai._http.sources import PIECE_BYTES, MemorySource, Source, source_of
from aiopenai.lib.calls import further, note

if TYPE_CHECKING:
    from aiopenai.types.shared import FilePurpose
    from aiopenai.types.uploads import Upload, UploadPart

__all__ = ["DEFAULT_PART_SIZE", "UploadProgress", "upload_file_chunked"]

log = logging.getLogger("aiopenai")

DEFAULT_PART_SIZE = 64 * 1024 * 1024
"""The limit of the API for one part, in bytes."""

UploadProgress = Callable[[int, int], object]
"""A callback with the bytes sent so far and the bytes in all. A part that is sent again lowers the first number."""


async def upload_file_chunked(
    resource: Any,
    /,
    *,
    file: str | os.PathLike[str] | builtins.bytes | IO[builtins.bytes],
    mime_type: str,
    purpose: FilePurpose,
    filename: str | None = None,
    bytes: int | None = None,
    part_size: int | None = None,
    md5: str | Omit = omit,
    progress: UploadProgress | None = None,
    **options: Any,
) -> Upload:
    """`uploads.upload_file_chunked`: uploads a file in parts of `part_size` bytes (64 MB).

    file: a path, an open binary file, or the bytes. An open file is sent whole, from its start, and stays open.
    filename, bytes: needed for bytes, which have no name. `bytes` is needed for a file that cannot be rewound too;
        one part of it at a time is in memory.
    progress: a callback. Its exception ends the upload, and is raised here.

    Raises TypeError for a missing argument and for an object that is no file, ValueError for a `part_size` below 1, and
    OSError for an unreadable path. The error of a failed part has a note that names the upload. The upload expires by
    itself, or `uploads.cancel` ends it.
    """
    if part_size is None:
        part_size = DEFAULT_PART_SIZE
    if part_size < 1:
        raise ValueError(f"part_size must be at least 1 byte, not {part_size}")
    in_memory = isinstance(file, (builtins.bytes, bytearray, memoryview))
    content = Path(file) if isinstance(file, str) else file
    source = source_of("file", content)
    filename = filename or file_name(content)
    if not filename:
        raise TypeError("The `filename` argument must be given for content without a name of its own")
    if in_memory and bytes is None:
        raise TypeError("The `bytes` argument must be given for in-memory files")
    size = await source.measure()
    announced = size if bytes is None else bytes
    if announced is None:
        raise TypeError("The `bytes` argument must be given for a stream of unknown size")

    upload: Upload = await resource.create(
        bytes=announced, filename=filename, mime_type=mime_type, purpose=purpose, **options
    )
    options = further(options)
    sender = _PartSender(resource, upload.id, announced, progress, options)
    part_ids = await sender.send_all(source, size, part_size)
    checksum = {} if isinstance(md5, Omit) else {"md5": md5}
    completed: Upload = await resource.complete(upload_id=upload.id, part_ids=part_ids, **checksum, **options)
    return completed


class _PartSender:
    """The transfer of the parts of one upload, one after the other."""

    def __init__(
        self, resource: Any, upload_id: str, total: int, progress: UploadProgress | None, options: dict[str, Any]
    ) -> None:
        self._resource = resource
        self._upload_id = upload_id
        self._total = total
        self._progress = progress
        self._options = options
        self._sent = 0

    async def send_all(self, source: Source, size: int | None, part_size: int) -> list[str]:
        """Sends all parts and returns their ids in order."""
        part_ids: list[str] = []
        async with aclosing(_parts(source, size, part_size)) as parts:
            async for part, length in parts:
                try:
                    created = await self._send(part, length)
                except Exception as error:
                    number = len(part_ids) + 1
                    note(error, f"It was part {number} of the upload {self._upload_id} that could not be sent.")
                    raise
                log.info("Uploaded part %s for upload %s", created.id, self._upload_id)
                part_ids.append(created.id)
                self._sent += length
        return part_ids

    async def _send(self, part: Source, length: int) -> UploadPart:
        """Sends one part. An exception of `progress` cancels it: raised below, it would only start another attempt."""
        progress, before = self._progress, self._sent
        if progress is None:
            plain: UploadPart = await self._create(part)
            return plain
        failed: Exception | None = None

        def taken(count: int) -> None:
            nonlocal failed
            if failed is None:
                try:
                    progress(before + count, self._total)
                except Exception as error:
                    failed = error
                    sending.cancel()

        sending: asyncio.Future[UploadPart] = asyncio.ensure_future(self._create(part.slice(part.start, length, taken)))
        try:
            created = await sending
        except asyncio.CancelledError:
            if failed is None:
                raise
            raise failed from None
        if failed is not None:
            raise failed
        return created

    def _create(self, data: Source) -> Any:
        return self._resource.parts.create(upload_id=self._upload_id, data=data, **self._options)


async def _parts(source: Source, size: int | None, part_size: int) -> AsyncGenerator[tuple[Source, int], None]:
    """Yields the parts of a source with their lengths."""
    if size is not None:
        for start in range(0, size, part_size):
            length = min(part_size, size - start)
            yield source.slice(start, length), length
        return
    async with source.reader() as read:
        while content := await _fill(read, part_size):
            yield MemorySource(content).slice(0, len(content)), len(content)


async def _fill(read: Callable[[int], Any], part_size: int) -> builtins.bytes:
    """Returns the next part of a stream. A read may return fewer bytes than requested."""
    pieces: list[builtins.bytes] = []
    left = part_size
    while left:
        piece: object = await read(min(left, PIECE_BYTES))
        if not isinstance(piece, builtins.bytes):
            raise TypeError(f"`file` must give bytes when read, not {type(piece).__name__}")
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return await asyncio.to_thread(b"".join, pieces)
