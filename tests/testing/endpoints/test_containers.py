from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict


async def test_a_containers_life(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("a.csv", b"1,2"), purpose="assistants")
    made = strict(await client.containers.create(name="one", file_ids=[file.id], memory_limit="4g"))
    assert (made.status, made.memory_limit) == ("running", "4g")
    other = await client.containers.create(name="two", network_policy={"type": "disabled"})
    assert [one.id for one in await collect(client.containers.list())] == [other.id, made.id]
    assert [one.id for one in await collect(client.containers.list(name="one"))] == [made.id]
    assert strict(await client.containers.retrieve(made.id)).name == "one"
    (held,) = await collect(client.containers.files.list(made.id))
    assert held.path == "/mnt/data/a.csv"
    await client.containers.delete(made.id)
    with pytest.raises(NotFoundError):
        await client.containers.retrieve(made.id)
    with pytest.raises(NotFoundError):
        await client.containers.files.retrieve(held.id, container_id=made.id)


async def test_files(client: AsyncOpenAI) -> None:
    box = (await client.containers.create(name="one")).id
    files = client.containers.files
    sent = strict(await files.create(box, file=("b.txt", b"abc")))
    known = await client.files.create(file=("a.csv", b"1,2"), purpose="assistants")
    linked = strict(await files.create(box, file_id=known.id))
    assert (sent.bytes, linked.path) == (3, "/mnt/data/a.csv")
    assert strict(await files.retrieve(sent.id, container_id=box)).path == "/mnt/data/b.txt"
    assert (await files.content.retrieve(linked.id, container_id=box)).content == b"1,2"
    await files.delete(sent.id, container_id=box)
    assert [one.id for one in await collect(files.list(box))] == [linked.id]
    with pytest.raises(BadRequestError, match="file"):
        await files.create(box)
    other = (await client.containers.create(name="two")).id
    with pytest.raises(NotFoundError):
        await files.retrieve(linked.id, container_id=other)


CODE: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
OUTPUTS: Any = ["code_interpreter_call.outputs"]


async def test_code_runs_in_a_container(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("rivers.csv", b"nile,6650"), purpose="user_data")
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file.id], "memory_limit": "4g"}}
    response = strict(await client.responses.create(model="gpt-4o", input="Use Python", tools=[tool], include=OUTPUTS))
    run, message = response.output
    assert (run.type, run.status, run.code) == ("code_interpreter_call", "completed", "print('You said: Use Python')")
    assert run.outputs[0].logs == "You said: Use Python\n"
    container = strict(await client.containers.retrieve(run.container_id))
    assert (container.name, container.memory_limit) == ("auto", "4g")
    paths = [each.path for each in await collect(client.containers.files.list(container.id))]
    assert paths == ["/mnt/data/output.txt", "/mnt/data/rivers.csv"]
    (citation,) = message.content[0].annotations
    content = await client.containers.files.content.retrieve(citation.file_id, container_id=citation.container_id)
    assert content.read() == b"You said: Use Python\n"


async def test_a_container_is_used_again(client: AsyncOpenAI) -> None:
    container = await client.containers.create(name="mine")
    tool: Any = {"type": "code_interpreter", "container": container.id}
    asked = "Run this:\n```python\nprint(6 * 7)\n```"
    choice: Any = {"type": "code_interpreter"}
    for _ in range(2):
        response = await client.responses.create(model="gpt-4o", input=asked, tools=[tool], tool_choice=choice)
        run = response.output[0]
        assert (run.type, run.container_id, run.code) == ("code_interpreter_call", container.id, "print(6 * 7)")
        # The log is left out unless it is asked for.
        assert run.outputs is None
    assert len(await collect(client.containers.files.list(container.id))) == 2


async def test_events_of_a_run(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="gpt-4o", input="Write code", tools=[CODE], stream=True)
    events = await collect(stream)
    names = [event.type.removeprefix("response.") for event in events]
    assert [name for name in dict.fromkeys(names) if "code" in name or "annotation" in name] == [
        "code_interpreter_call.in_progress",
        "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
        "output_text.annotation.added",
    ]
    deltas = "".join(event.delta for event in events if event.type == "response.code_interpreter_call_code.delta")
    assert deltas == events[-1].response.output[0].code
    # The annotations come in events of their own.
    (part,) = [event.part for event in events if event.type == "response.content_part.added"]
    assert part.annotations == []


async def test_the_helper_follows_runs(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="gpt-4o", input="Write code", tools=[CODE]) as stream:
        response = await stream.get_final_response()
    assert [item.type for item in response.output] == ["code_interpreter_call", "message"]


FUNCTION: Any = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}


@pytest.mark.parametrize(
    ("text", "options", "kind"),
    [
        ("Hello", {"tools": [CODE]}, "message"),
        ("Hello", {"tools": [CODE], "tool_choice": "required"}, "code_interpreter_call"),
        ("Write code", {"tools": [CODE], "tool_choice": "none"}, "message"),
        ("Write code", {"tools": [CODE, FUNCTION]}, "code_interpreter_call"),
        ("Write code with get_weather", {"tools": [CODE, FUNCTION]}, "function_call"),
        ("Decode this", {"tools": [CODE]}, "message"),
    ],
)
async def test_code_runs_when_it_is_wanted(text: str, options: Any, kind: str, client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="gpt-4o", input=text, **options)
    assert response.output[0].type == kind


@pytest.mark.parametrize("container", ["cntr_none", {"type": "auto", "file_ids": ["file-none"]}])
async def test_containers_and_files_that_are_none(container: Any, client: AsyncOpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": container}
    with pytest.raises(NotFoundError):
        await client.responses.create(model="gpt-4o", input="Write code", tools=[tool])


@pytest.mark.parametrize("container", [None, {"type": "other"}, {"type": "auto", "memory_limit": "2g"}])
async def test_invalid_containers(container: Any, client: AsyncOpenAI) -> None:
    tool: Any = {"type": "code_interpreter", **({} if container is None else {"container": container})}
    with pytest.raises(BadRequestError):
        await client.responses.create(model="gpt-4o", input="Write code", tools=[tool])
