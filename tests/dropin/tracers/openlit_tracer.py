"""openlit."""

from __future__ import annotations

from openlit._config import OpenlitConfig
from openlit.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "openlit"
# It takes the program's provider, and no other.
trace.set_tracer_provider(_spans.provider())
OpenlitConfig.reset_to_defaults()
OpenAIInstrumentor().instrument(
    environment="tests", application_name="tests", pricing_info={}, capture_message_content=True, disable_metrics=True
)
TRACER = Tracer(_spans.spans)
