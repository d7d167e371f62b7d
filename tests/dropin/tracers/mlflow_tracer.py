"""mlflow-skinny: `mlflow.openai.autolog`, with traces in a folder of its own."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from tests.dropin.tracers._tracer import Tracer

_folder = tempfile.mkdtemp()
os.environ.update(
    MLFLOW_TRACKING_URI=f"file://{_folder}",
    MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="false",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_ALLOW_FILE_STORE="true",
)
import mlflow  # noqa: E402
import mlflow.openai  # noqa: E402

NEEDS = "mlflow"
_experiment = mlflow.set_experiment("t").experiment_id
mlflow.openai.autolog()
_DROPPED = ("mlflow.traceRequestId", "mlflow.spanInputs", "mlflow.spanOutputs")
_seen: set[str] = set()


def _given(values: Any) -> Any:
    """Returns arguments without those that the reference's stream helpers leave out by `omit`."""
    if not isinstance(values, dict):
        return values
    return {k: v for k, v in values.items() if v not in (None, "NOT_GIVEN") and "Omit object" not in str(v)}


def _collect() -> Any:
    found = []
    for info in sorted(
        mlflow.MlflowClient().search_traces(locations=[_experiment]), key=lambda each: each.info.timestamp_ms
    ):
        if info.info.trace_id in _seen:
            continue
        _seen.add(info.info.trace_id)
        for span in info.data.spans:
            attributes = {k: v for k, v in _given(span.attributes).items() if k not in _DROPPED}
            inputs = _given(span.inputs)
            events = [
                [each.name, each.attributes.get("exception.message")]
                for each in span.events
                if "chunk" not in each.name
            ]
            found.append([span.name, span.span_type, str(span.status), inputs, span.outputs, attributes, events])
    return found


TRACER = Tracer(_collect)
