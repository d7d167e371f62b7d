"""The files that a job writes: results and failures, each line whole and at once, by one process at a time."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from aiopenai._jobs.failures import FilesError, LockedError, disk_errors
from aiopenai._jobs.lines import BOM, ResultLine, result_line

__all__ = ["ResultFile", "ResultLog", "ResultStream", "beside", "is_stream"]

_TAIL_BYTES = 65_536
_STANDARD = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)")


class ResultLog(Protocol):
    """A place for result lines."""

    def append(self, line: bytes) -> None:
        """Writes a line."""
        ...

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        ...

    def close(self) -> None:
        """Syncs, and lets others write."""
        ...


def beside(path: Path, kind: str) -> Path:
    """Returns `results.errors.jsonl` beside `results.jsonl`."""
    return path.with_name(f"{path.stem}.{kind}{path.suffix or '.jsonl'}")


def is_stream(path: Path) -> bool:
    """Returns whether a path is written as a stream: standard output (`-`), a pipe, a terminal or a device."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _descriptor(path: Path) -> int | None:
    """Returns the number of the open file that a path stands for, such as 1 for `-` and `/dev/stdout`."""
    if (number := _STANDARD.get(str(path))) is not None:
        return number
    found = _DESCRIPTOR.fullmatch(str(path))
    return None if found is None else int(found[1])


class ResultStream:
    """Results that go to standard output, a pipe or a device: nothing of it can be read again or synced."""

    def __init__(self, path: Path) -> None:
        self.name = "standard output" if str(path) == "-" else str(path)
        number = _descriptor(path)
        with disk_errors(self.name):
            # A file that is opened anew would be written from its beginning.
            self._fd = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0)) if number is None else os.dup(number)

    def append(self, line: bytes) -> None:
        """Writes a line. Raises FilesError."""
        with disk_errors(self.name):
            while line:
                line = line[os.write(self._fd, line) :]

    def sync(self) -> None:
        """Does nothing: each line is written at once."""

    def close(self) -> None:
        """Closes the stream."""
        with disk_errors(self.name):
            os.close(self._fd)


class ResultFile:
    """A file of result lines, written at its end only and locked for one process at a time.

    Each line goes to the system whole and at once, so that the end of this process loses none. `sync` brings the lines
    to the disk. A torn last line is repaired when the file is opened: it is kept if only its line break is missing, and
    cut off otherwise. After the first error of the disk the file takes no more lines.

    Raises FilesError for a file that holds anything else, and LockedError if another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dirty = False
        self._broken: FilesError | None = None
        self._fd = _open_locked(path)
        try:
            with disk_errors(path):
                self._repair()
        except BaseException:
            os.close(self._fd)
            raise

    def _repair(self) -> None:
        end = size = os.fstat(self._fd).st_size
        tail = b""
        while end and b"\n" not in tail:
            begin = max(0, end - _TAIL_BYTES)
            os.lseek(self._fd, begin, os.SEEK_SET)
            tail = os.read(self._fd, end - begin) + tail
            end = begin
        first = 0 if end else len(BOM) * tail.startswith(BOM)
        last = tail[max(tail.rfind(b"\n") + 1, first) :]
        if not last:
            return
        try:
            result_line(last)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # A power cut leaves zeros. Anything else that is not the beginning of an object is not ours.
            torn = last.strip(b"\0 \t\r")
            if torn and not torn.startswith(b"{"):
                raise FilesError(f"{self.path}: its last line is not a result; choose another output file") from None
            os.ftruncate(self._fd, size - len(last))
        else:
            self.append(b"\n")

    def lines(self) -> Iterator[tuple[ResultLine, bytes]]:
        """Yields each line that is not blank, after its parts. Raises FilesError for a line that is no result."""
        with disk_errors(self.path), self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line = raw.removeprefix(BOM) if number == 1 else raw
                if not line.strip():
                    continue
                try:
                    parts = result_line(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise FilesError(
                        f"{self.path}: line {number} is not a result ({error}); choose another output file"
                    ) from error
                if parts.url is not None:
                    raise FilesError(f"{self.path}: line {number} is a request; choose another output file")
                yield parts, line

    def keep(self, wanted: Callable[[ResultLine], bool]) -> None:
        """Removes all lines that are not wanted. The old file stays until the new one is on the disk."""
        path = beside(self.path, "new")
        with disk_errors(path):
            path.unlink(missing_ok=True)
        new = ResultFile(path)
        try:
            for parts, line in self.lines():
                if wanted(parts):
                    new.append(line.rstrip() + b"\n")
            new.sync()
            with disk_errors(path):
                path.replace(self.path)
                _sync_folder(self.path)
        except BaseException:
            new.abandon()
            path.unlink(missing_ok=True)
            raise
        # The lock goes with the open file, so that there is no moment without one.
        old, self._fd = self._fd, new._fd
        os.close(old)

    def append(self, line: bytes) -> None:
        """Writes a line. Raises FilesError, for a full disk for example."""
        self._check()
        self._dirty = True
        size = len(line)
        try:
            with disk_errors(self.path):
                while line:
                    line = line[os.write(self._fd, line) :]
        except FilesError as error:
            self._broken = error
            if len(line) < size:
                # The beginning of a line: the next run would cut it off, too.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, os.fstat(self._fd).st_size - (size - len(line)))
            raise

    def sync(self) -> None:
        """Waits until all that was written is on the disk. Raises FilesError."""
        self._check()
        if self._dirty:
            self._dirty = False
            try:
                with disk_errors(self.path, "results written in the last moments may be lost: "):
                    os.fsync(self._fd)
            except FilesError as error:
                self._broken = error
                raise

    def close(self) -> None:
        """Syncs, and lets others write. Raises FilesError, unless the same error was raised before."""
        try:
            if self._broken is None:
                self.sync()
        finally:
            try:
                with disk_errors(self.path):
                    os.close(self._fd)
            except FilesError:
                if self._broken is None:
                    raise

    def abandon(self) -> None:
        """Closes the file without a sync."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken


def _sync_folder(path: Path) -> None:
    """Brings the name of a file to the disk."""
    if os.name == "nt":
        return
    fd = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_locked(path: Path) -> int:
    """Opens a file for one writer. Raises FilesError and LockedError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    while True:
        with disk_errors(path):
            fd = os.open(path, flags, 0o644)
        try:
            _lock_file(fd, path)
            with disk_errors(path):
                # The file may have been replaced between its opening and the lock.
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    return fd
            os.close(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(fd)
            raise


def _lock_file(fd: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LockedError(f"{path}: another job is writing it") from error
    except OSError as error:
        raise FilesError(f"{path}: it cannot be locked: {error.strerror or error}") from error
