"""The files of results: repairs, locks, a disk that fails."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs import outputs
from aiopenai._jobs.failures import FilesError, LockedError
from aiopenai._jobs.lines import finished_line
from aiopenai._jobs.outputs import ResultFile, ResultStream, beside, is_stream


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

    @pytest.mark.parametrize("name", ["write", "fsync", "close"])
    def test_takes_nothing_after_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        path = tmp_path / "out.jsonl"
        log = ResultFile(path)
        log.append(finished_line("a", 200, None, b"{}"))
        log.sync()
        before = path.read_bytes()
        real = getattr(os, name)

        def fail(fd: int, *rest: Any) -> Any:
            if name == "close":
                real(fd)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            if name == "close":
                with pytest.raises(FilesError, match="No space left"):
                    log.close()
                return

            def use() -> None:
                log.append(finished_line("b", 200, None, b"{}"))
                log.sync()

            with pytest.raises(FilesError, match="No space left"):
                use()
        for again in (lambda: log.append(b"{}"), log.sync):
            with pytest.raises(FilesError, match="No space left"):
                again()
        # The error was raised before: the end is silent.
        log.close()
        assert path.read_bytes().startswith(before)

    @pytest.mark.parametrize("written", [0, 1, 20])
    def test_a_line_that_was_written_in_part_is_taken_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
    ) -> None:
        path = tmp_path / "out.jsonl"
        log = ResultFile(path)
        log.append(finished_line("a", 200, None, b"{}"))
        before = path.read_bytes()
        real = os.write
        calls = 0

        def fail(fd: int, data: bytes) -> int:
            nonlocal calls
            calls += 1
            if calls == 1 and written:
                return real(fd, data[:written])
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            with pytest.raises(FilesError):
                log.append(finished_line("b", 200, None, b"{}"))
        log.close()
        assert path.read_bytes() == before

    def test_a_file_that_was_replaced_before_the_lock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(finished_line("old", 200, None, b"{}"))
        real = outputs._lock_file
        calls = 0

        def lock(fd: int, name: Path) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                new = tmp_path / "new"
                new.write_bytes(finished_line("new", 200, None, b"{}"))
                new.replace(path)
            real(fd, name)

        monkeypatch.setattr(outputs, "_lock_file", lock)
        log = ResultFile(path)
        assert ids(log) == ["new"]
        log.append(finished_line("more", 200, None, b"{}"))
        assert ids(log) == ["new", "more"]
        log.close()
        assert calls == 2

    def test_a_file_system_without_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fcntl = pytest.importorskip("fcntl")

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", fail)
        with pytest.raises(FilesError, match="it cannot be locked: No locks available"):
            ResultFile(tmp_path / "out.jsonl")

    def test_a_system_without_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        first, second = ResultFile(tmp_path / "out.jsonl"), ResultFile(tmp_path / "out.jsonl")
        first.close()
        second.close()

    @pytest.mark.parametrize("raw", [b"[1]", b'{"custom_id": 5}', b'{"x": "y"}'])
    def test_whole_lines_that_are_no_results(self, tmp_path: Path, raw: bytes) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(raw + b"\n")
        log = ResultFile(path)
        with pytest.raises(FilesError, match="line 1 is not a result"):
            ids(log)
        log.close()
        assert path.read_bytes() == raw + b"\n"


class TestStreams:
    def test_names(self, tmp_path: Path) -> None:
        for name in ("-", "/dev/stdout", "/dev/stderr", "/dev/fd/7", "/dev/null", "/proc/self/fd/1"):
            assert is_stream(Path(name))
        for path in (tmp_path, tmp_path / "none", Path("/dev/shm/none"), Path("./-x")):
            assert not is_stream(path)

    def test_writes(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        stream = ResultStream(tmp_path / "pipe")
        stream.append(b"one\n")
        stream.sync()
        stream.close()
        assert os.read(reader, 100) == b"one\n"
        os.close(reader)

    def test_errors(self) -> None:
        with pytest.raises(FilesError, match="/dev/fd/999: Bad file descriptor"):
            ResultStream(Path("/dev/fd/999"))
        stream = ResultStream(Path("/dev/full"))
        with pytest.raises(FilesError, match="/dev/full: No space left"):
            stream.append(b"x")
        stream.close()


def test_names_beside() -> None:
    assert beside(Path("a/out.jsonl"), "errors") == Path("a/out.errors.jsonl")
    assert beside(Path("out"), "errors") == Path("out.errors.jsonl")
    assert beside(Path("out.v1.txt"), "new") == Path("out.v1.new.txt")


class TestKeeping:
    @pytest.mark.skipif(os.name == "nt", reason="folders of POSIX")
    def test_the_new_name_is_brought_to_the_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[bool] = []
        monkeypatch.setattr(os, "fsync", lambda fd: synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)))
        log = ResultFile(tmp_path / "out.jsonl")
        log.append(finished_line("a", 200, None, b"{}"))
        synced.clear()
        log.keep(lambda _: True)
        # First the file, then the folder.
        assert synced == [False, True]
        log.close()

    def test_some_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        log = ResultFile(path)
        for name in "abc":
            log.append(finished_line(name, 200, None, b"{}"))
        # A file that an interrupted run left.
        write(tmp_path / "out.new.jsonl", {"custom_id": "left"})
        log.keep(lambda parts: parts.custom_id != "b")
        assert ids(log) == ["a", "c"]
        log.append(finished_line("d", 200, None, b"{}"))
        assert ids(log) == ["a", "c", "d"]
        if sys.platform != "win32":
            with pytest.raises(LockedError):
                ResultFile(path)
        log.close()
        assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]

    def test_a_disk_that_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "out.jsonl"
        log = ResultFile(path)
        log.append(finished_line("a", 200, None, b"{}"))
        before = path.read_bytes()

        def fail(*_: Any) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail)
            with pytest.raises(FilesError, match="Input/output error"):
                log.keep(lambda _: False)
        log.close()
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]


class TestForeignFiles:
    @pytest.mark.parametrize("content", [b"dear diary", b"a\nb", b"\xef\xbb\xbftext", b"[1", b'"x'])
    def test_a_last_line_of_something_else_stays(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(content)
        with pytest.raises(FilesError, match="its last line is not a result"):
            ResultFile(path)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\0\0\0", b"  ", b'{"custom_id": "a', b"{", b"\n"])
    def test_an_empty_or_torn_file_is_repaired(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "out.jsonl"
        path.write_bytes(content)
        log = ResultFile(path)
        assert ids(log) == []
        log.append(finished_line("a", 200, None, b"{}"))
        assert ids(log) == ["a"]
        log.close()

    def test_requests(self, tmp_path: Path) -> None:
        path = write(tmp_path / "out.jsonl", "", {"custom_id": "a", "url": "/v1/x", "body": {}})
        log = ResultFile(path)
        with pytest.raises(FilesError, match="line 2 is a request"):
            ids(log)
        log.abandon()
        log.abandon()
