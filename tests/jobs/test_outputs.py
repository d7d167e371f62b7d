"""The files of results: repairs, locks, a disk that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs.failures import FilesError
from aiopenai._jobs.lines import finished_line
from aiopenai._jobs.outputs import ResultFile


def write(path: Path, *lines: Any) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def ids(log: ResultFile) -> list[str]:
    return [parts.custom_id for parts, _ in log.lines()]


class TestResultFile:
    def test_repairs_every_kind_of_tear(self, tmp_path: Path) -> None:
        whole = finished_line("a", 200, "r", b'{"x": 1}') + finished_line("b", 200, None, b'{\n"y":\r\n 2}')
        path = tmp_path / "out.jsonl"
        first = whole.index(b"\n") + 1
        near = {*range(first - 3, first + 4), *range(len(whole) - 3, len(whole) + 1)}
        for cut in sorted({*range(0, len(whole), 9), *near}):
            path.write_bytes(whole[:cut])
            log = ResultFile(path)
            found = ids(log)
            log.append(finished_line("c", 200, None, b"{}"))
            log.close()
            # Whole but for its line break is whole.
            expected = (["a"] if cut >= first - 1 else []) + (["b"] if cut >= len(whole) - 1 else [])
            assert found == expected
            lines = path.read_bytes().splitlines()
            assert [json.loads(each)["custom_id"] for each in lines] == [*expected, "c"]

    def test_a_long_torn_line(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(finished_line("a", 200, None, b"{}") + b'{"custom_id": "' + b"x" * 200_000)
        log = ResultFile(path)
        assert ids(log) == ["a"]
        log.close()
        assert path.read_bytes().endswith(b"}\n")

    def test_what_is_no_result(self, tmp_path: Path) -> None:
        path = write(tmp_path / "out.jsonl", "dear diary", {"custom_id": "a"})
        log = ResultFile(path)
        with pytest.raises(FilesError, match="line 1 is not a result"):
            ids(log)
        log.close()

    def test_one_at_a_time(self, tmp_path: Path) -> None:
        pytest.importorskip("fcntl")
        log = ResultFile(tmp_path / "out.jsonl")
        with pytest.raises(FilesError, match="another job"):
            ResultFile(tmp_path / "out.jsonl")
        log.close()
        ResultFile(tmp_path / "out.jsonl").close()

    def test_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(FilesError):
            ResultFile(tmp_path)
