"""The lines of requests and results."""

from __future__ import annotations

import json

from aiopenai._jobs.lines import (
    failed_line,
    finished_line,
)


def test_forms_of_lines() -> None:
    done = json.loads(finished_line("a", 200, "req_1", b'{"x": "\xc3\xa4"}'))
    assert done.pop("id").startswith("batch_req_")
    assert done == {
        "custom_id": "a",
        "response": {"status_code": 200, "request_id": "req_1", "body": {"x": "ä"}},
        "error": None,
    }
    failed = json.loads(failed_line("a", ValueError("no")))
    assert failed["response"] is None
    assert failed["error"] == {"code": "ValueError", "message": "no"}
