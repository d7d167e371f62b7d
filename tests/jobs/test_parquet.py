"""Tables of results: one row for each outcome, whatever the server said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import BadRequestError, OpenAI
from aiopenai._jobs import parquet
from aiopenai._jobs.failures import FilesError, UsageError
from aiopenai._jobs.lines import failed_line, failure, finished_line
from aiopenai.testing import Server

CHAT = {
    "choices": [{"message": {"role": "assistant", "content": "In the sea."}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3},
}
RESPONSE = {
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2},
}


def finished(body: Any) -> dict[str, Any]:
    return parquet._row(finished_line("r-1", 200, "req_1", json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("body", "text", "tokens"),
    [
        (CHAT, "In the sea.", (5, 3)),
        (RESPONSE, "ab", (1, 2)),
        ({"choices": [{"text": "old"}]}, "old", (None, None)),
        ({"choices": [{"message": {"content": None}}]}, None, (None, None)),
        ({"choices": [None]}, None, (None, None)),
        ({"choices": [{"message": {"content": [1]}}]}, None, (None, None)),
        ({"output": []}, None, (None, None)),
        ({"output": [{"content": [{"type": "refusal"}]}]}, None, (None, None)),
        ({"data": [{"embedding": [0.5]}]}, None, (None, None)),
    ],
    ids=["chat", "response", "completion", "null", "odd-choice", "odd-content", "no-output", "refusal", "embedding"],
)
def test_rows_of_replies(body: Any, text: str | None, tokens: tuple[int | None, int | None]) -> None:
    row = finished(body)
    assert list(row) == list(parquet.COLUMNS)
    assert (row["custom_id"], row["ok"], row["status_code"], row["request_id"]) == ("r-1", True, 200, "req_1")
    assert (row["text"], (row["input_tokens"], row["output_tokens"])) == (text, tokens)
    assert json.loads(row["reply"]) == body


def test_rows_of_failures() -> None:
    row = parquet._row(failure("r-2", "APITimeoutError", "too slow"))
    assert (row["ok"], row["error_code"], row["error"], row["reply"]) == (False, "APITimeoutError", "too slow", None)
    with Server() as server, OpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        server.fault(status=400)
        with pytest.raises(BadRequestError) as caught:
            client.models.retrieve("gpt-4o")
    row = parquet._row(failed_line("r-3", caught.value))
    assert (row["ok"], row["status_code"], row["error_code"]) == (False, 400, "invalid_request_error")
    assert row["error"]


@pytest.mark.parametrize(
    "body", ["proxy down", {"error": "no"}, {"error": None}, [1]], ids=["text", "string", "null", "list"]
)
def test_odd_failures(body: Any) -> None:
    raw = {"custom_id": "r-4", "response": {"status_code": 502, "request_id": None, "body": body}}
    row = parquet._row(json.dumps(raw).encode())
    assert (row["ok"], row["status_code"]) == (False, 502)
    assert json.loads(row["reply"]) == body


def test_pyarrow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'aiopenai\[parquet\]'"):
        parquet.loaded_arrow()


@pytest.mark.parametrize(
    ("content", "taken"),
    [(None, True), (b"", True), (b"PAR1...", True), (b"PAR", False), (b"{}", False)],
    ids=["none", "empty", "table", "short", "lines"],
)
def test_a_table_replaces_a_table_only(content: bytes | None, taken: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    if content is not None:
        path.write_bytes(content)
    assert parquet.takes_table(path) is taken
    with pytest.raises(FilesError, match="directory"):
        parquet.takes_table(tmp_path)


class PlayedArrow:
    """The part of pyarrow that writes tables, for environments without it: the file has a line for each group."""

    def __init__(self) -> None:
        self.parquet = self
        self.Table = self

    def __getattr__(self, kind: str) -> Any:
        return lambda: kind

    def schema(self, fields: list[tuple[str, str]]) -> dict[str, str]:
        return dict(fields)

    def from_pylist(self, rows: list[dict[str, Any]], schema: dict[str, str]) -> list[dict[str, Any]]:
        assert all([*row] == [*schema] for row in rows)
        return rows

    @contextmanager
    def ParquetWriter(self, path: Path, schema: dict[str, str]) -> Iterator[Any]:
        assert (schema["ok"], schema["text"], schema["status_code"]) == ("bool_", "string", "int64")
        with path.open("w") as file:
            yield SimpleNamespace(write_table=lambda rows: file.write(json.dumps(rows) + "\n"))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    arrow = PlayedArrow()
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", arrow)  # type: ignore[arg-type]


LINES = [finished_line(f"r-{each}", 200, None, json.dumps(CHAT).encode()) for each in range(5)]


@pytest.mark.parametrize(
    ("bound", "value", "groups"),
    [
        ("_ROWS", 2, [2, 2, 1]),
        ("_ROWS", 5, [5]),
        ("_BYTES", 1, [1] * 5),
        ("_BYTES", len(LINES[0]) - 1, [1] * 5),
        ("_BYTES", len(LINES[0]), [2, 2, 1]),
    ],
)
def test_groups_of_rows(
    bound: str, value: int, groups: list[int], played: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, bound, value)
    log, path = tmp_path / "out.jsonl", tmp_path / "out.parquet"
    log.write_bytes(b"\n \n".join([b"", *(line.rstrip() for line in LINES), b""]))
    path.write_bytes(b"old")
    assert parquet.write_table(path, [tmp_path / "none.jsonl", log]) == 5
    written = [json.loads(each) for each in path.read_text().splitlines()]
    assert [len(rows) for rows in written] == groups
    assert [row["custom_id"] for rows in written for row in rows] == [f"r-{each}" for each in range(5)]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.parquet"]


@pytest.mark.parametrize("line", [b"{}", b"no json", b'{"custom_id": "\xff"}'], ids=["empty", "text", "bytes"])
def test_a_line_that_is_no_result_leaves_the_old_table(line: bytes, played: None, tmp_path: Path) -> None:
    log, path = tmp_path / "out.jsonl", tmp_path / "out.parquet"
    log.write_bytes(LINES[0] + line)
    path.write_bytes(b"old")
    with pytest.raises(FilesError, match=r"out.jsonl: a line is not a result"):
        parquet.write_table(path, [log])
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.parquet"]


def outcome(status: int, body: Any, error: Any = None) -> dict[str, Any]:
    reply = {"status_code": status, "request_id": "req_1", "body": body}
    return parquet._row(json.dumps({"custom_id": "r", "response": reply, "error": error}).encode())


@pytest.mark.parametrize(
    ("status", "error", "ok"),
    [(200, None, True), (299, None, True), (300, None, False), (199, None, False), (200, {"code": "c"}, False)],
)
def test_results_have_a_good_status_and_no_error(status: int, error: Any, ok: bool) -> None:
    row = outcome(status, CHAT, error)
    assert (row["ok"], row["text"]) == (ok, "In the sea." if ok else None)
    assert (row["input_tokens"], row["output_tokens"]) == (5, 3)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "c", "type": "t", "message": "m"}}, "c", "m"),
        ({"error": {"code": None, "type": "t", "message": None}}, "t", None),
        ({"error": {"code": 7, "message": 8}}, "7", "8"),
        ({"error": {}}, None, None),
        ({"error": "no"}, None, "no"),
        ({"message": "other"}, None, None),
        ("proxy down", None, "proxy down"),
        ([1], None, "[1]"),
        (None, None, None),
    ],
    ids=["code", "type", "numbers", "empty", "word", "none", "text", "list", "null"],
)
def test_errors_of_replies(body: Any, code: str | None, message: str | None) -> None:
    row = outcome(500, body)
    assert (row["error_code"], row["error"]) == (code, message)


class TestFiles:
    @pytest.fixture(autouse=True)
    def _arrow(self) -> None:
        pytest.importorskip("pyarrow")

    @pytest.mark.parametrize(("bound", "value", "groups"), [("_ROWS", 2, 3), ("_BYTES", 1, 5)])
    def test_several_groups_of_rows(
        self, bound: str, value: int, groups: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyarrow.parquet  # type: ignore[import-not-found,unused-ignore]

        monkeypatch.setattr(parquet, bound, value)
        log = tmp_path / "out.jsonl"
        lines = [finished_line(f"r-{each}", 200, None, json.dumps(CHAT).encode()) for each in range(5)]
        log.write_bytes(b"\n".join(lines))
        path = tmp_path / "out.parquet"
        path.write_bytes(b"old")
        assert parquet.write_table(path, [log, tmp_path / "out.errors.jsonl"]) == 5
        assert pyarrow.parquet.read_metadata(path).num_row_groups == groups
        rows = pyarrow.parquet.read_table(path).to_pylist()
        assert [row["custom_id"] for row in rows] == [f"r-{each}" for each in range(5)]
        assert rows[0]["text"] == "In the sea."
        assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.parquet"]

    def test_an_old_table_stays_after_a_failure(self, tmp_path: Path) -> None:
        log, path = tmp_path / "out.jsonl", tmp_path / "out.parquet"
        log.write_bytes(b"{}\n")
        path.write_bytes(b"old")
        with pytest.raises(FilesError, match="a line is not a result"):
            parquet.write_table(path, [log])
        assert path.read_bytes() == b"old"
        assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl", "out.parquet"]
        with pytest.raises(FilesError, match="nowhere"):
            parquet.write_table(tmp_path / "nowhere" / "out.parquet", [])
