"""The contents of uploads: bytes, paths and files, whole and in slices."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from aiopenai._http.sources import MemorySource, Source, content_of, source_of

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)
    return path


async def read(source: Source, size: int = 700) -> bytes:
    async with source.reader() as reader:
        pieces: list[Any] = []
        while piece := await reader(size):
            pieces.append(piece)
        return b"".join(pieces)


class Unseekable(io.BytesIO):
    """As the end of a pipe."""

    def seekable(self) -> bool:
        return False


class Silent:
    """A file that has no `seekable`."""

    def __init__(self) -> None:
        self._file = io.BytesIO(CONTENT)
        self.read, self.seek, self.tell = self._file.read, self._file.seek, self._file.tell


@pytest.mark.parametrize("kind", ["path", "file", "silent", "bytes", "bytearray", "memoryview"])
async def test_whole_and_in_slices(kind: str, path: Path) -> None:
    with path.open("rb") as file:
        contents: dict[str, Any] = {
            "path": path,
            "file": file,
            "silent": Silent(),
            "bytes": CONTENT,
            "bytearray": bytearray(CONTENT),
            "memoryview": memoryview(CONTENT),
        }
        source = source_of("file", contents[kind])
        assert not source.once
        for _ in range(2):
            assert await source.measure() == len(CONTENT)
            assert await read(source) == CONTENT
        part = source.slice(300, 900, None)
        assert await part.measure() == 900
        assert (await read(part))[:900] == CONTENT[300:1200]
        # The whole is as before.
        assert (source.start, source.size) == (0, None)
        assert not file.closed


async def test_a_file_that_can_be_read_once() -> None:
    source: Any = content_of("file", io.BufferedReader(Unseekable(CONTENT)))  # type: ignore[arg-type]
    assert source.once
    assert await source.measure() is None
    assert await read(source) == CONTENT


async def test_a_slice_has_progress() -> None:
    told: list[int] = []
    assert MemorySource(CONTENT).slice(0, 5, told.append).progress == told.append


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
async def test_a_pipe_has_no_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    source: Any = content_of("file", tmp_path / "pipe")
    assert await source.measure() is None
    assert source.once


async def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await source_of("file", tmp_path / "none").measure()
    with pytest.raises(OSError, match=str(tmp_path)):
        await source_of("file", tmp_path).measure()


async def test_a_reader_that_is_left_closes_the_file(path: Path) -> None:
    source = source_of("file", path)
    opened: list[Any] = []
    async with source.reader() as reader:
        opened.append(reader.__self__)  # type: ignore[attr-defined]
        assert await reader(1) == CONTENT[:1]
        assert not opened[0].closed
    assert opened[0].closed


def test_bytes_in_memory_are_taken() -> None:
    buffer = io.BytesIO(CONTENT)
    buffer.read(5)
    assert content_of("file", buffer) == CONTENT
    source = MemorySource(b"")
    assert content_of("file", source) is source


def test_names_of_sources(path: Path) -> None:
    with path.open("rb") as file:
        assert str(content_of("image", file)) == "the file given as `image`"
    assert str(content_of("image", path)) == f"the file {str(path)!r}"
    assert str(source_of("image", b"")) == "the bytes"


class Asynchronous:
    async def read(self, _: int) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text", r"`file` must be bytes, .*, not str: write pathlib\.Path"),
        (5, "not int"),
        (io.BytesIO, "not type"),
        (None, "not NoneType"),
        (io.StringIO("x"), "is a file open in text mode: open it in binary mode"),
        (Asynchronous(), "is an asynchronous file: give its path or its bytes"),
    ],
    ids=["text", "number", "class", "none", "text mode", "asynchronous"],
)
def test_what_cannot_be_sent(content: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        source_of("file", content)


async def test_a_spooled_file() -> None:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(CONTENT)
        source = source_of("file", file)
        assert not source.once
        assert await source.measure() == len(CONTENT)
        assert await read(source) == CONTENT
