"""The journal of a job's batches: the lines that are in each, until their results are collected.

A batch that was made in the moment in which the process ended is found by the name of its part, which is in the
batch's metadata.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from aiopenai._jobs.failures import FilesError, disk_errors
from aiopenai._jobs.lines import RequestLine
from aiopenai._jobs.outputs import ResultFile

__all__ = ["BatchJournal", "BatchPart", "line_key"]

_KEY_BYTES = 8


class BatchPart(msgspec.Struct):
    """The lines of one batch: ranges of line numbers, the keys of their requests, and the batch once it is made.

    A journal of an earlier release has no keys.
    """

    lines: list[tuple[int, int]]
    keys: str = ""
    batch: str | None = None

    @property
    def size(self) -> int:
        """The number of lines."""
        return sum(last - first + 1 for first, last in self.lines)

    def key_list(self) -> list[str]:
        """Returns the keys."""
        step = 2 * _KEY_BYTES
        return [self.keys[at : at + step] for at in range(0, len(self.keys), step)]


def line_key(line: RequestLine) -> str:
    """Returns a key of a request together with its `custom_id`."""
    return hashlib.blake2b(f"{line.custom_id}\n{line.key}".encode(), digest_size=_KEY_BYTES).hexdigest()


class _Entry(msgspec.Struct, omit_defaults=True):
    """A line of the journal: a part began (`lines`, `keys`), its batch was made, or it is over."""

    custom_id: str
    lines: list[tuple[int, int]] | None = None
    keys: str = ""
    batch: str | None = None
    over: bool = False


_decode_entry = msgspec.json.Decoder(_Entry).decode
_encode_entry = msgspec.json.encode


class BatchJournal:
    """The parts that are under way, by name. Raises FilesError for a file that is no journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: dict[str, BatchPart] = {}
        self._log: ResultFile | None = None
        with disk_errors(path):
            if not path.exists():
                return
            self._log = ResultFile(path)
            content = path.read_bytes()
        for number, raw in enumerate(content.splitlines(), 1):
            if raw.strip():
                try:
                    self._replay(_decode_entry(raw))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    self._log.close()
                    raise FilesError(f"{path}: line {number} is not an entry of a journal: {error}") from error

    def begin(self, name: str, lines: list[tuple[int, int]], keys: list[str]) -> None:
        """Records that a part is about to be sent."""
        self._record(_Entry(name, lines=lines, keys="".join(keys)))

    def made(self, name: str, batch: str) -> None:
        """Records the batch of a part."""
        self._record(_Entry(name, batch=batch))

    def over(self, name: str) -> None:
        """Records that a part is collected, or given up."""
        self._record(_Entry(name, over=True))

    def _record(self, entry: _Entry) -> None:
        if self._log is None:
            self._log = ResultFile(self.path)
        self._log.append(_encode_entry(entry) + b"\n")
        self._log.sync()
        self._replay(entry)

    def _replay(self, entry: _Entry) -> None:
        name = entry.custom_id
        if entry.lines is not None:
            self.parts[name] = BatchPart(entry.lines, entry.keys)
        elif entry.over:
            self.parts.pop(name, None)
        elif name in self.parts:
            self.parts[name].batch = entry.batch

    def close(self) -> None:
        """Lets others write. A journal without parts under way is removed."""
        if self._log is not None:
            log, self._log = self._log, None
            log.close()
            if not self.parts:
                with disk_errors(self.path):
                    self.path.unlink(missing_ok=True)
