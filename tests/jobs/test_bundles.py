"""The lines of a job in files of the Batch API's size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai._jobs import bundles
from aiopenai._jobs.bundles import Bundle, bundled
from aiopenai._jobs.failures import FilesError, JobError
from aiopenai._jobs.journal import line_key
from aiopenai._jobs.lines import RequestLine, request_line


def lines(*models: str, url: str = "/v1/x") -> Iterator[RequestLine]:
    for number, model in enumerate(models, 1):
        if model:
            raw = {"custom_id": f"r-{number}", "url": url, "body": {"model": model, "n": number}}
            yield request_line(json.dumps(raw).encode(), number, None)


def found(folder: Path, source: Iterator[RequestLine], **limits: Any) -> list[tuple[str, list[tuple[int, int]], int]]:
    """The model, ranges and number of lines of each bundle, in order; each file is read while it exists."""
    limits = {"max_lines": lambda: 100, "max_bytes": 10_000, **limits}
    result = []
    for bundle in bundled(source, folder, url_of="/v1{}".format, **limits):
        content = [json.loads(each) for each in bundle.flush().read_bytes().splitlines()]
        assert len(content) == len(bundle.keys)
        assert bundle.size == bundle.flush().stat().st_size
        result.append((content[0]["body"]["model"], bundle.ranges, len(content)))
    assert list(folder.iterdir()) == []
    return result


def test_one_model_and_endpoint_each(tmp_path: Path) -> None:
    assert found(tmp_path, lines("a", "b", "a", "a", "b")) == [("a", [(1, 1), (3, 4)], 3), ("b", [(2, 2), (5, 5)], 2)]
    assert found(tmp_path, lines()) == []


def test_lines_that_are_left_out(tmp_path: Path) -> None:
    assert found(tmp_path, lines("a", "", "a", "a")) == [("a", [(1, 1), (3, 4)], 3)]


def test_so_many_lines(tmp_path: Path) -> None:
    assert [count for _, _, count in found(tmp_path, lines(*"aaaaa"), max_lines=lambda: 2)] == [2, 2, 1]


def test_so_many_bytes(tmp_path: Path) -> None:
    (size,) = {len(line.line("/v1/x")) for line in lines(*"aaaa")}
    assert [count for _, _, count in found(tmp_path, lines(*"aaaa"), max_bytes=2 * size)] == [2, 2]
    assert [count for _, _, count in found(tmp_path, lines(*"aaaa"), max_bytes=2 * size - 1)] == [1, 1, 1, 1]
    with pytest.raises(JobError, match="line 1 is longer than a batch may be"):
        found(tmp_path, lines("a"), max_bytes=size - 1)
    assert list(tmp_path.iterdir()) == []


def test_so_many_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more models than open files, the fullest goes first."""
    monkeypatch.setattr(bundles, "MAX_OPEN", 2)
    assert [model for model, _, _ in found(tmp_path, lines(*"abbcab"))] == ["b", "a", "c", "b"]


def test_keys_are_in_the_order_of_the_lines(tmp_path: Path) -> None:
    (bundle,) = bundled(lines("a", "a"), tmp_path, url_of="/v1{}".format, max_lines=lambda: 9, max_bytes=999)
    assert bundle.keys == [line_key(line) for line in lines("a", "a")]
    assert bundle.path == "/x"


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FilesError, match="No such file"):
        Bundle("/v1/x", tmp_path / "none")
    bundle = Bundle("/v1/x", tmp_path)
    with bundle.file:
        full = open("/dev/full", "wb")  # noqa: SIM115
        monkeypatch.setattr(bundle, "file", full)
        bundle.add(next(lines("a")), b"x")
        with pytest.raises(FilesError, match="No space left"):
            bundle.flush()
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            full.close()
