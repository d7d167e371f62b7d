"""agentops."""

from __future__ import annotations

from agentops.instrumentation.providers.openai import OpenaiInstrumentor

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "agentops"
OpenaiInstrumentor().instrument(tracer_provider=_spans.provider())
TRACER = Tracer(_spans.spans, traces_helpers=False)
