"""Streams of other makers, which a mock or a tracer returns in place of the client's own."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.lib.streaming.foreign import AsyncForeignStream, ForeignStream, async_native_stream, native, native_stream
from aiopenai.resources.chat import AsyncCompletions, Completions
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
CHUNKS = [
    ChatCompletionChunk.model_validate({**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    for delta, finish in (({"role": "assistant", "content": "Hello"}, None), ({}, "stop"))
]


class Traced:
    """A stream as instrumentations return it: with a `close` that is no coroutine function, and no `response`."""

    def __init__(self) -> None:
        self.items = iter(CHUNKS)
        self.closed = 0

    def __iter__(self) -> Traced:
        return self

    def __next__(self) -> Any:
        return next(self.items)

    def __aiter__(self) -> Traced:
        return self

    async def __anext__(self) -> Any:
        for item in self.items:
            return item
        raise StopAsyncIteration

    def close(self) -> None:
        self.closed += 1


async def generated() -> AsyncIterator[Any]:
    for chunk in CHUNKS:
        yield chunk


STREAMS: dict[str, Callable[[], Any]] = {"generator": generated, "object": Traced}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("mocked", [mock.AsyncMock, mock.MagicMock])
async def test_a_mock_of_the_async_class(client: AsyncOpenAI, server: Server, kind: str, mocked: Any) -> None:
    returned = STREAMS[kind]()
    with mock.patch.object(AsyncCompletions, "create", mocked(return_value=returned)) as create:
        async with client.chat.completions.stream(**CHAT) as events:
            assert (await events.get_final_completion()).choices[0].message.content == "Hello"
            with pytest.raises(AttributeError, match="response"):
                _ = events.response
        create.assert_called_once()
    assert server.journal == []
    if isinstance(returned, Traced):
        assert returned.closed == 1


async def test_an_async_generator_is_closed(client: AsyncOpenAI) -> None:
    closed = []

    async def endless() -> AsyncIterator[Any]:
        try:
            while True:
                yield CHUNKS[0]
        finally:
            closed.append(True)

    with mock.patch.object(AsyncCompletions, "create", autospec=True, return_value=endless()):
        async with client.chat.completions.stream(**CHAT) as events:
            assert (await events.__anext__()).type == "chunk"
            assert closed == []
    assert closed == [True]


@pytest.mark.parametrize(
    "kind", [lambda: CHUNKS, lambda: (each for each in CHUNKS), Traced], ids=["list", "gen", "object"]
)
def test_a_mock_of_the_blocking_class(blocking: OpenAI, own_server: Server, kind: Callable[[], Any]) -> None:
    returned = kind()
    with mock.patch.object(Completions, "create", autospec=True, return_value=returned) as create:
        with blocking.chat.completions.stream(**CHAT) as events:
            assert events.get_final_completion().choices[0].message.content == "Hello"
        create.assert_called_once()
    assert own_server.journal == []
    if isinstance(returned, Traced):
        assert returned.closed == 1


@pytest.mark.parametrize("returned", [None, 3], ids=str)
async def test_no_stream_at_all(client: AsyncOpenAI, blocking: OpenAI, returned: Any) -> None:
    message = f"received {type(returned).__name__} instead of a stream"
    refused = functools.partial(pytest.raises, TypeError)
    replaced = mock.patch.object(AsyncCompletions, "create", mock.AsyncMock(return_value=returned))
    with replaced, refused(match=f"{message}.*an async iterable"):
        await client.chat.completions.stream(**CHAT).__aenter__()
    with mock.patch.object(Completions, "create", return_value=returned), refused(match=f"{message}.*an iterable"):
        blocking.chat.completions.stream(**CHAT).__enter__()


class Other:
    """An item of another library that knows its twin in this package."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __native__(self) -> int:
        return self.number


def test_items_are_converted_where_their_class_knows_how() -> None:
    assert native(Other(3)) == 3
    item = object()
    assert native(item) is item
    stream = ForeignStream([Other(1), "text", Other(2)])
    assert iter(stream) is stream
    assert [*stream] == [1, "text", 2]
    # An iterable that has ended yields nothing more.
    assert (stream.ended, [*stream]) == (False, [])
    stream.close()


async def test_async_items_are_converted_too() -> None:
    async def generate() -> AsyncIterator[Any]:
        yield Other(1)
        yield "text"

    stream = AsyncForeignStream(generate())
    assert aiter(stream) is stream
    assert [item async for item in stream] == [1, "text"]
    assert stream.ended is False


def test_a_blocking_generator_is_closed() -> None:
    closed = []

    def generate() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    stream = ForeignStream(generate())
    assert next(stream) == 1
    stream.close()
    assert closed == [True]


async def closing() -> None:
    CLOSED.append("coroutine")


CLOSED: list[str] = []


@pytest.mark.parametrize("way", ["close", "aclose", "plain", "none"])
async def test_every_way_to_close_an_async_stream(way: str) -> None:
    CLOSED.clear()
    methods: dict[str, Any] = {
        "close": {"close": lambda self: closing(), "aclose": lambda self: pytest.fail("`close` comes first")},
        "aclose": {"aclose": lambda self: closing()},
        "plain": {"close": lambda self: CLOSED.append("plain")},
        "none": {},
    }[way]
    made: Any = type("Made", (), {"__aiter__": lambda self: self, "__anext__": None, **methods})()
    await AsyncForeignStream(made).close()
    assert {"close": ["coroutine"], "aclose": ["coroutine"], "plain": ["plain"], "none": []}[way] == CLOSED


def test_the_head_of_a_reply() -> None:
    traced: Any = Traced()
    for kind in (ForeignStream, AsyncForeignStream):
        with pytest.raises(AttributeError, match="response"):
            _ = kind(traced).response
    traced.response = "head"
    assert ForeignStream(traced).response == AsyncForeignStream(traced).response == "head"


async def test_the_clients_own_streams_stay_themselves(client: AsyncOpenAI, blocking: OpenAI) -> None:
    async with await client.chat.completions.create(**CHAT, stream=True) as own:
        assert async_native_stream(own) is own
        # The blocking helper cannot iterate over it.
        with pytest.raises(TypeError, match="received AsyncStream"):
            native_stream(own)
        # In drop-in mode streams yield objects of another kind.
        with mock.patch.object(type(own), "yields_structs", False):
            assert isinstance(async_native_stream(own), AsyncForeignStream)
    with blocking.chat.completions.create(**CHAT, stream=True) as other:
        assert native_stream(other) is other
        with pytest.raises(TypeError, match="received Stream"):
            async_native_stream(other)
        with mock.patch.object(type(other), "yields_structs", False):
            assert isinstance(native_stream(other), ForeignStream)
