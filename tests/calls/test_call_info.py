"""The facts of a call that hooks may see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai._calls.call_info import CallInfo, has_field, read_field
from aiopenai._calls.request import Endpoint, Request
from aiopenai.types import CompletionUsage


def info(body: Any = None, path: str = "/threads/thread_1/runs") -> CallInfo:
    endpoint = Endpoint(method="POST", path="/threads/{thread_id}/runs")
    return CallInfo(Request(endpoint=endpoint, path=path, body=body), "http://h")


def test_parameters_but_no_content() -> None:
    call = info(
        {"model": "m", "temperature": 0.5, "messages": ["secret"], "stop": ["a"], "response_format": {"type": "text"}}
    )
    assert call.model == "m"
    assert call.parameters == {"temperature": 0.5, "stop": ["a"]}
    assert (call.path, call.template) == ("/threads/thread_1/runs", "/threads/{thread_id}/runs")
    assert "secret" not in f"{call!r}{vars(call)}"


@pytest.mark.parametrize("body", [None, b"bytes", [1], {"model": 7}])
def test_other_bodies(body: Any) -> None:
    call = info(body)
    assert call.model is None
    assert call.parameters == {}


def test_no_credentials_of_urls() -> None:
    call = info(path="http://user:sesame@h/x?api-key=sesame")
    assert call.path == "http://h/x"


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (None, None)),
        ({"prompt_tokens": 1, "completion_tokens": 2}, (1, 2)),
        ({"input_tokens": 3, "output_tokens": 4}, (3, 4)),
        ({"input_tokens": "3"}, (None, None)),
        (CompletionUsage(prompt_tokens=5, completion_tokens=6, total_tokens=11), (5, 6)),
    ],
    ids=range(5),
)
def test_tokens(usage: Any, tokens: tuple[int | None, int | None]) -> None:
    call = info()
    call.usage = usage
    assert (call.input_tokens, call.output_tokens) == tokens


def test_fields() -> None:
    usage = CompletionUsage(prompt_tokens=5, completion_tokens=6, total_tokens=11)
    assert has_field(usage, "prompt_tokens")
    assert not has_field(usage, "other")
    assert not has_field({"a": 1}, "a")
    assert read_field(usage, "prompt_tokens") == 5
    assert read_field({"a": 1}, "a") == 1
    assert read_field({"a": 1}, "b") is None
    assert read_field(SimpleNamespace(a=1), "a") is None
