"""langfuse: the replacement of the import, whose spans are OpenTelemetry's."""

from __future__ import annotations

from typing import Any

from langfuse import Langfuse
from opentelemetry.sdk.trace import TracerProvider

from tests.dropin.tracers import _spans

NEEDS = "langfuse"
_provider = TracerProvider()
_client = Langfuse(
    public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", tracer_provider=_provider, flush_interval=3600
)
_provider.add_span_processor(_spans.processor())

import langfuse.openai  # noqa: E402, F401 - it patches the classes

from tests.dropin.tracers import _calls  # noqa: E402

_collect, _wrap = _spans.spans, _calls.same


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
