"""lmnr (Laminar)."""

from __future__ import annotations

from lmnr.opentelemetry_lib.opentelemetry.instrumentation.openai import OpenAIInstrumentor

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "lmnr"
OpenAIInstrumentor().instrument(tracer_provider=_spans.provider())
TRACER = Tracer(_spans.spans)
