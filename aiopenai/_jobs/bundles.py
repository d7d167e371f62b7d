"""The lines of a job in files of the Batch API's size, each of one model and one endpoint."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from aiopenai._jobs.failures import JobError, disk_errors
from aiopenai._jobs.journal import line_key
from aiopenai._jobs.lines import RequestLine

__all__ = ["MAX_BYTES", "MAX_LINES", "Bundle", "bundled"]

# The API's limits of one batch.
MAX_LINES = 50_000
MAX_BYTES = 200_000_000
# Files that are open at a time. With more models and endpoints, the fullest is sent.
MAX_OPEN = 64


class Bundle:
    """The lines of one batch, in a temporary file in `folder`, with their numbers and keys."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self._folder = folder
        with disk_errors(folder):
            self.file: IO[bytes] = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by `bundled`
                dir=folder, prefix=".batch-", suffix=".jsonl"
            )
        self.size = 0
        self.ranges: list[tuple[int, int]] = []
        self.keys: list[str] = []

    def add(self, line: RequestLine, raw: bytes) -> None:
        """Adds a line."""
        with disk_errors(self._folder):
            self.file.write(raw)
        self.size += len(raw)
        self.keys.append(line_key(line))
        if self.ranges and self.ranges[-1][1] == line.number - 1:
            self.ranges[-1] = self.ranges[-1][0], line.number
        else:
            self.ranges.append((line.number, line.number))

    def flush(self) -> Path:
        """Writes all to the file and returns its path."""
        with disk_errors(self._folder):
            self.file.flush()
        return Path(self.file.name)


def bundled(
    lines: Iterator[RequestLine],
    folder: Path,
    *,
    url_of: Callable[[str], str],
    max_lines: Callable[[], int],
    max_bytes: int,
) -> Iterator[Bundle]:
    """Yields bundles of the lines. A bundle's file exists until the next one is yielded.

    `url_of` returns the URL that the service has for a path in its batch files. `max_lines` is asked for each line,
    because a server may turn out to take less. Raises JobError for a line that no batch can hold.
    """
    filling: dict[tuple[str, str | None], Bundle] = {}
    with contextlib.ExitStack() as files:
        for line in lines:
            key = line.path, line.model
            raw = line.line(url_of(line.path))
            if len(raw) > max_bytes:
                raise JobError(f"line {line.number} is longer than a batch may be ({max_bytes:,} bytes)")
            bundle = filling.get(key)
            if bundle is not None and bundle.size + len(raw) > max_bytes:
                yield from _open_until_sent(filling.pop(key))
                bundle = None
            if bundle is None:
                if len(filling) >= MAX_OPEN:
                    yield from _open_until_sent(filling.pop(max(filling, key=lambda key: len(filling[key].keys))))
                bundle = filling[key] = Bundle(line.path, folder)
                files.enter_context(bundle.file)
            bundle.add(line, raw)
            if len(bundle.keys) >= max_lines():
                yield from _open_until_sent(filling.pop(key))
        for bundle in filling.values():
            yield from _open_until_sent(bundle)


def _open_until_sent(bundle: Bundle) -> Iterator[Bundle]:
    with bundle.file:
        yield bundle
