"""liter-llm, a client with its core in Rust; the report says so if it is not installed."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import answers


class Liter:
    """The client in its fastest use: plain dicts as messages, and its own reply objects."""

    def __init__(self, base_url: str) -> None:
        # Any: the package is no dependency, not even of the extra for benchmarks.
        self._module: Any = importlib.import_module("liter_llm")
        self._client: Any = self._module.create_client(api_key="sk-bench", base_url=base_url, model_hint="openai")

    def _request(self, model: str) -> Any:
        module = self._module
        return module.ChatCompletionRequest(model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE)

    async def chat(self, model: str = answers.MODEL) -> str:
        reply = await self._module.chat(self._client, self._request(model))
        text: str = reply.choices[0].message.content.text
        return text

    async def stream(self, model: str = answers.MODEL) -> int:
        characters = 0
        async for chunk in self._module.chat_stream(self._client, self._request(model)):
            text = chunk.choices[0].delta.content
            if text:
                characters += len(text)
        return characters

    async def close(self) -> None:
        """Does nothing: the client has no close, and its resources end with the process."""
