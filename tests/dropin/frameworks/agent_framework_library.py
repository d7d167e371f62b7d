"""agent-framework-openai."""

from __future__ import annotations

from typing import Any

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient, OpenAIEmbeddingClient

from tests.dropin.samples import City, weather

NEEDS = "agent_framework_openai"


def _agent(url: str, kind: Any = OpenAIChatClient, **options: Any) -> Any:
    return Agent(kind(model="gpt-4o-mini", base_url=url, api_key="sk-test"), instructions="Be brief.", **options)


def _shown(found: Any) -> Any:
    return [found.text, dict(found.usage_details), [each.text for each in found.messages]]


async def responses(url: str) -> Any:
    return _shown(await _agent(url).run("hello to all"))


async def responses_tools(url: str) -> Any:
    return _shown(await _agent(url, tools=[weather]).run("weather"))


async def responses_streamed(url: str) -> Any:
    return [each.text async for each in _agent(url).run("hello to all", stream=True)]


async def responses_structured(url: str) -> Any:
    found = await _agent(url).run("a city", options={"response_format": City})
    return [*_shown(found), found.value]


async def chat(url: str) -> Any:
    return _shown(await _agent(url, OpenAIChatCompletionClient).run("hello to all"))


async def chat_tools(url: str) -> Any:
    return _shown(await _agent(url, OpenAIChatCompletionClient, tools=[weather]).run("weather"))


async def chat_streamed(url: str) -> Any:
    agent = _agent(url, OpenAIChatCompletionClient, tools=[weather])
    return [each.text async for each in agent.run("weather", stream=True)]


async def chat_structured(url: str) -> Any:
    found = await _agent(url, OpenAIChatCompletionClient).run("a city", options={"response_format": City})
    return [*_shown(found), found.value]


async def embeddings(url: str) -> Any:
    client = OpenAIEmbeddingClient(model="text-embedding-3-small", base_url=url, api_key="sk-test")
    return [each.vector for each in await client.get_embeddings(["x", "y"])]
