"""ag2."""

from __future__ import annotations

from typing import Any

from ag2 import Agent
from ag2.config import OpenAIConfig, OpenAIResponsesConfig

from tests.dropin.samples import weather

NEEDS = "ag2"


def _agent(url: str, kind: Any = OpenAIConfig, **options: Any) -> Any:
    return Agent("a", "Be brief.", config=kind("gpt-4o-mini", base_url=url, api_key="sk-test"), **options)


async def chat(url: str) -> Any:
    return (await _agent(url).ask("hello to all")).body


async def tools(url: str) -> Any:
    return (await _agent(url, tools=[weather]).ask("weather")).body


async def responses(url: str) -> Any:
    return (await _agent(url, OpenAIResponsesConfig).ask("hello to all")).body
