"""langsmith: `wrap_openai`, with a client that keeps the runs."""

from __future__ import annotations

import os
from typing import Any

from langsmith import Client
from langsmith.wrappers import wrap_openai

from tests.dropin.tracers._tracer import Tracer

NEEDS = "langsmith"
os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_API_KEY="k", LANGSMITH_ENDPOINT="http://127.0.0.1:9")
_runs: dict[str, dict[str, Any]] = {}
_KEPT = ("name", "run_type", "inputs", "outputs", "error", "tags")


class _Client(Client):
    def create_run(self, name: str, inputs: Any, run_type: Any, **given: Any) -> None:
        _runs[str(given["id"])] = {"name": name, "inputs": inputs, "run_type": run_type, **given}

    def update_run(self, run_id: Any, *_: Any, **given: Any) -> None:
        _runs[str(run_id)].update({key: value for key, value in given.items() if value is not None})


_client = _Client(api_key="k", api_url="http://127.0.0.1:9", auto_batch_tracing=False, info={})


def _wrap(client: Any) -> Any:
    return wrap_openai(client, tracing_extra={"client": _client})


def _collect() -> Any:
    found = [
        {key: run.get(key) for key in _KEPT} | {"metadata": (run.get("extra") or {}).get("metadata")}
        for run in _runs.values()
    ]
    _runs.clear()
    for run in found:
        # Options that the reference does not have: langsmith records the defaults of all parameters.
        for name in ("retry", "idempotency_key", "resume"):
            run["inputs"].pop(name, None)
        # The error has a trace of the stack.
        run["error"] = (run["error"] or "").partition("Traceback")[0]
    return found


TRACER = Tracer(_collect, _wrap)
