"""The low-level verbs: paths, types of replies, options."""

from __future__ import annotations

import json
from typing import Any

import pytest

import aiopenai
from aiopenai import (
    APIResponseValidationError,
    AsyncOpenAI,
    AsyncStream,
    NotFoundError,
    omit,
)
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.paging import AsyncCursorPage, AsyncPage
from aiopenai._http.messages import HTTPResponse
from aiopenai.testing import Server
from aiopenai.types import Model
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, **options})


def sent(server: Server) -> Any:
    return server.journal[-1].headers


def response_id(server: Server) -> str:
    return f"req_{server.request_count:032x}"


@pytest.mark.usefixtures("transport")
class TestLowLevel:
    @pytest.mark.parametrize("path", ["/models/gpt-4o", "models/gpt-4o"])
    async def test_paths(self, path: str, client: AsyncOpenAI, server: Server) -> None:
        model = await client.get(path, cast_to=Model)
        assert type(model) is Model
        assert server.journal[-1].path == "/v1/models/gpt-4o"
        assert (await client.get(f"{server.base_url}/models/gpt-4o", cast_to=Model)).id == "gpt-4o"
        assert sent(server)["authorization"] == "Bearer sk-test"

    async def test_another_origin_gets_no_credentials(self, client: AsyncOpenAI) -> None:
        async with Server() as other:
            await client.get(
                f"{other.base_url}/models", cast_to=object, options={"headers": {"Authorization": "Bearer own"}}
            )
            assert sent(other)["authorization"] == "Bearer own"
            with pytest.raises(aiopenai.AuthenticationError):
                await client.get(f"{other.base_url}/models", cast_to=object)
            assert "authorization" not in sent(other)

    async def test_a_login_in_an_absolute_url(self, client: AsyncOpenAI, server: Server) -> None:
        url = server.base_url.replace("http://", "http://us%40er:hunter2@") + "/models"
        with pytest.raises(aiopenai.AuthenticationError) as caught:
            await client.get(url, cast_to=object)
        assert sent(server)["authorization"] == "Basic dXNAZXI6aHVudGVyMg=="
        assert "hunter2" not in f"{caught.value}{caught.value.request}{caught.value.request.url}"
        await client.get(url, cast_to=object, extra_headers={"Authorization": "Bearer mine"})
        assert sent(server)["authorization"] == "Bearer mine"
        assert "hunter2" not in repr(client.get)

    async def test_cast_to(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/x", {"id": "m", "object": "model", "created": 1, "owned_by": "me"})
        plain = {"id": "m", "object": "model", "created": 1, "owned_by": "me"}
        assert await client.get("/x", cast_to=dict) == plain
        assert await client.get("/x", cast_to=dict[str, Any]) == plain
        assert await client.get("/x", cast_to=object) == plain
        assert json.loads(await client.get("/x", cast_to=str)) == plain
        assert json.loads(await client.get("/x", cast_to=bytes)) == plain
        assert await client.get("/x", cast_to=type(None)) is None
        response = await client.get("/x", cast_to=HTTPResponse)
        assert (response.status_code, response.json()) == (200, plain)
        assert (await client.get("/x", cast_to=HttpxBinaryResponseContent)).json() == plain
        model = await client.get("/x", cast_to=Model)
        assert model.owned_by == "me"
        assert model._request_id == response_id(server)
        server.reply_with("/list", [plain, plain])
        models = await client.get("/list", cast_to=list[Model])
        assert [type(m) for m in models] == [Model, Model]

    async def test_cast_to_pydantic(self, client: AsyncOpenAI, server: Server) -> None:
        pydantic = pytest.importorskip("pydantic")

        class Mine(pydantic.BaseModel):  # type: ignore[misc,name-defined]
            id: str

        assert (await client.get("/models/gpt-4o", cast_to=Mine)).id == "gpt-4o"
        server.reply_with("/bad", {"no": "id"})
        with pytest.raises(APIResponseValidationError):
            await client.get("/bad", cast_to=Mine)

    async def test_verbs_and_bodies(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/x", {})
        for verb in (client.post, client.put, client.patch, client.delete):
            await verb("/x", cast_to=object, body={"a": 1})
            await verb("/x", cast_to=object, content=b"raw")
            await verb("/x", cast_to=object)
        assert [(r.method, r.body) for r in server.journal] == [
            (verb, body) for verb in ("POST", "PUT", "PATCH", "DELETE") for body in (b'{"a":1}', b"raw", b"")
        ]
        with pytest.raises(TypeError, match="content"):
            await client.post("/x", cast_to=object, content=b"", body={})
        await client.post("/x", cast_to=object, body={"a": "1"}, files={"file": ("n.txt", b"data")})
        assert [(part.name, part.filename, part.data) for part in server.journal[-1].multipart()] == [
            ("a", None, b"1"),
            ("file", "n.txt", b"data"),
        ]

    async def test_options(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/x", {})
        options = {
            "headers": {"X-A": "1", "User-Agent": omit},
            "params": {"q": "1"},
            "extra_json": {"b": 2},
            "timeout": 3,
            "max_retries": 1,
            "idempotency_key": "i",
            "follow_redirects": True,
        }
        await client.post("/x", cast_to=object, body={"a": 1}, options=options)
        request = server.journal[-1]
        assert request.json() == {"a": 1, "b": 2}
        assert request.query == {"q": "1"}
        headers = request.headers
        assert [headers[name] for name in ("x-a", "idempotency-key", "x-stainless-read-timeout")] == ["1", "i", "3"]
        with pytest.raises(TypeError, match="nonsense"):
            await client.get("/x", cast_to=object, options={"nonsense": 1})
        with pytest.raises(TypeError, match="nonsense"):
            await client.get("/x", cast_to=object, nonsense=1)  # type: ignore[call-overload]
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=None)
        for retries in (0, 1):
            server.clear()
            server.fault(status=500, headers={"retry-after-ms": "1"}, times=None)
            with pytest.raises(aiopenai.InternalServerError):
                await client.get("/x", cast_to=object, options={"max_retries": retries})
            assert len(server.journal) == retries + 1

    async def test_streams(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        stream = await client.post(
            "/chat/completions",
            cast_to=ChatCompletion,
            body={**chat, "stream": True},
            stream=True,
            stream_cls=AsyncStream[ChatCompletionChunk],
        )
        assert type(stream) is AsyncStream
        chunks = [chunk async for chunk in stream]
        assert {type(chunk) for chunk in chunks} == {ChatCompletionChunk}

        class Mine(AsyncStream[Any]):
            pass

        mine = await client.post(
            "/chat/completions", cast_to=object, body={**chat, "stream": True}, stream=True, stream_cls=Mine
        )
        assert type(mine) is Mine
        await mine.close()

    async def test_lists(self, client: AsyncOpenAI) -> None:
        page = await client.get("/models", cast_to=AsyncCursorPage[Model])
        assert {type(item) for item in page.data} == {Model}
        assert [item async for item in client.get_api_list("/models", model=Model, page=AsyncPage)]
        assert (await client.get_api_list("/models", model=Model, page=AsyncPage[Model])).data

    async def test_the_servers_errors(self, client: AsyncOpenAI) -> None:
        with pytest.raises(NotFoundError):
            await client.get("/nothing/here", cast_to=object)
