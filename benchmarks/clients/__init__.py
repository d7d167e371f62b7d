"""Adapters: each client behind the three operations that are measured. Imported only in the process that uses them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol


class Client(Protocol):
    """A client bound to a base URL; made inside a running event loop, used only in that loop."""

    async def chat(self) -> str:
        """One chat call; returns the text of the first choice."""
        ...

    async def stream(self) -> int:
        """One streamed chat call; returns the number of characters received."""
        ...

    async def close(self) -> None: ...


class ClientError(Exception):
    """A hand-written client got a reply that is not a success."""


@dataclass(frozen=True)
class ClientSpec:
    """Where an adapter lives (``module:name``, inside this package) and what the report calls it."""

    title: str
    target: str

    def load(self) -> Callable[[str], Client]:
        """Import the adapter; returns its factory, which takes the base URL."""
        module, _, name = self.target.partition(":")
        factory: Callable[[str], Client] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return factory


CLIENTS: Final[dict[str, ClientSpec]] = {
    "aiopenai": ClientSpec("aiopenai", "sdk:aiopenai"),
    "openai": ClientSpec("openai, the reference", "sdk:reference"),
    "tuned": ClientSpec("aiohttp + msgspec, tuned", "handwritten:Tuned"),
    "naive": ClientSpec("aiohttp + json, naive", "handwritten:Naive"),
    "bare": ClientSpec("bare asyncio protocol", "bare:Bare"),
}
