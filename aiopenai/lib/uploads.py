"""Large files in parts: `uploads.create`, one `uploads.parts.create` after the other, `uploads.complete`.

A part is a slice of the file that is read while it is sent, and read again for another attempt; what is in memory is
one piece of it (`multipart.PIECE_BYTES`), however large file and parts are.
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

__all__ = ["DEFAULT_PART_SIZE", "Progress", "upload_file_chunked"]

log = logging.getLogger("aiopenai")

DEFAULT_PART_SIZE = 64 * 1024 * 1024
"""The API's limit for one part, in bytes."""

Progress = Callable[[int, int], object]
"""Told how many bytes have been sent, and how many there are; fewer than before when a part has to be sent again."""


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
    progress: Progress | None = None,
    **options: Any,
) -> Upload:
    """`uploads.upload_file_chunked`: upload a file in parts of `part_size` bytes (64 MB).

    `file` is a path, the bytes themselves (then `filename` and `bytes`, their number, must be given) or an open binary
    file, which is sent whole, from its start, and stays open. Of one that cannot be rewound `bytes` must be given, and
    one part at a time is in memory. What `progress` raises ends the upload and is raised here.

    Raises TypeError for what is missing or no file, ValueError for a `part_size` below 1, OSError for a path that
    cannot be read; the error of a part that failed has a note that names the upload, which is left as it is: it
    expires by itself, or `uploads.cancel` ends it.
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
        raise TypeError("The `bytes` argument must be given for a stream whose size cannot be known")

    upload: Upload = await resource.create(
        bytes=announced, filename=filename, mime_type=mime_type, purpose=purpose, **options
    )
    options = further(options)
    sent = 0
    part_ids: list[str] = []
    async with aclosing(_parts(source, size, part_size)) as parts:
        async for part, length in parts:
            try:
                created = await _send(resource, upload.id, part, length, sent, announced, progress, options)
            except Exception as error:
                note(error, f"It was part {len(part_ids) + 1} of the upload {upload.id} that could not be sent.")
                raise
            log.info("Uploaded part %s for upload %s", created.id, upload.id)
            part_ids.append(created.id)
            sent += length
    checksum = {} if isinstance(md5, Omit) else {"md5": md5}
    completed: Upload = await resource.complete(upload_id=upload.id, part_ids=part_ids, **checksum, **options)
    return completed


async def _send(
    resource: Any,
    upload_id: str,
    part: Source,
    length: int,
    before: int,
    total: int,
    progress: Progress | None,
    options: dict[str, Any],
) -> UploadPart:
    """Send one part. An error of `progress` stops it at once, where raising it below would only be one more attempt."""
    if progress is None:
        plain: UploadPart = await resource.parts.create(upload_id=upload_id, data=part, **options)
        return plain
    failed: Exception | None = None

    def taken(count: int) -> None:
        nonlocal failed
        if failed is None:
            try:
                progress(before + count, total)
            except Exception as error:
                failed = error
                sending.cancel()

    data = part.slice(part.start, length, taken)
    sending: asyncio.Future[UploadPart] = asyncio.ensure_future(
        resource.parts.create(upload_id=upload_id, data=data, **options)
    )
    try:
        created = await sending
    except asyncio.CancelledError:
        if failed is None:
            raise
        raise failed from None
    if failed is not None:
        raise failed
    return created


async def _parts(source: Source, size: int | None, part_size: int) -> AsyncGenerator[tuple[Source, int], None]:
    """The parts of a source with their lengths, one after the other."""
    if size is not None:
        for start in range(0, size, part_size):
            length = min(part_size, size - start)
            yield source.slice(start, length), length
        return
    async with source.reader() as read:
        while content := await _fill(read, part_size):
            yield MemorySource(content).slice(0, len(content)), len(content)


async def _fill(read: Callable[[int], Any], part_size: int) -> builtins.bytes:
    """The next part of a stream, whose reads may give less than they are asked for."""
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
