"""The outcome of one request of a job."""

from __future__ import annotations

import pytest

from aiopenai import Request
from aiopenai._calls.request import Endpoint
from aiopenai._jobs.result import Result


def test_a_reply() -> None:
    result: Result[str] = Result(3, {"custom_id": "a"})
    result.reply, result.attempts = "text", 2
    assert result.ok
    assert result.unwrap() == "text"
    assert result.custom_id == "a"
    assert repr(result) == "<Result 3 ok, 2 attempts>"


def test_an_error() -> None:
    request: Request[str] = Request(endpoint=Endpoint(method="GET", path="/x"), path="/x")
    result = Result(0, request)
    result.error = LookupError("no")
    assert not result.ok
    assert result.custom_id is None
    assert repr(result) == "<Result 0 LookupError, 0 attempts>"
    with pytest.raises(LookupError, match="no"):
        result.unwrap()
