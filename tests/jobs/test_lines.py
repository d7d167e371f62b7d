"""The lines of requests and results."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aiopenai import BadRequestError
from aiopenai._jobs.lines import (
    failed_line,
    failure,
    finished_line,
    is_batch_line,
    prompt_line,
    request_line,
    valid_json,
    with_hash,
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


def request(custom_id: str = "a", url: str = "/v1/chat/completions", **body: Any) -> bytes:
    return json.dumps({"custom_id": custom_id, "url": url, "body": {"model": "m", **body}}).encode()


class TestHash:
    """The hash of a request is that of its content, and not of its form."""

    def key(self, raw: bytes, model: str | None = None) -> str:
        return request_line(raw, 1, model).key

    def test_same_content(self) -> None:
        first = self.key(request(messages=[{"role": "user", "content": "\u00e4"}], top_p=1))
        assert len(first) == 32
        body = b'{"top_p":1,  "messages":[{"content":"\xc3\xa4","role":"user"}],"model":"m"}'
        assert self.key(b'{"body": ' + body + b',"url":"/chat/completions","custom_id":"b"}') == first

    @pytest.mark.parametrize(
        "other",
        [
            request(x=2),
            request(x="1"),
            request(x=1, y=None),
            request(model="n", x=1),
            request(url="/v1/responses", x=1),
        ],
        ids=["value", "type", "field", "model", "endpoint"],
    )
    def test_another_content(self, other: bytes) -> None:
        assert self.key(request(x=1)) != self.key(other)

    def test_the_model_that_is_added(self) -> None:
        bare = b'{"custom_id": "a", "url": "/v1/chat/completions", "body": {"x": 1}}'
        assert self.key(bare, "m") == self.key(request(x=1))
        assert self.key(bare, "m") != self.key(bare, "n")

    def test_what_cannot_be_read(self) -> None:
        raw = b'{"custom_id": "a", "url": "/v1/x", "body": {"x": 1e999}}'
        assert self.key(raw) == self.key(raw)

    def test_is_in_the_result(self) -> None:
        for raw in (
            finished_line("a", 200, None, b"{}", "abc"),
            failed_line("a", ValueError("no"), "abc"),
            failure("a", "code", "message", "abc"),
            with_hash(b'{"id": "batch_req_1", "custom_id": "a", "response": {"x": 1.50}}', "abc"),
        ):
            assert json.loads(raw)["request_hash"] == "abc"
            assert raw.endswith(b"}\n")
        # Other parts of a line of the API stay as they are.
        assert b'"response":{"x": 1.50}' in with_hash(b'{"custom_id": "a", "response":{"x": 1.50}}', "abc")


class TestValidJson:
    @pytest.mark.parametrize(
        ("content", "value"),
        [
            (b'{"a": 1}', {"a": 1}),
            (b' {"a":\r\n 1}\n', {"a": 1}),
            (b'{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}),
            (b'{"a": "\\ud83d", "\\ude00": 1}', {"a": "\ufffd", "\ufffd": 1}),
            (b'{"a": "\\uD83D\\uDE00"}', {"a": "\U0001f600"}),
            (b'{"a": "\xe9"}', {"a": "\ufffd"}),
            (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
            (b'{"a": 1, "a": 2}', {"a": 2}),
        ],
    )
    def test_objects(self, content: bytes, value: Any) -> None:
        found = valid_json(content)
        assert b"\n" not in found
        assert json.loads(found.decode(), parse_constant=pytest.fail) == value

    def test_a_valid_object_stays_as_it_is(self) -> None:
        content = b'{"n": 1.50,  "big": 123456789012345678901234567890}'
        assert valid_json(content) == content

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"1", b"null", b'"x"', b"<html>", b'{"a":' * 10_000])
    def test_no_object(self, content: bytes) -> None:
        with pytest.raises(msgspec.DecodeError):
            valid_json(content)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"custom_id": 1}', True),
        (b'{"body": {}}', True),
        (b'{"messages": []}', True),
        (b'{"messages": [', True),
        (b'{"x": "custom_id"}', False),
        (b"{}", False),
        (b"{", True),
        (b"},", True),
        (b'"custom_id": 1', True),
        (b'custom_id": 1', True),
        (b"custom_id: 1", False),
        (b'"url": 1', True),
        (b'url": 1', False),
        (b"{'messages': []}", True),
        (b'[{"body": {}}]', True),
        (b'[{"x": {}}]', False),
        (b'{"url": 1, "method": 1}', True),
        (b'{"url": 1}', False),
        (b"[" * 10_000, False),
        (b'{"custom_id": "\xff"}', True),
    ],
)
def test_lines_that_look_like_requests(raw: bytes, found: bool) -> None:
    assert is_batch_line(raw) is found


def test_failures_without_text() -> None:
    deep = "[" * 990 + "]" * 990
    for text, body in (("<html>", "<html>"), ('{"a": "\\ud83d"}', {"a": "\ufffd"}), (f'{{"a": {deep}}}', None)):
        response: Any = SimpleNamespace(
            status_code=400, headers={}, text=text, request=None, json=lambda text=text: json.loads(text)
        )
        found = json.loads(failed_line("a", BadRequestError("no", response=response, body=None)))
        assert found["response"]["status_code"] == 400
        assert body is None or found["response"]["body"] == body


def test_a_prompt_needs_text() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        prompt_line(b"caf\xe9", 1, "a", "m")


class TestRequestLines:
    def test_parts(self) -> None:
        line = request_line(request(messages=[]), 7, "other")
        assert (line.custom_id, line.number, line.path) == ("a", 7, "/chat/completions")
        assert line.model == "m"
        assert json.loads(line.content) == {"model": "m", "messages": []}
        sent = json.loads(line.line("/v1/chat/completions"))
        assert sent == {
            "custom_id": "a",
            "url": "/v1/chat/completions",
            "body": json.loads(line.content),
            "method": "POST",
        }

    @pytest.mark.parametrize(("model", "found"), [("n", "n"), (None, None)])
    def test_a_body_without_a_model(self, model: str | None, found: str | None) -> None:
        line = request_line(b'{"custom_id": "a", "url": "/v1/x", "body": {"model": null, "b": 1}}', 1, model)
        assert line.model == found
        assert json.loads(line.content)["model"] == found

    def test_a_model_of_another_type(self) -> None:
        assert request_line(request(model=["m"]), 1, "n").model is None

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (request(""), "`custom_id` is empty"),
            (b'{"custom_id": "a", "url": "/v1/x", "body": {}, "method": "GET"}', "`method` must be POST, not 'GET'"),
            (b'{"custom_id": "a", "url": "/v1/x", "body": [1]}', "`body` must be an object"),
            (request(stream=True), "`stream` must be false"),
            (request(url="https://other.example/v1/x"), "`url` must be a path"),
            (b'{"custom_id": "a", "url": "/v1/x"}', "missing required field `body`"),
            (b'{"custom_id": "\xe9", "url": "/v1/x", "body": {}}', "utf-8"),
            (b'{"custom_id": "a", "url": "/v1/x", "body": {"b": "\xe9"}}', "utf-8"),
        ],
        ids=["id", "method", "body", "stream", "url", "missing", "utf8", "inside"],
    )
    def test_errors(self, raw: bytes, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            request_line(raw, 1, None)

    @pytest.mark.parametrize(("raw", "text"), [(b"x", "x"), (b'"x\\ny"', "x\ny"), (b'"x', '"x'), (b'"x" y', '"x" y')])
    def test_prompts(self, raw: bytes, text: str) -> None:
        line = prompt_line(raw, 1, "line-1", "m")
        assert json.loads(line.content) == {"model": "m", "messages": [{"role": "user", "content": text}]}
        assert (line.custom_id, line.path, line.model) == ("line-1", "/chat/completions", "m")


def test_a_reply_that_was_made_valid_before() -> None:
    line = finished_line("a", 200, None, msgspec.Raw(b'{"x":1}'))
    assert b'"body":{"x":1}' in line
    with pytest.raises(msgspec.DecodeError):
        finished_line("a", 200, None, b"[1]")
