"""litellm."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
import litellm

from tests.dropin.samples import TOOL, City

NEEDS = "litellm"
litellm.telemetry = False


def _given(url: str, text: str = "hello to all", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "openai/gpt-4o-mini", "messages": messages, "api_base": url, "api_key": "sk-test", **more}


def chat(url: str) -> Any:
    return litellm.completion(**_given(url))


async def chat_async(url: str) -> Any:
    return await litellm.acompletion(**_given(url, temperature=0.5))


def _pieces(chunk: Any) -> Any:
    return chunk.model_dump() | {"created": None}


def stream(url: str) -> Any:
    return [_pieces(each) for each in litellm.completion(**_given(url, stream=True))]


async def stream_async(url: str) -> Any:
    options = {"include_usage": True}
    return [
        _pieces(each) async for each in await litellm.acompletion(**_given(url, stream=True, stream_options=options))
    ]


async def tools_async(url: str) -> Any:
    return await litellm.acompletion(**_given(url, "weather", tools=[TOOL]))


async def structured_async(url: str) -> Any:
    return await litellm.acompletion(**_given(url, response_format=City))


def embeddings(url: str) -> Any:
    return litellm.embedding(model="openai/text-embedding-3-small", input=["x"], api_base=url, api_key="k")


async def embeddings_async(url: str) -> Any:
    return await litellm.aembedding(model="openai/text-embedding-3-small", input=["x"], api_base=url, api_key="k")


async def text_async(url: str) -> Any:
    return await litellm.atext_completion(
        model="text-completion-openai/gpt-3.5-turbo-instruct", prompt="hello", api_base=url, api_key="k"
    )


async def own_client_async(url: str) -> Any:
    from openai import AsyncOpenAI

    return await litellm.acompletion(**_given(url, client=AsyncOpenAI(base_url=url, api_key="k")))


async def errors_async(url: str) -> Any:
    try:
        await litellm.acompletion(**_given(url, max_retries=0, frequency_penalty=99))
    except Exception as error:
        return [type(error).__name__, error.status_code]
