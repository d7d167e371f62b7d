"""magentic."""

from __future__ import annotations

from typing import Any

from magentic import (
    AsyncStreamedStr,
    FunctionCall,
    OpenaiChatModel,
    StreamedStr,
    UserMessage,
)

from tests.dropin.samples import City, weather

NEEDS = "magentic"
_HELLO = [UserMessage("hello to all")]


def _model(url: str) -> Any:
    return OpenaiChatModel("gpt-4o-mini", base_url=url, api_key="sk-test")


def chat(url: str) -> Any:
    found = _model(url).complete(_HELLO)
    return [found.content, str(found.usage)]


async def chat_async(url: str) -> Any:
    found = await _model(url).acomplete(_HELLO)
    return [found.content, str(found.usage)]


def stream(url: str) -> Any:
    return list(_model(url).complete(_HELLO, output_types=[StreamedStr]).content)


async def stream_async(url: str) -> Any:
    found = await _model(url).acomplete(_HELLO, output_types=[AsyncStreamedStr])
    return [each async for each in found.content]


async def structured_async(url: str) -> Any:
    return (await _model(url).acomplete(_HELLO, output_types=[City])).content


async def tools_async(url: str) -> Any:
    found = await _model(url).acomplete(_HELLO, functions=[weather], output_types=[FunctionCall[str]])
    return str(await found.content() if not callable(found.content) else found.content())
