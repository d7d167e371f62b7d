"""Files as arguments of uploads."""

from __future__ import annotations

from pathlib import Path

__all__ = ["file_from_path"]


def file_from_path(path: str) -> tuple[str, bytes]:
    """Returns the name and the content of a file, in the form that `file=` takes. Raises OSError; blocks meanwhile."""
    found = Path(path)
    return found.name, found.read_bytes()
