"""The input of a job: a file of requests or of prompts, which is read several times."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from aiopenai._jobs.failures import FilesError, UsageError, disk_errors
from aiopenai._jobs.lines import BOM, BadLine, RequestLine, is_batch_line, prompt_line, request_line
from aiopenai._jobs.tables import PromptTable

__all__ = ["InputSource", "RequestFile", "opened_source"]

# A longer line is an error: the API takes 200 MB in a whole file.
MAX_LINE_BYTES = 512 * 1024 * 1024
_COPIED_AT_ONCE = 1024 * 1024


class RequestFile:
    """A file of requests: a batch file, or with `model` a file of prompts, one per line.

    A file in which any line looks like a request is a batch file: a broken line in it is reported and never sent as a
    prompt. A prompt is a text, or a JSON string if it has line breaks. Its `custom_id` is `line-` and its number.
    `model` also goes into bodies without one. With `template` it is a CSV file, each row of which makes a prompt.
    `name` is the file's name in messages.

    Raises FilesError for a file that cannot be read, and UsageError for prompts without a model.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: str | None = None,
        *,
        name: str | None = None,
        template: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.name = name or str(path)
        self._model = model
        self._table: PromptTable | None = None
        if template is None:
            self._prompts = self._has_prompts()
            return
        if model is None:
            raise UsageError("--template makes prompts: --model says which model answers them")
        self._table = PromptTable(self.path, template, name=self.name)
        self._prompts = not self._table.has_ids

    def _has_prompts(self) -> bool:
        texts = objects = 0
        for _, raw in self._text_lines():
            if is_batch_line(raw):
                return False
            if raw.startswith((b"{", b"[")):
                objects += 1
            else:
                texts += 1
        if self._model is None:
            if texts and not objects:
                raise UsageError(f"{self.name} has prompts and no requests: --model says which model answers them")
            return False
        return True

    def __iter__(self) -> Iterator[RequestLine | BadLine]:
        """Yields all lines that are not blank, in order."""
        for number, raw in self._lines():
            yield self._parsed(number, raw)

    def lines_in(self, ranges: Sequence[tuple[int, int]]) -> Iterator[RequestLine]:
        """Yields the requests in some ranges of line numbers, which are in order."""
        remaining = iter(ranges)
        first, last = next(remaining, (0, 0))
        for number, raw in self._lines():
            while number > last:
                following = next(remaining, None)
                if following is None:
                    return
                first, last = following
            if number >= first and isinstance(line := self._parsed(number, raw), RequestLine):
                yield line

    def _parsed(self, number: int, raw: bytes | BadLine) -> RequestLine | BadLine:
        if isinstance(raw, BadLine):
            return raw
        try:
            if self._prompts:
                return prompt_line(raw, number, f"line-{number}", self._model)
            return request_line(raw, number, self._model)
        except (ValueError, RecursionError) as error:
            return BadLine(number, str(error))

    def _lines(self) -> Iterator[tuple[int, bytes | BadLine]]:
        return self._text_lines() if self._table is None else self._table.lines()

    def _text_lines(self) -> Iterator[tuple[int, bytes]]:
        with disk_errors(self.name), self.path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES):
                number += 1
                if len(raw) == MAX_LINE_BYTES:
                    raise FilesError(f"{self.name}: line {number} is longer than {MAX_LINE_BYTES} bytes")
                if number == 1:
                    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                        raise FilesError(f"{self.name} is text in UTF-16: save it as UTF-8")
                    raw = raw.removeprefix(BOM)
                raw = raw.strip()
                if raw:
                    yield number, raw


class InputSource(NamedTuple):
    """A file that can be read again and again, its name in messages, and the file that was given."""

    path: Path
    name: str
    given: os.stat_result | None

    def is_same_file(self, path: Path) -> bool:
        """Returns whether a path leads to the file that was given, under any name of it."""
        if self.given is None:
            return False
        try:
            return os.path.samestat(self.given, path.stat())
        except OSError:
            return False


@contextlib.contextmanager
def opened_source(given: str | os.PathLike[str]) -> Generator[InputSource, None, None]:
    """Gives the input of a job: a file, or `-` for the standard input.

    The standard input, a pipe and a device are copied to a temporary file, which ends with the block. Raises
    UsageError for a path that is no file, and FilesError.
    """
    path = Path(given)
    if str(path) == "-":
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise UsageError("standard input is closed; give the name of a file")
        stream: IO[bytes] = sys.stdin.buffer
        name, identity = "standard input", None
        with contextlib.suppress(OSError):
            identity = os.fstat(stream.fileno())
    elif path.is_file():
        yield InputSource(path, str(path), path.stat())
        return
    elif path.is_dir() or not path.exists():
        raise UsageError(f"{path} is not a file")
    else:
        name, identity = str(path), None
        with disk_errors(path):
            stream = path.open("rb")
    with tempfile.NamedTemporaryFile(prefix="aiopenai-", suffix=".jsonl") as copy:
        with disk_errors(name):
            while piece := stream.read(_COPIED_AT_ONCE):
                copy.write(piece)
            copy.flush()
            if str(path) != "-":
                stream.close()
        yield InputSource(Path(copy.name), name, identity)
