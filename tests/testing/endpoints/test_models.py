from __future__ import annotations

import pytest

from aiopenai import AsyncOpenAI, NotFoundError
from aiopenai.testing import Server
from tests.testing.http import Api

TUNED = "ft:gpt-4o-mini-2024-07-18:local::test"


async def test_list_and_retrieve(api: Api) -> None:
    listed = await api.ok("GET", "/models")
    assert listed["object"] == "list"
    for name in ("gpt-6-sol", "gpt-4o-mini", "text-embedding-3-small", "omni-moderation-latest", TUNED):
        model = await api.ok("GET", f"/models/{name}")
        assert (model["id"], model["object"]) == (name, "model")
        assert model in listed["data"]
    assert (await api.fails(404, "GET", "/models/none"))["code"] == "model_not_found"


async def test_delete(api: Api) -> None:
    assert await api.ok("DELETE", f"/models/{TUNED}") == {"id": TUNED, "object": "model", "deleted": True}
    await api.fails(404, "GET", f"/models/{TUNED}")
    await api.fails(404, "DELETE", f"/models/{TUNED}")
    assert (await api.fails(403, "DELETE", "/models/gpt-4o"))["code"] == "permission_denied"


async def test_any_name_is_accepted_unless_the_test_lists_its_own() -> None:
    async def names(server: Server) -> list[str]:
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            vectors = await client.embeddings.create(model="my-vectors", input="x")
            answer = await client.responses.create(model="my/model:7b", input="x")
            listed = [model.id async for model in client.models.list()]
            assert not {"my-vectors", "my/model:7b"} & set(listed)
            return [vectors.model, str(answer.model)]

    async with Server() as server:
        assert await names(server) == ["my-vectors", "my/model:7b"]
    async with Server(models=["my-vectors"]) as server:
        with pytest.raises(NotFoundError, match="my/model:7b"):
            await names(server)


async def test_a_deleted_model_is_unknown() -> None:
    async with Server() as server, AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        await client.responses.create(model=TUNED, input="x")
        await client.models.delete(TUNED)
        with pytest.raises(NotFoundError, match=TUNED):
            await client.responses.create(model=TUNED, input="x")
        server.clear()
        await client.responses.create(model=TUNED, input="x")
