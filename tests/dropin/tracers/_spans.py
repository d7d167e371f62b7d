"""Spans, metrics and log records of OpenTelemetry in memory, without what differs between two runs."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

_exporter = InMemorySpanExporter()
# Ids, times and traces of the stack.
_RANDOM = (
    "stacktrace",
    "duration",
    "time_to",
    "_time",
    "time_per",
    "latency",
    "thread.",
    "code.",
    "timestamp",
    "fingerprint",
    "elapsed",
    # Each run has a server of its own.
    "server.port",
)


def provider() -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(processor())
    return made


def processor() -> SimpleSpanProcessor:
    return SimpleSpanProcessor(_exporter)


def spans() -> Any:
    """Returns the spans that ended since the last call."""
    finished = sorted(_exporter.get_finished_spans(), key=lambda each: each.start_time or 0)
    names = {each.context.span_id: each.name for each in finished}
    _exporter.clear()
    return [
        {
            "name": each.name,
            "kind": each.kind.name,
            "status": [each.status.status_code.name, each.status.description],
            "parent": names.get(each.parent.span_id) if each.parent else None,
            "attributes": _kept(each.attributes),
            "events": [[event.name, _kept(event.attributes)] for event in each.events],
        }
        for each in finished
    ]


def _kept(attributes: Any) -> dict[str, Any]:
    # The reference passes its `omit` for each argument that a stream helper leaves out, which becomes None.
    given = {name: value for name, value in (attributes or {}).items() if value is not None}
    return {name: _parsed(value) for name, value in sorted(given.items()) if not any(word in name for word in _RANDOM)}


def _parsed(value: Any) -> Any:
    """Returns JSON in strings as values: its order says nothing."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
