"""crewai: its model class, and a crew."""

from __future__ import annotations

import os
from typing import Any

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false")
from crewai import LLM, Agent, Crew, Task

from tests.dropin.samples import TOOL, City

NEEDS = "crewai"


def _model(url: str, **options: Any) -> Any:
    return LLM(model="openai/gpt-4o-mini", base_url=url, api_key="sk-test", **options)


def chat(url: str) -> Any:
    return _model(url, temperature=0.5).call("hello to all")


async def chat_async(url: str) -> Any:
    return await _model(url).acall("hello to all")


def stream(url: str) -> Any:
    return _model(url, stream=True).call("hello to all")


def tools(url: str) -> Any:
    model = _model(url)
    return str(model.call("weather", tools=[TOOL], available_functions={"weather": lambda city: f"rain in {city}"}))


def structured(url: str) -> Any:
    return _model(url, response_format=City).call("a city")


def responses(url: str) -> Any:
    return _model(url, api="responses").call("hello to all")


def crew(url: str) -> Any:
    agent = Agent(role="r", goal="g", backstory="b", llm=_model(url), verbose=False, max_iter=2)
    task = Task(description="say hello", expected_output="a word", agent=agent)
    return Crew(agents=[agent], tasks=[task], verbose=False).kickoff().raw
