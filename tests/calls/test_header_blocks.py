"""Header blocks: made once per kind of request, bounded in number, with credentials for their own origin only."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAIError, omit
from aiopenai._base.cache import LIMIT
from aiopenai.testing import Server


def blocks(client: AsyncOpenAI) -> Any:
    return client._attempts.blocks._blocks


async def test_paths_share_a_block(client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/x", {})
    await client.get("/x", cast_to=object)
    made = len(blocks(client))
    for number in range(20):
        with pytest.raises(Exception, match="404"):
            await client.get(f"/no/{number}", cast_to=object)
    assert len(blocks(client)) == made
    await client.post("/x", cast_to=object, body={})
    await client.get("/x", cast_to=object, timeout=3)
    assert len(blocks(client)) == made + 2


async def test_their_number_is_bounded(client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/x", {})
    await client.get("/x", cast_to=object)
    for number in range(LIMIT + 10):
        client._attempts.blocks.of(
            client._prepare(client.models.list.request(timeout=1000 + number)),
            0,  # type: ignore[call-arg]
        )
    assert len(blocks(client)) <= LIMIT


async def test_the_block_of_a_kind_is_one_object(client: AsyncOpenAI) -> None:
    await client.models.list()
    made = client._attempts.blocks
    request = client.models.list.request()
    assert made.of(client._prepare(request), 0) is made.of(client._prepare(request), 0)
    assert made.of(client._prepare(request), 1) is not made.of(client._prepare(request), 0)


async def test_a_changed_option_starts_anew(client: AsyncOpenAI, server: Server) -> None:
    await client.models.list()
    client.project = "proj"
    assert not blocks(client)
    await client.models.list()
    assert server.journal[-1].headers["openai-project"] == "proj"
    assert not blocks(client.copy())


async def test_no_authorization_by_default(server: Server) -> None:
    server.reply_with("/models", {"data": []})
    headers: Any = {"Authorization": omit}
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, default_headers=headers) as client:
        await client.models.list()
        assert "authorization" not in server.journal[-1].headers
        await client.with_options(api_key=lambda: "k").models.list()
        assert "authorization" not in server.journal[-1].headers


async def test_a_header_of_the_call_beats_a_function(server: Server) -> None:
    asked: list[int] = []

    def key() -> str:
        asked.append(1)
        return "asked"

    async with AsyncOpenAI(api_key=key, base_url=server.base_url) as client:
        await client.models.list(extra_headers={"authorization": "Bearer given"})
        assert server.journal[-1].headers.getall("authorization") == ["Bearer given"]
        await client.with_options(default_headers={"Authorization": "Bearer mine"}).models.list()
        assert server.journal[-1].headers.getall("authorization") == ["Bearer mine"]
    assert len(asked) == 2


async def test_a_function_is_not_asked_for_another_origin(server: Server) -> None:
    def key() -> str:
        raise AssertionError("asked")

    async with Server() as other, AsyncOpenAI(api_key=key, base_url=server.base_url) as client:
        other.reply_with("/x", {})
        await client.get(f"{other.base_url}/x", cast_to=object)
        assert "authorization" not in other.journal[-1].headers


@pytest.mark.parametrize("function", [False, True])
async def test_endpoints_take_the_key_of_their_kind(function: bool, server: Server) -> None:
    key: Any = (lambda: "plain") if function else "plain"
    async with AsyncOpenAI(api_key=key, admin_api_key="admin", base_url=server.base_url) as client:
        server.reply_with("/organization/projects", {"data": []})
        await client.models.list()
        await client.admin.organization.projects.list()
    assert [r.headers["authorization"] for r in server.journal] == ["Bearer plain", "Bearer admin"]


@pytest.mark.parametrize("key", ["k", lambda: "k"], ids=["str", "function"])
async def test_a_missing_admin_key(key: Any, server: Server) -> None:
    async with AsyncOpenAI(api_key=key, base_url=server.base_url) as client:
        with pytest.raises(OpenAIError, match="OPENAI_ADMIN_KEY"):
            await client.admin.organization.projects.list()
        with pytest.raises(OpenAIError, match="OPENAI_ADMIN_KEY"):
            await client.admin.organization.projects.list(extra_headers={"X-A": "1"})
    assert server.request_count == 0


async def test_headers_of_an_attempt(client: AsyncOpenAI, server: Server) -> None:
    """Own headers of the call, its idempotency key and its retries stand beside those of the block."""
    server.fault(status=500, headers={"retry-after-ms": "1"})
    given: Any = {"Idempotency-Key": "mine", "X-Stainless-Retry-Count": "9", "Accept": omit}
    await client.models.list(extra_headers=given, idempotency_key="other")
    for request in server.journal:
        assert request.headers.getall("idempotency-key") == ["mine"]
        assert request.headers.getall("x-stainless-retry-count") == ["9"]
    server.reply_with("/files/f/content", b"x", content_type="application/octet-stream")
    await client.files.content("f")
    assert server.journal[-1].headers["accept"] != "application/json"
    await client.get("models", cast_to=object)
    await client.get(f"{server.base_url}/models", cast_to=object, timeout=None)
    assert server.journal[-1].headers["authorization"] == "Bearer sk-test"
    assert "x-stainless-read-timeout" not in server.journal[-1].headers


async def test_another_origin_gets_given_credentials_only(client: AsyncOpenAI) -> None:
    async with Server() as other:
        other.reply_with("/x", {})
        own = client.with_options(default_headers={"Api-Key": "sesame"}, organization="org")
        await own.get(f"{other.base_url}/x", cast_to=object, extra_headers={"X-Api-Key": "given"})
        assert other.journal[-1].headers["x-api-key"] == "given"
        assert not {"authorization", "api-key", "openai-organization"} & {
            name.lower() for name in other.journal[-1].headers
        }
