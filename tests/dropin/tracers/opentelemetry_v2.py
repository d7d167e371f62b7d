"""opentelemetry-instrumentation-openai-v2: spans, and the metric of tokens."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "opentelemetry.instrumentation.openai_v2"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
_reader = InMemoryMetricReader()
OpenAIInstrumentor().instrument(tracer_provider=_spans.provider(), meter_provider=MeterProvider([_reader]))


def _tokens() -> Any:
    data = _reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return [
        [
            metric.name,
            [[dict(point.attributes), point.count, getattr(point, "sum", 0)] for point in metric.data.data_points],
        ]
        for metric in metrics
        if "token" in metric.name
    ]


def _collect() -> Any:
    return [_spans.spans(), _tokens()]


TRACER = Tracer(_collect)
