"""The partitions of a distributed job: their lines and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs import partitions
from aiopenai._jobs.failures import FilesError, LockedError
from aiopenai._jobs.lines import failure, finished_line
from aiopenai._jobs.outputs import ResultFile
from aiopenai._jobs.partitions import Partition, PartitionLine, partition_lines, rows_of


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"custom_id": f"r-{number}", "url": "/v1/x", "body": {"model": "m"}, **more}


def opened(folder: Path, *items: Any, model: str | None = None, retry_failed: bool = False) -> Partition:
    partition = Partition(folder, partition_lines(items, model), model)
    partition.open(retry_failed)
    return partition


class Column(list[Any]):
    def tolist(self) -> list[Any]:
        return list(self)


class TestRows:
    def test_columns(self) -> None:
        table = {"a": Column([1, None]), "b": [{"c": None, "d": Column([2.5])}, ("x", True)]}
        assert rows_of(table) == [{"a": 1, "b": {"d": [2.5]}}, {"b": ["x", True]}]

    def test_arrow(self) -> None:
        class Table:
            def to_pylist(self) -> list[dict[str, Any]]:
                return [{"text": "x", "more": None}, {"bytes": b"a\nb", "path": "p"}]

        assert rows_of(Table()) == [{"text": "x"}, b"a", b"b"]

    def test_values_that_json_does_not_have(self) -> None:
        with pytest.raises(TypeError, match="a line cannot hold a object: read the lines as text"):
            rows_of({"a": [object()]})


class TestLines:
    def test_texts(self) -> None:
        assert partition_lines(["x ", b"y", "", " \n"], "m") == [PartitionLine(b"x", True), PartitionLine(b"y", True)]
        assert partition_lines(["x"], None) == [PartitionLine(b"x", False)]
        assert [each.prompt for each in partition_lines(["x", json.dumps(line(1))], "m")] == [False, False]
        assert partition_lines([{"text": "x"}, "\ufeffy"], "m") == [
            PartitionLine(b"x", True),
            PartitionLine(b"y", True),
        ]

    def test_objects(self) -> None:
        first, second, third = partition_lines(
            [{**line(1), "other": 1}, {"prompt": "x"}, {"prompt": "y", "custom_id": 7}], "m"
        )
        assert json.loads(first.raw) == line(1)
        assert second == PartitionLine(b'"x"', True)
        assert json.loads(third.raw)["custom_id"] == "7"
        assert not third.prompt

    @pytest.mark.parametrize(
        ("item", "model", "error"),
        [
            (3, "m", TypeError),
            (None, "m", TypeError),
            ({"prompt": "x"}, None, ValueError),
            ({"prompt": 3}, "m", TypeError),
        ],
        ids=["number", "none", "model", "prompt"],
    )
    def test_others(self, item: Any, model: str | None, error: type[Exception]) -> None:
        with pytest.raises(error):
            partition_lines([item], model)


class TestPartition:
    def test_name_is_that_of_the_content(self, tmp_path: Path) -> None:
        names = {
            Partition(tmp_path, partition_lines(items, model), model).key
            for items, model in (([line(1)], None), ([line(1)], "m"), ([line(2)], None), (["x"], "m"), ([], None))
        }
        assert len(names) == 5
        assert Partition(tmp_path, partition_lines([line(1)], None), None).key in names

    def test_outcomes(self, tmp_path: Path) -> None:
        items = [line(1), line(2), "{", line(1), line(3)]
        partition = opened(tmp_path, *items)
        assert [each.custom_id for each in partition.pending()] == ["r-1", "r-2", "r-3"]
        assert (partition.left, partition.failed) == (3, 2)
        assert partition.finished("r-1", finished_line("r-1", 200, None, b"{}"))
        assert not partition.finished("r-1", finished_line("r-1", 200, None, b"{}"))
        assert not partition.broken("r-1", failure("r-1", "x", "x"))
        assert partition.broken("r-2", failure("r-2", "x", "x"))
        partition.sync()
        partition.close()
        again = opened(tmp_path, *items)
        assert (again.left, again.failed) == (1, 3)
        again.finished("r-3", finished_line("r-3", 200, None, b"{}"))
        names = [custom_id for custom_id, _ in again.in_order()]
        assert names == ["r-1", "r-2", f"{again.key}-3", f"{again.key}-4", "r-3"]
        again.close()
        retry = opened(tmp_path, *items, retry_failed=True)
        assert [each.custom_id for each in retry.pending()] == ["r-2"]
        retry.close()

    def test_lines_of_others_in_its_files(self, tmp_path: Path) -> None:
        partition = opened(tmp_path, line(1))
        partition.close()
        path = tmp_path / f"{partition.key}.jsonl"
        path.write_bytes(finished_line("other", 200, None, b"{}"))
        again = opened(tmp_path, line(1))
        assert again.left == 1
        again.close()

    def test_without_failures_there_is_no_file_of_them(self, tmp_path: Path) -> None:
        partition = opened(tmp_path, line(1))
        assert len(list(tmp_path.iterdir())) == 2
        partition.close()
        assert [path.suffixes for path in tmp_path.iterdir()] == [[".jsonl"]]
        failed = opened(tmp_path, "{")
        failed.close()
        assert len(list(tmp_path.glob("*.errors.jsonl"))) == 1

    def test_nothing(self, tmp_path: Path) -> None:
        partition = opened(tmp_path / "none")
        partition.close()
        assert partition.in_order() == []
        assert not (tmp_path / "none").exists()

    def test_waits_for_another_worker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("fcntl")
        monkeypatch.setattr(partitions, "LOCK_LOOK_SECONDS", 0.0)
        first = opened(tmp_path, line(1))
        monkeypatch.setattr(partitions, "LOCK_SECONDS", 0.0)
        with pytest.raises(LockedError):
            opened(tmp_path, line(1))
        monkeypatch.setattr(partitions, "LOCK_SECONDS", 30.0)
        monkeypatch.setattr("time.sleep", lambda _: first.close())
        opened(tmp_path, line(1)).close()

    def test_a_file_of_something_else_stays(self, tmp_path: Path) -> None:
        partition = opened(tmp_path, line(1))
        partition.close()
        path = tmp_path / f"{partition.key}.jsonl"
        path.write_text("dear diary\n")
        with pytest.raises(FilesError, match="line 1 is not a result"):
            opened(tmp_path, line(1))
        assert path.read_text() == "dear diary\n"
        # It is not locked any more.
        ResultFile(path).close()
