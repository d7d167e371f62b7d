from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from aiopenai.testing import Server
from tests.testing.http import Api
from tests.testing.strict import collect, strict

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TOOLS: Any = [
    {"type": "code_interpreter"},
    {
        "type": "function",
        "function": {"name": "level", "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}},
    },
]
USER: Any = {"role": "user", "content": "hi there"}
MODEL = "gpt-4o"


async def start(client: AsyncOpenAI, tools: Any = (), **options: Any) -> Any:
    """A thread and a run in it."""
    assistant = await client.beta.assistants.create(model=MODEL, instructions="Be kind.", tools=tools)
    return await client.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": [USER]}, **options)


async def look(client: AsyncOpenAI, run: Any) -> Any:
    return strict(await client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))


async def said(client: AsyncOpenAI, thread: str) -> list[str]:
    messages = await collect(client.beta.threads.messages.list(thread, order="asc"))
    return [part.text.value for message in messages for part in message.content]


async def test_an_assistants_life(client: AsyncOpenAI) -> None:
    assistants = client.beta.assistants
    made = strict(
        await assistants.create(
            model=MODEL, name="A", tools=TOOLS, metadata={"a": "b"}, temperature=0.5, response_format={"type": "text"}
        )
    )
    assert (made.name, [tool.type for tool in made.tools]) == ("A", ["code_interpreter", "function"])
    changed = strict(await assistants.update(made.id, model="gpt-4.1", tools=[], name=None))
    assert (changed.model, changed.tools, changed.name, changed.temperature) == ("gpt-4.1", [], None, 0.5)
    other = await assistants.create(model=MODEL)
    assert [one.id for one in await collect(assistants.list(limit=1))] == [other.id, made.id]
    assert strict(await assistants.retrieve(made.id)).model == "gpt-4.1"
    assert strict(await assistants.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await assistants.retrieve(made.id)
    with pytest.raises(NotFoundError, match="none"):
        await assistants.create(model="none")


async def test_threads_and_messages(client: AsyncOpenAI) -> None:
    threads = client.beta.threads
    thread = strict(await threads.create(messages=[USER], metadata={"a": "b"}))
    assert strict(await threads.update(thread.id, metadata={"c": "d"})).metadata == {"c": "d"}
    assert strict(await threads.retrieve(thread.id)).metadata == {"c": "d"}
    parts: Any = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/x.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file-1"}},
    ]
    attachments: Any = [{"file_id": "file-1", "tools": [{"type": "code_interpreter"}]}]
    message = strict(await threads.messages.create(thread.id, role="user", content=parts, attachments=attachments))
    assert [part.type for part in message.content] == ["text", "image_url", "image_file"]
    changed = await threads.messages.update(message.id, thread_id=thread.id, metadata={"x": "y"})
    assert strict(changed).metadata == {"x": "y"}
    assert strict(await threads.messages.retrieve(message.id, thread_id=thread.id)).metadata == {"x": "y"}
    assert len(await collect(threads.messages.list(thread.id, limit=1))) == 2
    assert strict(await threads.messages.delete(message.id, thread_id=thread.id)).deleted
    assert await said(client, thread.id) == ["hi there"]
    assert strict(await threads.delete(thread.id)).deleted
    with pytest.raises(NotFoundError):
        await threads.messages.list(thread.id)


async def test_a_run_that_answers(client: AsyncOpenAI) -> None:
    run = strict(await start(client, metadata={"a": "b"}))
    statuses = [run.status]
    while run.status in ("queued", "in_progress"):
        run = await look(client, run)
        statuses.append(run.status)
    assert statuses == ["queued", "in_progress", "completed"]
    assert (run.instructions, run.metadata) == ("Be kind.", {"a": "b"})
    assert run.usage.completion_tokens == 5
    assert await said(client, run.thread_id) == ["hi there", "You said: hi there"]
    messages = await collect(client.beta.threads.messages.list(run.thread_id, run_id=run.id))
    (step,) = await collect(client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id))
    assert step.step_details.message_creation.message_id == messages[0].id
    again = await client.beta.threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id)
    assert strict(again).usage == run.usage
    # Nothing happens to it any more.
    assert await look(client, run) == run


async def test_a_run_that_calls(client: AsyncOpenAI, server: Server) -> None:
    server.answer = "Quite high."
    runs = client.beta.threads.runs
    run = await start(client, TOOLS)
    waits = []
    for _ in range(2):
        raw = await runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
        waits.append(raw.headers.get("openai-poll-after-ms"))
    assert waits == ["10", None]
    run = await look(client, run)
    assert run.status == "requires_action"
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert (call.function.name, call.function.arguments) == ("level", '{"town":"string"}')
    with pytest.raises(BadRequestError, match="Expected tool outputs"):
        await runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=[])
    outputs: Any = [{"tool_call_id": call.id, "output": "3 m"}]
    run = strict(await runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs))
    assert (run.status, run.required_action) == ("queued", None)
    with pytest.raises(BadRequestError, match="do not accept"):
        await runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    for _ in range(2):
        run = await look(client, run)
    assert run.status == "completed"
    assert await said(client, run.thread_id) == ["hi there", "Quite high."]
    spoke, called = await collect(runs.steps.list(run.id, thread_id=run.thread_id))
    assert (spoke.type, called.type) == ("message_creation", "tool_calls")
    assert called.step_details.tool_calls[0].function.output == "3 m"


async def test_other_ends(client: AsyncOpenAI) -> None:
    runs = client.beta.threads.runs
    run = await start(client)
    assert strict(await runs.cancel(run.id, thread_id=run.thread_id)).status == "cancelling"
    run = await look(client, run)
    assert run.status == "cancelled"
    with pytest.raises(BadRequestError, match="cancelled"):
        await runs.cancel(run.id, thread_id=run.thread_id)
    waiting = await start(client, TOOLS, stream=False)
    for _ in range(2):
        await look(client, waiting)
    await runs.cancel(waiting.id, thread_id=waiting.thread_id)
    assert (await look(client, waiting)).required_action is None
    (step,) = await collect(runs.steps.list(waiting.id, thread_id=waiting.thread_id))
    assert step.status == "cancelled"
    short = await start(client, max_completion_tokens=2)
    for _ in range(2):
        short = await look(client, short)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    messages = await collect(client.beta.threads.messages.list(short.thread_id))
    assert (messages[0].status, messages[0].incomplete_details.reason) == ("incomplete", "max_tokens")


async def test_what_a_run_is_told(client: AsyncOpenAI) -> None:
    first = await start(client, TOOLS)
    thread, assistant = first.thread_id, first.assistant_id
    runs = client.beta.threads.runs
    with pytest.raises(BadRequestError, match="already has an active run"):
        await runs.create(thread, assistant_id=assistant)
    with pytest.raises(BadRequestError, match="while a run"):
        await client.beta.threads.messages.create(thread, role="user", content="x")
    await runs.cancel(first.id, thread_id=thread)
    await look(client, first)
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    run: Any = await runs.create(
        thread,
        assistant_id=assistant,
        additional_instructions="Be brief.",
        additional_messages=[{"role": "user", "content": "more"}],
        tool_choice="none",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert strict(run).instructions == "Be kind. Be brief."
    for _ in range(2):
        run = await look(client, run)
    assert await said(client, thread) == ["hi there", "more", '{"a":1}']
    assert strict(await runs.update(run.id, thread_id=thread, metadata={"a": "b"})).metadata == {"a": "b"}
    assert [one.id for one in await collect(runs.list(thread))] == [run.id, first.id]


async def test_images_are_seen(client: AsyncOpenAI) -> None:
    image: Any = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
    assistant = await client.beta.assistants.create(model=MODEL)
    run = await client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": [image]}]}
    )
    for _ in range(2):
        await look(client, run)
    assert await said_by_assistant(client, run.thread_id) == "You said:  [seen: an image at example.com]"


async def said_by_assistant(client: AsyncOpenAI, thread: str) -> str:
    (message, _) = await collect(client.beta.threads.messages.list(thread))
    return message.content[0].text.value


ANSWERING = [
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    *["thread.message.delta"] * 5,
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
]


async def test_streams(client: AsyncOpenAI) -> None:
    events = await collect(start(client, stream=True))
    assert [event.event for event in events] == [
        "thread.created",
        "thread.run.created",
        "thread.run.queued",
        *ANSWERING,
    ]
    # Each as it was then, not as it became.
    assert [event.data.status for event in events if ".run." in event.event and ".step." not in event.event] == [
        "queued",
        "queued",
        "in_progress",
        "completed",
    ]
    deltas = [event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"]
    assert "".join(deltas) == "You said: hi there"
    thread = events[0].data.id
    assert await said(client, thread) == ["hi there", "You said: hi there"]
    run: Any = events[-1].data
    more = await collect(client.beta.threads.runs.create(thread, assistant_id=run.assistant_id, stream=True))
    assert [event.event for event in more] == ["thread.run.created", "thread.run.queued", *ANSWERING]


async def test_streams_with_calls(client: AsyncOpenAI) -> None:
    events = await collect(start(client, TOOLS, stream=True))
    names = list(dict.fromkeys(event.event for event in events))
    assert names[-4:] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
    ]
    calls = [event.data.delta.step_details.tool_calls[0] for event in events if event.event == "thread.run.step.delta"]
    run = events[-1].data
    (wanted,) = run.required_action.submit_tool_outputs.tool_calls
    assert (calls[0].id, calls[0].function.name) == (wanted.id, "level")
    assert "".join(call.function.arguments for call in calls) == wanted.function.arguments
    outputs: Any = [{"tool_call_id": wanted.id, "output": "3 m"}]
    more = await collect(
        client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs, stream=True)
    )
    assert [event.event for event in more] == ["thread.run.step.completed", "thread.run.queued", *ANSWERING]


async def test_the_end_of_a_stream(api: Api, client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model=MODEL)
    body = {"assistant_id": assistant.id, "thread": {"messages": [USER]}, "stream": True}
    got = await api("POST", "/threads/runs", body)
    assert got.body.startswith(b"event: thread.created\ndata: {")
    assert got.body.endswith(b"\n\nevent: done\ndata: [DONE]\n\n")


@pytest.mark.parametrize(
    ("content", "what"),
    [("", "non-empty"), ([], "non-empty"), ([{"type": "odd"}], "type"), ([{"type": "text"}], "text"), (["x"], "type")],
)
async def test_bad_messages(client: AsyncOpenAI, content: Any, what: str) -> None:
    thread = await client.beta.threads.create()
    with pytest.raises(BadRequestError, match=what):
        await client.beta.threads.messages.create(thread.id, role="user", content=content)
    # Nothing was made of it.
    assert await said(client, thread.id) == []


async def test_bad_runs(client: AsyncOpenAI) -> None:
    thread = await client.beta.threads.create()
    with pytest.raises(NotFoundError, match="assistant"):
        await client.beta.threads.runs.create(thread.id, assistant_id="asst_none")
    with pytest.raises(NotFoundError, match="run"):
        await client.beta.threads.runs.retrieve("run_none", thread_id=thread.id)
    run = await start(client)
    with pytest.raises(NotFoundError, match="step"):
        await client.beta.threads.runs.steps.retrieve("step_none", thread_id=run.thread_id, run_id=run.id)
