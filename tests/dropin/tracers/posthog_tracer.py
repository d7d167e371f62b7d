"""posthog: its own subclasses of the clients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import openai
from posthog.ai.openai import AsyncOpenAI, OpenAI

from tests.dropin.tracers._tracer import Tracer

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


TRACER = Tracer(_collect, _wrap)
