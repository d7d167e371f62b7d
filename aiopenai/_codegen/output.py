"""The replacement of generated files. Files that are no longer generated are removed."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDERS = ("types", "resources")
# Modules, stubs, and tables.
KINDS = frozenset({".py", ".pyi", ".txt"})


class OutputError(Exception):
    """The generated text is not valid Python. The message names the file and the line."""


def read(package: Path) -> dict[str, str]:
    """The generated files of a package, by path below it."""
    return {
        path.relative_to(package).as_posix(): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in _files(package / folder)
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in KINDS and path.is_file())


def write(files: dict[str, str], package: Path) -> None:
    """Replaces the generated folders below `package`. Raises `OutputError` before it writes a file."""
    for path, text in files.items():
        try:
            if not path.endswith(".txt"):
                compile(text, path, "exec")
        except SyntaxError as error:
            raise OutputError(f"{path}:{error.lineno}: {error.msg}") from error
    for path, text in files.items():
        target, content = package / path, text.encode()
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for folder in FOLDERS:
        for old in _files(package / folder):
            if old.relative_to(package).as_posix() not in files:
                old.unlink()
                if not _files(old.parent):
                    shutil.rmtree(old.parent)
