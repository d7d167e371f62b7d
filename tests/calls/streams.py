"""Chat streams for the tests of streams: begun, read to their end, and read to their error."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import APIError, AsyncOpenAI, AsyncStream
from aiopenai.types.chat import ChatCompletionChunk

EVENTS = "text/event-stream"


async def start(client: AsyncOpenAI, chat: dict[str, Any], **options: Any) -> AsyncStream[ChatCompletionChunk]:
    return await client.chat.completions.create(**chat, stream=True, **options)


async def texts(stream: AsyncStream[ChatCompletionChunk]) -> list[str | None]:
    return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]


async def failure(stream: AsyncStream[Any], kind: type[APIError] = APIError) -> Any:
    """Read to the error, and see that nothing comes after it."""
    with pytest.raises(kind) as caught:
        async for _ in stream:
            pass
    assert [event async for event in stream] == []
    return caught.value
