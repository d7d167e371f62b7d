"""The stream helpers call the method that a tracer, a mock or a subclass put in the place of the generated one."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest import mock

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.resources.beta.threads import AsyncRuns, AsyncThreads, Runs, Threads
from aiopenai.resources.chat import AsyncCompletions, Completions
from aiopenai.resources.responses import AsyncResponses, Responses
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
RUN = {"id": "run_1", "object": "thread.run", "status": "completed"}
# By the method that is replaced: the classes, the way to the helper, its arguments, the path, and the helper's headers.
CASES: dict[str, tuple[type[Any], type[Any], str, dict[str, Any], str, dict[str, str]]] = {
    "chat.create": (
        *(Completions, AsyncCompletions, "chat.completions.stream", CHAT, "/chat/completions"),
        {"X-Stainless-Helper-Method": "chat.completions.stream"},
    ),
    "responses.create": (
        *(Responses, AsyncResponses, "responses.stream", {"model": "gpt-4o", "input": "hi"}, "/responses"),
        {},
    ),
    "responses.retrieve": (
        *(Responses, AsyncResponses, "responses.stream", {"response_id": "resp_1"}, "/responses/resp_1"),
        {},
    ),
    "runs.create": (
        *(Runs, AsyncRuns, "beta.threads.runs.stream", {"thread_id": "thread_1", "assistant_id": "asst_1"}),
        "/threads/thread_1/runs",
        {"X-Stainless-Stream-Helper": "threads.runs.create_and_stream", "X-Stainless-Custom-Event-Handler": "false"},
    ),
    "runs.submit_tool_outputs": (
        *(Runs, AsyncRuns, "beta.threads.runs.submit_tool_outputs_stream"),
        {"thread_id": "thread_1", "run_id": "run_1", "tool_outputs": []},
        "/threads/thread_1/runs/run_1/submit_tool_outputs",
        {
            "X-Stainless-Stream-Helper": "threads.runs.submit_tool_outputs_stream",
            "X-Stainless-Custom-Event-Handler": "false",
        },
    ),
    "threads.create_and_run": (
        *(Threads, AsyncThreads, "beta.threads.create_and_run_stream", {"assistant_id": "asst_1"}, "/threads/runs"),
        {"X-Stainless-Stream-Helper": "threads.create_and_run_stream", "X-Stainless-Custom-Event-Handler": "false"},
    ),
}
each_case = pytest.mark.parametrize("case", CASES)


def serve(server: Server, path: str) -> None:
    """Replies with one event of a run, or of a response; chat is served by the server itself."""
    if "threads" in path:
        text = f"event: thread.run.completed\ndata: {json.dumps(RUN)}\n\nevent: done\ndata: [DONE]\n\n"
    elif path.startswith("/responses/"):
        response = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
        event = {"type": "response.created", "sequence_number": 0, "response": response}
        text = f"data: {json.dumps(event)}\n\ndata: {json.dumps({**event, 'type': 'response.completed'})}\n\n"
    else:
        return
    server.reply_with(path, text.encode(), content_type="text/event-stream")


def reached(client: Any, path: str) -> Any:
    return functools.reduce(getattr, path.split("."), client)


def expected(name: str, arguments: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {**arguments, "stream": True, **({"extra_headers": headers} if headers else {})}


@each_case
async def test_a_wrapped_method_of_the_async_class(
    client: AsyncOpenAI, server: Server, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    _, owner, way, arguments, path, headers = CASES[case]
    name = case.partition(".")[2]
    original, seen = getattr(owner, name), []

    @functools.wraps(original)
    async def traced(self: Any, *args: Any, **given: Any) -> Any:
        seen.append(given)
        return await original(self, *args, **given)

    monkeypatch.setattr(owner, name, traced)
    serve(server, path)
    async with reached(client, way)(**arguments) as events:
        assert events.response.status_code == 200
        assert [event async for event in events] != []
    assert seen == [expected(name, arguments, headers)]
    (request,) = server.journal
    assert (request.path, [request.headers[name.lower()] for name in headers]) == ("/v1" + path, [*headers.values()])


@each_case
def test_a_wrapped_method_of_the_blocking_class(
    blocking: OpenAI, own_server: Server, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    owner, other, way, arguments, path, headers = CASES[case]
    name = case.partition(".")[2]
    original, seen = getattr(owner, name), []

    @functools.wraps(original)
    def traced(self: Any, *args: Any, **given: Any) -> Any:
        seen.append(given)
        return original(self, *args, **given)

    monkeypatch.setattr(owner, name, traced)
    monkeypatch.setattr(other, name, mock.Mock(side_effect=AssertionError("the other client's method")))
    serve(own_server, path)
    manager = reached(blocking, way)(**arguments)
    assert seen == []
    with manager as events:
        assert events.response.status_code == 200
        assert [*events] != []
    assert seen == [expected(name, arguments, headers)]


async def test_a_method_of_an_instance_and_of_a_subclass(client: AsyncOpenAI, blocking: OpenAI, server: Server) -> None:
    class Mine(AsyncCompletions):
        async def create(self, *args: Any, **given: Any) -> Any:
            return await super().create(*args, **{**given, "user": "mine"})

    async with Mine(client).stream(**CHAT) as events:
        assert (await events.get_final_completion()).choices[0].finish_reason == "stop"
    assert server.journal[-1].json()["user"] == "mine"

    original = client.chat.completions.create
    client.chat.completions.create = lambda **given: original(**given, user="lambda")  # type: ignore[assignment]
    async with client.chat.completions.stream(**CHAT) as events:
        assert (await events.get_final_completion()).choices[0].finish_reason == "stop"
    assert server.journal[-1].json()["user"] == "lambda"
    async with client.copy().chat.completions.stream(**CHAT) as events:
        await events.until_done()
    assert "user" not in server.journal[-1].json()


def test_a_blocking_instance(blocking: OpenAI, own_server: Server) -> None:
    original = blocking.chat.completions.create
    blocking.chat.completions.create = lambda **given: original(**given, user="lambda")  # type: ignore[assignment]
    with blocking.chat.completions.stream(**CHAT) as events:
        assert events.get_final_completion().choices[0].finish_reason == "stop"
    assert own_server.journal[-1].json()["user"] == "lambda"


def test_headers_of_the_caller_win(blocking: OpenAI) -> None:
    given = {"x-stainless-helper-method": "mine", "X-More": "1"}
    with mock.patch.object(Completions, "create", return_value=[]) as create:
        with blocking.chat.completions.stream(**CHAT, extra_headers=given) as events:
            assert [*events] == []
        assert create.call_args.kwargs["extra_headers"] == given
        # Arguments that the method has to judge arrive as they are.
        with blocking.chat.completions.stream(**CHAT, extra_headers=[1]):  # type: ignore[arg-type]
            assert create.call_args.kwargs["extra_headers"] == [1]


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


async def test_another_generated_method_is_a_replacement(client: AsyncOpenAI, server: Server) -> None:
    """Such an assignment is rare; the helper calls the method that it finds under the name."""
    completions: Any = client.chat.completions
    completions.create = completions.list
    with pytest.raises(TypeError, match="messages"):
        client.chat.completions.stream(**CHAT)
    assert server.journal == []
