"""The files of a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.lines import Asked, BadLine, FilesError, Ids, Input, Log, failed_line, finished_line


def write(path: Path, *lines: Any) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def line(custom_id: str = "a", **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


class TestIds:
    @given(st.lists(st.text()))
    def test_is_a_set(self, keys: list[str]) -> None:
        ids, plain = Ids(), set[str]()
        for key in keys:
            assert ids.add(key) is (key not in plain)
            plain.add(key)
        assert len(ids) == len(plain)
        assert all(key in ids for key in plain)

    def test_grows(self) -> None:
        ids = Ids(map(str, range(5_000)))
        assert len(ids) == 5_000
        assert all(str(number) in ids for number in range(5_000))
        assert not any(str(number) in ids for number in range(5_000, 10_000))


class TestInput:
    def test_batch_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line("a")).encode() + b"\r\n\n" + json.dumps(line("b")).encode())
        first, second = Input(path)
        assert isinstance(first, Asked)
        assert isinstance(second, Asked)
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
        (found,) = Input(write(tmp_path / "in.jsonl", bad))
        assert isinstance(found, BadLine)
        assert found.number == 1
        assert reason in found.reason

    def test_prompts(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.txt", "What is it?", "", json.dumps("two\nlines"), "3")
        found = list(Input(path, "gpt-4o"))
        bodies = [json.loads(each.content) for each in found if isinstance(each, Asked)]
        assert [body["messages"][0]["content"] for body in bodies] == ["What is it?", "two\nlines", "3"]
        assert {body["model"] for body in bodies} == {"gpt-4o"}
        assert [each.custom_id for each in found if isinstance(each, Asked)] == ["line-1", "line-3", "line-4"]

    def test_prompts_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "in.txt"
        path.write_bytes(b'good\n\xff\xfe\n"open\n')
        assert [isinstance(each, Asked) for each in Input(path, "m")] == [True, False, False]

    def test_a_model_for_lines_without(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", line(body={"messages": []}), line("b"))
        first, second = Input(path, "other")
        assert isinstance(first, Asked)
        assert isinstance(second, Asked)
        assert json.loads(first.content) == {"model": "other", "messages": []}
        assert (first.model, second.model) == ("other", "m")

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FilesError, match="No such file"):
            list(Input(tmp_path / "none"))

    @given(st.binary())
    def test_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
        path = tmp_path_factory.getbasetemp() / "any"
        path.write_bytes(content)
        for model in (None, "m"):
            for each in Input(path, model):
                assert isinstance(each, (Asked, BadLine))


class TestLog:
    def test_repairs_every_kind_of_tear(self, tmp_path: Path) -> None:
        whole = finished_line("a", 200, "r", b'{"x": 1}') + finished_line("b", 200, None, b'{\n"y":\r\n 2}')
        path = tmp_path / "out.jsonl"
        first = whole.index(b"\n") + 1
        near = {*range(first - 3, first + 4), *range(len(whole) - 3, len(whole) + 1)}
        for cut in sorted({*range(0, len(whole), 9), *near}):
            path.write_bytes(whole[:cut])
            log = Log(path)
            ids = list(log.ids())
            log.append(finished_line("c", 200, None, b"{}"))
            log.close()
            # Whole but for its line break is whole.
            expected = (["a"] if cut >= first - 1 else []) + (["b"] if cut >= len(whole) - 1 else [])
            assert ids == expected
            lines = path.read_bytes().splitlines()
            assert [json.loads(each)["custom_id"] for each in lines] == [*expected, "c"]

    def test_a_long_torn_line(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(finished_line("a", 200, None, b"{}") + b'{"custom_id": "' + b"x" * 200_000)
        log = Log(path)
        assert list(log.ids()) == ["a"]
        log.close()
        assert path.read_bytes().endswith(b"}\n")

    def test_what_is_no_result(self, tmp_path: Path) -> None:
        path = write(tmp_path / "out.jsonl", "dear diary", {"custom_id": "a"})
        log = Log(path)
        with pytest.raises(FilesError, match="line 1 is not a result"):
            list(log.ids())
        log.close()

    def test_one_at_a_time(self, tmp_path: Path) -> None:
        pytest.importorskip("fcntl")
        log = Log(tmp_path / "out.jsonl")
        with pytest.raises(FilesError, match="another job"):
            Log(tmp_path / "out.jsonl")
        log.close()
        Log(tmp_path / "out.jsonl").close()

    def test_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(FilesError):
            Log(tmp_path)


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
