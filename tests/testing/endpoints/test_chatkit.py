from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from aiopenai.testing import Server
from tests.testing.strict import collect, strict

WORKFLOW: Any = {"id": "wf_1"}


async def test_sessions(client: AsyncOpenAI) -> None:
    sessions = client.beta.chatkit.sessions
    session = strict(await sessions.create(user="ann", workflow=WORKFLOW))
    assert (session.status, session.user, session.workflow.id) == ("active", "ann", "wf_1")
    assert session.rate_limits.max_requests_per_1_minute == session.max_requests_per_1_minute == 10
    assert session.client_secret
    assert strict(await sessions.cancel(session.id)).status == "cancelled"
    with pytest.raises(BadRequestError, match="its status is 'cancelled'"):
        await sessions.cancel(session.id)
    with pytest.raises(NotFoundError):
        await sessions.cancel("cksess_none")


async def test_options_of_sessions(client: AsyncOpenAI) -> None:
    session = strict(
        await client.beta.chatkit.sessions.create(
            user="ann",
            workflow={"id": "wf", "state_variables": {"a": 1}, "tracing": {"enabled": False}, "version": "2"},
            chatkit_configuration={"file_upload": {"enabled": True, "max_files": 2}, "history": {"enabled": False}},
            expires_after={"anchor": "created_at", "seconds": 60},
            rate_limits={"max_requests_per_1_minute": 3},
        )
    )
    assert session.workflow.state_variables == {"a": 1}
    assert not session.workflow.tracing.enabled
    upload = session.chatkit_configuration.file_upload
    assert (upload.enabled, upload.max_files, upload.max_file_size) == (True, 2, 512)
    assert not session.chatkit_configuration.history.enabled
    assert session.max_requests_per_1_minute == 3


async def test_threads(client: AsyncOpenAI, server: Server) -> None:
    server.answer = "Hi Ann."
    for user in ("ann", "bob", "ann"):
        await client.beta.chatkit.sessions.create(user=user, workflow=WORKFLOW)
    threads = client.beta.chatkit.threads
    assert [each.user for each in await collect(threads.list(limit=1))] == ["ann", "bob", "ann"]
    (thread,) = await collect(threads.list(user="bob"))
    assert strict(await threads.retrieve(thread.id)) == thread
    answer, question = await collect(threads.list_items(thread.id, limit=1))
    assert (question.type, question.content[0].text) == ("chatkit.user_message", "Hello")
    assert (answer.type, answer.content[0].text) == ("chatkit.assistant_message", "Hi Ann.")
    assert strict(await threads.delete(thread.id)).deleted
    with pytest.raises(NotFoundError):
        await threads.retrieve(thread.id)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"workflow": {}}, "workflow.id"),
        ({"user": 1}, "user"),
        ({"expires_after": {"anchor": "x", "seconds": 1}}, "expires_after.anchor"),
        ({"expires_after": {"anchor": "created_at", "seconds": 9999}}, "expires_after.seconds"),
        ({"rate_limits": {"max_requests_per_1_minute": 0}}, "rate_limits.max_requests_per_1_minute"),
    ],
)
async def test_invalid_sessions(options: Any, param: str, client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.beta.chatkit.sessions.create(**{"user": "ann", "workflow": WORKFLOW, **options})
    assert caught.value.param == param
