"""The journal of a job's batches."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs.failures import FilesError
from aiopenai._jobs.idset import IdSet
from aiopenai._jobs.journal import BatchJournal, line_key
from aiopenai._jobs.lines import request_line


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return path


class TestJournal:
    def test_of_an_earlier_release(self, tmp_path: Path) -> None:
        """Parts without keys are known by their line numbers."""
        path = write(tmp_path / "j.jsonl", {"custom_id": "p", "lines": [[2, 2]]}, {"custom_id": "p", "batch": "b"})
        journal = BatchJournal(path)
        assert journal.parts["p"].batch == "b"
        assert journal.parts["p"].size == 1
        assert journal.parts["p"].key_list() == []
        journal.over("p")
        journal.close()
        assert not path.exists()

    @pytest.mark.parametrize("content", ["dear diary\n", '{"custom_id": 1}\n', "[]\n"])
    def test_a_file_of_something_else(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "j.jsonl"
        path.write_text(content)
        with pytest.raises(FilesError, match="line 1 is not an entry of a journal"):
            BatchJournal(path)
        assert path.read_text() == content

    def test_blank_lines(self, tmp_path: Path) -> None:
        path = write(tmp_path / "j.jsonl", "", {"custom_id": "p", "lines": [[2, 2]]}, "")
        journal = BatchJournal(path)
        assert set(journal.parts) == {"p"}
        journal.close()
        assert path.exists()

    def test_a_part_from_its_beginning_to_its_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "j.jsonl"
        synced: list[int] = []
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
        journal = BatchJournal(path)
        assert not path.exists()
        line = request_line(b'{"custom_id": "a", "url": "/v1/x", "body": {}}', 3, None)
        journal.begin("p", [(3, 3)], [line_key(line)])
        journal.begin("q", [(4, 6)], ["0" * 16] * 3)
        journal.made("p", "batch_1")
        journal.made("none", "batch_2")
        # Each entry is on the disk before the next request.
        assert len(synced) == 4
        journal.close()
        again = BatchJournal(path)
        assert again.parts["p"].batch == "batch_1"
        assert again.parts["p"].key_list() == [line_key(line)]
        assert again.parts["q"].size == 3
        again.over("p")
        again.over("q")
        again.over("none")
        again.close()
        again.close()
        assert not path.exists()

    def test_a_torn_entry_is_cut_off(self, tmp_path: Path) -> None:
        path = write(tmp_path / "j.jsonl", {"custom_id": "p", "lines": [[2, 2]]})
        with path.open("a") as file:
            file.write('{"custom_id": "p", "ba')
        journal = BatchJournal(path)
        assert journal.parts["p"].batch is None
        journal.close()


def test_keys() -> None:
    one = request_line(b'{"custom_id": "a", "url": "/v1/x", "body": {"b": 1, "c": 2}}', 3, None)
    same = request_line(b'{"body": {"c": 2, "b": 1}, "custom_id": "a", "url": "/x"}', 9, None)
    assert line_key(one) == line_key(same)
    for other in (
        b'{"custom_id": "b", "url": "/x", "body": {"b": 1, "c": 2}}',
        b'{"custom_id": "a", "url": "/x", "body": {}}',
    ):
        assert line_key(request_line(other, 3, None)) != line_key(one)
    assert len(IdSet([line_key(one), line_key(same)])) == 1
