"""openai-oxide, a client with its core in Rust; the report says so if it is not installed."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import answers


class Oxide:
    """The client by its own drop-in module. Its chat streams are calls of another endpoint, so it has none here."""

    def __init__(self, base_url: str) -> None:
        # Any: the package is no dependency, not even of the extra for benchmarks.
        module: Any = importlib.import_module("openai_oxide.compat")
        self._client: Any = module.AsyncOpenAI(api_key="sk-bench", base_url=base_url)

    async def chat(self, model: str = answers.MODEL) -> str:
        reply = await self._client.chat.completions.create(
            model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE
        )
        text: str = reply.choices[0].message.content
        return text

    async def close(self) -> None:
        """Does nothing: the client has no close, and its resources end with the process."""
