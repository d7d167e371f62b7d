"""instructor."""

from __future__ import annotations

from typing import Any

import instructor
import pydantic
from openai import AsyncOpenAI, OpenAI

from tests.dropin.samples import City

NEEDS = "instructor"
_CHAT: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "a city"}]}


def _blocking(url: str, mode: Any = instructor.Mode.TOOLS) -> Any:
    return instructor.from_openai(OpenAI(base_url=url, api_key="sk-test"), mode=mode)


def _async(url: str, mode: Any = instructor.Mode.TOOLS) -> Any:
    return instructor.from_openai(AsyncOpenAI(base_url=url, api_key="sk-test"), mode=mode)


def tools(url: str) -> Any:
    return _blocking(url).chat.completions.create(response_model=City, **_CHAT)


async def tools_async(url: str) -> Any:
    return await _async(url).chat.completions.create(response_model=City, **_CHAT)


async def with_completion_async(url: str) -> Any:
    return await _async(url).chat.completions.create_with_completion(response_model=City, **_CHAT)


def partial(url: str) -> Any:
    return list(_blocking(url).chat.completions.create_partial(response_model=City, **_CHAT))


async def partial_async(url: str) -> Any:
    return [each async for each in _async(url).chat.completions.create_partial(response_model=City, **_CHAT)]


async def iterable_async(url: str) -> Any:
    return [each async for each in _async(url).chat.completions.create_iterable(response_model=City, **_CHAT)]


def json_mode(url: str) -> Any:
    return _blocking(url, instructor.Mode.JSON_SCHEMA).chat.completions.create(response_model=City, **_CHAT)


async def json_mode_async(url: str) -> Any:
    return await _async(url, instructor.Mode.JSON_SCHEMA).chat.completions.create(response_model=City, **_CHAT)


async def responses_async(url: str) -> Any:
    client = _async(url, instructor.Mode.RESPONSES_TOOLS)
    return await client.responses.create(model="gpt-4o-mini", input="a city", response_model=City)


async def patched_async(url: str) -> Any:
    client = instructor.patch(AsyncOpenAI(base_url=url, api_key="sk-test"))
    reply = await client.chat.completions.create(**_CHAT)
    return [type(reply).__name__, reply]


async def retries_async(url: str) -> Any:
    class Never(pydantic.BaseModel):
        name: str

        @pydantic.field_validator("name")
        @classmethod
        def refuse(cls, value: str) -> str:
            raise ValueError("no name is good enough")

    try:
        await _async(url).chat.completions.create(response_model=Never, max_retries=2, **_CHAT)
    except Exception as error:
        return [type(error).__name__, getattr(error, "n_attempts", None), getattr(error, "total_usage", None)]
