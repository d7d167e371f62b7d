"""Tool loops against the local server and against scripted objects, in both clients."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import time
from typing import Annotated, Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, BadRequestError, OpenAI
from aiopenai._data.codec import Decoder
from aiopenai.lib.running import (
    MaxTurnsError,
    ToolCallError,
    ToolFinishedEvent,
    ToolStartedEvent,
    TurnFinishedEvent,
    run_chat_tools,
    run_response_tools,
)
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.responses import Response, ResponseStreamEvent

try:
    from pydantic import BaseModel
except ImportError:
    # Without pydantic a second Struct takes its place; the suite with the reference has it.
    BaseModel = msgspec.Struct  # type: ignore[misc, assignment]


def response(*output: dict[str, Any], **more: Any) -> Response:
    usage = {
        "input_tokens": 3,
        "output_tokens": 2,
        "total_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return Response.model_construct(
        **{"id": "resp_1", "object": "response", "status": "completed", "output": list(output), "usage": usage, **more}
    )


def call(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "call_id": call_id, "arguments": json.dumps(arguments)}


def message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


class Scripted:
    """An object with the `create` of `client.responses`: it returns prepared replies in their order."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.requests: list[dict[str, Any]] = []

    async def create(self, **arguments: Any) -> Any:
        self.requests.append(arguments)
        return self.replies.pop(0)


async def get_weather(city: str) -> str:
    """Returns the weather of a city."""
    return f"sunny in {city}"


class Lookup(msgspec.Struct):
    """Looks a word up."""

    word: str

    def __call__(self) -> dict[str, str]:
        return {"word": self.word, "meaning": "none"}


class Order(BaseModel):
    """Places an order."""

    dish: str

    async def __call__(self) -> str:
        return f"one {self.dish}"


ASK = "use get_weather, Lookup and Order"


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_over_http(client: AsyncOpenAI, server: Server, stream: bool) -> None:
    tools = [get_weather, Lookup, Order]
    started = await client.responses.run_tools(model="gpt-4o", input=ASK, tools=tools, stream=stream)
    run: Any = await started.get_final_run() if stream else started  # type: ignore[union-attr]
    assert [each.name for each in run.executions] == ["get_weather", "Lookup", "Order"]
    assert all(each.status == "completed" for each in run.executions)
    assert len(run.turns) == 2
    assert run.output_text
    assert run.usage.total_tokens == sum(turn.reply.usage.total_tokens for turn in run.turns)
    kinds = [item.get("type") for item in run.transcript]
    assert kinds[-1] == "message"
    assert kinds.count("function_call_output") == 3
    sent = server.requests_for("/responses")[1].json()
    assert sent["input"] == run.transcript[:-1]
    assert pickle.loads(pickle.dumps(run)).output_text == run.output_text


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_over_a_pool_of_sockets(client: AsyncOpenAI, server: Server, stream: bool) -> None:
    tools = [get_weather, Lookup, Order]
    async with client.responses.pool(size=1) as responses:
        started = await responses.run_tools(model="gpt-4o", input=ASK, tools=tools, stream=stream)
        run: Any = await started.get_final_run() if stream else started  # type: ignore[union-attr]
    assert [each.status for each in run.executions] == ["completed"] * 3
    assert len(run.turns) == 2
    assert run.output_text
    assert [request.method for request in server.requests_for("/responses")] == ["GET"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_blocking_client_over_a_pool_of_sockets(stream: bool) -> None:
    with (
        Server() as server,
        OpenAI(api_key="k", base_url=server.base_url) as client,
        client.responses.pool(size=1) as responses,
    ):
        started: Any = responses.run_tools(model="gpt-4o", input=ASK, tools=[get_weather, Lookup, Order], stream=stream)
        run = started.get_final_run() if stream else started
        assert [each.status for each in run.executions] == ["completed"] * 3
        assert [request.method for request in server.requests_for("/responses")] == ["GET"]


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_over_http(client: AsyncOpenAI, server: Server, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": ASK}]
    tools = [get_weather, Lookup, Order]
    started = await client.chat.completions.run_tools(model="gpt-4o", messages=messages, tools=tools, stream=stream)
    run: Any = await started.get_final_run() if stream else started  # type: ignore[union-attr]
    assert [each.status for each in run.executions] == ["completed"] * 3
    assert [each["role"] for each in run.transcript] == ["user", "assistant", "tool", "tool", "tool", "assistant"]
    assert run.output_text
    assert run.usage.total_tokens > 0
    assert server.requests_for("/chat/completions")[1].json()["messages"] == run.transcript[:-1]


@pytest.mark.parametrize("stream", [False, True])
def test_the_blocking_client(stream: bool) -> None:
    threads: list[threading.Thread] = []

    def plain(city: str) -> str:
        """Tells the weather."""
        threads.append(threading.current_thread())
        return city

    with Server() as server, OpenAI(api_key="sk-test", base_url=server.base_url) as client:
        started: Any = client.responses.run_tools(
            model="gpt-4o", input="plain and get_weather", tools=[plain, get_weather], stream=stream
        )
        run = started.get_final_run() if stream else started
    assert [each.status for each in run.executions] == ["completed", "completed"]
    assert threads
    assert threads[0] is not threading.main_thread()


async def test_five_tools_at_once_with_failures() -> None:
    running: set[str] = set()
    together = asyncio.Event()

    async def meet(name: str) -> None:
        running.add(name)
        if len(running) == 5:
            together.set()
        await together.wait()

    async def good() -> str:
        await meet("good")
        return "fine"

    def plain() -> dict[str, int]:
        asyncio.run_coroutine_threadsafe(meet("plain"), loop).result()
        return {"n": 1}

    async def failing() -> str:
        await meet("failing")
        raise KeyError("no such city")

    async def slow() -> str:
        await meet("slow")
        await asyncio.Event().wait()
        return ""

    async def stopped() -> str:
        await meet("stopped")
        raise asyncio.CancelledError

    loop = asyncio.get_running_loop()
    names = ["good", "plain", "failing", "slow", "stopped"]
    script = Scripted(response(*(call(name, f"c{i}") for i, name in enumerate(names))), response(message("done")))
    run = await run_response_tools(
        script, model="m", input="go", tools=[good, plain, failing, slow, stopped], tool_timeout={"slow": 0.05}
    )
    assert [each.status for each in run.executions] == ["completed", "completed", "failed", "timed_out", "cancelled"]
    assert [each.output for each in run.executions[:2]] == ["fine", '{"n":1}']
    assert "KeyError: 'no such city'" in run.executions[2].output
    assert "0.05 seconds" in run.executions[3].output
    assert [item["call_id"] for item in script.requests[1]["input"][6:]] == ["c0", "c1", "c2", "c3", "c4"]
    assert run.usage.input_tokens_details.cached_tokens == 2


async def test_the_number_of_tools_at_once_is_bounded() -> None:
    now = most = 0

    async def work() -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return ""

    script = Scripted(response(*(call("work", f"c{i}") for i in range(9))), response(message("done")))
    await run_response_tools(script, model="m", input="go", tools=[work], max_parallel=3)
    assert most == 3


async def test_mistakes_of_the_model_go_back_to_it() -> None:
    script = Scripted(
        response(call("get_weather", "c1", town="Rome"), call("nothing", "c2")),
        response(message("done")),
    )
    run = await run_response_tools(script, model="m", input="go", tools=[get_weather])
    assert [each.status for each in run.executions] == ["invalid", "invalid"]
    assert "arguments do not fit" in run.executions[0].output
    assert "get_weather" in run.executions[1].output


async def test_raised_errors_cancel_the_others() -> None:
    cancelled = asyncio.Event()

    async def failing() -> str:
        raise ValueError("broken")

    async def waiting() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    script = Scripted(response(call("waiting", "c1"), call("failing", "c2")))
    with pytest.raises(ToolCallError, match="broken") as caught:
        await run_response_tools(script, model="m", input="go", tools=[failing, waiting], raise_errors=True)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.execution.name == "failing"
    assert caught.value.run.turns[0].executions[0].name == "waiting"
    assert cancelled.is_set()


@pytest.mark.parametrize("stream", [False, True])
async def test_cancellation_leaves_nothing(client: AsyncOpenAI, stream: bool) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def get_weather() -> str:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            left.set()
        return ""

    def own_tasks() -> set[Any]:
        # The local server keeps a task for each connection.
        return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)}

    before = own_tasks()

    async def work() -> None:
        started: Any = await client.responses.run_tools(model="gpt-4o", input="hi", tools=[get_weather], stream=stream)
        async for _ in started:
            pass

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left.is_set()
    assert own_tasks() == before


async def test_one_call_is_cancelled_by_the_reader(client: AsyncOpenAI) -> None:
    async def get_weather() -> str:
        await asyncio.Event().wait()
        return ""

    kinds: list[Any] = []
    async with await client.responses.run_tools(model="gpt-4o", input="hi", tools=[get_weather], stream=True) as stream:
        async for event in stream:
            kinds.append(type(event))
            if isinstance(event, ToolStartedEvent):
                event.execution.cancel()
    assert stream.run.executions[0].status == "cancelled"
    assert kinds.count(ToolFinishedEvent) == 1
    assert kinds.count(TurnFinishedEvent) == 2


class Streamed:
    """An object with the `create` of `client.responses`, for streams: a reply with one call, which ends when the call's
    function has begun, and a second one."""

    def __init__(self, began: asyncio.Event, *output: dict[str, Any]) -> None:
        self.began = began
        self.output = output
        self.turns = 0

    @staticmethod
    def event(name: str, **more: Any) -> Any:
        return Decoder.of(ResponseStreamEvent).strict(json.dumps({"type": name, "sequence_number": 0, **more}))

    async def create(self, **_: Any) -> Any:
        self.turns += 1
        return self.first() if self.turns == 1 else self.second()

    async def first(self) -> Any:
        at, item = len(self.output) - 1, self.output[-1]
        yield self.event("response.created", response=response(status="in_progress").to_dict())
        yield self.event("response.output_item.added", output_index=at, item={**item, "arguments": ""})
        yield self.event("response.output_item.done", output_index=at, item=item)
        await self.began.wait()
        yield self.event("response.completed", response=response(*self.output).to_dict())

    async def second(self) -> Any:
        yield self.event("response.created", response=response(status="in_progress").to_dict())
        yield self.event("response.completed", response=response(message("done")).to_dict())


async def test_tools_start_before_the_stream_ends() -> None:
    began = asyncio.Event()

    async def tool() -> str:
        began.set()
        return "x"

    script = Streamed(began, {**call("tool", "c1"), "id": "fc_1"})
    stream = await run_response_tools(script, model="m", input="go", tools=[tool], stream=True)
    run = await asyncio.wait_for(stream.get_final_run(), 30)
    assert run.output_text == "done"
    assert [each.output for each in run.executions] == ["x"]


async def test_an_early_call_behind_an_approval_runs_once() -> None:
    began = asyncio.Event()
    count: list[int] = []
    approval = {"type": "mcp_approval_request", "id": "m1", "name": "x", "arguments": "{}", "server_label": "f"}

    async def tool() -> str:
        began.set()
        count.append(1)
        return "x"

    script = Streamed(began, approval, {**call("tool", "c1"), "id": "fc_1"})
    stream = await run_response_tools(
        script, model="m", input="go", tools=[tool], stream=True, approve_mcp=lambda _: True
    )
    run = await asyncio.wait_for(stream.get_final_run(), 30)
    assert run.output_text == "done"
    assert count == [1]
    assert [each.name for each in run.executions] == ["x", "tool"]


async def test_too_many_turns() -> None:
    script = Scripted(*(response(call("get_weather", f"c{i}", city="Rome")) for i in range(3)))
    with pytest.raises(MaxTurnsError, match="3 turns") as caught:
        await run_response_tools(script, model="m", input="go", tools=[get_weather], max_turns=3)
    assert len(caught.value.run.transcript) == 7
    assert caught.value.run.transcript[-1]["output"] == "sunny in Rome"
    assert pickle.loads(pickle.dumps(caught.value)).run.usage.total_tokens == 15


async def test_calls_for_the_program_end_the_run() -> None:
    class Answer(msgspec.Struct):
        n: int

    script = Scripted(response(call("Answer", "c1", n=4), call("get_weather", "c2", city="Rome")))
    run = await run_response_tools(script, model="m", input="go", tools=[get_weather, Answer])
    assert [each.arguments for each in run.pending] == [Answer(4)]
    assert run.executions[1].output == "sunny in Rome"


@pytest.mark.parametrize("answer", [True, False])
async def test_mcp_approvals(answer: bool) -> None:
    request = {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "name": "delete",
        "arguments": "{}",
        "server_label": "files",
    }
    script = Scripted(response(request), response(message("done")))
    tools = [{"type": "mcp", "server_label": "files", "server_url": "https://example.com"}]

    async def approve(given: Any) -> bool:
        assert given.name == "delete"
        return answer

    run = await run_response_tools(script, model="m", input="go", tools=tools, approve_mcp=approve)
    expected = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": answer}
    assert script.requests[1]["input"][-1] == expected
    assert run.output_text == "done"


async def test_mcp_approvals_without_a_function_end_the_run() -> None:
    request = {"type": "mcp_approval_request", "id": "m1", "name": "x", "arguments": "{}", "server_label": "f"}
    run = await run_response_tools(Scripted(response(request)), model="m", input="go", tools=[])
    assert [each.call_id for each in run.pending] == ["m1"]


async def test_a_forced_choice_is_forced_once_and_a_key_is_used_once() -> None:
    script = Scripted(response(call("get_weather", "c1", city="Rome")), response(message("done")))
    await run_response_tools(
        script, model="m", input="go", tools=[get_weather], tool_choice="required", idempotency_key="k"
    )
    assert [each["tool_choice"] for each in script.requests] == ["required", "auto"]
    assert ["idempotency_key" in each for each in script.requests] == [True, False]


async def test_a_conversation_gets_new_items_only() -> None:
    script = Scripted(response(call("get_weather", "c1", city="Rome")), response(message("done")))
    await run_response_tools(script, model="m", input="go", tools=[get_weather], conversation="conv_1")
    assert [item["type"] for item in script.requests[1]["input"]] == ["function_call_output"]


async def test_structured_output(client: AsyncOpenAI) -> None:
    class Answer(msgspec.Struct):
        n: int

    run = await client.responses.run_tools(model="gpt-4o", input="hi", tools=[get_weather], text_format=Answer)
    assert isinstance(run.output_parsed, Answer)


async def test_chat_without_ids() -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Rome"}'}
    called = {"role": "assistant", "tool_calls": [{"function": function}, {"function": function}]}

    def completion(said: dict[str, Any]) -> Any:
        choice = {"index": 0, "finish_reason": "stop", "message": said}
        return ChatCompletion.model_construct(id="c", object="chat.completion", choices=[choice])

    script = Scripted(completion(called), completion({"role": "assistant", "content": "done"}))
    run = await run_chat_tools(script, model="m", messages=[{"role": "user", "content": "go"}], tools=[get_weather])
    ids = [each["id"] for each in run.transcript[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [each["tool_call_id"] for each in run.transcript[2:4]] == ids
    assert run.usage is None


@pytest.mark.parametrize("call_id", ["", "call_1"])
async def test_calls_with_one_id_are_all_made(call_id: str) -> None:
    calls = [call("get_weather", call_id, city=city) for city in ("Rome", "Oslo")]
    run = await run_response_tools(
        Scripted(response(*calls), response(message("done"))), model="m", input="go", tools=[get_weather]
    )
    assert [execution.output for execution in run.executions] == ["sunny in Rome", "sunny in Oslo"]


async def test_a_cancellation_carries_the_run() -> None:
    async def get_weather() -> str:
        task.cancel()
        await asyncio.Event().wait()
        return ""

    async def work() -> Any:
        try:
            await run_response_tools(script, model="m", input="go", tools=[get_weather])
        except asyncio.CancelledError as error:
            return error

    script = Scripted(response(call("get_weather", "call_1")))
    task = asyncio.create_task(work())
    error = await task
    assert [(execution.name, execution.status) for execution in error.run.executions] == [("get_weather", "cancelled")]
    assert error.run.reply.id == "resp_1"


async def test_a_cut_off_reply_ends_the_run() -> None:
    script = Scripted(response(call("get_weather", "c1", city="R"), status="incomplete"))
    run = await run_response_tools(script, model="m", input="go", tools=[get_weather])
    assert run.executions == []
    assert run.reply.status == "incomplete"


async def test_a_plain_function_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    def stuck() -> str:
        release.wait(30)
        return ""

    script = Scripted(response(call("stuck", "c1")), response(message("done")))
    began = time.monotonic()
    run = await run_response_tools(script, model="m", input="go", tools=[stuck], tool_timeout=0.05)
    release.set()
    assert run.executions[0].status == "timed_out"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"max_turns": 0}, ValueError, "max_turns"),
        ({"max_parallel": True}, ValueError, "max_parallel"),
        ({"tool_timeout": -1}, ValueError, "tool_timeout"),
        ({"tool_timeout": {"f": "x"}}, ValueError, "tool_timeout"),
        ({"tools": [get_weather], "tool_timeout": {"weather": 5}}, ValueError, "weather, .* They are: get_weather"),
        ({"approve_mcp": 3}, TypeError, "approve_mcp"),
        ({"background": True}, ValueError, "background"),
        ({"tools": get_weather}, TypeError, "tools"),
        ({"tools": [3]}, TypeError, "tool"),
        ({"tools": [get_weather, get_weather]}, ValueError, "get_weather"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "-".join(value),
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    script = Scripted()
    with pytest.raises(error, match=words):
        run_response_tools(script, **{"model": "m", "input": "go", "tools": [], **arguments})
    assert script.requests == []


async def test_errors_of_the_api_carry_the_run(client: AsyncOpenAI, server: Server) -> None:
    server.fault(status=400, times=1)
    with pytest.raises(BadRequestError, match="400") as caught:
        await client.responses.run_tools(model="gpt-4o", input="hi", tools=[get_weather])
    assert caught.value.run.transcript == [{"role": "user", "content": "hi"}]  # type: ignore[attr-defined]


async def test_descriptions_of_parameters() -> None:
    def f(city: Annotated[str, msgspec.Meta(description="a city")]) -> str:
        """Tells the weather."""
        return city

    script = Scripted(response(message("done")))
    await run_response_tools(script, model="m", input="go", tools=[f])
    (tool,) = script.requests[0]["tools"]
    assert tool["strict"] is True
    assert tool["description"] == "Tells the weather."
    assert tool["parameters"]["properties"]["city"]["description"] == "a city"
