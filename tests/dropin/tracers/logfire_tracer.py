"""logfire."""

from __future__ import annotations

import logfire

from tests.dropin.tracers import _spans
from tests.dropin.tracers._tracer import Tracer

NEEDS = "logfire"
logfire.configure(
    send_to_logfire=False, console=False, inspect_arguments=False, additional_span_processors=[_spans.processor()]
)
logfire.instrument_openai()
TRACER = Tracer(_spans.spans, traces_left_async_streams=False)
