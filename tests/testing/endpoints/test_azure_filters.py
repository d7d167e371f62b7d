"""The content filters of aiopenai.testing.endpoints.azure, as users of Azure read them."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncAzureOpenAI, AzureOpenAI, BadRequestError, ContentFilterFinishReasonError
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "one two three four five"}]}


def options(server: Server) -> dict[str, Any]:
    return {"azure_endpoint": server.azure_endpoint, "api_version": "2024-10-21", "api_key": "k"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_prompt(stream: bool) -> None:
    async with Server(azure_filter="prompt") as server, AsyncAzureOpenAI(**options(server)) as client:
        with pytest.raises(BadRequestError, match="content management policy") as caught:
            await client.chat.completions.create(**CHAT, stream=stream)
        assert (caught.value.code, caught.value.param) == ("content_filter", "prompt")
        inner: Any = caught.value.body
        assert inner["innererror"]["code"] == "ResponsibleAIPolicyViolation"
        assert inner["innererror"]["content_filter_result"]["jailbreak"]["filtered"] is True
        assert server.request_count == 1


def test_completion_in_the_blocking_client() -> None:
    with Server() as server, AzureOpenAI(**options(server)) as client:
        server.azure_filter = "completion"
        reply: Any = client.chat.completions.create(**CHAT)
        assert reply.choices[0].finish_reason == "content_filter"
        assert reply.choices[0].content_filter_results["violence"]["severity"] == "medium"
        assert reply.prompt_filter_results[0]["content_filter_results"]["jailbreak"]["detected"] is False
        with client.chat.completions.stream(**CHAT) as stream, pytest.raises(ContentFilterFinishReasonError) as caught:
            stream.get_final_completion()
        final: Any = caught.value.completion
        assert final.choices[0].message.content
        assert final.choices[0].finish_reason == "content_filter"
        assert final.choices[0].content_filter_results["violence"]["filtered"] is True
        # The first chunk, with the results for the prompt, has no id and no model.
        assert final.id.startswith("chatcmpl-")
        assert final.model == "gpt-4o"


async def test_error_of_the_filter() -> None:
    async with Server(azure_filter="error") as server, AsyncAzureOpenAI(**options(server)) as client:
        reply: Any = await client.chat.completions.create(**CHAT)
        assert reply.choices[0].content_filter_results["error"]["code"] == "content_filter_error"
        assert reply.choices[0].message.content


@pytest.mark.parametrize("filter_", [None, "async", "error"])
async def test_streams(filter_: Any) -> None:
    async with Server(azure_filter=filter_) as server, AsyncAzureOpenAI(**options(server)) as client:
        chunks: list[Any] = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]
        assert chunks[0].choices == []
        assert chunks[0].prompt_filter_results[0]["prompt_index"] == 0
        late = [c for c in chunks if c.choices and "content_filter_offsets" in (c.choices[0].model_extra or {})]
        assert bool(late) is (filter_ == "async")
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices and c.choices[0].delta)
        assert text == "You said: one two three four five"
        async with client.chat.completions.stream(**CHAT) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == text
        assert final.choices[0].finish_reason == "stop"
        assert final.id.startswith("chatcmpl-")
        if filter_ == "async":
            results: Any = final.choices[0]
            assert results.content_filter_offsets["end_offset"] == len(text)
            assert list(results.content_filter_results) == ["hate", "self_harm", "sexual", "violence"]
