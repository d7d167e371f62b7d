"""The items of a job as requests."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import Request
from aiopenai._calls.request import Endpoint
from aiopenai._jobs import items
from aiopenai._jobs.items import endpoint_of, facts_of, request_of
from aiopenai.types.chat import ChatCompletion


class TestEndpoints:
    def test_known_and_unknown(self) -> None:
        known = endpoint_of("POST", "/v1/chat/completions")
        assert known.reply is ChatCompletion
        assert known.path == "/chat/completions"
        assert endpoint_of("POST", "/chat/completions") is known
        for method, url in (("POST", "/v1/rerank"), ("GET", "/v1/chat/completions")):
            assert endpoint_of(method, url).reply is object

    def test_each_of_the_batch_api(self) -> None:
        for path in items._REPLIES:
            assert isinstance(endpoint_of("POST", f"/v1{path}").reply, type)

    def test_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(items, "_MAX_ENDPOINTS", 0)
        assert endpoint_of("POST", "/v1/never/kept") is not endpoint_of("POST", "/v1/never/kept")

    @pytest.mark.parametrize(
        "url", ["", "x", "https://other.example/v1/x", "//other.example/x", "/v1", "/v1x", "/v1//x"]
    )
    def test_no_path(self, url: str) -> None:
        with pytest.raises(ValueError, match="`url` must be a path"):
            endpoint_of("POST", url)


class TestFacts:
    @pytest.mark.parametrize(
        ("body", "model", "stream", "most"),
        [
            ({"model": "m", "stream": True, "max_tokens": 5}, "m", True, 5),
            (b'{"model": "m", "max_output_tokens": 6}', "m", None, 6),
            ({"max_completion_tokens": 7, "max_tokens": 5}, None, None, 7),
            ({"max_tokens": "many"}, None, None, None),
            ({"max_tokens": -1}, None, None, None),
            (b"[1]", None, None, None),
            (b"\xff", None, None, None),
            (b"[" * 5_000, None, None, None),
            (None, None, None, None),
            ("text", None, None, None),
        ],
        ids=range(10),
    )
    def test_of(self, body: Any, model: Any, stream: Any, most: int | None) -> None:
        facts = facts_of(body)
        assert (facts.model, facts.stream, facts.most) == (model, stream, most)


class TestRequests:
    def test_of_a_request(self) -> None:
        request: Request[Any] = Request(endpoint=Endpoint(method="GET", path="/x"), path="/x")
        assert request_of(request) is request

    def test_of_a_line(self) -> None:
        request = request_of({"url": "/v1/x", "body": {"a": 1}})
        assert (request.method, request.path, request.body) == ("POST", "/x", {"a": 1})

    @pytest.mark.parametrize(
        ("item", "error"),
        [(3, TypeError), ("line", TypeError), ({}, ValueError), ({"url": "/x", "method": None}, ValueError)],
        ids=["number", "text", "empty", "method"],
    )
    def test_of_anything_else(self, item: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            request_of(item)
