"""ag2."""

from __future__ import annotations

from typing import Any

import pydantic
from ag2 import Agent
from ag2.config import OpenAIConfig, OpenAIResponsesConfig

NEEDS = "ag2"


class City(pydantic.BaseModel):
    name: str
    people: int


def _weather(city: str) -> str:
    """Returns the weather in a city."""
    return f"rain in {city}"


def _agent(url: str, kind: Any = OpenAIConfig, **options: Any) -> Any:
    return Agent("a", "Be brief.", config=kind("gpt-4o-mini", base_url=url, api_key="sk-test"), **options)


async def chat(url: str) -> Any:
    return (await _agent(url).ask("hello to all")).body


async def tools(url: str) -> Any:
    return (await _agent(url, tools=[_weather]).ask("weather")).body


async def responses(url: str) -> Any:
    return (await _agent(url, OpenAIResponsesConfig).ask("hello to all")).body
