"""The state of a job in its files: the requests that are left after any end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs import state
from aiopenai._jobs.failures import FilesError, UsageError
from aiopenai._jobs.inputs import opened_source
from aiopenai._jobs.lines import failure, finished_line
from aiopenai._jobs.outputs import ResultStream
from aiopenai._jobs.state import JobFiles


def line(number: int, **body: Any) -> str:
    request = {"custom_id": f"r-{number}", "url": "/v1/chat/completions", "body": {"model": "m", **body}}
    return json.dumps(request) + "\n"


def opened(folder: Path, *lines: str, **options: Any) -> JobFiles:
    (folder / "in.jsonl").write_text("".join(lines))
    with opened_source(folder / "in.jsonl") as source:
        return JobFiles(source, folder / "out.jsonl", **options)


def left(job: JobFiles) -> list[str]:
    return [each.custom_id for each in job.pending()]


def finish(job: JobFiles, number: int) -> bool:
    line = next(each for each in job.input if getattr(each, "custom_id", "") == f"r-{number}")
    return job.finished(f"r-{number}", finished_line(f"r-{number}", 200, None, b"{}", getattr(line, "key", None)))


class TestWriting:
    def test_each_outcome_is_written_once(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1), line(2), line(3))
        assert finish(job, 1)
        assert not finish(job, 1)
        assert not job.broken("r-1", failure("r-1", "late", "x"))
        assert job.broken("r-2", failure("r-2", "first", "x"))
        assert not job.broken("r-2", failure("r-2", "second", "x"))
        assert not finish(job, 2)
        assert left(job) == ["r-3"]
        job.close()
        assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 1
        (failed,) = map(json.loads, (tmp_path / "out.errors.jsonl").read_text().splitlines())
        assert failed["error"]["code"] == "first"

    def test_an_outcome_of_an_earlier_run_is_not_written_again(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1), line(2))
        finish(job, 1)
        job.broken("r-2", failure("r-2", "x", "x"))
        job.close()
        again = opened(tmp_path, line(1), line(2))
        assert (again.done, again.failed, again.left) == (1, 1, 0)
        assert not finish(again, 1)
        assert not again.broken("r-2", failure("r-2", "x", "x"))
        again.close()
        assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 1

    @pytest.mark.parametrize("end", ["complete", "close", "sync"])
    def test_results_are_on_the_disk_at_the_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
    ) -> None:
        job = opened(tmp_path, line(1), line(2))
        synced: list[int] = []
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), real(fd)))
        finish(job, 1)
        job.broken("r-2", failure("r-2", "x", "x"))
        getattr(job, end)()
        assert {(tmp_path / name).stat().st_ino for name in ("out.jsonl", "out.errors.jsonl")} == set(synced)
        if end != "close":
            job.close()

    def test_complete_ends_a_retry_after_its_results_are_safe(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "out.errors.jsonl").write_bytes(failure("r-1", "x", "x"))
        job = opened(tmp_path, line(1), retry_failed=True)
        finish(job, 1)

        def fail(_: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(FilesError):
                job.complete()
        assert (tmp_path / "out.retrying.jsonl").exists()
        job.close()


class TestRetries:
    def failed(self, folder: Path) -> None:
        job = opened(folder, line(1), line(2), line(3))
        finish(job, 1)
        job.broken("r-2", failure("r-2", "x", "x"))
        job.close()

    def test_only_the_failures(self, tmp_path: Path) -> None:
        self.failed(tmp_path)
        job = opened(tmp_path, line(1), line(2), line(3), retry_failed=True)
        assert left(job) == ["r-2"]
        assert job.left == 1
        job.complete()
        job.close()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]

    def test_the_failures_are_counted(self, tmp_path: Path) -> None:
        lines = [line(number) for number in range(1, 9)]
        job = opened(tmp_path, *lines)
        finish(job, 1)
        for number in (2, 3, 4):
            job.broken(f"r-{number}", failure(f"r-{number}", "x", "x"))
        job.close()
        job = opened(tmp_path, *lines, retry_failed=True)
        assert (job.left, job.done, job.failed, job.total) == (3, 1, 0, 8)
        assert left(job) == ["r-2", "r-3", "r-4"]
        job.close()

    def test_a_retry_that_was_killed(self, tmp_path: Path) -> None:
        self.failed(tmp_path)
        opened(tmp_path, line(1), line(2), line(3), retry_failed=True).close()
        for options in ({"retry_failed": True}, {}):
            job = opened(tmp_path, line(1), line(2), line(3), **options)
            assert "r-2" in left(job)
            job.close()

    def test_nothing_has_failed(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1), retry_failed=True)
        assert left(job) == []
        job.close()


class TestChanges:
    def test_replaces_results_and_nothing_else(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1), line(2), line(3))
        for number in (1, 2, 3):
            finish(job, number)
        job.close()
        before = (tmp_path / "out.jsonl").read_bytes().splitlines()
        changed = [line(1), line(2, x=1), line(3)]
        with pytest.raises(UsageError, match="1 request has another content or model"):
            opened(tmp_path, *changed)
        assert (tmp_path / "out.jsonl").read_bytes().splitlines() == before
        job = opened(tmp_path, *changed, ask_changed=True)
        assert (job.done, job.left, left(job)) == (2, 1, ["r-2"])
        # The file is still locked, and written.
        with pytest.raises(FilesError, match="another job"):
            opened(tmp_path, *changed)
        assert finish(job, 2)
        job.close()
        after = (tmp_path / "out.jsonl").read_bytes().splitlines()
        assert after[:2] == [before[0], before[2]]
        assert json.loads(after[2])["custom_id"] == "r-2"

    def test_a_change_back(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1))
        finish(job, 1)
        job.close()
        with pytest.raises(UsageError):
            opened(tmp_path, line(1, x=1))
        job = opened(tmp_path, line(1))
        assert job.done == 1
        job.close()

    def test_a_disk_that_fails_meanwhile_loses_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        job = opened(tmp_path, line(1), line(2))
        finish(job, 1)
        finish(job, 2)
        job.close()
        before = (tmp_path / "out.jsonl").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(FilesError, match="No space left"):
                opened(tmp_path, line(1), line(2, x=1), ask_changed=True)
        assert (tmp_path / "out.jsonl").read_bytes() == before
        assert not (tmp_path / "out.new.jsonl").exists()

    def test_outcomes_of_others(self, tmp_path: Path) -> None:
        job = opened(tmp_path, line(1), line(2))
        finish(job, 1)
        finish(job, 2)
        job.close()
        said: list[str] = []
        opened(tmp_path, line(2), line(3), say=said.append).close()
        assert said == [
            f"{tmp_path / 'out.jsonl'} also has 1 result of requests that are not in {tmp_path / 'in.jsonl'}"
        ]


class TestBadLines:
    def test_are_counted_and_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(state, "SHOWN", 2)
        said: list[str] = []
        lines = [line(1), "{\n", line(1), line(2, stream=True)]
        with pytest.raises(UsageError, match=r"3 bad lines in .*; nothing was sent"):
            opened(tmp_path, *lines, say=said.append)
        assert [text.partition("in.jsonl ")[2].partition(":")[0] for text in said[:2]] == ["line 2", "line 3"]
        assert said[2:] == ["and 1 more bad lines"]
        job = opened(tmp_path, *lines, skip_bad=True)
        assert left(job) == ["r-1"]
        assert (job.total, job.bad, job.lines) == (1, 3, 4)
        job.close()

    def test_one(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="1 bad line in"):
            opened(tmp_path, "{\n")


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(line(1))
    with opened_source(tmp_path / "in.jsonl") as source, pytest.raises(UsageError, match="is a folder"):
        JobFiles(source, tmp_path)


class TestStreams:
    def test_are_closed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "in.jsonl").write_text(line(1))
        (tmp_path / "bad.jsonl").write_text(line(1) + line(1))
        closed: list[str] = []
        close = ResultStream.close
        monkeypatch.setattr(ResultStream, "close", lambda self: closed.append(self.name) or close(self))
        with opened_source(tmp_path / "in.jsonl") as source:
            job = JobFiles(source, Path("/dev/null"))
            assert closed == []
            job.close()
        assert closed == ["/dev/null"]
        with opened_source(tmp_path / "bad.jsonl") as source, pytest.raises(UsageError):
            JobFiles(source, Path("/dev/null"))
        assert closed == ["/dev/null"] * 2

    def test_have_no_state(self, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text(line(1) + line(2))
        with opened_source(tmp_path / "in.jsonl") as source:
            with pytest.raises(UsageError, match="--retry-failed needs an output file"):
                JobFiles(source, Path("/dev/null"), retry_failed=True)
            job = JobFiles(source, Path("/dev/null"))
            assert job.stream
            assert finish(job, 1)
            assert not finish(job, 1)
            assert job.broken("r-2", failure("r-2", "x", "x"))
            job.complete()
            job.close()
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


class TestCollisions:
    @pytest.mark.parametrize("kind", ["", ".errors", ".retrying", ".batches", ".new", ".errors.new"])
    def test_the_input(self, tmp_path: Path, kind: str) -> None:
        source_path = tmp_path / f"x{kind}.jsonl"
        source_path.write_text(line(1))
        with opened_source(source_path) as source, pytest.raises(UsageError, match="would be the input itself"):
            JobFiles(source, tmp_path / "x.jsonl", retry_failed=True)
        assert source_path.read_text() == line(1)
        assert list(tmp_path.iterdir()) == [source_path]

    def test_two_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text(line(1))
        (tmp_path / "out.jsonl").touch()
        (tmp_path / "out.errors.jsonl").hardlink_to(tmp_path / "out.jsonl")
        with opened_source(tmp_path / "in.jsonl") as source, pytest.raises(UsageError, match="are the same file"):
            JobFiles(source, tmp_path / "out.jsonl")


def test_a_failure_of_a_request_that_has_changed_is_dropped(tmp_path: Path) -> None:
    job = opened(tmp_path, line(1), line(2))
    for number in (1, 2):
        key = next(each.key for each in job.pending() if each.custom_id == f"r-{number}")
        job.broken(f"r-{number}", failure(f"r-{number}", "x", "x", key))
    job.close()
    again = opened(tmp_path, line(1), line(2, x=1))
    assert (again.failed, left(again)) == (1, ["r-2"])
    again.close()
    (failed,) = map(json.loads, (tmp_path / "out.errors.jsonl").read_text().splitlines())
    assert failed["custom_id"] == "r-1"
