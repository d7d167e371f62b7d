"""mem0."""

from __future__ import annotations

import os
from typing import Any

os.environ["MEM0_TELEMETRY"] = "False"
from mem0.configs.embeddings.base import BaseEmbedderConfig
from mem0.configs.llms.openai import OpenAIConfig
from mem0.embeddings.openai import OpenAIEmbedding
from mem0.llms.openai import OpenAILLM

from tests.dropin.samples import TOOL

NEEDS = "mem0"


def _model(url: str) -> Any:
    return OpenAILLM(OpenAIConfig(model="gpt-4o-mini", api_key="sk-test", openai_base_url=url))


def chat(url: str) -> Any:
    return _model(url).generate_response([{"role": "user", "content": "hello"}])


def tools(url: str) -> Any:
    return _model(url).generate_response([{"role": "user", "content": "weather"}], tools=[TOOL])


def embeddings(url: str) -> Any:
    config = BaseEmbedderConfig(model="text-embedding-3-small", api_key="sk-test", openai_base_url=url)
    return OpenAIEmbedding(config).embed("hello")
