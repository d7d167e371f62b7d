"""langfuse: the replacement of the import, whose spans are OpenTelemetry's."""

from __future__ import annotations

from langfuse import Langfuse
from opentelemetry.sdk.trace import TracerProvider

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "langfuse"
_provider = TracerProvider()
_client = Langfuse(
    public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", tracer_provider=_provider, flush_interval=3600
)
_provider.add_span_processor(_spans.processor())

import langfuse.openai  # noqa: E402, F401 - it patches the classes

TRACER = Tracer(_spans.spans)
