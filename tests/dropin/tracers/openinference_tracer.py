"""openinference-instrumentation-openai."""

from __future__ import annotations

from openinference.instrumentation.openai import OpenAIInstrumentor

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "openinference.instrumentation.openai"
OpenAIInstrumentor().instrument(tracer_provider=_spans.provider())
TRACER = Tracer(_spans.spans)
