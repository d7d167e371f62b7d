from __future__ import annotations

import asyncio
import json
import pickle
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aiopenai import APIError, APIResponseValidationError, AsyncOpenAI, AsyncStream, OpenAI
from aiopenai.testing import Server

from .streams import EVENTS, failure, start, texts


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def prepare(server: Server) -> Any:
    def set_reply(body: bytes, **options: Any) -> Any:
        return server.reply_with("/chat/completions", body, **{"content_type": EVENTS, **options})

    return set_reply


@pytest.mark.usefixtures("transport")
class TestReading:
    async def test_chat(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        server.answer = "one two three"
        stream = await start(client, chat, stream_options={"include_usage": True})
        assert isinstance(stream, AsyncStream)
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
        assert chunks[-1].usage is not None
        assert server.journal[-1].json()["stream"] is True

    async def test_responses(self, client: AsyncOpenAI, server: Server) -> None:
        server.answer = "one two three"
        stream = await client.responses.create(model="gpt-4o", input="hi", stream=True)
        events = [event async for event in stream]
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert events[-1].response.output_text == "one two three"

    async def test_anext(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        stream = await start(client, chat)
        first = await stream.__anext__()
        assert first.object == "chat.completion.chunk"
        assert [chunk async for chunk in stream]
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    async def test_a_loop_goes_on_where_another_was_left(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        server.answer = " ".join("abcdefgh")
        whole = [chunk async for chunk in await start(client, chat)]
        stream = await start(client, chat)
        parts = [await anext(stream)]
        while len(parts) < len(whole):
            async for chunk in stream:
                parts.append(chunk)
                break
        assert [chunk async for chunk in stream] == []
        assert [c.choices[0].delta.content for c in parts] == [c.choices[0].delta.content for c in whole]

    async def test_the_reply(self, client: AsyncOpenAI, chat: dict[str, Any], server: Server) -> None:
        async with await start(client, chat) as stream:
            response = stream.response
            assert response.status_code == 200
            assert response.headers["content-type"].startswith(EVENTS)
            assert response.headers["X-Request-Id"] == f"req_{server.request_count:032x}"
            assert response.url == f"{server.base_url}/chat/completions"
            assert response.request.method == "POST"
            assert response.request.headers["authorization"] == "<redacted>"
            assert b"Bearer" not in pickle.dumps(response)

    @pytest.mark.parametrize("size", [1, 7, 4096])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    async def test_however_it_is_split(
        self, size: int, end: str, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        said = ["H\u00e9llo", " \u2028 line", " \U0001f600", ""]
        events = [f"data: {chunk(text)}\n\n" for text in said]
        body = "\ufeff: hello\n\n" + ": ping\n\n".join(events) + f"data: {chunk(None, 'stop')}\n\ndata: [DONE]\n\n"
        prepare(body.replace("\n", end).encode(), chunk_size=size)
        assert await texts(await start(client, chat)) == [*said, None]

    async def test_empty_data_is_nothing(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        prepare(
            f"data: {chunk('a')}\n\ndata:\n\ndata: \n\nid: 7\n\n\n\ndata: {chunk('b')}\n\ndata: [DONE]\n\n".encode()
        )
        assert await texts(await start(client, chat)) == ["a", "b"]

    async def test_what_follows_the_end_is_not_read(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        for size in (None, 5):
            prepare(f"data: {chunk('a')}\n\ndata: [DONE]\n\ndata: not json\n\n".encode(), chunk_size=size)
            assert await texts(await start(client, chat)) == ["a"]

    async def test_the_blank_line_after_the_end_may_be_missing(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        for tail in ("data: [DONE]", "data: [DONE]\n"):
            prepare(f"data: {chunk('a')}\n\n{tail}".encode())
            assert await texts(await start(client, chat)) == ["a"]

    async def test_a_finish_is_an_end_too(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        usage = json.dumps({**json.loads(chunk()), "choices": [], "usage": {"total_tokens": 1}})
        for events in ([chunk("a"), chunk(None, "stop")], [chunk("a"), chunk(None, "length"), usage]):
            prepare(sse(events, done=False))
            assert (await texts(await start(client, chat)))[0] == "a"

    @pytest.mark.parametrize("size", [1, 3, 1000, None])
    async def test_unknown_events_and_fields(
        self, size: int | None, client: AsyncOpenAI, server: Server, sse: Any
    ) -> None:
        events = [
            '{"type":"response.new_thing","x":1}',
            '{"type":"keepalive","sequence_number":3}',
            '{"type":"response.output_text.delta","delta":"hi","new":2}',
            '{"type":"response.completed","response":{}}',
        ]
        server.reply_with("/responses", sse(events, done=False), content_type=EVENTS, chunk_size=size)
        stream = await client.responses.create(model="m", input="i", stream=True)
        got: list[Any] = [event async for event in stream]
        assert [event.type for event in got] == [json.loads(event)["type"] for event in events]
        assert (got[0].x, got[2].new) == (1, 2)

    async def test_a_big_event(self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any) -> None:
        text = "x" * (32 * 1024 * 1024)
        prepare(f"data: {chunk(text)}\n\ndata: [DONE]\n\n".encode())
        started = time.process_time()
        assert await texts(await start(client, chat)) == [text]
        # Linear: a parser that scans its buffer again for each piece takes minutes.
        assert time.process_time() - started < 5

    async def test_the_bound_of_an_event(self, server: Server, chat: dict[str, Any], prepare: Any, chunk: Any) -> None:
        prepare(f"data: {chunk('a')}\n\ndata: {chunk('x' * 2000)}\n\ndata: [DONE]\n\n".encode(), chunk_size=500)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_event_bytes=1000) as client:
            error = await failure(await start(client, chat), APIResponseValidationError)
            assert "max_event_bytes=1000" in str(error)
            assert error.partial.text == "a"
            assert error.__cause__ is not None


@pytest.mark.usefixtures("transport")
class TestConnections:
    async def test_a_thousand_streams_use_one(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        server.answer = "a b"
        for _ in range(1000):
            async for _chunk in await start(client, chat):
                pass
        assert server.connections == 1

    async def test_a_server_that_lingers_after_the_end(
        self, raw_server: Any, chat: dict[str, Any], chunk: Any, sse: Any
    ) -> None:
        async def linger(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind=EVENTS) + server.chunk(sse([chunk("a")])))
            await server.watch(reader)

        server = await raw_server(linger)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            stream = await start(client, chat)
            began = time.monotonic()
            assert await texts(stream) == ["a"]
            assert time.monotonic() - began < 4
            await asyncio.wait_for(server.gone.wait(), 20)

    async def test_a_server_that_ends_soon_after_is_used_again(
        self, raw_server: Any, chat: dict[str, Any], chunk: Any, sse: Any
    ) -> None:
        async def soon(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.head(kind=EVENTS) + server.chunk(sse([chunk("a")])))
                await asyncio.sleep(0.005)
                writer.write(server.chunk(b""))

        server = await raw_server(soon)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            for _ in range(3):
                assert await texts(await start(client, chat)) == ["a"]
        assert server.connections == 1

    @pytest.mark.parametrize("how", ["break", "exception", "cancel", "close", "with", "dropped", "unread"])
    async def test_left_early_it_is_closed_at_once(
        self, how: str, raw_server: Any, chat: dict[str, Any], chunk: Any, sse: Any
    ) -> None:
        async def endless(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind=EVENTS) + server.chunk(sse([chunk("a"), chunk("b")], done=False)))
            await server.watch(reader)

        server = await raw_server(endless)
        reading = asyncio.Event()

        async def use(client: AsyncOpenAI) -> None:
            if how == "exception":
                # Without a name: the frames of a traceback hold their objects as long as it lives.
                async for _ in await start(client, chat):
                    raise LookupError
            stream = await start(client, chat)
            if how == "close":
                await stream.__anext__()
                await stream.close()
                assert [event async for event in stream] == []
                await stream.close()
            elif how == "unread":
                del stream
            elif how == "with":
                async with stream:
                    await stream.__anext__()
            else:
                async for event in stream:
                    if how == "break":
                        break
                    if how == "dropped":
                        del stream
                        break
                    if event.choices[0].delta.content == "b":
                        reading.set()

        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            task = asyncio.create_task(use(client))
            if how == "cancel":
                await reading.wait()
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.wait_for(server.gone.wait(), 20)
            error = task.cancelled() or task.exception()
            assert isinstance(error, LookupError) if how == "exception" else bool(error) is (how == "cancel")

    async def test_a_finished_stream_keeps_its_connection_through_with(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        for _ in range(3):
            async with await start(client, chat) as stream:
                async for _chunk in stream:
                    pass
        assert server.connections == 1

    async def test_a_slow_reader_holds_the_server_back(self, raw_server: Any, chat: dict[str, Any], chunk: Any) -> None:
        event = f"data: {chunk('x' * 60_000)}\n\n".encode()
        total = 50 * 1024 * 1024 // len(event)
        written = 0
        drained = asyncio.Event()

        async def flood(server: Any, reader: Any, writer: Any) -> None:
            nonlocal written
            await server.request(reader)
            writer.write(server.head(kind=EVENTS))
            for _ in range(total):
                writer.write(server.chunk(event))
                await writer.drain()
                written += len(event)
            writer.write(server.chunk(b"data: [DONE]\n\n") + server.chunk(b""))
            await writer.drain()
            drained.set()

        server = await raw_server(flood)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            stream = await start(client, chat)
            await stream.__anext__()
            # The kernel's buffers and ours fill up; then it stands still.
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.1)
            assert written < 20 * 1024 * 1024
            assert not drained.is_set()
            assert len(await texts(stream)) == total - 1
            assert drained.is_set()


MESSAGES: Any = [{"role": "user", "content": "x"}]


def part(text: str | None = None, finish: str | None = None) -> str:
    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


class TestBlocking:
    """The loop of a stream is free again after each of its ends."""

    @pytest.fixture
    def blocking(self) -> Iterator[tuple[OpenAI, Server]]:
        with Server() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            yield client, server

    def begin(self, blocking: tuple[OpenAI, Server], *events: str, tail: str = "") -> Any:
        client, server = blocking
        body = "".join(f"data: {event}\n\n" for event in events) + tail
        server.reply_with("/chat/completions", body.encode(), content_type=EVENTS)
        return client.chat.completions.create(model="m", messages=MESSAGES, stream=True)

    def is_free(self, stream: Any) -> bool:
        return stream.lease._runner is None

    def test_a_finished_stream(self, blocking: Any, transport: str) -> None:
        for end in (["[DONE]"], ["[DONE] "], [part(finish="stop")]):
            stream = self.begin(blocking, part("a"), *end)
            assert not self.is_free(stream)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "a"
            assert self.is_free(stream)
            assert [*stream] == []
            with pytest.raises(StopIteration):
                next(stream)

    def test_next(self, blocking: Any, transport: str) -> None:
        stream = self.begin(blocking, part("a"), part("b"), "[DONE]")
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["a", "b"]
        assert next(stream, None) is None
        assert self.is_free(stream)

    @pytest.mark.parametrize("tail", ["", 'error: {"message": "x"}\n\n', 'data: {"error": "x"}\n\n', "data: oops\n\n"])
    def test_a_stream_that_fails(self, tail: str, blocking: Any, transport: str) -> None:
        stream = self.begin(blocking, part("a"), tail=tail)
        with pytest.raises(APIError) as caught:
            list(stream)
        assert caught.value.partial.text == "a"
        assert self.is_free(stream)
        assert [*stream] == []

    def test_a_stream_that_is_closed(self, blocking: Any, transport: str) -> None:
        with self.begin(blocking, *[part("a")] * 100) as stream:
            next(stream)
        assert self.is_free(stream)
        assert [*stream] == []
        stream.close()

    def test_a_finished_stream_that_is_closed(self, blocking: Any, transport: str) -> None:
        _, server = blocking
        for _ in range(3):
            with self.begin(blocking, part("a"), "[DONE]") as stream:
                assert len([*stream]) == 1
        assert server.connections == 1

    def test_a_client_that_is_closed_first(self, blocking: Any, transport: str) -> None:
        client, _ = blocking
        stream = self.begin(blocking, *[part("a")] * 100)
        next(stream)
        client.close()
        stream.close()
        assert self.is_free(stream)

    def test_interrupted(self, blocking: Any, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = self.begin(blocking, part("a"))

        async def interrupted() -> bytes:
            raise KeyboardInterrupt

        next(stream)
        monkeypatch.setattr(stream._reply.__class__, "read_some", lambda _: interrupted())
        with pytest.raises(KeyboardInterrupt):
            next(stream)
        assert stream._over
        stream.close()
        assert self.is_free(stream)


async def test_closing_a_blocking_stream_closes_the_connection_at_once(
    raw_server: Any, transport: str, until: Any, chunk: Any
) -> None:
    async def endless(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(server.head(kind=EVENTS) + server.chunk(f"data: {chunk('a')}\n\n".encode()))
        await server.watch(reader)

    server = await raw_server(endless)

    def use() -> OpenAI:
        client = OpenAI(api_key="k", base_url=server.base_url)
        with client.chat.completions.create(model="m", messages=MESSAGES, stream=True) as stream:
            next(stream)
        return client

    client = await asyncio.to_thread(use)
    # The client is open and idle: no other call runs its loop.
    await until(server.gone.is_set)
    await asyncio.to_thread(client.close)
