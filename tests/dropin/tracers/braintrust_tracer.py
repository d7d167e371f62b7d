"""braintrust: `wrap_openai`, with a logger in memory."""

from __future__ import annotations

from typing import Any

import braintrust
from braintrust import logger
from braintrust.test_helpers import init_test_logger

from tests.dropin.tracers._tracer import Tracer

NEEDS = "braintrust"
_memory = logger._internal_with_memory_background_logger().__enter__()
init_test_logger("p")
_KEPT = ("input", "output", "metadata", "span_attributes", "error", "tags")


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


TRACER = Tracer(_collect, braintrust.wrap_openai)
