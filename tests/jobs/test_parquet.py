"""Tables of results: one row for each outcome, whatever the server said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
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
