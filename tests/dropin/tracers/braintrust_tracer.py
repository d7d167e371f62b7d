"""braintrust: `wrap_openai`, with a logger in memory."""

from __future__ import annotations

from typing import Any

import braintrust
from braintrust import logger
from braintrust.test_helpers import init_test_logger

from tests.dropin.tracers import _calls

NEEDS = "braintrust"
_memory = logger._internal_with_memory_background_logger().__enter__()
init_test_logger("p")
_KEPT = ("input", "output", "metadata", "span_attributes", "error", "tags")


def _wrap(client: Any) -> Any:
    return braintrust.wrap_openai(client)


def _collect() -> Any:
    found = []
    for each in _memory.pop():
        record = {key: each.get(key) for key in _KEPT}
        metrics = each.get("metrics") or {}
        record["metrics"] = {k: v for k, v in metrics.items() if k not in ("start", "end", "time_to_first_token")}
        # The error has a trace of the stack.
        record["error"] = str(record["error"] or "").partition("Traceback")[0]
        found.append(record)
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
