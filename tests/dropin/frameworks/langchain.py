"""langchain-openai."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

from tests.dropin.samples import City, weather

NEEDS = "langchain_openai"
_weather = tool(weather)


def _chat(url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="sk-test", **options)


def _shown(message: Any) -> Any:
    return message.model_dump() | {"id": None}


def chat(url: str) -> Any:
    return _shown(_chat(url, temperature=0.5).invoke([("system", "Be brief."), HumanMessage("hello")]))


async def chat_async(url: str) -> Any:
    return _shown(await _chat(url, temperature=0.5).ainvoke([("system", "Be brief."), HumanMessage("hello")]))


def stream(url: str) -> Any:
    return [_shown(each) for each in _chat(url, stream_usage=True).stream("hello to all of you")]


async def stream_async(url: str) -> Any:
    return [_shown(each) async for each in _chat(url, stream_usage=True).astream("hello to all of you")]


def tools(url: str) -> Any:
    return _shown(_chat(url).bind_tools([_weather]).invoke("the weather please"))


async def tools_streamed_async(url: str) -> Any:
    whole: Any = AIMessageChunk("")
    async for each in _chat(url).bind_tools([_weather], strict=True).astream("the weather please"):
        whole = whole + each
    return _shown(whole)


def structured(url: str) -> Any:
    return _chat(url).with_structured_output(City).invoke("a city")


async def structured_with_raw_async(url: str) -> Any:
    found = await _chat(url).with_structured_output(City, include_raw=True).ainvoke("a city")
    return {**found, "raw": _shown(found["raw"])}


async def structured_by_function_async(url: str) -> Any:
    return await _chat(url).with_structured_output(City, method="function_calling").ainvoke("a city")


async def structured_by_json_async(url: str) -> Any:
    bound = _chat(url).bind(response_format={"type": "json_object"})
    return _shown(await bound.ainvoke("json please"))


def responses(url: str) -> Any:
    return _shown(_chat(url, use_responses_api=True).invoke("hello"))


async def responses_async(url: str) -> Any:
    return _shown(await _chat(url, use_responses_api=True).bind_tools([_weather]).ainvoke("the weather"))


async def responses_streamed_async(url: str) -> Any:
    return [_shown(each) async for each in _chat(url, use_responses_api=True).astream("hello")]


async def responses_structured_async(url: str) -> Any:
    return await _chat(url, use_responses_api=True).with_structured_output(City).ainvoke("a city")


def embeddings(url: str) -> Any:
    return OpenAIEmbeddings(model="text-embedding-3-small", base_url=url, check_embedding_ctx_length=False).embed_query(
        "x"
    )


async def embeddings_async(url: str) -> Any:
    model = OpenAIEmbeddings(model="text-embedding-3-small", base_url=url, check_embedding_ctx_length=False)
    return await model.aembed_documents(["x", "y"])


async def completions_async(url: str) -> Any:
    model = OpenAI(model="gpt-3.5-turbo-instruct", base_url=url)
    return [await model.ainvoke("hello"), [each async for each in model.astream("hello")]]


async def batch_async(url: str) -> Any:
    return [_shown(each) for each in await _chat(url).abatch(["a", "b", "c"], {"max_concurrency": 1})]


async def errors_async(url: str) -> Any:
    try:
        await _chat(url, max_retries=0).ainvoke("x", temperature=99)
    except Exception as error:
        return [type(error).__name__, error.status_code, error.message, error.body]


async def logprobs_async(url: str) -> Any:
    return _shown(await _chat(url, logprobs=True, top_logprobs=2).ainvoke("hello"))
