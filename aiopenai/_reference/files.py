"""The names of `openai._files`, and `extract_files` of `openai._utils`: the files in the arguments of a request."""

# The values are those of callers, of any type.
# pyright: basic

from __future__ import annotations

import io
import os
from asyncio import to_thread
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiopenai._base.aliases import is_list
from aiopenai._base.sentinels import is_left_out
from aiopenai._reference.aliases import ArrayFormat
from aiopenai._reference.querystrings import array_suffix

__all__ = [
    "assert_is_file_content",
    "async_read_file_content",
    "async_to_httpx_files",
    "deepcopy_with_paths",
    "extract_files",
    "is_base64_file_input",
    "is_file_content",
    "read_file_content",
    "to_httpx_files",
]


def is_base64_file_input(obj: object) -> bool:
    """Returns whether a value is an open file or a path."""
    return isinstance(obj, (io.IOBase, os.PathLike))


def is_file_content(obj: object) -> bool:
    """Returns whether a value is bytes, an open file or a path."""
    return isinstance(obj, (bytes, io.IOBase, os.PathLike))


def assert_is_file_content(obj: object, *, key: str | None = None) -> None:
    """Raises RuntimeError for a value that is neither the content of a file nor a tuple with a name."""
    if not is_file_content(obj) and not isinstance(obj, tuple):
        place = f"Expected file input `{obj!r}`" if key is None else f"Expected entry at `{key}`"
        raise RuntimeError(
            f"{place} to be bytes, an io.IOBase instance, PathLike or a tuple but received {type(obj)} instead."
        )


def read_file_content(file: Any) -> Any:
    """Returns the bytes of the file at a path; other contents unchanged."""
    return Path(file).read_bytes() if isinstance(file, os.PathLike) else file


async def async_read_file_content(file: Any) -> Any:
    """Returns the bytes of the file at a path, read in a thread; other contents unchanged."""
    return await to_thread(read_file_content, file) if isinstance(file, os.PathLike) else file


def _named(file: Any) -> Any:
    """Returns a file as HTTP libraries take it: paths are read, and keep their name."""
    if isinstance(file, os.PathLike):
        return Path(file).name, read_file_content(file)
    if is_file_content(file):
        return file
    if isinstance(file, tuple):
        name, content, *rest = file
        return (name, read_file_content(content), *rest)
    raise TypeError("Expected file types input to be a FileContent type or to be a tuple")


def to_httpx_files(files: Any) -> Any:
    """Returns files as HTTP libraries take them, with paths read. Raises TypeError for other values."""
    if files is None:
        return None
    if isinstance(files, Mapping):
        return {key: _named(file) for key, file in files.items()}
    if isinstance(files, Sequence):
        return [(key, _named(file)) for key, file in files]
    raise TypeError(f"Unexpected file type input {type(files)}, expected mapping or sequence")


async def async_to_httpx_files(files: Any) -> Any:
    """Returns files as `to_httpx_files` does, reading paths in a thread."""
    return None if files is None else await to_thread(to_httpx_files, files)


def deepcopy_with_paths(item: Any, paths: Sequence[Sequence[str]]) -> Any:
    """Returns a value whose dicts and lists on the paths are copies; all others are the same objects."""
    below = [path for path in paths if path]
    if isinstance(item, Mapping) and below:
        copy: Any = dict(item)
        for key in {path[0] for path in below} & copy.keys():
            copy[key] = deepcopy_with_paths(copy[key], [path[1:] for path in below if path[0] == key])
        return copy
    inner = [path[1:] for path in below if path[0] == "<array>"]
    return [deepcopy_with_paths(each, inner) for each in item] if is_list(item) and inner else item


def extract_files(
    query: Mapping[str, object], *, paths: Sequence[Sequence[str]], array_format: ArrayFormat = "brackets"
) -> list[tuple[str, Any]]:
    """Takes the files at the paths out of a dict, and returns them with the names of their form fields.

    A path is such as `["files", "<array>", "data"]`. Raises RuntimeError for values that are no files.
    """
    return [found for path in paths for found in _extracted(query, path, None, array_format)]


def _extracted(obj: Any, path: Sequence[str], name: str | None, array_format: ArrayFormat) -> Iterator[tuple[str, Any]]:
    if not path:
        if not is_left_out(obj):
            yield from _entries(obj, name or "", array_format)
        return
    key, rest = path[0], path[1:]
    if isinstance(obj, dict):
        if key in obj:
            # A field that is files only leaves the dict.
            whole = all(each == "<array>" for each in rest) and (not rest or is_list(obj[key]))
            item = obj.pop(key) if whole else obj[key]
            yield from _extracted(item, rest, key if name is None else f"{name}[{key}]", array_format)
    elif is_list(obj) and key == "<array>":
        suffix = array_suffix(array_format)
        for index, item in enumerate(obj):
            yield from _extracted(item, rest, (name or "") + suffix.format(index), array_format)


def _entries(obj: Any, name: str, array_format: ArrayFormat) -> Iterator[tuple[str, Any]]:
    if not is_list(obj):
        assert_is_file_content(obj, key=name)
        yield name, obj
        return
    suffix = array_suffix(array_format)
    for index, entry in enumerate(obj):
        key = name + suffix.format(index)
        assert_is_file_content(entry, key=key)
        yield key, entry
