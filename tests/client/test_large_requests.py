"""The time for which one call holds up the event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiopenai import AsyncOpenAI
from aiopenai._data.codec import encode

MEGABYTE = 2**20
REPLY = b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[]}'


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads a request in pieces and answers it."""
    head = await reader.readuntil(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while left:
        left -= len(await reader.read(min(left, MEGABYTE // 4)))
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY))
    writer.write(REPLY)
    await writer.drain()
    writer.close()


class Ticks:
    """A callback in each turn of the loop, which notes the most CPU that the thread spent between two of them."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.count = 0
        self._last = time.thread_time()
        self._next = asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self._tick)

    def stop(self) -> None:
        self._next.cancel()
        self.longest = max(self.longest, time.thread_time() - self._last)


async def test_a_large_request_holds_the_loop_up_for_its_encoding_only() -> None:
    """24 MB of images: the body is written in pieces, and nothing else looks at all of it at once."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * (8 * MEGABYTE // 11)}}
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": [image, image, image]}]}
    encoding = 0.0
    for _ in range(3):
        begin = time.thread_time()
        encode(body, ("messages",))
        encoding = max(encoding, time.thread_time() - begin)
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=MEGABYTE)
    port = server.sockets[0].getsockname()[1]
    async with AsyncOpenAI(api_key="sk-test", base_url=f"http://127.0.0.1:{port}/v1") as client:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "warm up"}])
        ticks = Ticks()
        await client.chat.completions.create(**body)
        ticks.stop()
    server.close()
    assert ticks.count > 24
    assert ticks.longest < 3 * encoding, f"{ticks.longest * 1e3:.1f} ms, and one encoding takes {encoding * 1e3:.1f} ms"
