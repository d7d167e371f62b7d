"""The scenarios of all tracers: calls of both clients, each followed by the records that the tracer made of it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, OpenAI

from tests.dropin.samples import PARAMETERS, TOOL, City
from tests.dropin.tracers._tracer import Tracer

_CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello to all"}]}
_RESPONSE: dict[str, Any] = {"model": "gpt-4o-mini", "input": "hello to all"}
_FLAT_TOOL: Any = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
_USAGE = {"include_usage": True}


# Calls without a stream by name: the path of the method, and its arguments.
_PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat.completions.create", {**_CHAT, "temperature": 0.5, "max_tokens": 20, "user": "u", "seed": 3}),
    "chat with system": (
        "chat.completions.create",
        {**_CHAT, "messages": [{"role": "system", "content": "Be brief."}, *_CHAT["messages"]], "stop": ["x"]},
    ),
    "chat choices": ("chat.completions.create", {**_CHAT, "n": 2}),
    "chat tools": ("chat.completions.create", {**_CHAT, "tools": [TOOL]}),
    "chat parse": ("chat.completions.parse", {**_CHAT, "response_format": City}),
    "chat raw": ("chat.completions.with_raw_response.create", _CHAT),
    "responses": ("responses.create", {**_RESPONSE, "instructions": "Be brief.", "temperature": 0.5}),
    "responses tools": ("responses.create", {**_RESPONSE, "tools": [_FLAT_TOOL]}),
    "responses parse": ("responses.parse", {**_RESPONSE, "text_format": City}),
    "embeddings": ("embeddings.create", {"model": "text-embedding-3-small", "input": "hello", "dimensions": 8}),
    "embeddings of several": ("embeddings.create", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
    "completions": ("completions.create", {"model": "gpt-3.5-turbo-instruct", "prompt": "hello"}),
    "moderation": ("moderations.create", {"input": "hello"}),
    "models": ("models.list", {}),
}
_STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat stream": ("chat.completions.create", {**_CHAT, "stream": True}),
    "chat stream with usage": ("chat.completions.create", {**_CHAT, "stream": True, "stream_options": _USAGE}),
    "chat stream of tools": ("chat.completions.create", {**_CHAT, "stream": True, "tools": [TOOL]}),
    "responses stream": ("responses.create", {**_RESPONSE, "stream": True}),
    "completions stream": (
        "completions.create",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "hello", "stream": True},
    ),
}
_REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat refused": ("chat.completions.create", {**_CHAT, "temperature": 99}),
    "chat stream refused": ("chat.completions.create", {**_CHAT, "temperature": 99, "stream": True}),
    "responses refused": ("responses.create", {**_RESPONSE, "temperature": 99}),
    "embeddings refused": ("embeddings.create", {"model": "text-embedding-3-small", "input": []}),
}
_HELPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat helper": ("chat.completions.stream", _CHAT),
    "responses helper": ("responses.stream", _RESPONSE),
}


def _method(client: Any, path: str) -> Callable[..., Any]:
    for name in path.split("."):
        client = getattr(client, name)
    return client


def blocking(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(OpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _PLAIN.items():
        _method(client, path)(**given)
        found[name] = tracer.collect()
    return found


async def asynchronous(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _PLAIN.items():
        await _method(client, path)(**given)
        found[name] = tracer.collect()
    return found


def streams(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(OpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _STREAMS.items():
        chunks = list(_method(client, path)(**given))
        found[name] = [tracer.collect(), [type(each).__name__ for each in chunks], chunks]
    with client.chat.completions.create(**_CHAT, stream=True) as stream:
        next(iter(stream))
    # Some tracers end the span of a stream that was left when it is collected.
    del stream
    gc.collect()
    found["chat stream left"] = tracer.collect()
    for name, (path, given) in _HELPERS.items() if tracer.traces_helpers else ():
        with _method(client, path)(**given) as stream:
            events = [each.type for each in stream]
        found[name] = [tracer.collect(), events]
    return found


async def streams_async(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _STREAMS.items():
        chunks = [each async for each in await _method(client, path)(**given)]
        found[name] = [tracer.collect(), [type(each).__name__ for each in chunks], chunks]
    async with await client.chat.completions.create(**_CHAT, stream=True) as stream:
        async for _ in stream:
            break
    # Some tracers end the span of a stream that was left when it is collected.
    del stream
    gc.collect()
    for _ in range(10):
        await asyncio.sleep(0)
    records = tracer.collect()
    if tracer.traces_left_async_streams:
        found["chat stream left"] = records
    for name, (path, given) in _HELPERS.items() if tracer.traces_helpers else ():
        async with _method(client, path)(**given) as stream:
            events = [each.type async for each in stream]
        found[name] = [tracer.collect(), events]
    return found


def errors(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(OpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _REFUSED.items():
        with pytest.raises(APIError) as refused:
            _method(client, path)(**given)
        found[name] = [type(refused.value).__name__, refused.value.message, tracer.collect()]
    return found


async def errors_async(url: str, tracer: Tracer) -> Any:
    client, found = tracer.wrap(AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0)), {}
    for name, (path, given) in _REFUSED.items():
        with pytest.raises(APIError) as refused:
            await _method(client, path)(**given)
        found[name] = [type(refused.value).__name__, refused.value.message, tracer.collect()]
    return found
