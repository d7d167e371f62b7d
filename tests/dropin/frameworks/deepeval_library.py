"""deepeval."""

from __future__ import annotations

import os
from typing import Any

os.environ.update(DEEPEVAL_TELEMETRY_OPT_OUT="YES", DEEPEVAL_DISABLE_DOTENV="1")
from deepeval.models import GPTModel

from tests.dropin.samples import City

NEEDS = "deepeval"


def _model(url: str) -> Any:
    return GPTModel(model="gpt-4o-mini", base_url=url, api_key="sk-test")


def chat(url: str) -> Any:
    return _model(url).generate("hello to all")


async def chat_async(url: str) -> Any:
    return await _model(url).a_generate("hello to all")


def structured(url: str) -> Any:
    return _model(url).generate("a city", schema=City)


async def structured_async(url: str) -> Any:
    return await _model(url).a_generate("a city", schema=City)


async def raw_async(url: str) -> Any:
    return await _model(url).a_generate_raw_response("hello", top_logprobs=2)
