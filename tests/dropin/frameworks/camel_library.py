"""camel-ai."""

from __future__ import annotations

from typing import Any

from camel.agents import ChatAgent
from camel.embeddings import OpenAIEmbedding
from camel.models import ModelFactory
from camel.toolkits import FunctionTool
from camel.types import EmbeddingModelType, ModelPlatformType, ModelType

from tests.dropin.samples import City, weather

NEEDS = "camel"


def _model(url: str, **options: Any) -> Any:
    return ModelFactory.create(
        model_platform=ModelPlatformType.OPENAI,
        model_type=ModelType.GPT_4O_MINI,
        url=url,
        api_key="sk-test",
        model_config_dict=options,
    )


def _shown(found: Any) -> Any:
    message = found.msgs[0]
    return [message.content, message.parsed, found.info["usage"], found.info.get("termination_reasons")]


def chat(url: str) -> Any:
    return _shown(ChatAgent("Be brief.", model=_model(url, temperature=0.5)).step("hello to all"))


async def chat_async(url: str) -> Any:
    return _shown(await ChatAgent("Be brief.", model=_model(url)).astep("hello to all"))


def stream(url: str) -> Any:
    return _shown(ChatAgent("Be brief.", model=_model(url, stream=True)).step("hello to all"))


def tools(url: str) -> Any:
    return _shown(ChatAgent("Be brief.", model=_model(url), tools=[FunctionTool(weather)]).step("weather"))


async def structured_async(url: str) -> Any:
    return _shown(await ChatAgent("Be brief.", model=_model(url)).astep("a city", response_format=City))


def model_only(url: str) -> Any:
    return _model(url).run([{"role": "user", "content": "hello"}])


async def model_only_async(url: str) -> Any:
    return await _model(url).arun([{"role": "user", "content": "hello"}])


def embeddings(url: str) -> Any:
    model = OpenAIEmbedding(EmbeddingModelType.TEXT_EMBEDDING_3_SMALL, url=url, api_key="sk-test")
    return model.embed_list(["x"])
