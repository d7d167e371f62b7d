"""llama-index-llms-openai and llama-index-embeddings-openai."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI, OpenAIResponses

from tests.dropin.samples import City, weather

NEEDS = "llama_index.llms.openai"
_HELLO = [ChatMessage(role="user", content="hello to all")]


def _chat(url: str) -> Any:
    return OpenAI(model="gpt-4o-mini", api_base=url, api_key="sk-test")


def _responses(url: str) -> Any:
    return OpenAIResponses(model="gpt-4o-mini", api_base=url, api_key="sk-test")


def _tool() -> Any:
    return FunctionTool.from_defaults(weather, name="weather")


def _shown(reply: Any) -> Any:
    return [reply.message.model_dump(), str(reply), reply.delta, reply.additional_kwargs, reply.raw]


def chat(url: str) -> Any:
    return _shown(_chat(url).chat(_HELLO))


async def chat_async(url: str) -> Any:
    return _shown(await _chat(url).achat(_HELLO))


def stream(url: str) -> Any:
    return [_shown(each) for each in _chat(url).stream_chat(_HELLO)]


async def stream_async(url: str) -> Any:
    return [_shown(each) async for each in await _chat(url).astream_chat(_HELLO)]


async def complete_async(url: str) -> Any:
    return (await _chat(url).acomplete("hello")).text


async def tools_async(url: str) -> Any:
    reply = await _chat(url).achat_with_tools([_tool()], user_msg="the weather")
    return [_shown(reply), _chat(url).get_tool_calls_from_response(reply)]


async def predict_and_call_async(url: str) -> Any:
    return str(await _chat(url).apredict_and_call([_tool()], user_msg="the weather"))


async def structured_async(url: str) -> Any:
    return await _chat(url).astructured_predict(City, PromptTemplate("a city"))


def structured(url: str) -> Any:
    return _chat(url).structured_predict(City, PromptTemplate("a city"))


async def structured_streamed_async(url: str) -> Any:
    return [each async for each in await _chat(url).astream_structured_predict(City, PromptTemplate("a city"))]


async def responses_async(url: str) -> Any:
    return _shown(await _responses(url).achat(_HELLO))


async def responses_streamed_async(url: str) -> Any:
    return [each.delta async for each in await _responses(url).astream_chat(_HELLO)]


async def responses_tools_async(url: str) -> Any:
    return _shown(await _responses(url).achat_with_tools([_tool()], user_msg="the weather"))


def embeddings(url: str) -> Any:
    return OpenAIEmbedding(api_base=url, api_key="sk-test").get_text_embedding("hello")


async def embeddings_async(url: str) -> Any:
    return await OpenAIEmbedding(api_base=url, api_key="sk-test").aget_text_embedding_batch(["a", "b"])
