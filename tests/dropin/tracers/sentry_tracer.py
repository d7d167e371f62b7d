"""sentry-sdk."""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.openai import OpenAIIntegration
from sentry_sdk.transport import Transport

from tests.dropin.tracers._tracer import Tracer

NEEDS = "sentry_sdk"


class _Nowhere(Transport):
    def capture_envelope(self, envelope: Any) -> None:
        """Drops the event."""


sentry_sdk.init(
    dsn="http://k@127.0.0.1:9/1",
    transport=_Nowhere,
    traces_sample_rate=1.0,
    send_default_pii=True,
    default_integrations=False,
    auto_enabling_integrations=False,
    integrations=[OpenAIIntegration(include_prompts=True)],
)
_transaction = sentry_sdk.start_transaction(name="t")
_transaction.__enter__()
_RANDOM = ("span_id", "trace_id", "parent_span_id", "start_timestamp", "timestamp", "same_process_as_parent")


def _collect() -> Any:
    spans = _transaction._span_recorder.spans
    found = [
        {k: v for k, v in each.to_json().items() if k not in _RANDOM} for each in spans if each is not _transaction
    ]
    del spans[1:]
    for each in found:
        each["data"] = {k: v for k, v in each.get("data", {}).items() if "thread" not in k and "time_to" not in k}
    return found


TRACER = Tracer(_collect)
