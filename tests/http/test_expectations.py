"""`Expect: 100-continue` on a borrowed session: the wait for the answer has a limit."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from aiopenai import APITimeoutError, AsyncOpenAI, Timeout

pytestmark = pytest.mark.timeout(60)
UPLOAD = {"file": ("a", b"u" * 200_000), "purpose": "batch", "extra_headers": {"Expect": "100-continue"}}


@pytest.mark.parametrize("borrowed", [True, False], ids=["borrowed", "own"])
async def test_no_answer(raw_server: Any, borrowed: bool) -> None:
    async def handler(server: Any, reader: Any, writer: Any) -> None:
        await server.watch(reader)

    server = await raw_server(handler)
    async with aiohttp.ClientSession() as session:
        client = AsyncOpenAI(
            api_key="k", base_url=server.base_url, max_retries=0, http_client=session if borrowed else None
        )
        async with client:
            with pytest.raises(APITimeoutError):
                await client.files.create(**UPLOAD, timeout=Timeout(30, read=0.1, connect=0.5, pool=0.5))
            # The connection is not used again.
            await asyncio.wait_for(server.gone.wait(), 30)


async def test_answer_and_an_upload(raw_server: Any) -> None:
    async def handler(server: Any, reader: Any, writer: Any) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-le")
        )
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(length)
        writer.write(server.reply(b'{"id": "file-1"}'))
        await writer.drain()

    server = await raw_server(handler, limit=2**20)
    async with (
        aiohttp.ClientSession() as session,
        AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0, http_client=session) as client,
    ):
        file: Any = {**UPLOAD, "file": ("a", b"u" * 8_000_000)}
        found = await client.files.create(**file, timeout=Timeout(30, read=20))
        assert found.id == "file-1"


async def test_cancellation_is_one(raw_server: Any) -> None:
    asked = asyncio.Event()

    async def handler(server: Any, reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await server.watch(reader)

    server = await raw_server(handler)
    async with (
        aiohttp.ClientSession() as session,
        AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=session) as client,
    ):
        call = asyncio.ensure_future(client.files.create(**UPLOAD))
        await asyncio.wait_for(asked.wait(), 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
