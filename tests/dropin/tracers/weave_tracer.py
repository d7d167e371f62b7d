"""weave, with a client that keeps its calls and a server that takes everything."""

from __future__ import annotations

import json
import os
from typing import Any
from unittest.mock import MagicMock

os.environ.update(WEAVE_CLIENT_PARALLELISM="0", WEAVE_PRINT_CALL_LINK="false", WEAVE_ENABLE_WAL="false")
from weave.integrations.openai.openai_sdk import get_openai_patcher
from weave.trace.context import weave_client_context
from weave.trace.weave_client import WeaveClient

from tests.dropin.tracers._tracer import Tracer

NEEDS = "weave"
_calls: list[Any] = []
# Options that the reference does not have, or that its stream helpers leave out by `omit`.
_DROPPED = ("self", "retry", "idempotency_key", "resume", "_weave_stream_start_time")


class _Client(WeaveClient):
    def finish_call(self, call: Any, *given: Any, **options: Any) -> None:
        super().finish_call(call, *given, **options)
        _calls.append(call)


def _given(inputs: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in inputs.items()
        if name not in _DROPPED and value is not None and str(value) != "NOT_GIVEN" and "Omit object" not in str(value)
    }


def _output(value: Any) -> Any:
    """Returns the output of a call without its times."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name != "time_to_first_token"}


def _error(text: str | None) -> Any:
    """Returns the type and the message of an error, without the trace of the stack."""
    found = json.loads(text) if text else {}
    return [found.get("type"), found.get("message")]


def _kept(summary: Any) -> Any:
    """Returns the summary of a call without its times."""
    weave = {name: value for name, value in summary.get("weave", {}).items() if "latency" not in name}
    return {**summary, "weave": weave}


def _collect() -> Any:
    _client.flush()
    found = [
        {
            "name": str(call.func_name),
            "display_name": str(call.display_name),
            "inputs": _given(call.inputs),
            "output": _output(call.output),
            "exception": _error(call.exception),
            "summary": _kept(call.summary),
            "attributes": call.attributes,
        }
        for call in _calls
    ]
    _calls.clear()
    return found


_server = MagicMock()
for _method in (_server.obj_create, _server.file_create, _server.table_create, _server.table_create_from_digests):
    _method.return_value.digest = "digest"
_client = _Client("entity", "project", _server, ensure_project_exists=False)
weave_client_context.set_weave_client_global(_client)
get_openai_patcher().attempt_patch()
TRACER = Tracer(_collect)
