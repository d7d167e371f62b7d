"""The input of a job: requests or prompts."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.failures import FilesError, UsageError
from aiopenai._jobs.inputs import RequestFile, opened_source
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
        assert json.loads(first.line("/v1/chat/completions")) == line("a")

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


GOOD = [json.dumps(line(f"r-{number}")) for number in range(3)]
WHOLE = json.dumps(line("bad"))


class TestKinds:
    """A file in which any line looks like a request holds requests, and no line of it is sent as a prompt."""

    @pytest.mark.parametrize(
        "broken",
        [
            json.dumps({"url": "/v1/chat/completions", "body": line()["body"]}),
            json.dumps({"model": "m", "messages": []}),
            json.dumps({"custom_id": "x"}),
            WHOLE[:-1],
            WHOLE[: len(WHOLE) // 2],
            WHOLE[len(WHOLE) // 2 :],
            "{",
            "# requests of May",
            "custom_id,url,body",
            '"a string"',
            "null",
            "\x00\x00",
        ],
        ids=[
            "no-id",
            "body",
            "no-body",
            "torn",
            "half",
            "tail",
            "brace",
            "comment",
            "header",
            "string",
            "null",
            "zeros",
        ],
    )
    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_one_bad_line_is_one_bad_line(self, tmp_path: Path, broken: str, place: int) -> None:
        lines = [*GOOD[:place], broken, *GOOD[place:]]
        found = list(RequestFile(write(tmp_path / "in.jsonl", *lines), "gpt-4o"))
        assert [each.number for each in found if isinstance(each, BadLine)] == [place + 1]
        assert [each.custom_id for each in found if isinstance(each, RequestLine)] == ["r-0", "r-1", "r-2"]

    @pytest.mark.parametrize(
        "only",
        [
            WHOLE[:-1],
            WHOLE[:60],
            json.dumps({"model": "m", "messages": []}),
            json.dumps({"url": "/v1/embeddings", "body": {}}),
            json.dumps({"url": "/v1/embeddings", "method": "POST"}),
            json.dumps({"model": "m", "input": "x"}),
            json.dumps({"model": "m", "prompt": "x"}),
            json.dumps([line("a"), line("b")]),
            json.dumps([{"role": "user", "content": "x"}]),
            str(line("a")),
            WHOLE[1:],
            WHOLE[2:],
            "[" + WHOLE,
            WHOLE + ",",
        ],
        ids=[
            "torn",
            "half",
            "body",
            "no-id",
            "no-body",
            "flat",
            "flat-prompt",
            "array",
            "messages",
            "printed",
            "headless",
            "no-quote",
            "opened",
            "comma",
        ],
    )
    def test_a_file_of_one_broken_request(self, tmp_path: Path, only: str) -> None:
        (found,) = RequestFile(write(tmp_path / "in.jsonl", only), "gpt-4o")
        assert isinstance(found, BadLine)

    @pytest.mark.parametrize(
        "prompt",
        [
            '"Hello," she said.',
            '"Hello"',
            '"',
            '""quoted" twice"',
            '"open',
            '{"name": "Ada", "born": 1815}',
            "{{ template }}",
            "[1, 2, 3]",
            'What does "custom_id": mean?',
            "a\u2028b\x0bc\x85d",
            "\ufeffnot at the beginning of the file",
            "{}",
            "[]",
            "method: POST",
            "body: what is it?",
            "'quoted'",
        ],
    )
    def test_prompts(self, tmp_path: Path, prompt: str) -> None:
        path = write(tmp_path / "in.txt", "first", prompt, "last")
        found = list(RequestFile(path, "gpt-4o"))
        texts = [json.loads(each.content)["messages"][0]["content"] for each in found if isinstance(each, RequestLine)]
        assert texts == ["first", "Hello" if prompt == '"Hello"' else prompt, "last"]

    @pytest.mark.parametrize("indented", [[line("a"), line("b")], line("a"), ["a", "b"]], ids=["array", "one", "texts"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
    def test_json_over_several_lines(self, tmp_path: Path, indented: Any, end: str) -> None:
        path = tmp_path / "in.json"
        path.write_bytes(json.dumps(indented, indent=2).replace("\n", end).encode())
        found = list(RequestFile(path, "gpt-4o"))
        assert len(found) == json.dumps(indented, indent=2).count("\n") + 1
        assert not any(isinstance(each, RequestLine) for each in found)

    @pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_other_encodings(self, tmp_path: Path, code: str) -> None:
        path = tmp_path / "in.txt"
        path.write_bytes("first\nsecond\n".encode(code))
        if code in ("utf-16", "utf-32"):
            with pytest.raises(FilesError, match="UTF-8"):
                RequestFile(path, "gpt-4o")
            return
        found = list(RequestFile(path, "gpt-4o"))
        assert found
        assert all(isinstance(each, BadLine) and "UTF-8" in each.reason for each in found)

    def test_odd_lines_among_prompts(self, tmp_path: Path) -> None:
        path = tmp_path / "in.txt"
        lines = [b"\xef\xbb\xbfone", b"", b" \t ", b"two ", b"caf\xe9", b'""', "\u3000".encode(), b"x" * 3_000_000]
        path.write_bytes(b"\r\n".join(lines))
        found = list(RequestFile(path, "gpt-4o"))
        good = [each for each in found if isinstance(each, RequestLine)]
        texts = [json.loads(each.content)["messages"][0]["content"] for each in good]
        assert texts == ["one", "two", "x" * 3_000_000]
        assert [each.number for each in good] == [1, 4, 8]
        assert [each.number for each in found if isinstance(each, BadLine)] == [5, 6, 7]

    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b"\xef\xbb\xbf\r\n \n"])
    def test_nothing(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "in.txt"
        path.write_bytes(content)
        assert list(RequestFile(path, "gpt-4o")) == []

    @pytest.mark.parametrize("lines", [["One?"], ["One?", '"Two?"'], ['"Two?"'], ["", "One?"]])
    def test_prompts_without_a_model(self, tmp_path: Path, lines: list[str]) -> None:
        with pytest.raises(UsageError, match=r"in\.txt has prompts and no requests: --model"):
            RequestFile(write(tmp_path / "in.txt", *lines))

    def test_broken_objects_without_a_model(self, tmp_path: Path) -> None:
        found = list(RequestFile(write(tmp_path / "in.txt", "{", "text")))
        assert [type(each) for each in found] == [BadLine, BadLine]

    @pytest.mark.parametrize("where", ["content", "key", "custom_id"])
    def test_bytes_that_are_not_utf8(self, tmp_path: Path, where: str) -> None:
        raw = json.dumps(
            line("caf\u00e9", body={"model": "m", "caf\u00e9": "x", "input": "caf\u00e9"}), ensure_ascii=False
        )
        path = tmp_path / "in.jsonl"
        path.write_bytes(GOOD[0].encode() + b"\n" + raw.encode("latin-1") + b"\n" + GOOD[1].encode())
        found = list(RequestFile(path))
        assert [type(each) for each in found] == [RequestLine, BadLine, RequestLine]
        assert "utf-8" in str(found[1])

    def test_a_line_without_an_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiopenai._jobs.inputs.MAX_LINE_BYTES", 100)
        with pytest.raises(FilesError, match="line 2 is longer than 100 bytes"):
            RequestFile(write(tmp_path / "in.txt", "x", "y" * 200), "m")

    def test_ranges_of_lines(self, tmp_path: Path) -> None:
        lines = [json.dumps(line(f"r-{number}")) for number in range(1, 11)]
        lines[4] = "{"
        file = RequestFile(write(tmp_path / "in.jsonl", *lines))
        numbers = [each.number for each in file.lines_in([(2, 3), (5, 6), (9, 9)])]
        assert numbers == [2, 3, 6, 9]
        assert [each.number for each in file.lines_in([(10, 20)])] == [10]
        assert list(file.lines_in([])) == []


class TestSource:
    def test_a_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", "x")
        (tmp_path / "link").hardlink_to(path)
        with opened_source(path) as source:
            assert source.path == path
            assert source.is_same_file(tmp_path / "link")
            assert not source.is_same_file(tmp_path / "none")

    @pytest.mark.parametrize("name", ["none", "."])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match="is not a file"), opened_source(tmp_path / name):
            pass

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"One?\nTwo?\n")))
        with opened_source("-") as source:
            assert source.name == "standard input"
            assert source.path.read_bytes() == b"One?\nTwo?\n"
            assert not source.is_same_file(source.path)
        assert not source.path.exists()
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(UsageError, match="standard input is closed"), opened_source("-"):
            pass

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX files")
    def test_a_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        thread = threading.Thread(target=pipe.write_bytes, args=(b"x" * 3_000_000,))
        thread.start()
        with opened_source(pipe) as source:
            thread.join(30)
            assert source.name == str(pipe)
            assert source.path.stat().st_size == 3_000_000
            assert not source.is_same_file(pipe)
        assert not source.path.exists()

    def test_standard_input_of_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "in.jsonl", "x")
        with path.open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            with opened_source("-") as source:
                assert source.is_same_file(path)
            assert not stream.closed
