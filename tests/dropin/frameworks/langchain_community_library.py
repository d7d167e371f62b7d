"""langchain-community, of which most parts for this API have moved to langchain-openai."""

from __future__ import annotations

from typing import Any

from langchain_community.embeddings import OpenAIEmbeddings

NEEDS = "langchain_community"


def embeddings(url: str) -> Any:
    model = OpenAIEmbeddings(openai_api_base=url, openai_api_key="sk-test")
    return model.embed_query("hello")


async def embeddings_async(url: str) -> Any:
    model = OpenAIEmbeddings(openai_api_base=url, openai_api_key="sk-test")
    return await model.aembed_query("hello")
