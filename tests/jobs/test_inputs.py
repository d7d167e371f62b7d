"""The input of a job: requests or prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.failures import FilesError, UsageError
from aiopenai._jobs.inputs import RequestFile
from aiopenai._jobs.lines import BadLine, RequestLine


def write(path: Path, *lines: Any) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def line(custom_id: str = "a", **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


class TestRequestFile:
    def test_batch_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line("a")).encode() + b"\r\n\n" + json.dumps(line("b")).encode())
        first, second = RequestFile(path)
        assert isinstance(first, RequestLine)
        assert isinstance(second, RequestLine)
        assert (first.custom_id, first.number, second.custom_id, second.number) == ("a", 1, "b", 3)
        assert json.loads(first.content) == line()["body"]
        assert first.path == "/chat/completions"
        assert json.loads(first.line()) == line("a")

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            ("{", "truncated"),
            ("[]", "Expected `object`"),
            ({"url": "/v1/x", "body": {}}, "custom_id"),
            (line(""), "empty"),
            (line(custom_id=3), "Expected `str`"),
            (line(method="GET"), "POST"),
            (line(url="https://elsewhere.example/v1"), "path"),
            (line(body=[]), "object"),
            (line(body={"stream": True}), "stream"),
        ],
    )
    def test_bad_lines(self, tmp_path: Path, bad: Any, reason: str) -> None:
        (found,) = RequestFile(write(tmp_path / "in.jsonl", bad))
        assert isinstance(found, BadLine)
        assert found.number == 1
        assert reason in found.reason

    def test_prompts(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.txt", "What is it?", "", json.dumps("two\nlines"), "3")
        found = list(RequestFile(path, "gpt-4o"))
        bodies = [json.loads(each.content) for each in found if isinstance(each, RequestLine)]
        assert [body["messages"][0]["content"] for body in bodies] == ["What is it?", "two\nlines", "3"]
        assert {body["model"] for body in bodies} == {"gpt-4o"}
        assert [each.custom_id for each in found if isinstance(each, RequestLine)] == ["line-1", "line-3", "line-4"]

    def test_prompts_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "in.txt"
        path.write_bytes(b"good\n\xff\xfe\n")
        assert [isinstance(each, RequestLine) for each in RequestFile(path, "m")] == [True, False]

    def test_a_model_for_lines_without(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", line(body={"messages": []}), line("b"))
        first, second = RequestFile(path, "other")
        assert isinstance(first, RequestLine)
        assert isinstance(second, RequestLine)
        assert json.loads(first.content) == {"model": "other", "messages": []}
        assert (first.model, second.model) == ("other", "m")

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FilesError, match="No such file"):
            list(RequestFile(tmp_path / "none"))

    @given(st.binary())
    def test_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        path = tmp_path_factory.getbasetemp() / "any"
        path.write_bytes(content)
        for model in (None, "m"):
            try:
                file = RequestFile(path, model)
            except UsageError:
                assert model is None
                continue
            for each in file:
                assert isinstance(each, (RequestLine, BadLine))
