"""mirascope."""

from __future__ import annotations

from typing import Any

from mirascope import llm

from tests.dropin.samples import City, weather

NEEDS = "mirascope.llm"
_weather = llm.tool(weather)


def _model(url: str, kind: str = "completions") -> Any:
    llm.register_provider("openai", scope="openai/", base_url=url, api_key="sk-test")
    return llm.Model(f"openai/gpt-4o-mini:{kind}")


def chat(url: str) -> Any:
    found = _model(url).call("hello to all")
    return [found.text(), str(found.usage), found.raw]


async def chat_async(url: str) -> Any:
    found = await _model(url).call_async("hello to all")
    return [found.text(), str(found.usage), found.raw]


def stream(url: str) -> Any:
    return list(_model(url).stream("hello to all").text_stream())


async def stream_async(url: str) -> Any:
    return [each async for each in (await _model(url).stream_async("hello to all")).text_stream()]


def tools(url: str) -> Any:
    found = _model(url).call("weather", tools=[_weather])
    return [[each.name, each.args] for each in found.tool_calls]


async def structured_async(url: str) -> Any:
    return (await _model(url).call_async("a city", format=City)).parse()


async def responses_async(url: str) -> Any:
    found = await _model(url, "responses").call_async("hello to all")
    return [found.text(), str(found.usage), found.raw]


async def responses_streamed_async(url: str) -> Any:
    return [each async for each in (await _model(url, "responses").stream_async("hello to all")).text_stream()]
