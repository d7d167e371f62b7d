from __future__ import annotations

import hashlib

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import strict


async def begin(client: AsyncOpenAI, size: int) -> str:
    upload = await client.uploads.create(
        bytes=size,
        filename="big.bin",
        mime_type="application/octet-stream",
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert strict(upload).status == "pending"
    return upload.id


async def test_parts_become_a_file(client: AsyncOpenAI) -> None:
    upload = await begin(client, 6)
    second = strict(await client.uploads.parts.create(upload, data=b"def")).id
    first = (await client.uploads.parts.create(upload, data=b"abc")).id
    with pytest.raises(BadRequestError, match="3 bytes"):
        await client.uploads.complete(upload, part_ids=[first])
    with pytest.raises(BadRequestError, match="checksum"):
        await client.uploads.complete(upload, part_ids=[first, second], md5="00")
    digest = hashlib.md5(b"abcdef").hexdigest()
    done = strict(await client.uploads.complete(upload, part_ids=[first, second], md5=digest))
    assert done.status == "completed"
    assert done.file is not None
    assert (done.file.filename, done.file.purpose, done.file.bytes) == ("big.bin", "user_data", 6)
    assert done.file.expires_at == done.file.created_at + 3600
    assert (await client.files.content(done.file.id)).content == b"abcdef"
    with pytest.raises(BadRequestError, match="completed"):
        await client.uploads.parts.create(upload, data=b"x")


async def test_cancel(client: AsyncOpenAI) -> None:
    upload = await begin(client, 3)
    part = (await client.uploads.parts.create(upload, data=b"abc")).id
    assert strict(await client.uploads.cancel(upload)).status == "cancelled"
    with pytest.raises(BadRequestError, match="cancelled"):
        await client.uploads.complete(upload, part_ids=[part])


async def test_bad_calls(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError):
        await client.uploads.cancel("upload_none")
    upload, other = await begin(client, 3), await begin(client, 3)
    part = (await client.uploads.parts.create(other, data=b"abc")).id
    with pytest.raises(BadRequestError, match="No part"):
        await client.uploads.complete(upload, part_ids=[part])
    with pytest.raises(BadRequestError, match="bytes"):
        await begin(client, 0)
