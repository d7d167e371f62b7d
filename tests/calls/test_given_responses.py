"""Streams that a program makes itself: `Stream(cast_to=..., response=..., client=...)`, as tests and frameworks do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from aiopenai import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, AsyncStream, OpenAI, Stream
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.chat import ChatCompletionChunk

CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}],
}
BODY = f"data: {json.dumps(CHUNK)}\n\n".encode()
DONE = b"data: [DONE]\n\n"
KINDS = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


class Response:
    """A response whose body comes in pieces; an exception among them is raised."""

    status_code = 200
    http_version = "HTTP/1.1"

    def __init__(self, *pieces: Any) -> None:
        self.headers = {"content-type": "text/event-stream"}
        self.request = SimpleNamespace(method="POST", url="http://h/x", headers={"Authorization": "Bearer secret"})
        self.pieces = pieces
        self.read = 0
        self.is_closed = False

    def iter_bytes(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for piece in self.iter_bytes():
            await asyncio.sleep(0)
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_closed = True


def stream_of(response: Any, blocking: bool, kind: Any = ChatCompletionChunk, client: Any = None) -> Any:
    return (Stream if blocking else AsyncStream)(cast_to=kind, response=response, client=client)


def events_of(response: Any, blocking: bool, kind: Any = ChatCompletionChunk) -> list[Any]:
    stream = stream_of(response, blocking, kind)
    if blocking:
        return list(stream)

    async def collect() -> list[Any]:
        return [event async for event in stream]

    return asyncio.run(collect())


@KINDS
@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("end", [DONE, b"", b"\n"], ids=["marked", "bare", "line"])
def test_events_of_a_body_split_anywhere(blocking: bool, size: int, end: bytes) -> None:
    body = b": hi\n\n" + BODY * 3 + end
    response = Response(*(body[at : at + size] for at in range(0, len(body), size)))
    found = events_of(response, blocking)
    assert [type(each) for each in found] == [ChatCompletionChunk] * 3
    assert found[0].choices[0].delta.content == "hello"


@KINDS
def test_the_response_is_closed_after_the_end_mark(blocking: bool) -> None:
    response = Response(BODY + DONE, b"\xff\n\n", b"more")
    assert len(events_of(response, blocking)) == 1
    assert response.is_closed
    # The rest of the body frees an async connection for the next request.
    assert response.read == (1 if blocking else 3)


@KINDS
def test_leaving_a_stream_closes_the_response(blocking: bool) -> None:
    response = Response(BODY, BODY, BODY)
    stream = stream_of(response, blocking)
    assert stream.response is response
    if blocking:
        with stream:
            assert next(stream).choices[0].delta.content == "hello"
    else:

        async def leave() -> None:
            async with stream:
                assert (await stream.__anext__()).choices[0].delta.content == "hello"
            assert response.is_closed

        asyncio.run(leave())
    assert response.is_closed
    assert stream.ended


@KINDS
@pytest.mark.parametrize("kind", [object, dict, Any])
def test_plain_values(blocking: bool, kind: Any) -> None:
    assert events_of(Response(b'event: x\ndata: {"foo": true}\n\n'), blocking, kind) == [{"foo": True}]


@KINDS
def test_a_class_of_the_program_builds_its_events(blocking: bool) -> None:
    response = Response(b'data: {"foo": 1}\n\ndata: {"foo": 2}\n\n')

    class Built:
        def __init__(self, foo: int) -> None:
            self.foo = foo

        @classmethod
        def build(cls, *, response: Any, data: Any) -> Built:
            assert response is made_of
            return cls(data["foo"])

    made_of = response
    assert [each.foo for each in events_of(response, blocking, Built)] == [1, 2]


@KINDS
def test_names_of_events_of_assistants(blocking: bool) -> None:
    delta = {"id": "m", "object": "thread.message.delta", "delta": {"role": "assistant", "content": []}}
    body = f"event: thread.message.delta\ndata: {json.dumps(delta)}\n\nevent: done\ndata: [DONE]\n\n".encode()
    [event] = events_of(Response(body), blocking, AssistantStreamEvent)
    assert (event.event, event.data.id) == ("thread.message.delta", "m")


@KINDS
def test_errors_in_the_stream(blocking: bool) -> None:
    with pytest.raises(APIError, match="broken") as raised:
        events_of(Response(BODY, b'data: {"error": {"message": "broken"}}\n\n'), blocking)
    assert "secret" not in repr(vars(raised.value)) + str(raised.value.request.headers)


def of_library(module: str, name: str) -> Exception:
    cls: Any = type(name, (Exception,), {"__module__": module})
    return cast("Exception", cls("broke off"))


@KINDS
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (of_library("httpx", "ReadTimeout"), APITimeoutError),
        (of_library("httpx2", "RemoteProtocolError"), APIConnectionError),
        (of_library("anyio", "EndOfStream"), APIConnectionError),
        (ValueError("mine"), ValueError),
    ],
    ids=["timeout", "protocol", "anyio", "other"],
)
def test_errors_of_the_library(blocking: bool, error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        events_of(Response(BODY, error), blocking)
    assert error in (raised.value, raised.value.__cause__)


@KINDS
def test_responses_in_memory(blocking: bool) -> None:
    response = HTTPResponse(200, Headers(), BODY * 2, HTTPRequest("GET", "/x"))
    assert len(events_of(response, blocking)) == 2
    assert response.is_closed


@KINDS
def test_objects_without_a_body(blocking: bool) -> None:
    with pytest.raises(TypeError, match="response is a SimpleNamespace, which has no "):
        events_of(SimpleNamespace(), blocking)


@KINDS
def test_stand_ins_of_tests(blocking: bool) -> None:
    stream = stream_of(MagicMock(), blocking, client=MagicMock())
    assert isinstance(stream, Stream if blocking else AsyncStream)
    assert not stream.ended


async def test_a_blocking_stream_in_a_coroutine() -> None:
    assert len(list(stream_of(Response(BODY, BODY, DONE), True))) == 2


async def test_cancelled_while_the_rest_is_read() -> None:
    waiting = asyncio.Event()

    class Slow(Response):
        async def aiter_bytes(self) -> AsyncIterator[bytes]:
            yield DONE
            waiting.set()
            await asyncio.Event().wait()

    response = Slow()
    task = asyncio.ensure_future(stream_of(response, False).__anext__())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert response.is_closed


async def test_classes_of_the_program_are_made_with_the_same_arguments(client: AsyncOpenAI) -> None:
    made: list[Any] = []

    class Mine(AsyncStream[ChatCompletionChunk]):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            made.append(given)

    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    stream = await client.post("/chat/completions", cast_to=object, body=body, stream=True, stream_cls=Mine)
    assert len([each async for each in stream]) > 1
    [given] = made
    assert given["cast_to"] is ChatCompletionChunk
    assert given["client"] is client


def test_responses_of_httpx() -> None:
    httpx: Any = pytest.importorskip("httpx2")
    for blocking in (True, False):
        response = httpx.Response(200, content=BODY + DONE, request=httpx.Request("GET", "http://h"))
        client = (OpenAI if blocking else AsyncOpenAI)(api_key="k")
        assert len(events_of(response, blocking)) == 1
        assert response.is_closed
        assert stream_of(response, blocking, client=client).response is response
