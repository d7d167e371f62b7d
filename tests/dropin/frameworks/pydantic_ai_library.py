"""pydantic-ai-slim with the extra openai."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, Embedder, NativeOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.dropin.samples import City, weather

NEEDS = "pydantic_ai"


def _chat(url: str, **options: Any) -> Any:
    return Agent(OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=url, api_key="sk-test")), **options)


def _responses(url: str, **options: Any) -> Any:
    provider = OpenAIProvider(base_url=url, api_key="sk-test")
    return Agent(OpenAIResponsesModel("gpt-4o-mini", provider=provider), **options)


def _shown(result: Any) -> Any:
    messages = [
        [
            each.kind,
            [[part.part_kind, getattr(part, "content", None), getattr(part, "args", None)] for part in each.parts],
        ]
        for each in result.all_messages()
    ]
    usage = result.usage() if callable(result.usage) else result.usage
    return [result.output, messages, str(usage)]


def chat_blocking(url: str) -> Any:
    return _shown(_chat(url, instructions="Be brief.").run_sync("hello"))


async def chat(url: str) -> Any:
    return _shown(await _chat(url).run("hello", model_settings={"temperature": 0.1, "max_tokens": 9}))


async def chat_tools(url: str) -> Any:
    return _shown(await _chat(url, tools=[weather]).run("the weather"))


async def chat_streamed(url: str) -> Any:
    async with _chat(url, tools=[weather]).run_stream("the weather") as result:
        return [[each async for each in result.stream_text(delta=True, debounce_by=None)], str(result.usage)]


async def chat_structured(url: str) -> Any:
    return _shown(await _chat(url, output_type=City).run("a city"))


async def chat_native_output(url: str) -> Any:
    return _shown(await _chat(url, output_type=NativeOutput(City)).run("a city"))


async def responses(url: str) -> Any:
    return _shown(await _responses(url).run("hello"))


async def responses_tools(url: str) -> Any:
    return _shown(await _responses(url, tools=[weather]).run("the weather"))


async def responses_streamed(url: str) -> Any:
    async with _responses(url).run_stream("hello to all") as result:
        return [[each async for each in result.stream_text(delta=True, debounce_by=None)], str(result.usage)]


async def responses_structured(url: str) -> Any:
    return _shown(await _responses(url, output_type=NativeOutput(City)).run("a city"))


async def embeddings(url: str) -> Any:
    model = OpenAIEmbeddingModel("text-embedding-3-small", provider=OpenAIProvider(base_url=url, api_key="sk-test"))
    found = await Embedder(model).embed_query("hello")
    return [list(each) for each in found.embeddings]


async def own_client(url: str) -> Any:
    from openai import AsyncOpenAI

    provider = OpenAIProvider(openai_client=AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=1))
    return _shown(await Agent(OpenAIChatModel("gpt-4o-mini", provider=provider)).run("hello"))


async def errors(url: str) -> Any:
    try:
        await _chat(url).run("hello", model_settings={"temperature": 99})
    except Exception as error:
        return [type(error).__name__, getattr(error, "status_code", None), getattr(error, "body", None)]
