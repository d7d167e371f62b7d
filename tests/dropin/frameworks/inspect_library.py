"""inspect-ai."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

NEEDS = "inspect_ai"


def _model(url: str, **options: Any) -> Any:
    return get_model("openai/gpt-4o-mini", base_url=url, api_key="sk-test", memoize=False, **options)


def _shown(found: Any) -> Any:
    return [found.completion, found.usage, found.choices[0].stop_reason, found.choices[0].message.tool_calls]


def _tool() -> ToolInfo:
    city = ToolParam(type="string", description="The city")
    return ToolInfo(name="weather", description="The weather", parameters=ToolParams(properties={"city": city}))


async def chat(url: str) -> Any:
    return _shown(
        await _model(url, responses_api=False).generate("hello to all", config=GenerateConfig(temperature=0.5))
    )


async def responses(url: str) -> Any:
    return _shown(await _model(url, responses_api=True).generate("hello to all"))


async def chat_tools(url: str) -> Any:
    return _shown(await _model(url, responses_api=False).generate("weather", tools=[_tool()]))


async def responses_tools(url: str) -> Any:
    return _shown(await _model(url, responses_api=True).generate("weather", tools=[_tool()]))


async def logprobs(url: str) -> Any:
    config = GenerateConfig(logprobs=True, top_logprobs=2)
    found = await _model(url, responses_api=False).generate("hello", config=config)
    return [*_shown(found), found.choices[0].logprobs]
