"""The local files that a helper uploads for an agent, and the paths at which its environment holds them.

Functions that touch the file system block; the helpers run them in threads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

__all__ = ["SelectedFile", "check_destination", "check_include", "open_selected", "select", "select_directory"]

_RESERVED = (".codex", ".managed-agents")


class SelectedFile(NamedTuple):
    """A regular file, and its identity at the time of the selection: device, inode and size."""

    path: Path
    identity: tuple[int, int, int]


def check_destination(destination: str) -> str:
    """Returns a path inside an environment. Raises ValueError for a path that an environment does not allow."""
    shown = f"The destination {destination!r}"
    if not destination.startswith("/workspace/") or "\0" in destination or "\\" in destination:
        raise ValueError(f"{shown} is not an absolute POSIX path below /workspace")
    parts = destination.split("/")[2:]
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{shown} has an empty, `.` or `..` component; name the file by its plain path")
    first = parts[0]
    if first in _RESERVED or first.startswith(".managed-agents-") or parts == ["outputs"]:
        raise ValueError(f"{shown} is reserved by the environment; choose another path below /workspace")
    return destination


def select(files: Mapping[str, str | os.PathLike[str]]) -> list[tuple[str, SelectedFile]]:
    """Returns the files of `prepare` by destination, after a check of all destinations and all files.

    Raises ValueError for a destination below another, and for a path that is no regular file.
    """
    destinations = {check_destination(destination) for destination in files}
    for destination in destinations:
        for parent in PurePosixPath(destination).parents:
            if str(parent) in destinations:
                raise ValueError(f"The destination {destination!r} is below {str(parent)!r}, which is a file")
    return [(destination, _selected(Path(source).absolute())) for destination, source in files.items()]


def _selected(path: Path) -> SelectedFile:
    """Returns a file with its identity. Opens it, because an unreadable file has to fail before the first upload."""
    selected = SelectedFile(path, _identity(path.lstat(), path))
    with open_selected(selected):
        return selected


def open_selected(selected: SelectedFile) -> BinaryIO:
    """Opens a file for reading. Raises ValueError if it is not the file that was selected any more."""
    _identity(selected.path.lstat(), selected.path)
    opened = selected.path.open("rb")
    try:
        if _identity(os.fstat(opened.fileno()), selected.path) != selected.identity:
            raise ValueError(f"The file {str(selected.path)!r} has changed since it was selected")
    except BaseException:
        opened.close()
        raise
    return opened


def _identity(status: os.stat_result, path: Path) -> tuple[int, int, int]:
    if stat.S_ISLNK(status.st_mode):
        raise ValueError(f"The file {str(path)!r} is a symlink; give the path of the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{str(path)!r} is not a regular file")
    return status.st_dev, status.st_ino, status.st_size


def check_include(include: Sequence[str]) -> None:
    """Raises ValueError for patterns that are missing, empty, absolute, or that leave their directory."""
    if isinstance(include, str) or not include:
        raise ValueError('`include` must be a non-empty sequence of patterns, such as ["**/*.csv"]')
    for pattern in include:
        if not pattern or PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            raise ValueError(f"The pattern {pattern!r} of `include` must be relative and must not contain `..`")


def select_directory(
    root: str | os.PathLike[str], destination: str, include: Sequence[str]
) -> list[tuple[str, SelectedFile]]:
    """Returns the files of a directory that a pattern of `include` matches, each once, by destination.

    Raises ValueError for a root that is no directory, for a symlink among the matches, and for no match at all.
    """
    check_include(include)
    check_destination(f"{destination}/a")
    directory = Path(root).absolute()
    if directory.is_symlink() or not directory.is_dir():
        raise ValueError(f"`root` is not a directory, or it is a symlink: {str(directory)!r}")
    # Symlinks above the root are allowed: /tmp is one on macOS.
    directory = directory.resolve()
    selected: dict[str, SelectedFile] = {}
    for pattern in include:
        for path in sorted(directory.glob(pattern)):
            relative = path.relative_to(directory)
            for depth in range(1, len(relative.parts) + 1):
                part = directory.joinpath(*relative.parts[:depth])
                if part.is_symlink():
                    raise ValueError(f"{str(part)!r} is a symlink; the selected files must not contain symlinks")
            if not path.is_dir():
                target = check_destination(f"{destination}/{relative.as_posix()}")
                selected[target] = _selected(path)
    if not selected:
        raise ValueError(f"The patterns of `include` match no file in {str(directory)!r}")
    return list(selected.items())
