"""Azure's side of the local server: paths, versions, deployments, content filters."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncAzureOpenAI, AuthenticationError, AzureOpenAI, NotFoundError
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def client_of(server: Server, **options: Any) -> AsyncAzureOpenAI:
    given = {"azure_endpoint": server.azure_endpoint, "api_version": "v", "api_key": "k", "max_retries": 0, **options}
    return AsyncAzureOpenAI(**given)


async def test_calls() -> None:
    async with Server() as server, client_of(server) as client:
        completion: Any = await client.chat.completions.create(**CHAT)
        assert completion.choices[0].message.content == "You said: hi"
        assert completion.model == "gpt-4o"
        # The results of the filters are extra fields: plain values, as in the reference.
        assert completion.choices[0].content_filter_results["hate"] == {"filtered": False, "severity": "safe"}
        assert completion.prompt_filter_results[0]["content_filter_results"]["jailbreak"]["detected"] is False
        assert (await client.embeddings.create(model="text-embedding-3-small", input="a")).data[0].embedding
        assert (await client.responses.create(model="gpt-4o", input="hi")).output_text == "You said: hi"
        assert (await client.models.list()).data
        file = await client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
        assert (await client.files.retrieve(file.id)).id == file.id


async def test_streams_begin_with_a_chunk_without_choices() -> None:
    async with Server() as server, client_of(server) as client:
        chunks: list[Any] = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]
        assert chunks[0].choices == []
        assert chunks[0].prompt_filter_results[0]["prompt_index"] == 0
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert text == "You said: hi"
        async with client.chat.completions.stream(**CHAT) as stream:
            assert (await stream.get_final_completion()).choices[0].message.content == "You said: hi"


async def test_deployments() -> None:
    async with Server(azure_deployments={"prod": "gpt-4o"}) as server:
        async with client_of(server) as client:
            assert (await client.chat.completions.create(**{**CHAT, "model": "prod"})).model == "gpt-4o"
            with pytest.raises(NotFoundError, match="deployment for this resource does not exist") as caught:
                await client.chat.completions.create(**CHAT)
            assert caught.value.code == "DeploymentNotFound"
        async with client_of(server, azure_deployment="prod") as client:
            assert (await client.chat.completions.create(**CHAT)).model == "gpt-4o"


async def test_version_and_key() -> None:
    async with Server(api_key="right") as server:
        async with client_of(server) as client:
            with pytest.raises(AuthenticationError):
                await client.models.list()
            assert (await client.copy(api_key="right").models.list()).data
            assert (await client.copy(azure_ad_token="right").models.list()).data
            with pytest.raises(NotFoundError, match="Resource not found"):
                await client.copy(api_key="right").models.list(extra_query={"api-version": ""})
        async with client_of(server, azure_endpoint=None, base_url=f"{server.azure_endpoint}/openai/v1") as client:
            assert (await client.copy(api_key="right").models.list()).data
        # Outside of Azure's paths an `api-key` header is none.
        async with client_of(server, azure_endpoint=None, base_url=server.base_url) as client:
            with pytest.raises(AuthenticationError):
                await client.copy(api_key="right").models.list()


def test_blocking() -> None:
    options = {"api_version": "v", "api_key": "k"}
    with Server() as server, AzureOpenAI(azure_endpoint=server.azure_endpoint, **options) as client:
        assert client.chat.completions.create(**CHAT).choices[0].message.content == "You said: hi"
        assert list(client.chat.completions.create(**CHAT, stream=True))
