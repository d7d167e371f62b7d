"""Adapters that give each client the measured operations; a process imports only the adapter that it uses."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

Operation = Literal[
    "chat",
    "stream",
    "embed_floats",
    "embed_lists",
    "embed_buffers",
    "respond",
    "list_files",
    "logprobs",
    "upload",
    "socket_events",
    "socket_appends",
    "agent_loop",
]


class Client(Protocol):
    """A client bound to a base URL; made inside a running event loop and used only in that loop.

    It has `close` and a coroutine method for each `Operation` that it supports. `answers.expected` has the results:

    - ``chat(model)``: one call; the text of the first choice. ``upload()``: the same, with 24 MB of images.
    - ``stream(model)``: one streamed call; the number of characters received.
    - ``embed_floats()``: 64 embeddings sent as decimals, decoded to lists; the number of floats.
    - ``embed_lists()`` and ``embed_buffers()``: the same, sent as base64 and decoded to lists or arrays.
    - ``respond()``, ``list_files()``, ``logprobs()``: the number of output items, files and log probabilities.
    - ``socket_events(model)``: one response on an open websocket; the number of characters received.
      ``socket_appends()``: 1,000 pieces of audio sent and a commit; the number of pieces that the server counted.
      Sockets stay open for further calls.
    - ``agent_loop()``: 20 responses, each of which goes on with the one before; their number.

    Blocking clients (`ClientSpec.blocking`) have plain methods, and are made and used outside of any loop.
    """

    def close(self) -> Any: ...


class ClientError(Exception):
    """A hand-written client got a reply that is not a success."""


class UnsupportedError(Exception):
    """A client does not support an operation."""


@dataclass(frozen=True)
class ClientSpec:
    """The place of an adapter (``module:name`` inside this package) and its title in the report.

    `needs` is the wrapped class (``module:name``). It is imported with the adapter, so that making a client imports no
    module. `worker` is the module that is run as the measured process.
    """

    title: str
    target: str
    needs: str = ""
    blocking: bool = False
    worker: str = "benchmarks.worker"

    def load(self) -> Callable[[str], Client]:
        """Imports the adapter and returns its factory, which takes the base URL. Raises ImportError."""
        if self.needs:
            wrapped, _, attribute = self.needs.partition(":")
            getattr(importlib.import_module(wrapped), attribute)
        module, _, name = self.target.partition(":")
        factory: Callable[[str], Client] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return factory


def operation(client: Client, name: str) -> Callable[..., Any]:
    """Returns the method of `client` for `name`. Raises UnsupportedError."""
    method: Callable[..., Any] | None = getattr(client, name, None)
    if method is None:
        raise UnsupportedError(f"{type(client).__name__} has no {name}")
    return method


CLIENTS: Final[dict[str, ClientSpec]] = {
    "aiopenai": ClientSpec("aiopenai", "sdk:aiopenai", "aiopenai:AsyncOpenAI"),
    "tuned": ClientSpec("aiohttp + msgspec, tuned", "handwritten:Tuned"),
    "naive": ClientSpec("aiohttp + json, naive", "handwritten:Naive"),
    "openai": ClientSpec("openai, the reference", "sdk:reference", "openai:AsyncOpenAI"),
    "openai-aiohttp": ClientSpec("openai, aiohttp extra", "sdk:reference_on_aiohttp", "openai:DefaultAioHttpClient"),
    "liter-llm": ClientSpec("liter-llm", "liter:Liter", "liter_llm:create_client"),
    "oxide": ClientSpec("openai-oxide", "oxide:Oxide", "openai_oxide.compat:AsyncOpenAI"),
    "node": ClientSpec("openai for node", "", worker="benchmarks.node_worker"),
    "bare": ClientSpec("bare asyncio protocol", "bare:Bare"),
    "encode": ClientSpec("one msgspec encode", "bare:Encode"),
    "sent": ClientSpec("one msgspec encode, sent", "bare:EncodeAndSend"),
    "aiopenai-blocking": ClientSpec("aiopenai, blocking", "sdk:aiopenai_blocking", "aiopenai:OpenAI", blocking=True),
    "openai-blocking": ClientSpec("openai, blocking", "sdk:reference_blocking", "openai:OpenAI", blocking=True),
}
