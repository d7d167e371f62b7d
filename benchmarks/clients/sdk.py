"""The two SDKs. One adapter does for both, which is the point of a drop-in: only the imported module differs."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import answers


class Sdk:
    """The module's `AsyncOpenAI` with its default settings."""

    def __init__(self, module: str, base_url: str) -> None:
        # Any: the benchmarks are type-checked where the reference is not installed.
        self._client: Any = importlib.import_module(module).AsyncOpenAI(api_key="sk-bench", base_url=base_url)

    async def chat(self) -> str:
        reply = await self._client.chat.completions.create(
            model=answers.MODEL, messages=answers.MESSAGES, temperature=answers.TEMPERATURE
        )
        text: str = reply.choices[0].message.content
        return text

    async def stream(self) -> int:
        characters = 0
        stream = await self._client.chat.completions.create(
            model=answers.MODEL, messages=answers.MESSAGES, temperature=answers.TEMPERATURE, stream=True
        )
        async for chunk in stream:
            text = chunk.choices[0].delta.content
            if text:
                characters += len(text)
        return characters

    async def close(self) -> None:
        await self._client.close()


def aiopenai(base_url: str) -> Sdk:
    """The subject."""
    return Sdk("aiopenai", base_url)


def reference(base_url: str) -> Sdk:
    """The reference with its default HTTP client."""
    return Sdk("openai", base_url)
