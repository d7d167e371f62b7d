"""The stream helpers call the method that a tracer, a mock or a subclass put in the place of the generated one."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.lib.streaming.foreign import AsyncForeignStream, ForeignStream
from aiopenai.lib.streaming.wrappers import AsyncEventIterator, AsyncStreamManager, EventIterator, StreamManager
from aiopenai.resources.beta.threads import AsyncRuns, AsyncThreads, Runs, Threads
from aiopenai.resources.chat import AsyncCompletions, Completions
from aiopenai.resources.responses import AsyncResponses, Responses
from aiopenai.testing import Server

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


async def test_another_generated_method_is_a_replacement(client: AsyncOpenAI, server: Server) -> None:
    """Such an assignment is rare; the helper calls the method that it finds under the name."""
    completions: Any = client.chat.completions
    completions.create = completions.list
    with pytest.raises(TypeError, match="messages"):
        client.chat.completions.stream(**CHAT)
    assert server.journal == []


# The iterators alone


class Raw:
    """A stream of numbers in either form, which notes how far it was read."""

    response = "head"

    def __init__(self, *items: int, ended: bool = False) -> None:
        self.items = [*items]
        self.ended = ended
        self.closed = 0

    def __iter__(self) -> Raw:
        return self

    def __next__(self) -> int:
        if not self.items:
            raise StopIteration
        return self.items.pop(0)

    def close(self) -> None:
        self.closed += 1


class AsyncRaw(Raw):
    def __aiter__(self) -> AsyncRaw:
        return self

    async def __anext__(self) -> int:
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)

    async def close(self) -> None:  # type: ignore[override]
        self.closed += 1


def repeated(seen: list[int]) -> Callable[[int], list[str]]:
    """Causes as many events as the item's number."""

    def handle(item: int) -> list[str]:
        seen.append(item)
        return [f"{item}.{number}" for number in range(item)]

    return handle


ALL = ["2.0", "2.1", "1.0", "3.0", "3.1", "3.2"]


def test_each_item_causes_any_number_of_events() -> None:
    seen: list[int] = []
    raw = Raw(2, 0, 1, 0, 0, 3)
    events = EventIterator(raw, repeated(seen))
    assert events.response == "head"
    # A step and an iteration share their place.
    assert [next(events), seen] == ["2.0", [2]]
    assert [*events] == ALL[1:]
    assert seen == [2, 0, 1, 0, 0, 3]
    with pytest.raises(StopIteration):
        next(events)
    assert raw.closed == 0


async def test_each_item_causes_any_number_of_events_in_the_async_form() -> None:
    seen: list[int] = []
    raw = AsyncRaw(2, 0, 1, 0, 0, 3)
    events = AsyncEventIterator(raw, repeated(seen))
    assert events.response == "head"
    assert [await events.__anext__(), seen] == ["2.0", [2]]
    assert [event async for event in events] == ALL[1:]
    with pytest.raises(StopAsyncIteration):
        await events.__anext__()
    assert (seen, raw.closed) == ([2, 0, 1, 0, 0, 3], 0)


@pytest.mark.parametrize("block", [False, True], ids=["close", "block"])
async def test_closing_drops_the_events_that_wait(block: bool) -> None:
    raw, async_raw = Raw(3, 1), AsyncRaw(3, 1)
    events, async_events = EventIterator(raw, repeated([])), AsyncEventIterator(async_raw, repeated([]))
    if block:
        with events as same:
            assert same is events
            assert next(events) == "3.0"
        async with async_events as other:
            assert other is async_events
            assert await async_events.__anext__() == "3.0"
    else:
        assert next(events) == "3.0"
        events.close()
        assert await async_events.__anext__() == "3.0"
        await async_events.aclose()
    assert (raw.closed, async_raw.closed) == (1, 1)
    assert next(events) == "1.0"
    assert await async_events.__anext__() == "1.0"


@pytest.mark.parametrize("ended", [False, True], ids=["open", "ended"])
async def test_reading_to_the_end_handles_the_rest(ended: bool) -> None:
    seen: list[int] = []
    events = EventIterator(Raw(3, 1, 2, ended=ended), repeated(seen))
    assert next(events) == "3.0"
    assert events.until_done() is events
    assert seen == ([3] if ended else [3, 1, 2])
    assert [*events] == (["1.0", "2.0", "2.1"] if ended else [])
    async_seen: list[int] = []
    async_events = AsyncEventIterator(AsyncRaw(3, 1, 2, ended=ended), repeated(async_seen))
    assert await async_events.__anext__() == "3.0"
    assert await async_events.until_done() is async_events
    assert async_seen == ([3] if ended else [3, 1, 2])
    assert [event async for event in async_events] == (["1.0", "2.0", "2.1"] if ended else [])


async def test_managers_send_when_they_are_entered_and_close_once() -> None:
    sent: list[str] = []

    def send() -> Raw:
        sent.append("blocking")
        return raw

    async def send_async() -> AsyncRaw:
        sent.append("async")
        return async_raw

    raw, async_raw = Raw(1), AsyncRaw(1)
    manager = StreamManager(send, lambda stream: stream)
    async_manager = AsyncStreamManager(send_async(), lambda stream: stream)
    assert sent == []
    # Streams of another maker are converted.
    with manager as stream:
        assert (type(stream), [*stream]) == (ForeignStream, [1])
    async with async_manager as async_stream:
        assert (type(async_stream), [item async for item in async_stream]) == (AsyncForeignStream, [1])
    assert (sent, raw.closed, async_raw.closed) == (["blocking", "async"], 1, 1)


async def test_managers_that_were_not_entered_close_nothing() -> None:
    def fail() -> Any:
        raise KeyError("mine")

    manager = StreamManager(fail, str)
    manager.__exit__(None, None, None)
    with pytest.raises(KeyError), manager:
        pass
    manager.__exit__(None, None, None)

    async def fail_async() -> Any:
        raise KeyError("mine")

    async_manager = AsyncStreamManager(fail_async(), str)
    await async_manager.__aexit__(None, None, None)
    with pytest.raises(KeyError):
        await async_manager.__aenter__()
    await async_manager.__aexit__(None, None, None)
