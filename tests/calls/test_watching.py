from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import tenacity

from aiopenai import APIConnectionError, APIError, AsyncOpenAI, InternalServerError, OpenAI
from aiopenai._calls.watching import CallInfo, Hooks
from aiopenai.testing import Server

NAMES = [name for name, _ in inspect.getmembers(Hooks, inspect.isfunction) if name.startswith("on_")]
SOON = {"retry-after-ms": "1"}
KEY = "sk-very-secret"


class Seen(Hooks):
    """Notes what it is told, and checks what holds for all calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.calls: list[CallInfo] = []
        self.snapshots: list[dict[str, Any]] = []

    def note(self, name: str, call: CallInfo) -> None:
        if call not in self.calls:
            self.calls.append(call)
        self.told.append(name)
        self.snapshots.append(dict(vars(call)))

    def on_request(self, call: CallInfo) -> None:
        self.note(f"request {call.attempt}", call)

    def on_retry(self, call: CallInfo) -> None:
        assert call.error is not None
        assert call.wait is not None
        self.note(f"retry {call.attempt}", call)

    def on_response(self, call: CallInfo) -> None:
        assert call.error is None
        self.note(f"response {call.status}", call)

    def on_stream_first_event(self, call: CallInfo) -> None:
        assert call.first_event_after is not None
        self.note("first event", call)

    def on_stream_end(self, call: CallInfo) -> None:
        self.note("end", call)

    def on_error(self, call: CallInfo) -> None:
        self.note(f"error {type(call.error).__name__}", call)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def client(server: Server, seen: Seen) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=server.base_url, hooks=seen) as client:
        yield client


@pytest.fixture
def blocking(seen: Seen) -> Iterator[tuple[OpenAI, Server]]:
    with Server() as server, OpenAI(api_key=KEY, base_url=server.base_url, hooks=seen) as client:
        yield client, server


class TestCalls:
    async def test_a_call(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        completion = await client.chat.completions.create(**chat, temperature=0.5, stop=["x"])
        assert seen.told == ["request 1", "response 200"]
        (call,) = seen.calls
        assert (call.method, call.path, call.template) == ("POST", "/chat/completions", "/chat/completions")
        assert call.base_url == client.base_url.rstrip("/")
        assert (call.model, call.response_model, call.response_id) == ("gpt-4o", completion.model, completion.id)
        assert call.parameters == {"temperature": 0.5, "stop": ["x"]}
        assert call.request_id == completion._request_id
        assert call.usage is completion.usage
        assert call.usage.prompt_tokens == call.input_tokens
        assert call.usage.completion_tokens == call.output_tokens
        assert call.finish_reasons == ["stop"]
        assert 0 < call.elapsed < 5
        assert (call.stream, call.first_event_after) == (False, None)
        assert repr(call) == "<CallInfo POST /chat/completions model='gpt-4o' attempt=1 status=200>"

    async def test_a_response(self, client: AsyncOpenAI, seen: Seen) -> None:
        response = await client.responses.create(model="gpt-4o", input="hi", max_output_tokens=1000)
        (call,) = seen.calls
        assert response.usage is not None
        assert call.input_tokens == response.usage.input_tokens
        assert call.output_tokens == response.usage.output_tokens
        assert call.response_id == response.id
        assert call.finish_reasons == [response.status]

    async def test_paths(self, client: AsyncOpenAI, seen: Seen) -> None:
        await client.models.retrieve("gpt-4o")
        (call,) = seen.calls
        assert (call.method, call.path, call.template) == ("GET", "/models/gpt-4o", "/models/{model}")
        assert (call.model, call.usage, call.input_tokens, call.response_id) == (None, None, None, "gpt-4o")
        await client.get("/models?token=secret", cast_to=object)
        await client.get(f"{client.base_url}models?token=secret", cast_to=object)
        assert [call.path for call in seen.calls[1:]] == ["/models", client.base_url + "models"]

    async def test_lists_page_by_page(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        for _ in range(3):
            await client.chat.completions.create(**chat, store=True)
        seen.told.clear()
        assert len([item async for item in client.chat.completions.list(limit=2)]) == 3
        assert seen.told == ["request 1", "response 200"] * 2

    async def test_retries(self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=500, headers={**SOON, "x-request-id": "req_1"}, times=2)
        await client.chat.completions.create(**chat)
        assert seen.told == ["request 1", "retry 1", "request 2", "retry 2", "request 3", "response 200"]
        retry, request = seen.snapshots[1:3]
        assert isinstance(retry["error"], InternalServerError)
        assert (retry["status"], retry["request_id"]) == (500, "req_1")
        assert 0 < retry["wait"] < 0.01
        assert (request["error"], request["wait"], request["status"], request["request_id"]) == (None,) * 4
        assert len(seen.calls) == 1

    async def test_errors(self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=500, headers=SOON, times=None)
        with pytest.raises(InternalServerError) as caught:
            await client.chat.completions.create(**chat, max_retries=1)
        assert seen.told == ["request 1", "retry 1", "request 2", "error InternalServerError"]
        assert seen.calls[0].error is caught.value
        assert seen.calls[0].status == 500

    async def test_a_reply_that_is_no_json(
        self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]
    ) -> None:
        server.reply_with("/chat/completions", b"<html>", content_type="text/html")
        with pytest.raises(APIError):
            await client.chat.completions.create(**chat)
        assert seen.told == ["request 1", "error APIResponseValidationError"]
        assert seen.calls[0].status == 200

    async def test_cancelled(self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]) -> None:
        server.fault(delay=30)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.chat.completions.create(**chat), 0.05)
        assert seen.told == ["request 1", "error CancelledError"]

    async def test_mistakes_of_the_callers_are_not_calls(self, client: AsyncOpenAI, seen: Seen) -> None:
        with pytest.raises(TypeError):
            await client.chat.completions.create(model="m", messages=[object()])  # type: ignore[list-item]
        assert seen.told == []

    async def test_a_policy_of_ones_own(self, client: AsyncOpenAI, seen: Seen, server: Server, chat: Any) -> None:
        waits: list[Any] = []

        async def before_sleep(state: Any) -> None:
            waits.append(state.next_action.sleep)

        for own in (before_sleep, lambda state: waits.append(state.next_action.sleep)):
            server.fault(status=500, headers=SOON)
            policy = tenacity.AsyncRetrying(before_sleep=own)
            await client.with_options(retry=policy).chat.completions.create(**chat)
        assert seen.told == ["request 1", "retry 1", "request 2", "response 200"] * 2
        assert waits == [snapshot["wait"] for snapshot in seen.snapshots if snapshot["wait"] is not None]

    async def test_raw(self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any]) -> None:
        raw = await client.chat.completions.with_raw_response.create(**chat)
        assert seen.told == ["request 1", "response 200"]
        assert seen.calls[0].usage == raw.parse().usage
        async with client.chat.completions.with_streaming_response.create(**chat) as response:
            assert seen.told[2:] == ["request 1", "response 200"]
            assert (await response.parse()).choices
        stream = (await client.chat.completions.with_raw_response.create(**chat, stream=True)).parse()
        assert [event async for event in stream]
        assert seen.told[4:] == ["request 1", "response 200", "first event", "end"]
        async with client.chat.completions.with_streaming_response.create(**chat, stream=True) as response:
            assert [event async for event in await response.parse()]
        assert seen.told[8:] == ["request 1", "response 200"]
        server.reply_with("/chat/completions", b"<html>", content_type="text/html")
        await client.chat.completions.with_raw_response.create(**chat)
        server.fault(status=400, times=2)
        with pytest.raises(APIError):
            await client.chat.completions.with_raw_response.create(**chat)
        with pytest.raises(APIError):
            async with client.chat.completions.with_streaming_response.create(**chat):
                pass
        assert seen.told[10:] == ["request 1", "response 200", *(["request 1", "error BadRequestError"] * 2)]


class TestStreams:
    async def test_to_the_end(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        usage = {"include_usage": True}
        stream = await client.chat.completions.create(**chat, stream=True, stream_options=usage, n=2)
        assert seen.told == ["request 1", "response 200"]
        events = [event async for event in stream]
        assert [event async for event in stream] == []
        assert seen.told == ["request 1", "response 200", "first event", "end"]
        (call,) = seen.calls
        assert call.stream
        assert call.first_event_after is not None
        assert 0 < call.first_event_after <= call.elapsed
        assert call.usage is events[-1].usage
        assert call.finish_reasons == ["stop", "stop"]
        assert (call.response_id, call.response_model) == (events[0].id, events[0].model)

    async def test_a_response(self, client: AsyncOpenAI, seen: Seen) -> None:
        stream = await client.responses.create(model="gpt-4o", input="hi", stream=True)
        events = [event async for event in stream]
        (call,) = seen.calls
        assert events[-1].type == "response.completed"
        assert call.usage is events[-1].response.usage
        assert call.response_id == events[-1].response.id
        assert call.finish_reasons == ["completed"]
        assert seen.told == ["request 1", "response 200", "first event", "end"]

    async def test_left(self, client: AsyncOpenAI, seen: Seen, chat: dict[str, Any]) -> None:
        async with await client.chat.completions.create(**chat, stream=True) as stream:
            async for _ in stream:
                break
        assert seen.told == ["request 1", "response 200", "first event", "end"]
        stream = await client.chat.completions.create(**chat, stream=True)
        del stream
        gc.collect()
        assert seen.told[4:] == ["request 1", "response 200", "end"]

    async def test_broken(
        self, client: AsyncOpenAI, seen: Seen, server: Server, chat: dict[str, Any], sse: Any, chunk: Any
    ) -> None:
        server.reply_with("/chat/completions", sse([chunk("a")], done=False), content_type="text/event-stream")
        stream = await client.chat.completions.create(**chat, stream=True)
        with pytest.raises(APIConnectionError) as caught:
            async for _ in stream:
                pass
        await stream.close()
        assert seen.told == ["request 1", "response 200", "first event", "error APIConnectionError"]
        assert seen.calls[0].error is caught.value

    async def test_opened_again(
        self,
        client: AsyncOpenAI,
        seen: Seen,
        server: Server,
        chat: dict[str, Any],
        raw_server: Any,
        sse: Any,
        chunk: Any,
    ) -> None:
        async def handler(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            head = server.head(kind="text/event-stream")
            whole = server.chunk(sse([chunk("a", "stop")])) + server.chunk(b"")
            writer.write(head if server.connections == 1 else head + whole)
            await writer.drain()

        server = await raw_server(handler)
        async with AsyncOpenAI(
            api_key="k", base_url=server.base_url, hooks=seen, retry=tenacity.AsyncRetrying(wait=tenacity.wait_none())
        ) as client:
            assert [event async for event in await client.chat.completions.create(**chat, stream=True)]
        told = ["request 1", "response 200", "retry 1", "request 2", "first event", "end"]
        assert seen.told == told

    async def test_cancelled(self, seen: Seen, chat: dict[str, Any], raw_server: Any) -> None:
        async def handler(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind="text/event-stream"))
            await server.watch(reader)

        server = await raw_server(handler)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, hooks=seen) as client:
            stream = await client.chat.completions.create(**chat, stream=True)
            reading = asyncio.ensure_future(stream.__anext__())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert seen.told == ["request 1", "response 200", "error CancelledError"]


class TestBlocking:
    def test_calls(self, blocking: tuple[OpenAI, Server], seen: Seen, chat: dict[str, Any]) -> None:
        client, server = blocking
        server.fault(status=500, headers=SOON)
        completion = client.chat.completions.create(**chat)
        assert seen.told == ["request 1", "retry 1", "request 2", "response 200"]
        assert seen.calls[0].usage is completion.usage
        raw = client.chat.completions.with_raw_response.create(**chat)
        assert seen.calls[1].usage == raw.parse().usage
        with client.chat.completions.with_streaming_response.create(**chat) as response:
            response.parse()
        assert seen.told[4:] == ["request 1", "response 200"] * 2

    def test_streams(self, blocking: tuple[OpenAI, Server], seen: Seen, chat: dict[str, Any]) -> None:
        client, _ = blocking
        assert list(client.chat.completions.create(**chat, stream=True))
        with client.chat.completions.create(**chat, stream=True) as stream:
            next(stream)
        stream = client.chat.completions.create(**chat, stream=True)
        del stream
        gc.collect()
        told = ["request 1", "response 200", "first event", "end"]
        assert seen.told == [*told, *told, "request 1", "response 200", "end"]
