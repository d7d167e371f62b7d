"""`ResponsesToolRunner` of both clients, beside the reference where it is installed."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.lib.responses_tool_runner import (
    AsyncRegisteredFunction,
    AsyncResponsesToolRunner,
    RegisteredFunction,
    ResponsesToolRunner,
    ToolRunnerCancelledError,
    ToolRunnerError,
)
from aiopenai.lib.tools import pydantic_responses_function_tool
from aiopenai.testing import Server
from tests.lib.played_runs import (
    ENDS,
    MCP,
    OUTPUT,
    PART,
    TOOL,
    Case,
    Played,
    approval,
    call,
    fails,
    message,
    outcome,
    response,
    seen,
    streamed,
)

CASES = {
    "answer": Case((response(1, message()),)),
    "call": Case((response(1, call(arguments='{"a": 1}')), ENDS), json.dumps),
    "calls": Case((response(1, {"type": "reasoning", "id": "rs_1", "summary": []}, call(1), call(2)), ENDS)),
    "unregistered": Case((response(1, call(name="other")), ENDS)),
    "no json": Case((response(1, call(arguments="nope")), ENDS)),
    "no object": Case((response(1, call(arguments="[]")), ENDS)),
    "fails": Case((response(1, call(1), call(2)), ENDS), fails),
    "no signature": Case((response(1, call()), ENDS), str),
    "another parameter": Case((response(1, call()), ENDS), lambda cancelled: f"{cancelled}"),
    "number": Case((response(1, call()), ENDS), lambda _: 5),
    "parts": Case((response(1, call()), ENDS), lambda _: [PART]),
    "no parts": Case((response(1, call()), ENDS), lambda _: []),
    "other parts": Case((response(1, call()), ENDS), lambda _: [{"type": "output_text", "text": "t"}]),
    "incomplete": Case((response(1, message(), status="incomplete"),)),
    "nothing": Case((response(1),)),
    "commentary": Case((response(1, message(phase="commentary")),)),
    "incomplete message": Case((response(1, message(status="incomplete")),)),
    "incomplete call": Case((response(1, call(status="in_progress")), ENDS)),
    "one id twice": Case((response(1, call(), call()), ENDS)),
    "one id in two responses": Case((response(1, call()), response(2, call()))),
    "one call twice": Case((response(1, call()), response(2, call(2, call_id="call_1")))),
    "a call of the history": Case((response(1, call()), ENDS), params={"input": [call(), OUTPUT]}),
    "another kind": Case((response(1, {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": ""}),)),
    "steps": Case((response(1, call(1)), response(2, call(2))), options={"max_steps": 2}),
    "refused": Case((response(1, call()), (400, {"error": {"message": "No."}}))),
    "required": Case((response(1, call()), ENDS), params={"tool_choice": "required"}),
    "one function": Case((response(1, call()), ENDS), params={"tool_choice": {"type": "function", "name": "look"}}),
    "no tools": Case((response(1, message()),), params={"tool_choice": "none"}),
    "include": Case((response(1, message()),), params={"include": ["message.output_text.logprobs"], "store": False}),
    "key": Case((response(1, call()), ENDS), params={"extra_headers": {"Idempotency-Key": "mine"}}),
    "stream": Case((response(1, message()),), params={"stream": True}),
    "background": Case((response(1, message()),), params={"background": True}),
    "previous": Case((response(1, message()),), params={"previous_response_id": "resp_0"}),
    "conversation": Case((response(1, message()),), params={"conversation": "conv_1"}),
    "own function": Case((response(1, message()),), params={"tools": [TOOL]}),
    "extra tools": Case((response(1, message()),), params={"extra_body": {"tools": []}}),
    "extra": Case((response(1, message()),), params={"extra_body": {"metadata": {"a": "b"}}}),
    "no steps": Case((response(1, message()),), options={"max_steps": 0}),
    "number as input": Case((response(1, message()),), params={"input": 5}),
    "approved": Case((response(1, approval(), call()), ENDS), params={"tools": [MCP]}, approve=True),
    "denied": Case((response(1, approval()), ENDS), params={"tools": [MCP]}, approve=False),
    "not asked": Case((response(1, approval()), ENDS), params={"tools": [MCP]}),
    "no bool": Case((response(1, approval()), ENDS), params={"tools": [MCP]}, approve=1),
    "never": Case(
        (response(1, approval()), ENDS), params={"tools": [{**MCP, "require_approval": "never"}]}, approve=True
    ),
    "other server": Case((response(1, approval(server_label="x")), ENDS), params={"tools": [MCP]}, approve=True),
    "not allowed": Case(
        (response(1, approval()), ENDS), params={"tools": [{**MCP, "allowed_tools": ["other"]}]}, approve=True
    ),
    "allowed": Case(
        (response(1, approval()), ENDS), params={"tools": [{**MCP, "allowed_tools": ["search"]}]}, approve=True
    ),
    "one label twice": Case((response(1, message()),), params={"tools": [MCP, MCP]}),
    "cancelled at once": Case((response(1, call()), ENDS), cancelled=0),
    "compacted": Case((response(1, {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}, message()),)),
}
THREE = response(1, call(1, arguments='{"n": 1}'), call(2, arguments='{"n": 2}'), call(3, arguments='{"n": 3}'))
CUSTOM = {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "", "id": "ctc_1"}
MESSAGE = message(id="msg_0", phase="commentary")
EAGER = {
    "all": Case((THREE, ENDS)),
    "after a message": Case((response(1, MESSAGE, call()), ENDS)),
    "executed": Case((THREE, ENDS), before=("execute",) * 3),
    "second deferred": Case((THREE, ENDS), before=("execute", "defer", "execute")),
    "another answer": Case((THREE, ENDS), before=("execute", True)),
    "none early": Case((THREE, ENDS), early={"functions": []}),
    "last step": Case((THREE, ENDS), options={"max_steps": 1}),
    "incomplete call": Case((response(1, call(1, status="incomplete"), call(2)), ENDS)),
    "unregistered": Case((response(1, call(1, name="other"), call(2)), ENDS)),
    "another kind": Case((response(1, CUSTOM, call()), ENDS)),
    "one id twice": Case((response(1, call(), call()), ENDS)),
    "one call twice": Case((response(1, call()), response(2, call(2, call_id="call_1")))),
    "no object": Case((response(1, call(arguments="[]"), call(2)), ENDS)),
    "fails": Case((THREE, ENDS), fails),
    "independent": Case((THREE, ENDS), independent=True),
    "independent fail": Case((THREE, ENDS), fails, independent=True),
    "independent after approval": Case((response(1, approval(), call()), ENDS), approve=True, independent=True),
    "beside a server": Case((THREE, ENDS), params={"tools": [MCP]}),
}


@pytest.mark.once
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
async def test_as_the_reference(play: Played, pair: tuple[Any, Any], name: str) -> None:
    ours, theirs = pair
    assert await outcome(play, ours, CASES[name]) == await outcome(play, theirs, CASES[name])


@pytest.mark.once
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", EAGER, ids=lambda name: name.replace(" ", "-"))
async def test_eager_as_the_reference(play: Played, pair: tuple[Any, Any], name: str) -> None:
    ours, theirs = [await outcome(play, client, EAGER[name], stream=True, eager=True) for client in pair]
    assert ours == theirs


# Streams, turns and tasks, against the local server: its models call each function that the input names.


def tool(name: str) -> Any:
    return {**TOOL, "name": name}


PARAMS: Any = {"model": "gpt-4o", "input": "look find"}


class Place(msgspec.Struct):
    name: str


async def test_typed_arguments(client: AsyncOpenAI) -> None:
    got: list[Any] = []

    async def execute(place: Place, cancelled: Any) -> str:
        got.append((place, cancelled()))
        return "seen"

    function = AsyncRegisteredFunction.from_tool(pydantic_responses_function_tool(Place), execute=execute)
    await AsyncResponsesToolRunner(functions=[function]).run(client, {"model": "gpt-4o", "input": "Place"})
    assert got == [(Place("string"), False)]
    with pytest.raises(ValueError, match="from_tool"):
        AsyncRegisteredFunction.from_tool(TOOL, execute=execute)


@pytest.mark.parametrize("eager", [False, True])
async def test_a_stream(client: AsyncOpenAI, server: Server, eager: bool) -> None:
    events: list[str] = []
    order: list[str] = []

    def execute(name: str, independent: bool) -> AsyncRegisteredFunction:
        async def run(_: Any) -> str:
            order.append(name)
            return name

        return AsyncRegisteredFunction(tool(name), run, independent=independent)

    async def note(event: Any) -> None:
        events.append(event.type)
        if event.type == "response.completed":
            order.append("completed")

    runner = AsyncResponsesToolRunner(functions=[execute("look", False), execute("find", True)])
    found = await runner.run(client, PARAMS, stream=True, eager=eager, on_event=note)
    assert found.output_text == "You said: look find"
    assert events.count("response.completed") == 2
    expected = ["look", "find", "completed"] if eager else ["completed", "look", "find"]
    assert order == [*expected, "completed"] if not eager else order[0] == "look" and set(order) == set(expected)
    sent = server.requests_for("/responses")[-1].json()["input"]
    assert [item["output"] for item in sent if item.get("type") == "function_call_output"] == ["look", "find"]


def test_a_blocking_stream(blocking: OpenAI, own_server: Server) -> None:
    both = threading.Barrier(2)

    def meet(_: Any) -> str:
        both.wait(30)
        return "met"

    names = ("look", "find")
    functions = [RegisteredFunction(tool(name), meet, independent=True) for name in names]
    events: list[str] = []
    runner = ResponsesToolRunner(functions=functions)
    found = runner.run(blocking, PARAMS, stream=True, eager=True, on_event=lambda event: events.append(event.type))
    assert found.output_text == "You said: look find"
    assert "response.output_text.delta" in events
    sent = own_server.requests_for("/responses")[-1].json()["input"]
    assert [item["output"] for item in sent if item.get("type") == "function_call_output"] == ["met", "met"]


def test_a_repeated_call_is_not_made_early(blocking: OpenAI, own_server: Server) -> None:
    done: list[Any] = []

    def execute(given: Any) -> str:
        done.append(given)
        return ""

    own_server.reply_with("/responses", streamed(response(1, call())), content_type="text/event-stream")
    runner = ResponsesToolRunner(functions=[RegisteredFunction(TOOL, execute)])
    with pytest.raises(ToolRunnerError, match="unique") as caught:
        runner.run(blocking, PARAMS, stream=True, eager=True)
    assert caught.value.completed_call_ids == ("call_1",)
    assert done == [{}]


async def test_early_calls_can_wait(client: AsyncOpenAI) -> None:
    order: list[str] = []

    async def run(_: Any) -> str:
        order.append("call")
        return ""

    async def note(event: Any) -> None:
        if event.type == "response.completed":
            order.append("completed")

    functions = [AsyncRegisteredFunction(TOOL, run)]
    for early, options in (({"functions": []}, {}), (None, {"before_early_call": lambda _: "defer"})):
        order.clear()
        runner = AsyncResponsesToolRunner(functions=functions, early_execution=early)  # type: ignore[arg-type]
        params: Any = {"model": "gpt-4o", "input": "look"}
        await runner.run(client, params, stream=True, eager=True, on_event=note, **options)
        assert order == ["completed", "call", "completed"]
    with pytest.raises(ValueError, match="not registered"):
        AsyncResponsesToolRunner(functions=functions, early_execution={"functions": ["find"]})


async def test_turns(client: AsyncOpenAI, server: Server) -> None:
    functions = [
        AsyncRegisteredFunction(tool("look"), seen, allow_output_override=True),
        AsyncRegisteredFunction(tool("find"), seen),
    ]
    runner = AsyncResponsesToolRunner(functions=functions)
    steps: list[Any] = []
    async for turn in runner.iterate(client, PARAMS):
        steps.append((turn.step, turn.final, turn.tools_executed, len(turn.completed_call_ids)))
        if turn.final:
            with pytest.raises(ValueError, match="goes on"):
                turn.append_user_text("More.")
            continue
        if turn.step == 2:
            # The model has looked again after the text.
            continue
        with pytest.raises(RuntimeError, match="busy"):
            await runner.run(client, PARAMS)
        look, find = (item.call_id for item in turn.response.output)
        output = {"type": "function_call_output", "call_id": look, "output": "supplied"}
        for wrong in (
            [{**output, "call_id": find}],
            [{**output, "call_id": "x"}],
            [output, output],
            [{"call_id": look}],
        ):
            with pytest.raises(ValueError, match=r"call|output"):
                turn.supply_outputs(wrong)
        turn.supply_outputs([output])
        turn.append_user_text("More.")
        with pytest.raises(ValueError, match="empty"):
            turn.append_user_text("")
        assert runner.close() == {"status": "draining"}
    assert steps == [(1, False, False, 0), (2, False, False, 2), (3, True, False, 3)]
    sent = server.requests_for("/responses")[1].json()["input"]
    assert [item.get("output") for item in sent[-3:]] == ["supplied", "seen", None]
    assert sent[-1] == {"role": "user", "content": "More."}
    assert runner.close() == {"status": "closed"}
    with pytest.raises(RuntimeError, match="closed"):
        await runner.run(client, PARAMS)


async def test_a_cancelled_task(client: AsyncOpenAI) -> None:
    started = asyncio.Event()

    async def wait(_: Any) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async def run(**options: Any) -> None:
        # Python 3.10 gives the awaiter of a task a plain CancelledError.
        with pytest.raises(ToolRunnerCancelledError) as caught:
            await runner.run(client, {"model": "gpt-4o", "input": "look"}, **options)
        assert len(caught.value.attempted_call_ids) == 1
        assert caught.value.completed_call_ids == ()
        raise caught.value

    for options in ({}, {"stream": True, "eager": True}):
        runner = AsyncResponsesToolRunner(functions=[AsyncRegisteredFunction(TOOL, wait, independent=True)])
        started.clear()
        task = asyncio.create_task(run(**options))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runner.close() == {"status": "closed"}


def test_cancelled_between_steps(blocking: OpenAI, own_server: Server) -> None:
    done: list[Any] = []

    def execute(given: Any) -> str:
        done.append(given)
        return ""

    runner = ResponsesToolRunner(functions=[RegisteredFunction(TOOL, execute)])
    with pytest.raises(ToolRunnerError, match="cancelled") as caught:
        runner.run(blocking, {"model": "gpt-4o", "input": "look"}, cancelled=lambda: bool(done))
    assert caught.value.completed_call_ids == caught.value.attempted_call_ids != ()
    assert own_server.request_count == 1
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.attempted_call_ids) == (str(caught.value), caught.value.attempted_call_ids)


async def test_an_asynchronous_function_of_the_blocking_runner(blocking: OpenAI) -> None:
    async def execute(_: Any) -> str:
        return ""

    function: Any = RegisteredFunction(TOOL, execute)  # type: ignore[arg-type]
    with pytest.raises(ToolRunnerError):
        await asyncio.to_thread(ResponsesToolRunner(functions=[function]).run, blocking, PARAMS)


@pytest.mark.parametrize(
    "options",
    [{"eager": True}, {"max_steps": True}, {"max_concurrent_calls": 0}, {"ledger": 5}, {"context_budget": {}}],
    ids=["eager", "steps", "calls", "ledger", "budget"],
)
def test_options_that_do_not_fit(blocking: OpenAI, own_server: Server, options: Any) -> None:
    with pytest.raises(ValueError, match="|".join(options)):
        ResponsesToolRunner().run(blocking, PARAMS, **options)
    assert own_server.request_count == 0


def test_options_that_do_not_exist(blocking: OpenAI, own_server: Server) -> None:
    with pytest.raises(TypeError, match="'max_turns' of a run does not exist"):
        ResponsesToolRunner().run(blocking, PARAMS, max_turns=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'browser' of a runner is not supported"):
        ResponsesToolRunner(browser=object())
    assert own_server.request_count == 0
    # Programs pass the defaults of the reference.
    none: Any = {"ledger": None, "on_diagnostic": None, "before_action": print, "on_event": print}
    runner = ResponsesToolRunner(functions=[RegisteredFunction(tool("look"), seen)], computer=None)
    assert runner.run(blocking, {"model": "gpt-4o", "input": "look"}, **none).output_text


@pytest.mark.parametrize(
    "functions",
    [[5], [RegisteredFunction({}, seen)], [RegisteredFunction(TOOL, seen)] * 2, [RegisteredFunction(TOOL, 5)]],  # type: ignore[arg-type]
    ids=["type", "name", "twice", "executor"],
)
def test_functions_that_are_none(functions: Any) -> None:
    with pytest.raises(ValueError, match="functions"):
        ResponsesToolRunner(functions=functions)
