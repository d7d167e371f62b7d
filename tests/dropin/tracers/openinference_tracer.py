"""openinference-instrumentation-openai."""

from __future__ import annotations

from typing import Any

from openinference.instrumentation.openai import OpenAIInstrumentor

from tests.dropin.tracers import _calls, _spans

NEEDS = "openinference.instrumentation.openai"
OpenAIInstrumentor().instrument(tracer_provider=_spans.provider())
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
