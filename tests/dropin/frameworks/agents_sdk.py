"""openai-agents."""

from __future__ import annotations

from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from agents.memory import SQLiteSession
from openai import AsyncOpenAI

from tests.dropin.samples import City, weather

NEEDS = "agents"
_weather = function_tool(weather)
set_tracing_disabled(True)


def _model(url: str, kind: Any = OpenAIResponsesModel) -> Any:
    return kind(model="gpt-4o-mini", openai_client=AsyncOpenAI(base_url=url, api_key="sk-test"))


def _shown(result: Any) -> Any:
    usage = result.context_wrapper.usage
    counts = [usage.requests, usage.input_tokens, usage.output_tokens, usage.total_tokens]
    return [result.final_output, result.to_input_list(), [type(each).__name__ for each in result.new_items], counts]


async def responses(url: str) -> Any:
    return _shown(await Runner.run(Agent("a", instructions="Be brief.", model=_model(url)), "hello"))


def responses_blocking(url: str) -> Any:
    return _shown(Runner.run_sync(Agent("a", model=_model(url)), "hello"))


async def responses_with_tools(url: str) -> Any:
    return _shown(await Runner.run(Agent("a", model=_model(url), tools=[_weather]), "the weather"))


async def responses_streamed(url: str) -> Any:
    result = Runner.run_streamed(Agent("a", model=_model(url), tools=[_weather]), "the weather")
    events = [each async for each in result.stream_events()]
    raw = [each.data for each in events if each.type == "raw_response_event"]
    return [[each.type for each in events], [type(each).__name__ for each in raw], raw, _shown(result)]


async def responses_structured(url: str) -> Any:
    return _shown(await Runner.run(Agent("a", model=_model(url), output_type=City), "a city"))


async def chat(url: str) -> Any:
    agent = Agent("a", model=_model(url, OpenAIChatCompletionsModel), model_settings=ModelSettings(temperature=0.1))
    return _shown(await Runner.run(agent, "hello"))


async def chat_with_tools(url: str) -> Any:
    agent = Agent("a", model=_model(url, OpenAIChatCompletionsModel), tools=[_weather])
    return _shown(await Runner.run(agent, "the weather"))


async def chat_streamed(url: str) -> Any:
    agent = Agent("a", model=_model(url, OpenAIChatCompletionsModel), tools=[_weather])
    result = Runner.run_streamed(agent, "the weather")
    return [[each.type async for each in result.stream_events()], _shown(result)]


async def chat_structured(url: str) -> Any:
    agent = Agent("a", model=_model(url, OpenAIChatCompletionsModel), output_type=City)
    return _shown(await Runner.run(agent, "a city"))


async def handoff(url: str) -> Any:
    other = Agent("other", model=_model(url), handoff_description="Knows more.")
    result = await Runner.run(Agent("first", model=_model(url), handoffs=[other]), "hello")
    return [result.last_agent.name, *_shown(result)]


async def session(url: str) -> Any:
    memory, agent = SQLiteSession("s"), Agent("a", model=_model(url))
    await Runner.run(agent, "hello", session=memory)
    return _shown(await Runner.run(agent, "again", session=memory))


async def default_client(url: str) -> Any:
    from agents import set_default_openai_client

    set_default_openai_client(AsyncOpenAI(base_url=url, api_key="sk-test"), use_for_tracing=False)
    return _shown(await Runner.run(Agent("a", model="gpt-4o-mini"), "hello"))
