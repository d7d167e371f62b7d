"""Streams that are not closed: the garbage collector runs in any thread, and the connection is closed on its loop."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIError, AsyncOpenAI, AsyncStream, OpenAI, Timeout
from aiopenai._calls.stream_sources import StreamSource
from aiopenai._data.codec import Decoder
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

EVENTS = "text/event-stream"
MESSAGES: Any = [{"role": "user", "content": "x"}]
CHUNK = json.dumps(
    {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}}]}
)
ASK: dict[str, Any] = {"model": "m", "messages": MESSAGES, "stream": True}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only reference counts free objects."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


class Reply:
    """A reply in memory that notes the thread in which it is closed."""

    status = 200
    reason = "OK"
    elapsed = 0.0

    def __init__(self, loop: Any) -> None:
        self.headers: dict[str, str] = {}
        self.loop = loop
        self.closed = False
        self.closed_in: list[int] = []

    def close(self) -> None:
        self.closed = True
        self.closed_in.append(threading.get_ident())


def of(reply: Any) -> AsyncStream[Any]:
    return AsyncStream(
        cast_to=Any, response=StreamSource(reply, Decoder[Any].of(ChatCompletionChunk), timeout=Timeout()), client=None
    )


@pytest.mark.usefixtures("no_collector")
class TestOfOneStream:
    async def test_it_is_closed_on_its_loop(self) -> None:
        reply = Reply(asyncio.get_running_loop())
        stream: Any = of(reply)
        stream.me = stream
        del stream
        in_a_thread(gc.collect)
        assert reply.closed_in == []
        await asyncio.sleep(0)
        assert reply.closed_in == [threading.get_ident()]

    async def test_a_closed_one_has_nothing_to_do(self) -> None:
        reply = Reply(asyncio.get_running_loop())
        stream = of(reply)
        await stream.close()
        del stream
        await asyncio.sleep(0)
        assert len(reply.closed_in) == 1

    def test_its_loop_may_be_closed(self) -> None:
        loop = asyncio.new_event_loop()
        loop.close()
        reply = Reply(loop)
        of(reply)
        assert not reply.closed

    def test_one_that_was_not_made(self) -> None:
        with pytest.raises(AttributeError):
            AsyncStream(
                cast_to=Any,
                response=StreamSource(Reply(None), Decoder[Any].of(ChatCompletionChunk), timeout=None),
                client=None,
            )  # type: ignore[arg-type]


def loops() -> list[str]:
    return ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


@pytest.mark.parametrize("kind", loops())
async def test_many_in_reference_cycles(kind: str, transport: str, until: Any) -> None:
    """On uvloop, to close a connection from another thread is a crash; asyncio's debug mode refuses it."""
    gone = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal gone
        await reader.readuntil(b"\r\n\r\n")
        event = f"data: {CHUNK}\n\n".encode()
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {EVENTS}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        while await reader.read(65536):
            pass
        gone += 1
        writer.close()

    async def use() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

        async def leave(client: AsyncOpenAI) -> None:
            stream: Any = await client.chat.completions.create(**ASK)
            await stream.__anext__()
            stream.me = stream

        async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
            for count in range(1, 5):
                await asyncio.gather(*[leave(client) for _ in range(10)])
                await asyncio.to_thread(gc.collect)
                await until(lambda: gone >= 10 * count)  # noqa: B023 - awaited here
        server.close()
        await server.wait_closed()

    def run() -> None:
        if kind == "uvloop":
            import uvloop

            loop: Any = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
            loop.set_debug(True)
            loop.slow_callback_duration = 60
        gc.disable()
        try:
            loop.run_until_complete(asyncio.wait_for(use(), 30))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            gc.enable()
            loop.close()

    await asyncio.to_thread(run)


@pytest.mark.usefixtures("no_collector", "transport")
class TestWithoutTheCollector:
    async def test_streams_left_early_are_freed(self, server: Server) -> None:
        """At each point of a stream that fails: no reference cycle holds it."""
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            for read in range(4):
                for body in (
                    f"data: {CHUNK}\n\n" * 2,
                    f"data: {CHUNK}\n\ndata: oops\n\n",
                    f'data: {CHUNK}\n\ndata: {{"error": "x"}}\n\n',
                ):
                    server.reply_with("/chat/completions", body.encode(), content_type=EVENTS)
                    freed = await self.leave(await client.chat.completions.create(**ASK), read)
                    assert freed() is None

    async def leave(self, stream: AsyncStream[Any], read: int) -> weakref.ref[Any]:
        failed = False
        for _ in range(read):
            try:
                await stream.__anext__()
            except (APIError, StopAsyncIteration):
                failed = True
        assert failed or read < 3
        return weakref.ref(stream)

    async def test_a_lost_connection(self, server: Server) -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            server.reply_with("/chat/completions", f"data: {CHUNK}\n\n".encode() * 50, content_type=EVENTS)
            server.fault(cut_after=3_000, reset=True)
            stream = await client.chat.completions.create(**ASK)
            with pytest.raises(APIConnectionError):
                async for _ in stream:
                    pass
            freed = weakref.ref(stream)
            del stream
            assert freed() is None

    def test_blocking_streams_use_one_loop(self) -> None:
        with Server() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            server.reply_with("/chat/completions", f"data: {CHUNK}\n\n".encode() * 3, content_type=EVENTS)
            self.use(client)
            before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
            for _ in range(20):
                self.use(client)
            if before:
                assert len(os.listdir("/proc/self/fd")) <= before + 4

    def use(self, client: OpenAI) -> None:
        for stream in (client.chat.completions.create(**ASK), client.chat.completions.create(**ASK)):
            next(stream)
        with pytest.raises(APIConnectionError):
            for _ in client.chat.completions.create(**ASK):
                pass
