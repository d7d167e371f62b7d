"""semantic-kernel."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent, OpenAIResponsesAgent
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion,
    OpenAIChatPromptExecutionSettings,
    OpenAITextEmbedding,
)
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function

from tests.dropin.samples import City

NEEDS = "semantic_kernel"


class Weather:
    @kernel_function(name="weather", description="The weather")
    def weather(self, city: str) -> str:
        return f"rain in {city}"


def _service(url: str) -> Any:
    return OpenAIChatCompletion("gpt-4o-mini", async_client=AsyncOpenAI(base_url=url, api_key="sk-test"))


def _history() -> ChatHistory:
    history = ChatHistory()
    history.add_user_message("hello to all")
    return history


def _shown(found: Any) -> Any:
    return [str(found), found.finish_reason, found.ai_model_id, str(found.metadata.get("usage"))]


async def chat(url: str) -> Any:
    settings = OpenAIChatPromptExecutionSettings(temperature=0.5)
    return _shown(await _service(url).get_chat_message_content(_history(), settings))


async def stream(url: str) -> Any:
    stream = _service(url).get_streaming_chat_message_content(_history(), OpenAIChatPromptExecutionSettings())
    return [_shown(each) async for each in stream]


async def tools(url: str) -> Any:
    kernel = Kernel(services=[_service(url)])
    kernel.add_plugin(Weather(), "w")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    return _shown(await _service(url).get_chat_message_content(_history(), settings, kernel=kernel))


async def tools_streamed(url: str) -> Any:
    kernel = Kernel(services=[_service(url)])
    kernel.add_plugin(Weather(), "w")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    stream = _service(url).get_streaming_chat_message_content(_history(), settings, kernel=kernel)
    return [str(each) async for each in stream]


async def structured(url: str) -> Any:
    settings = OpenAIChatPromptExecutionSettings(response_format=City)
    return _shown(await _service(url).get_chat_message_content(_history(), settings))


async def embeddings(url: str) -> Any:
    client = AsyncOpenAI(base_url=url, api_key="sk-test")
    found = await OpenAITextEmbedding("text-embedding-3-small", async_client=client).generate_embeddings(["x"])
    return [list(map(float, each)) for each in found]


async def agent(url: str) -> Any:
    agent = ChatCompletionAgent(service=_service(url), name="a", instructions="Be brief.")
    return str((await agent.get_response("hello")).message)


async def responses_agent(url: str) -> Any:
    agent = OpenAIResponsesAgent(
        ai_model_id="gpt-4o-mini",
        client=AsyncOpenAI(base_url=url, api_key="sk-test"),
        name="a",
        instructions="Be brief.",
    )
    return str((await agent.get_response("hello")).message)
