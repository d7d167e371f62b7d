"""Agents, their environments and templates on the local server."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, ConflictError, NotFoundError
from tests.testing.http import Api
from tests.testing.strict import collect, strict

LOOK: Any = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
MCP: Any = {"type": "mcp", "server_label": "docs", "transport": {"type": "http", "server_url": "https://a.test"}}
ALL_TOOLS: Any = [LOOK, MCP, {"type": "web_search"}, {"type": "computer_use"}, {"type": "automations"}]


async def test_an_agents_life(client: AsyncOpenAI) -> None:
    agents = client.beta.agents
    made = strict(await agents.create(model="gpt-4o", instructions="Be brief.", tools=ALL_TOOLS, metadata={"a": "b"}))
    other = strict(await agents.create(model="gpt-4o", name="other"))
    assert [each.id for each in await collect(agents.list())] == [other.id, made.id]
    changed = strict(await agents.update(made.id, name="one", reasoning={"effort": "low"}))
    assert (changed.name, changed.instructions, changed.reasoning.effort) == ("one", "Be brief.", "low")
    assert len(changed.tools) == len(ALL_TOOLS)
    assert strict(await agents.retrieve(made.id)).name == "one"
    session = strict(await agents.sessions.create(agent_id=made.id, environment={"type": "none"}))
    assert session.agent.id == made.id
    assert session.agent.instructions == "Be brief."
    assert strict(await agents.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await agents.retrieve(made.id)
    with pytest.raises(NotFoundError):
        await agents.sessions.create(agent_id=made.id, environment={"type": "none"})


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"model": 1}, "model"),
        ({"model": "gpt-4o", "tools": [{"type": "psychic"}]}, "tools[0].type"),
        ({"model": "gpt-4o", "tools": [{"type": "function", "name": "a"}]}, "tools[0].description"),
        ({"model": "gpt-4o", "text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"model": "gpt-4o", "text": {"format": {"type": "json_object"}}}, "text.format.type"),
        ({"model": "gpt-4o", "metadata": {"a": 1}}, "metadata.a"),
    ],
    ids=["type", "tool", "function", "schema", "format", "metadata"],
)
async def test_invalid_settings(client: AsyncOpenAI, given: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.beta.agents.create(**given)
    assert caught.value.param == param
    with pytest.raises(BadRequestError) as caught:
        await client.beta.agents.sessions.create(agent=given, environment={"type": "none"})
    assert caught.value.param in (f"agent.{param}", param)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "agent"),
        ({"agent": {}}, "agent.model"),
        ({"agent": {"model": "gpt-4o"}, "environment": {"type": "cloud"}}, "environment.type"),
        ({"agent": {"model": "gpt-4o"}, "environment": {"type": "self_hosted"}}, "environment.workspace_directory"),
        ({"agent": {"model": "gpt-4o"}, "input": [{"role": "user", "content": 1}]}, "input[0].content"),
    ],
    ids=["agent", "model", "environment", "directory", "input"],
)
async def test_invalid_sessions(client: AsyncOpenAI, given: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.beta.agents.sessions.create(**{"environment": {"type": "none"}, **given})
    assert caught.value.param == param


async def test_requests_need_the_header_of_the_beta(api: Api) -> None:
    agents = ("", "/sessions", "/environments", "/environments/templates", "/automations")
    for path in ("/vaults", *(f"/agents{path}" for path in agents)):
        assert (await api.fails(400, "GET", path))["code"] == "invalid_beta"
    await api.ok("GET", "/agents", headers={"openai-beta": "responses=v1, agents=v1"})


async def test_environments(client: AsyncOpenAI) -> None:
    environments = client.beta.agents.environments
    uploaded = await client.files.create(file=("a.csv", b"1,2"), purpose="user_data")
    made = strict(
        await environments.create(
            environment={
                "type": "openai_hosted",
                "files": [{"type": "file_id", "file_id": uploaded.id, "path": "/workspace/in/a.csv"}],
                "skills": [{"type": "skill_reference", "skill_id": "skill_1"}],
            }
        )
    )
    assert made.status == "connected"
    placed = strict(await environments.files.create(made.id, type="inline", data="aGk=", path="/workspace/b.txt"))
    assert (placed.path, placed.size_bytes) == ("/workspace/b.txt", 2)
    assert [file.path for file in await collect(environments.files.list(made.id, limit=1))] == [
        "/workspace/b.txt",
        "/workspace/in/a.csv",
    ]
    assert [file.path for file in await collect(environments.files.list(made.id, path="/workspace/in"))] == [
        "/workspace/in/a.csv"
    ]
    assert [file.path for file in strict(await environments.retrieve(made.id)).files] == [
        "/workspace/in/a.csv",
        "/workspace/b.txt",
    ]
    assert [each.id for each in await collect(environments.list(type="openai_hosted"))] == [made.id]
    for wrong in ({"path": "/etc/a"}, {"path": "/workspace/../a"}, {"path": "/workspace"}, {"data": "?"}):
        with pytest.raises(BadRequestError):
            await environments.files.create(
                made.id, **{"type": "inline", "data": "aGk=", "path": "/workspace/c", **wrong}
            )
    with pytest.raises(NotFoundError):
        await environments.files.create(made.id, type="file_id", file_id="file-9", path="/workspace/c")


async def test_templates(client: AsyncOpenAI) -> None:
    templates = client.beta.agents.environments.templates
    made = strict(
        await templates.create(
            name="one",
            files=[{"type": "inline", "data": "aGk=", "path": "/workspace/a"}],
            network={"access": "restricted", "allowed_domains": ["a.test"]},
            env={"KEY": "secret"},
        )
    )
    assert "secret" not in made.to_json()
    assert [file.size_bytes for file in made.files] == [2]
    changed = strict(await templates.update(made.id, packages={"python": ["numpy"]}))
    assert (changed.name, changed.network.allowed_domains, changed.packages.python) == ("one", ["a.test"], ["numpy"])
    assert [each.id for each in await collect(templates.list())] == [made.id]
    session = strict(
        await client.beta.agents.sessions.create(
            agent={"model": "gpt-4o"},
            environment={"type": "openai_hosted", "environment_template_id": made.id, "container_size": "small"},
        )
    )
    environment: Any = session.environment
    assert (environment.packages.python, [file.path for file in environment.files]) == (["numpy"], ["/workspace/a"])
    assert strict(await templates.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await templates.retrieve(made.id)


async def test_a_sessions_environment(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    made = strict(
        await sessions.create(
            agent={"model": "gpt-4o"}, environment={"type": "self_hosted", "workspace_directory": "/home/me"}
        )
    )
    environment: Any = made.environment
    assert environment.workspace_directory == "/home/me"
    prepared = await client.beta.agents.environments.create(environment={"type": "openai_hosted"})
    again: Any = strict(
        await sessions.create(
            agent={"model": "gpt-4o"}, environment={"type": "openai_hosted", "environment_id": prepared.id}
        )
    ).environment
    assert again.id == prepared.id
    failed = await sessions.create(
        agent={"model": "gpt-4o"},
        environment={"type": "openai_hosted", "setup_commands": [{"command": "exit 3"}]},
        input="Hi",
        stream=True,
    )
    events = await collect(failed)
    assert [event.type for event in events] == [
        "agent.session.created",
        "agent.session.environment.failed",
        "agent.session.failed",
    ]
    # Without an environment no command runs.
    none: Any = {"type": "none", "setup_commands": [{"command": "false"}]}
    idle = await sessions.create(agent={"model": "gpt-4o"}, environment=none)
    assert (await sessions.retrieve(idle.id)).status == "idle"
    with pytest.raises(ConflictError):
        await sessions.events.create(
            events[0].session.id,
            events=[{"type": "agent.session.input.message", "input": [{"role": "user", "content": []}]}],
        )
