"""griptape."""

from __future__ import annotations

from typing import Any

from griptape.common import PromptStack
from griptape.drivers.embedding.openai import OpenAiEmbeddingDriver
from griptape.drivers.prompt.openai import OpenAiChatPromptDriver

NEEDS = "griptape"


def _stack() -> Any:
    stack = PromptStack()
    stack.add_user_message("hello to all")
    return stack


def _driver(url: str, **options: Any) -> Any:
    return OpenAiChatPromptDriver(model="gpt-4o-mini", base_url=url, api_key="sk-test", max_attempts=1, **options)


def chat(url: str) -> Any:
    found = _driver(url).run(_stack())
    return [found.to_text(), found.usage.input_tokens, found.usage.output_tokens]


def stream(url: str) -> Any:
    found = _driver(url, stream=True).run(_stack())
    return [found.to_text(), found.usage.input_tokens, found.usage.output_tokens]


def embeddings(url: str) -> Any:
    return OpenAiEmbeddingDriver(model="text-embedding-3-small", base_url=url, api_key="sk-test").embed("hello")
