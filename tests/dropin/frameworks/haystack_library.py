"""haystack-ai."""

from __future__ import annotations

from typing import Any

from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage, Document
from haystack.tools import Tool
from haystack.utils import Secret

from tests.dropin.samples import PARAMETERS, City, weather

NEEDS = "haystack"
_KEY = Secret.from_token("sk-test")
_HELLO = [ChatMessage.from_user("hello to all")]


def _tool() -> Any:
    return Tool(name="weather", description="The weather", parameters=PARAMETERS, function=weather)


def _chat(url: str, **options: Any) -> Any:
    return OpenAIChatGenerator(api_key=_KEY, model="gpt-4o-mini", api_base_url=url, **options)


def _shown(found: Any) -> Any:
    for reply in found["replies"]:
        reply.meta.pop("completion_start_time", None)
    return [reply.to_dict() for reply in found["replies"]]


def chat(url: str) -> Any:
    return _shown(_chat(url).run(_HELLO))


async def chat_async(url: str) -> Any:
    return _shown(await _chat(url).run_async(_HELLO))


def stream(url: str) -> Any:
    pieces: list[Any] = []
    found = _chat(url, streaming_callback=lambda chunk: pieces.append(chunk.content)).run(_HELLO)
    return [pieces, _shown(found)]


async def stream_async(url: str) -> Any:
    pieces: list[Any] = []

    async def take(chunk: Any) -> None:
        pieces.append(chunk.content)

    found = await _chat(url, streaming_callback=take).run_async(_HELLO)
    return [pieces, _shown(found)]


async def tools_async(url: str) -> Any:
    return _shown(await _chat(url, tools=[_tool()]).run_async([ChatMessage.from_user("weather")]))


def structured(url: str) -> Any:
    return _shown(_chat(url, generation_kwargs={"response_format": City}).run(_HELLO))


def responses(url: str) -> Any:
    return _shown(OpenAIResponsesChatGenerator(api_key=_KEY, model="gpt-4o-mini", api_base_url=url).run(_HELLO))


async def responses_async(url: str) -> Any:
    model = OpenAIResponsesChatGenerator(api_key=_KEY, model="gpt-4o-mini", api_base_url=url)
    return _shown(await model.run_async(_HELLO))


def embeddings(url: str) -> Any:
    return OpenAITextEmbedder(api_key=_KEY, api_base_url=url).run("hello")


async def embeddings_async(url: str) -> Any:
    found = await OpenAIDocumentEmbedder(api_key=_KEY, api_base_url=url).run_async([Document(content="x")])
    return [found["documents"][0].embedding, found["meta"]]
