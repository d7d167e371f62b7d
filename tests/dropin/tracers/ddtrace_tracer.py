"""ddtrace (Datadog)."""

from __future__ import annotations

import os
from typing import Any

from tests.dropin.tracers._tracer import Tracer

os.environ.update(DD_INSTRUMENTATION_TELEMETRY_ENABLED="false", DD_TRACE_AGENT_URL="http://127.0.0.1:9")
import ddtrace
from ddtrace.trace import TraceFilter, tracer

NEEDS = "ddtrace"
_traces: list[Any] = []


class _Keep(TraceFilter):
    def process_trace(self, trace: Any) -> None:
        """Keeps the spans, and sends none."""
        _traces.extend(trace)


tracer.configure(trace_processors=[_Keep()])
ddtrace.patch(openai=True)

_RANDOM = ("runtime-id", "_dd.p.tid", "error.stack", "_dd.p.dm", "process_id", "language")


def _collect() -> Any:
    found = []
    for each in _traces:
        tags = {**each.get_tags(), **each.get_metrics()}
        kept = {k: v for k, v in sorted(tags.items()) if k not in _RANDOM and not k.startswith("_")}
        found.append([each.name, each.resource, each.service, each.error, kept])
    _traces.clear()
    return found


TRACER = Tracer(_collect)
