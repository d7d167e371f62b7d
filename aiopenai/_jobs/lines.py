"""The files of a job: lines in, results out, in the forms of the API's batches.

A job's state is its files. What is asked is in the input; what is answered in the output, a line each, and what failed
in a file of its own beside it. So a job that was killed goes on where the two files end, and either may come from the
Batch API. All that is kept in memory is 16 bytes or so per line.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._calls.request import Request
from aiopenai._jobs.bulk import endpoint_of
from aiopenai.errors import APIStatusError

__all__ = [
    "CHAT",
    "Asked",
    "BadLine",
    "FilesError",
    "Ids",
    "Input",
    "LockedError",
    "Log",
    "asked_line",
    "asked_prompt",
    "failed_line",
    "failure",
    "finished_line",
    "is_batch_line",
]

# A line beyond this is none: the API takes 200 MB in a whole file.
MAX_LINE_BYTES = 512 * 1024 * 1024
CHAT = "/v1/chat/completions"
_BOM = b"\xef\xbb\xbf"
_MASK = 2**64 - 1


class FilesError(Exception):
    """The files of a job are not what they should be; says why in one line."""


class LockedError(FilesError):
    """Another job is writing a file."""


class BadLine(NamedTuple):
    """A line of the input that cannot be asked."""

    number: int
    reason: str


class Asked(Request[Any], eq=False, kw_only=True):
    """A line as a request, and what of it goes into batches: `url` and `model`."""

    custom_id: str
    number: int
    url: str
    model: str | None = None

    def line(self) -> bytes:
        """The line, in the form of the Batch API."""
        body = msgspec.Raw(self.content)
        return _encode(_Line(custom_id=self.custom_id, url=self.url, body=body)) + b"\n"


class _Line(msgspec.Struct):
    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


class _Body(msgspec.Struct):
    model: Any = None
    stream: Any = None


class _Response(msgspec.Struct):
    status_code: int
    request_id: str | None
    body: Any


class _Failure(msgspec.Struct):
    code: str
    message: str


class _Finished(msgspec.Struct):
    id: str
    custom_id: str
    response: _Response | None = None
    error: _Failure | None = None


class _Id(msgspec.Struct):
    custom_id: str


_encode = msgspec.json.encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_id = msgspec.json.Decoder(_Id).decode


class Ids:
    """A set of ids, 8 bytes and some room each: ten million are 256 MB where Python's own set takes a gigabyte.

    It holds their 64-bit hashes. That two of ten million have the same one happens once in 300,000 jobs.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._table = array("Q", bytes(8 * 1024))
        self._count = 0
        for each in ids:
            self.add(each)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        number = _number(key)
        return self._table[_slot(self._table, number)] == number

    def add(self, key: str) -> bool:
        """Add an id; False where it was there."""
        number = _number(key)
        slot = _slot(self._table, number)
        if self._table[slot]:
            return False
        self._table[slot] = number
        self._count += 1
        if self._count * 3 > len(self._table) * 2:
            self._grow()
        return True

    def _grow(self) -> None:
        table = array("Q", bytes(16 * len(self._table)))
        for number in self._table:
            if number:
                table[_slot(table, number)] = number
        self._table = table


def _number(key: str) -> int:
    # Zero stands for an empty place.
    return (hash(key) & _MASK) or 1


def _slot(table: array[int], number: int) -> int:
    """Where a number is, or the place for it."""
    last = len(table) - 1
    slot = number & last
    while (there := table[slot]) and there != number:
        slot = (slot + 1) & last
    return slot


class Input:
    """A file of requests: a batch file, or with `model` a file of prompts, one a line.

    Which of them it is, its first line tells: that of a batch file is an object with a `custom_id`. A prompt is a text,
    or a JSON string where it has line breaks; its `custom_id` is `line-` and its number. `model` also goes into bodies
    that have none. Raises FilesError for a file that cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], model: str | None = None) -> None:
        self.path = Path(path)
        self._model = model
        self._prompts = False
        if model is not None:
            for _, raw in self._lines():
                self._prompts = not is_batch_line(raw)
                break

    def __iter__(self) -> Iterator[Asked | BadLine]:
        """All lines that are not blank, in order."""
        for number, raw in self._lines():
            try:
                if self._prompts:
                    yield asked_prompt(raw, number, f"line-{number}", self._model)
                else:
                    yield asked_line(raw, number, self._model)
            except (ValueError, RecursionError) as error:
                yield BadLine(number, str(error))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                number = 0
                while raw := file.readline(MAX_LINE_BYTES):
                    number += 1
                    if len(raw) == MAX_LINE_BYTES:
                        raise FilesError(f"{self.path}: line {number} is longer than {MAX_LINE_BYTES} bytes")
                    if number == 1:
                        raw = raw.removeprefix(_BOM)
                    raw = raw.strip()
                    if raw:
                        yield number, raw
        except OSError as error:
            raise FilesError(f"{self.path}: {error.strerror or error}") from error


def asked_prompt(raw: bytes, number: int, custom_id: str, model: str | None) -> Asked:
    """A prompt as a request: a text, or a JSON string. Raises ValueError, as `asked_line` does."""
    text = msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()
    body = _encode({"model": model, "messages": [{"role": "user", "content": text}]})
    return _asked(number, custom_id, CHAT, body, model)


def asked_line(raw: bytes, number: int, model: str | None) -> Asked:
    """A line of a batch file as a request; `model` is for a body that has none. Raises ValueError, as msgspec does."""
    line = _decode_line(raw)
    if not line.custom_id:
        raise ValueError("`custom_id` is empty")
    if line.method != "POST":
        raise ValueError(f"`method` must be POST, not {line.method[:20]!r}")
    content = bytes(line.body)
    if not content.startswith(b"{"):
        raise ValueError("`body` must be an object")
    body = _decode_body(content)
    if body.stream:
        raise ValueError("`stream` is not possible: a result is a whole reply")
    if body.model is None and model is not None:
        content = _encode({**msgspec.json.decode(content), "model": model})
    else:
        model = body.model if isinstance(body.model, str) else None
    return _asked(number, line.custom_id, line.url, content, model)


def _asked(number: int, custom_id: str, url: str, content: bytes, model: str | None) -> Asked:
    endpoint = endpoint_of("POST", url)
    return Asked(
        endpoint=endpoint,
        path=endpoint.path,
        content=content,
        custom_id=custom_id,
        number=number,
        url=url,
        model=model,
    )


def is_batch_line(raw: bytes) -> bool:
    """Whether it is a line of a batch file, right or wrong, and no prompt."""
    try:
        line = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return is_mapping(line) and "custom_id" in line


class Log:
    """A file of results, written to its end and nowhere else; one process at a time.

    Each line goes to the system whole and at once, so that the end of this process, however it comes, loses none;
    `sync` has the system bring them to the disk. A last line that was torn is repaired when the file is opened: kept
    where only its line break is missing, else cut off. Raises FilesError for a file that is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dirty = False
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise FilesError(f"{path}: {error.strerror or error}") from error
        try:
            _lock(self._fd, path)
            self._repair()
        except BaseException:
            os.close(self._fd)
            raise

    def _repair(self) -> None:
        end = size = os.fstat(self._fd).st_size
        tail = b""
        while end and b"\n" not in tail:
            begin = max(0, end - 65_536)
            os.lseek(self._fd, begin, os.SEEK_SET)
            tail = os.read(self._fd, end - begin) + tail
            end = begin
        last = tail[tail.rfind(b"\n") + 1 :]
        if not last:
            return
        try:
            _decode_id(last)
        except (msgspec.DecodeError, UnicodeDecodeError):
            os.ftruncate(self._fd, size - len(last))
        else:
            self.append(b"\n")

    def ids(self) -> Iterator[str]:
        """The `custom_id` of each line. Raises FilesError for a line that is no result."""
        for custom_id, _ in self.lines():
            yield custom_id

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """Each line, after its `custom_id`. Raises FilesError for a line that is no result."""
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    yield _decode_id(raw).custom_id, raw
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise FilesError(f"{self.path}: line {number} is not a result: {error}") from error

    def append(self, line: bytes) -> None:
        """Write a line. Raises FilesError where the disk is full, say."""
        self._dirty = True
        try:
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError as error:
            raise FilesError(f"{self.path}: {error.strerror or error}") from error

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        if self._dirty:
            self._dirty = False
            os.fsync(self._fd)

    def close(self) -> None:
        """Sync, and let others write."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def _lock(fd: int, path: Path) -> None:
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


def finished_line(custom_id: str, status: int, request_id: str | None, content: bytes) -> bytes:
    """A line of the output. `content` is the reply, which is JSON."""
    # Outside of JSON's strings, which cannot have them, line breaks are white space.
    body = msgspec.Raw(content.replace(b"\r", b" ").replace(b"\n", b" "))
    return _encode(_Finished(_new_id(), custom_id, _Response(status, request_id, body))) + b"\n"


def failed_line(custom_id: str, error: Exception) -> bytes:
    """A line of the failures: with the reply where the server gave one."""
    if isinstance(error, APIStatusError):
        response = error.response
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = response.text
        return _encode(_Finished(_new_id(), custom_id, _Response(error.status_code, error.request_id, body))) + b"\n"
    return failure(custom_id, type(error).__name__, str(error))


def failure(custom_id: str, code: str, message: str) -> bytes:
    """A line of the failures, of a request that had no reply."""
    return _encode(_Finished(_new_id(), custom_id, error=_Failure(code, message))) + b"\n"


def _new_id() -> str:
    return f"batch_req_{os.urandom(12).hex()}"
