"""Sessions of agents on the local server: inputs, events, tools, approvals, artifacts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, ConflictError, NotFoundError
from aiopenai.testing import Server
from tests.testing.http import until
from tests.testing.strict import collect, strict

LOOK: Any = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
FIND: Any = {**LOOK, "name": "find"}
MCP: Any = {"type": "mcp", "server_label": "docs", "transport": {"type": "http", "server_url": "https://a.test"}}
NONE: Any = {"type": "none"}
HOSTED: Any = {"type": "openai_hosted"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def message(text: str) -> Any:
    content = [{"type": "input_text", "text": text}]
    return {"type": "agent.session.input.message", "input": [{"role": "user", "content": content}]}


def result(event: Any, **more: Any) -> Any:
    kind = "agent.session.input.tool_result"
    given = {"call_id": event.item.call_id, "turn_id": event.turn_id, "success": True, "output": "seen", **more}
    return {"type": kind, **given}


async def read(stream: Any, *ends: str) -> AsyncIterator[Any]:
    """The events of a stream, each checked, up to one of a type."""
    async for event in stream:
        yield strict(event)
        if event.type.removeprefix("agent.session.") in ends:
            return


def kinds(events: list[Any]) -> list[str]:
    return [event.type.removeprefix("agent.session.") for event in events]


async def test_a_session_without_a_stream(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    made = strict(await sessions.create(agent={"model": "gpt-4o"}, environment=NONE, input="Hi", metadata={"a": "b"}))
    assert made.status == "in_progress"
    done = strict(await sessions.retrieve(made.id))
    assert (done.status, done.metadata) == ("idle", {"a": "b"})
    assert done.usage
    (turn,) = await collect(sessions.turns.list(made.id))
    assert (turn.status, turn.usage) == ("completed", done.usage)
    assert strict(await sessions.turns.retrieve(turn.id, session_id=made.id)).id == turn.id
    items: Any = await collect(sessions.items.list(made.id))
    assert [(item.role, item.content[0].text) for item in items] == [("user", "Hi"), ("assistant", "You said: Hi")]
    of_turn = await collect(sessions.turns.items.list(turn.id, session_id=made.id, limit=1))
    assert [item.id for item in of_turn] == [item.id for item in items]
    assert await collect(sessions.subagents.list(made.id)) == await collect(sessions.traces.list(made.id)) == []
    with pytest.raises(NotFoundError):
        await sessions.subagents.retrieve("sub_1", session_id=made.id)
    changed = strict(await sessions.update(made.id, agent={"reasoning": {"effort": "low"}}, metadata={"c": "d"}))
    assert (changed.agent.reasoning.effort, changed.agent.model, changed.metadata) == ("low", "gpt-4o", {"c": "d"})
    assert [each.id for each in await collect(sessions.list(agent_id=made.agent.id))] == [made.id]
    assert await collect(sessions.list(agent_id="agent_9")) == []
    assert strict(await sessions.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await sessions.retrieve(made.id)


async def test_the_stream_of_a_new_session(client: AsyncOpenAI) -> None:
    stream = await client.beta.agents.sessions.create(
        agent={"model": "gpt-4o"}, environment=NONE, input="Hi you", stream=True
    )
    events = await collect(stream)
    deltas = [event.delta for event in events if event.type == "agent.session.turn.output_text.delta"]
    assert "".join(deltas) == "You said: Hi you"
    assert [kind for kind in kinds(events) if not kind.endswith("delta")] == [
        "created",
        "turn.created",
        "turn.in_progress",
        "in_progress",
        "turn.item.added",
        "turn.item.added",
        "turn.content_part.added",
        "turn.output_text.done",
        "turn.content_part.done",
        "turn.item.done",
        "turn.completed",
        "idle",
    ]
    assert len({event.event_id for event in events}) == len(events)
    idle = await client.beta.agents.sessions.create(agent={"model": "gpt-4o"}, environment=NONE, stream=True)
    assert kinds(await collect(idle)) == ["created"]


async def test_two_streams_of_one_session(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o"}, environment=NONE)
    async with await sessions.events.stream(made.id) as one, await sessions.events.stream(made.id) as two:
        await sessions.events.create(made.id, events=[message("First")])
        first = [event async for event in read(one, "idle")]
        await sessions.events.create(made.id, events=[message("Second")])
        second = [event async for event in read(one, "idle")]
        seen = [event async for event in read(two, "idle")] + [event async for event in read(two, "idle")]
    assert [event.event_id for event in first + second] == [event.event_id for event in seen]
    assert kinds(first)[0] == kinds(second)[0] == "turn.created"
    total = sum(event.usage.total_tokens for event in seen if event.type.endswith("turn.completed"))
    assert strict(await sessions.retrieve(made.id)).usage.total_tokens == total > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_functions(client: AsyncOpenAI, stream: bool) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o", "tools": [LOOK, FIND]}, environment=NONE)
    async with await sessions.events.stream(made.id) as events:
        await sessions.events.create(made.id, events=[message("look and find")])
        asked = [event async for event in read(events, "requires_action")]
        calls = [event for event in asked if event.type.endswith("item.added") and event.item.type == "function_call"]
        assert [call.item.name for call in calls] == ["look", "find"]
        waiting = strict(await sessions.retrieve(made.id))
        assert [action.call_id for action in waiting.required_actions] == [call.item.call_id for call in calls]
        with pytest.raises(ConflictError):
            await sessions.events.create(made.id, events=[message("More")])
        with pytest.raises(ConflictError):
            await sessions.delete(made.id)
        given = [result(calls[0]), result(calls[1], success=False, output=None, error="blind")]
        if stream:
            await sessions.events.create(made.id, events=given)
        else:
            for each in given:
                await sessions.events.create(made.id, events=[each])
        told = [event async for event in read(events, "idle")]
        with pytest.raises(BadRequestError, match="Unknown pending tool call: call_") as caught:
            await sessions.events.create(made.id, events=given)
    assert caught.value.code == "invalid_request_error"
    done = [event.item for event in told if event.type.endswith("item.done")]
    assert [item.status for item in done] == ["completed", "failed", "completed"]
    outputs: Any = [item for item in await collect(sessions.items.list(made.id)) if item.type.endswith("output")]
    assert [(item.output, item.error) for item in outputs] == [("seen", None), (None, "blind")]


async def test_an_approval(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    kind: Any = "agent.session.input.mcp_approval_request_result"
    for decision, status in (("approve", "completed"), ("deny", "failed"), ("cancel", None)):
        agent: Any = {"model": "gpt-4o", "tools": [MCP]}
        made = await sessions.create(agent=agent, environment=NONE, input="Look into docs")
        waiting = strict(await sessions.retrieve(made.id))
        (action,) = waiting.required_actions
        assert action.type == "mcp_approval_request"
        response: Any = {"type": "mcp_tool_call", "decision": decision}
        answer: Any = {"type": kind, "request_id": action.request_id, "response": response}
        await sessions.events.create(made.id, events=[answer])
        assert strict(await sessions.retrieve(made.id)).status == "idle"
        calls: Any = [item for item in await collect(sessions.items.list(made.id)) if item.type == "mcp_call"]
        assert [call.status for call in calls] == [each for each in (status,) if each]
        with pytest.raises(BadRequestError, match="Unknown pending approval"):
            await sessions.events.create(made.id, events=[answer])


async def test_a_cancelled_turn(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o", "tools": [LOOK]}, environment=NONE)
    cancel: Any = {"type": "agent.session.input.cancel"}
    with pytest.raises(BadRequestError):
        await sessions.events.create(made.id, events=[cancel])
    async with await sessions.events.stream(made.id) as events:
        await sessions.events.create(made.id, events=[message("look")])
        assert [event async for event in read(events, "requires_action")]
        await sessions.events.create(made.id, events=[cancel])
        told = [event async for event in read(events, "idle")]
    assert kinds(told) == ["turn.cancelled", "idle"]
    (turn,) = await collect(sessions.turns.list(made.id))
    assert turn.status == "cancelled"
    (call,) = [item for item in await collect(sessions.items.list(made.id)) if item.type == "function_call"]
    assert call.status == "incomplete"


async def test_a_failed_turn(client: AsyncOpenAI, server: Server) -> None:
    def answer(_: str) -> str:
        raise ValueError("no")

    server.answer = answer
    stream = await client.beta.agents.sessions.create(
        agent={"model": "gpt-4o"}, environment=NONE, input="Hi", stream=True
    )
    events = await collect(stream)
    assert kinds(events)[-2:] == ["turn.failed", "idle"]
    assert events[-2].turn.error.code == "server_error"


async def test_an_output_format(client: AsyncOpenAI) -> None:
    agent: Any = {"model": "gpt-4o", "text": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    made = await client.beta.agents.sessions.create(agent=agent, environment=NONE, input="Hi")
    item: Any = (await collect(client.beta.agents.sessions.items.list(made.id)))[-1]
    assert item.content[0].text.startswith('{"a":')


async def test_artifacts(client: AsyncOpenAI, server: Server) -> None:
    sessions = client.beta.agents.sessions
    server.answer = "a,b"
    text = "Write /workspace/outputs/a.csv, and /workspace/outputs/b/c.csv."
    made = await sessions.create(agent={"model": "gpt-4o"}, environment=HOSTED, input=text)
    found = await collect(sessions.artifacts.list(made.id))
    assert [each.path for each in found] == ["/workspace/outputs/b/c.csv", "/workspace/outputs/a.csv"]
    first = strict(await sessions.artifacts.retrieve(found[0].id, session_id=made.id))
    content = await sessions.artifacts.content(first.id, session_id=made.id)
    assert content.content == b"a,b"
    environment: Any = made.environment
    files = client.beta.agents.environments.files
    assert [file.size_bytes for file in await collect(files.list(environment.id))] == [3, 3]
    assert strict(await sessions.artifacts.delete(first.id, session_id=made.id)).deleted
    with pytest.raises(NotFoundError):
        await sessions.artifacts.content(first.id, session_id=made.id)
    # Without an environment there are no files.
    none = await sessions.create(agent={"model": "gpt-4o"}, environment=NONE, input=text)
    assert await collect(sessions.artifacts.list(none.id)) == []


async def test_an_idempotency_key(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o"}, environment=NONE)
    for key, turns in (("a", 1), ("a", 1), ("b", 2)):
        await sessions.events.create(made.id, events=[message("Hi")], idempotency_key=key)
        assert len(await collect(sessions.turns.list(made.id))) == turns


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "agent.session.input.message", "input": []}, "events[0].input"),
        ({"type": "agent.session.input.message", "input": [{"role": "assistant"}]}, "events[0].input[0].role"),
        ({"type": "agent.session.input.tool_result", "call_id": "c"}, "events[0].turn_id"),
        ({"type": "agent.session.input.shout"}, "events[0].type"),
    ],
    ids=["empty", "role", "result", "type"],
)
async def test_invalid_inputs(client: AsyncOpenAI, event: Any, param: str) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o"}, environment=NONE)
    with pytest.raises(BadRequestError) as caught:
        await sessions.events.create(made.id, events=[event])
    assert caught.value.param == param


async def test_a_stream_ends_with_its_connection(client: AsyncOpenAI, server: Server) -> None:
    sessions = client.beta.agents.sessions
    made = await sessions.create(agent={"model": "gpt-4o"}, environment=NONE)
    async with await sessions.events.stream(made.id):
        assert server.open_connections == 1
    await until(lambda: server.open_connections == 0)
    async with await sessions.events.stream(made.id) as events:
        await sessions.delete(made.id)
        assert [event async for event in events] == []
