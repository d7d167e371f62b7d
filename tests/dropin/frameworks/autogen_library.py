"""autogen-ext with the extra openai."""

from __future__ import annotations

from typing import Any

from autogen_core.models import SystemMessage, UserMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient

from tests.dropin.samples import City, weather

NEEDS = "autogen_ext.models.openai"
_HELLO = [SystemMessage(content="Be brief."), UserMessage(content="hello to all", source="user")]


def _client(url: str, **options: Any) -> Any:
    return OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=url, api_key="sk-test", **options)


async def chat(url: str) -> Any:
    return await _client(url, temperature=0.5).create(_HELLO)


async def stream(url: str) -> Any:
    return [each async for each in _client(url).create_stream(_HELLO)]


async def stream_with_usage(url: str) -> Any:
    return [each async for each in _client(url).create_stream(_HELLO, include_usage=True)]


async def tools(url: str) -> Any:
    return await _client(url).create(_HELLO, tools=[FunctionTool(weather, "The weather", name="weather")])


async def tools_streamed(url: str) -> Any:
    tool = FunctionTool(weather, "The weather", name="weather", strict=True)
    return [each async for each in _client(url).create_stream(_HELLO, tools=[tool])]


async def structured(url: str) -> Any:
    return await _client(url).create(_HELLO, json_output=City)


async def structured_streamed(url: str) -> Any:
    return [each async for each in _client(url).create_stream(_HELLO, json_output=City)]


async def counts(url: str) -> Any:
    client = _client(url)
    await client.create(_HELLO)
    return [client.actual_usage(), client.total_usage(), client.capabilities, client.dump_component()]
