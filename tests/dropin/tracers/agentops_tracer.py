"""agentops."""

from __future__ import annotations

from typing import Any

from agentops.instrumentation.providers.openai import OpenaiInstrumentor

from tests.dropin.tracers import _calls, _spans

NEEDS = "agentops"
# It cannot take the arguments that the reference's stream helpers pass, so these are left out below.
OpenaiInstrumentor().instrument(tracer_provider=_spans.provider())
_collect, _wrap = _spans.spans, _calls.same


def blocking(url: str) -> Any:
    return _calls.plain(url, _collect, _wrap)


async def asynchronous(url: str) -> Any:
    return await _calls.plain_async(url, _collect, _wrap)


def streams(url: str) -> Any:
    return _calls.streams(url, _collect, _wrap, helpers=False)


async def streams_async(url: str) -> Any:
    return await _calls.streams_async(url, _collect, _wrap, helpers=False)


def errors(url: str) -> Any:
    return _calls.errors(url, _collect, _wrap)


async def errors_async(url: str) -> Any:
    return await _calls.errors_async(url, _collect, _wrap)
