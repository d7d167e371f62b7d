"""Automations and vaults of agents on the local server."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.http import Api
from tests.testing.strict import collect, strict

NONE: Any = {"type": "none"}
CONTENT: Any = [{"type": "input_text", "text": "Hi"}]
NEW: Any = {
    "type": "new_session",
    "agent": {"model": "gpt-4o"},
    "environment": NONE,
    "input": [{"role": "user", "content": CONTENT}],
}
LOOK: Any = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}


async def test_vaults(client: AsyncOpenAI) -> None:
    vaults = client.beta.agents.vaults
    made = strict(await vaults.create(name="one", metadata={"a": "b"}))
    other = strict(await vaults.create())
    assert [each.id for each in await collect(vaults.list())] == [other.id, made.id]
    assert [each.id for each in await collect(vaults.list(metadata={"a": "b"}))] == [made.id]
    assert strict(await vaults.update(made.id, name=" two ")).name == "two"
    bearer: Any = {"type": "static_bearer", "mcp_server_url": "https://a.test", "token": "a secret"}
    kept = strict(await vaults.credentials.create(made.id, name="b", auth=bearer))
    assert "secret" not in kept.to_json()
    variable: Any = {"type": "environment_variable", "secret_name": "KEY", "secret_value": "a secret"}
    variable["networking"] = {"type": "limited", "allowed_hosts": ["a.test"]}
    held = strict(await vaults.credentials.create(made.id, name="v", auth=variable))
    oauth: Any = {"type": "mcp_oauth", "mcp_server_url": "https://a.test", "access_token": "a secret"}
    refresh = {"client_id": "c", "refresh_token": "a secret", "token_endpoint": "https://t.test"}
    oauth["refresh"] = {**refresh, "token_endpoint_auth": {"type": "client_secret_post", "client_secret": "a secret"}}
    third = strict(await vaults.credentials.create(made.id, name="o", auth=oauth))
    assert "secret" not in third.to_json().replace("client_secret_post", "")
    ids = [each.id for each in await collect(vaults.credentials.list(made.id))]
    assert ids == [third.id, held.id, kept.id]
    rotated: Any = {"type": "static_bearer", "token": "another"}
    changed = strict(await vaults.credentials.update(kept.id, vault_id=made.id, auth=rotated, metadata={"c": "d"}))
    assert (changed.metadata, changed.auth) == ({"c": "d"}, kept.auth)
    with pytest.raises(BadRequestError):
        await vaults.credentials.update(held.id, vault_id=made.id, auth=rotated)
    moved: Any = {"auth": {**bearer, "mcp_server_url": "https://b.test"}, "metadata": {"a": 1}}
    with pytest.raises(BadRequestError):
        await vaults.credentials.update(kept.id, vault_id=made.id, **moved)
    # A refused change changes nothing.
    assert (await vaults.credentials.retrieve(kept.id, vault_id=made.id)).auth == kept.auth
    with pytest.raises(BadRequestError, match="token"):
        await vaults.credentials.create(made.id, name="b", auth={"type": "static_bearer", "mcp_server_url": "u"})  # type: ignore[typeddict-item]
    with pytest.raises(NotFoundError):
        await vaults.credentials.retrieve(kept.id, vault_id=other.id)
    assert strict(await vaults.credentials.delete(kept.id, vault_id=made.id)).deleted
    assert strict(await vaults.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await vaults.credentials.retrieve(held.id, vault_id=made.id)


async def test_an_automation_of_new_sessions(client: AsyncOpenAI) -> None:
    automations = client.beta.agents.automations
    made: Any = strict(
        await automations.create(
            name="daily", type="periodic", expression="0 9 * * *", timezone="UTC", target=NEW, metadata={"a": "b"}
        )
    )
    assert (made.status, made.target.agent.model) == ("active", "gpt-4o")
    assert strict(await automations.pause(made.id)).status == "paused"
    assert strict(await automations.resume(made.id)).status == "active"
    changed: Any = strict(await automations.update(made.id, name="weekly", expression="0 9 * * 1"))
    assert (changed.name, changed.expression, changed.timezone) == ("weekly", "0 9 * * 1", "UTC")
    with pytest.raises(BadRequestError):
        await automations.update(made.id, name="never", target={**NEW, "input": []})
    # A refused change changes nothing.
    assert (await automations.retrieve(made.id)).name == "weekly"
    done = strict(await automations.invocations.create(made.id))
    assert done.session_id
    items: Any = await collect(client.beta.agents.sessions.items.list(done.session_id))
    assert items[-1].content[0].text == "You said: Hi"
    assert [each.id for each in await collect(automations.invocations.list(made.id))] == [done.id]
    assert strict(await automations.invocations.retrieve(done.id, automation_id=made.id)).status == "completed"
    assert [each.id for each in await collect(automations.list())] == [made.id]
    assert strict(await automations.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await automations.retrieve(made.id)


async def test_an_automation_of_one_session(client: AsyncOpenAI) -> None:
    automations, sessions = client.beta.agents.automations, client.beta.agents.sessions
    session = await sessions.create(agent={"model": "gpt-4o", "tools": [LOOK]}, environment=NONE)
    target: Any = {"type": "existing_session", "session_id": session.id, "instructions": "look"}
    made = strict(await automations.create(name="once", type="once", run_at=2_000_000_000, target=target))
    assert [each.id for each in await collect(automations.list(session_id=session.id))] == [made.id]
    assert await collect(automations.list(session_id="session_9")) == []
    first = strict(await automations.invocations.create(made.id))
    assert (await sessions.retrieve(session.id)).status == "requires_action"
    second = strict(await automations.invocations.create(made.id))
    assert [each.status for each in (first, second)] == ["completed", "skipped"]
    cancel: Any = {"type": "agent.session.input.cancel"}
    await sessions.events.create(session.id, events=[cancel])
    await sessions.delete(session.id)
    assert strict(await automations.invocations.create(made.id)).status == "failed"
    other = await automations.create(name="other", type="once", run_at=1, target=NEW)
    with pytest.raises(NotFoundError):
        await automations.invocations.retrieve(first.id, automation_id=other.id)
    with pytest.raises(NotFoundError):
        await automations.create(name="once", type="once", run_at=1, target=target)


@pytest.mark.parametrize(
    ("schedule", "param"),
    [
        ({"type": "once"}, "run_at"),
        ({"type": "periodic", "timezone": "UTC"}, "expression"),
        ({"type": "yearly"}, "type"),
    ],
    ids=["once", "periodic", "type"],
)
async def test_invalid_schedules(api: Api, schedule: Any, param: str) -> None:
    body = {"name": "a", "target": NEW, **schedule}
    error = await api.fails(400, "POST", "/agents/automations", body, headers={"openai-beta": "agents=v1"})
    assert error["param"] == param


@pytest.mark.parametrize(
    ("target", "param"),
    [
        ({"type": "moon"}, "target.type"),
        ({"type": "existing_session", "session_id": "s"}, "target.instructions"),
        ({"type": "new_session", "environment": NONE, "input": "Hi"}, "target.agent"),
        ({"type": "new_session", "agent": {"model": "gpt-4o"}, "input": "Hi"}, "target.environment"),
        ({"type": "new_session", "agent": {"model": "gpt-4o"}, "environment": NONE}, "target.input"),
    ],
    ids=["type", "instructions", "agent", "environment", "input"],
)
async def test_invalid_targets(client: AsyncOpenAI, target: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.beta.agents.automations.create(name="a", type="once", run_at=1, target=target)
    assert caught.value.param == param
