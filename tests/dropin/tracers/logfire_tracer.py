"""logfire."""

from __future__ import annotations

from typing import Any

import logfire

from tests.dropin.tracers import _calls, _spans

NEEDS = "logfire"
logfire.configure(
    send_to_logfire=False, console=False, inspect_arguments=False, additional_span_processors=[_spans.processor()]
)
logfire.instrument_openai()
_collect, _wrap = _spans.spans, _calls.same


def blocking(url: str) -> Any:
    return _calls.plain(url, _collect, _wrap)


async def asynchronous(url: str) -> Any:
    return await _calls.plain_async(url, _collect, _wrap)


def streams(url: str) -> Any:
    return _calls.streams(url, _collect, _wrap)


async def streams_async(url: str) -> Any:
    # With the reference the span of a stream that was left is written when the loop ends.
    return await _calls.streams_async(url, _collect, _wrap, left=False)


def errors(url: str) -> Any:
    return _calls.errors(url, _collect, _wrap)


async def errors_async(url: str) -> Any:
    return await _calls.errors_async(url, _collect, _wrap)
