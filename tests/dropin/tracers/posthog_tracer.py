"""posthog: its own subclasses of the clients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import openai
from posthog.ai.openai import AsyncOpenAI, OpenAI

from tests.dropin.tracers import _calls

NEEDS = "posthog.ai.openai"
_events: list[dict[str, Any]] = []


def _wrap(client: Any) -> Any:
    kind = AsyncOpenAI if isinstance(client, openai.AsyncOpenAI) else OpenAI
    receiver = SimpleNamespace(capture=lambda **given: _events.append(given), privacy_mode=False)
    return kind(posthog_client=receiver, base_url=str(client.base_url), api_key="sk-test", max_retries=0)


def _collect() -> Any:
    found = [
        [each["event"], {k: v for k, v in each["properties"].items() if "latency" not in k and "time" not in k}]
        for each in _events
    ]
    _events.clear()
    return found


def blocking(url: str) -> Any:
    return _calls.plain(url, _collect, _wrap)


async def asynchronous(url: str) -> Any:
    return await _calls.plain_async(url, _collect, _wrap)


def streams(url: str) -> Any:
    return _calls.streams(url, _collect, _wrap)


async def streams_async(url: str) -> Any:
    return await _calls.streams_async(url, _collect, _wrap)


def errors(url: str) -> Any:
    return _calls.errors(url, _collect, _wrap)


async def errors_async(url: str) -> Any:
    return await _calls.errors_async(url, _collect, _wrap)
