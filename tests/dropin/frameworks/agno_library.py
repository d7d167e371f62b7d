"""agno."""

from __future__ import annotations

import os
from typing import Any

os.environ["AGNO_TELEMETRY"] = "false"
from agno.agent import Agent
from agno.knowledge.embedder.openai import OpenAIEmbedder
from agno.models.openai import OpenAIChat, OpenAIResponses

from tests.dropin.samples import City, weather

NEEDS = "agno"


def _agent(url: str, kind: Any = OpenAIChat, **options: Any) -> Any:
    return Agent(model=kind(id="gpt-4o-mini", base_url=url, api_key="sk-test"), telemetry=False, **options)


def _shown(found: Any) -> Any:
    metrics = found.metrics
    return [found.content, metrics.input_tokens, metrics.output_tokens, [[m.role, m.content] for m in found.messages]]


def chat(url: str) -> Any:
    return _shown(_agent(url).run("hello to all"))


async def chat_async(url: str) -> Any:
    return _shown(await _agent(url).arun("hello to all"))


def stream(url: str) -> Any:
    return [each.content for each in _agent(url).run("hello to all", stream=True)]


async def stream_async(url: str) -> Any:
    return [each.content async for each in _agent(url).arun("hello to all", stream=True)]


def tools(url: str) -> Any:
    return _shown(_agent(url, tools=[weather]).run("weather"))


async def tools_async(url: str) -> Any:
    return _shown(await _agent(url, tools=[weather]).arun("weather"))


async def structured_async(url: str) -> Any:
    return _shown(await _agent(url, output_schema=City).arun("a city"))


async def responses_async(url: str) -> Any:
    return _shown(await _agent(url, OpenAIResponses, tools=[weather]).arun("weather"))


async def responses_streamed_async(url: str) -> Any:
    return [each.content async for each in _agent(url, OpenAIResponses).arun("hello to all", stream=True)]


def embeddings(url: str) -> Any:
    return OpenAIEmbedder(base_url=url, api_key="sk-test").get_embedding_and_usage("hello")


async def embeddings_async(url: str) -> Any:
    return await OpenAIEmbedder(base_url=url, api_key="sk-test").async_get_embedding("hello")
