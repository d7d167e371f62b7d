"""The SDKs. One adapter serves both, as aiopenai is a drop-in replacement: only the imported module differs."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import answers

_KEY = "sk-bench"


class Sdk:
    """The `AsyncOpenAI` of a module with default settings."""

    def __init__(self, client: Any) -> None:
        # Any: the benchmarks are type-checked where the reference is not installed.
        self._client: Any = client
        # Open websockets, each with its only iterator.
        self._sockets: list[tuple[Any, Any]] = []

    async def chat(self, model: str = answers.MODEL) -> str:
        reply = await self._client.chat.completions.create(
            model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE
        )
        text: str = reply.choices[0].message.content
        return text

    async def stream(self, model: str = answers.MODEL) -> int:
        characters = 0
        stream = await self._client.chat.completions.create(
            model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE, stream=True
        )
        async for chunk in stream:
            text = chunk.choices[0].delta.content
            if text:
                characters += len(text)
        return characters

    async def upload(self) -> str:
        reply = await self._client.chat.completions.create(model=answers.MODEL, messages=answers.images())
        text: str = reply.choices[0].message.content
        return text

    async def logprobs(self) -> int:
        reply = await self._client.chat.completions.create(model=answers.LONG, messages=answers.MESSAGES, logprobs=True)
        return len(reply.choices[0].logprobs.content)

    async def embed_floats(self) -> int:
        reply = await self._client.embeddings.create(
            model="text-embedding-3-small", input=answers.INPUTS, encoding_format="float"
        )
        return sum(len(item.embedding) for item in reply.data)

    async def embed_lists(self) -> int:
        reply = await self._client.embeddings.create(model="text-embedding-3-small", input=answers.INPUTS)
        return sum(len(item.embedding) for item in reply.data)

    async def embed_buffers(self) -> int:
        # The reference returns lists only.
        return await self.embed_lists()

    async def respond(self) -> int:
        reply = await self._client.responses.create(model=answers.MODEL, input="How are you today? " * 10)
        return len(reply.output)

    async def list_files(self) -> int:
        page = await self._client.files.list()
        return len(page.data)

    async def _socket(self) -> tuple[Any, Any]:
        if self._sockets:
            return self._sockets.pop()
        connection = await self._client.realtime.connect(model="gpt-realtime").enter()
        return connection, aiter(connection)

    async def socket_events(self, model: str = answers.MODEL) -> int:
        characters = 0
        connection, events = await self._socket()
        await connection.response.create(response={"metadata": {"model": model}})
        async for event in events:
            if event.type == "response.output_text.delta":
                characters += len(event.delta)
            elif event.type == "response.done":
                break
        self._sockets.append((connection, events))
        return characters

    async def socket_appends(self) -> int:
        connection, events = await self._socket()
        for _ in range(answers.APPENDS):
            await connection.input_audio_buffer.append(audio=answers.AUDIO)
        await connection.input_audio_buffer.commit()
        event = await anext(events)
        self._sockets.append((connection, events))
        return int(event.item_id)

    async def agent_loop(self) -> int:
        return await self._agent_loop(self._client.responses)

    @staticmethod
    async def _agent_loop(responses: Any) -> int:
        reply = await responses.create(model=answers.MODEL, input="Begin.")
        for _ in range(answers.AGENT_CALLS - 1):
            reply = await responses.create(model=answers.MODEL, input="Go on.", previous_response_id=reply.id)
        return answers.AGENT_CALLS if len(reply.output) == answers.OUTPUT_ITEMS else 0

    async def close(self) -> None:
        for connection, _ in self._sockets:
            await connection.close()
        await self._client.close()


class Subject(Sdk):
    """The adapter of aiopenai, which returns buffers too, and makes the calls of an agent over a websocket."""

    _pool: Any = None
    _pooled: Any = None

    async def embed_buffers(self) -> int:
        reply = await self._client.embeddings.create(model="text-embedding-3-small", input=answers.INPUTS)
        return sum(len(item.as_array()) for item in reply.data)

    async def agent_loop(self) -> int:
        if self._pool is None:
            self._pool = self._client.responses.pool(size=1)
            self._pooled = await self._pool.__aenter__()
        return await self._agent_loop(self._pooled)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.__aexit__(None, None, None)
        await super().close()


class BlockingSdk:
    """The `OpenAI` of a module with default settings."""

    def __init__(self, module: str, base_url: str) -> None:
        self._client: Any = importlib.import_module(module).OpenAI(api_key=_KEY, base_url=base_url)

    def chat(self, model: str = answers.MODEL) -> str:
        reply = self._client.chat.completions.create(
            model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE
        )
        text: str = reply.choices[0].message.content
        return text

    def stream(self, model: str = answers.MODEL) -> int:
        characters = 0
        for chunk in self._client.chat.completions.create(
            model=model, messages=answers.MESSAGES, temperature=answers.TEMPERATURE, stream=True
        ):
            text = chunk.choices[0].delta.content
            if text:
                characters += len(text)
        return characters

    def close(self) -> None:
        self._client.close()


def aiopenai(base_url: str) -> Sdk:
    """Returns the subject of the comparison."""
    return Subject(importlib.import_module("aiopenai").AsyncOpenAI(api_key=_KEY, base_url=base_url))


def reference(base_url: str) -> Sdk:
    """Returns the reference with its default HTTP client."""
    return Sdk(importlib.import_module("openai").AsyncOpenAI(api_key=_KEY, base_url=base_url))


def reference_on_aiohttp(base_url: str) -> Sdk:
    """Returns the reference with its aiohttp extra."""
    module = importlib.import_module("openai")
    return Sdk(module.AsyncOpenAI(api_key=_KEY, base_url=base_url, http_client=module.DefaultAioHttpClient()))


def aiopenai_blocking(base_url: str) -> BlockingSdk:
    """Returns the blocking client of the subject."""
    return BlockingSdk("aiopenai", base_url)


def reference_blocking(base_url: str) -> BlockingSdk:
    """Returns the blocking client of the reference."""
    return BlockingSdk("openai", base_url)
