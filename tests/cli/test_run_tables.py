"""`aiopenai run` from CSV files to Parquet files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiopenai.testing import Server

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A CSV file in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("custom_id,text\na,one\nb,two\n", encoding="utf-8")
    return "in.csv"


def test_a_table_of_results_and_failures(local: Server, command: Command, source: str) -> None:
    arrow = pytest.importorskip("pyarrow.parquet")
    local.fault(status=400, times=None, match=lambda request: b"two" in request.body)
    ask = ("run", source, "--template", "Say {text}", "--model", "m", "-o", "out.parquet", "--max-retries", "0")
    code, out, err = command(*ask)
    assert code == 1, err
    assert "1 x BadRequestError 400" in out
    assert "out.parquet is a table of 2 results and failures; the lines are in out.jsonl" in out
    rows = {row["custom_id"]: row for row in arrow.read_table("out.parquet").to_pylist()}
    assert (rows["a"]["ok"], rows["a"]["text"]) == (True, "All flows.")
    assert (rows["b"]["ok"], rows["b"]["status_code"]) == (False, 400)
    local.clear_faults()
    code, out, err = command(*ask, "--retry-failed")
    assert code == 0, err
    assert all(row["ok"] for row in arrow.read_table("out.parquet").to_pylist())
    assert local.request_count == 3


def test_a_job_that_stops_makes_no_table(local: Server, command: Command, source: str) -> None:
    pytest.importorskip("pyarrow.parquet")
    local.fault(status=401, times=None)
    code, _, err = command("run", source, "--template", "{text}", "--model", "m", "-o", "out.parquet")
    assert code == 1
    assert "check the API key" in err
    assert not Path("out.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "-", "--out-format", "parquet"], "needs an output file, not a stream"),
        (["-o", "out.jsonl", "--out-format", "parquet"], "use .parquet"),
        (["-o", ".", "--out-format", "parquet"], "is a folder"),
        (["-o", "in.csv", "--out-format", "parquet"], "would be the input itself"),
        (["-o", "notes.parquet"], "notes.parquet is no Parquet file; choose another output file"),
        (["-o", "out.parquet"], "pip install 'aiopenai[parquet]'"),
    ],
    ids=["stream", "lines", "folder", "input", "other-file", "no-pyarrow"],
)
def test_usage(
    arguments: list[str],
    words: str,
    local: Server,
    command: Command,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    Path("notes.parquet").write_text("{}\n", encoding="utf-8")
    code, _, err = command("run", source, "--template", "{text}", "--model", "m", *arguments)
    assert code == 2
    assert words in err
    assert local.request_count == 0


def test_lines_in_a_file_of_any_name(local: Server, command: Command, source: str) -> None:
    path = Path("out.parquet")
    ask = ("run", source, "--template", "{text}", "--model", "m", "-o", str(path), "--out-format", "jsonl")
    assert command(*ask)[0] == 0
    assert [json.loads(line)["custom_id"] for line in path.read_text().splitlines()] == ["a", "b"]
