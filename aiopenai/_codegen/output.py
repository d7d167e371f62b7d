"""Put generated files in place: formatted, whole, and without what is no longer generated."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDERS = ("types", "resources")


class OutputError(Exception):
    """The formatter failed; says why."""


def write(files: dict[str, str], package: Path) -> None:
    """Replace the generated folders below `package`."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name) / "aiopenai"
        for path, text in files.items():
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        # The import order knows its own package only where it sees all of it.
        own = 'lint.isort.known-first-party=["aiopenai"]'
        _ruff("check", "--config", own, "--select", "I", "--fix", "--quiet", str(scratch))
        _ruff("format", "--quiet", str(scratch))
        for path in files:
            target, formatted = package / path, (scratch / path).read_bytes()
            if not target.is_file() or target.read_bytes() != formatted:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(formatted)
    for folder in FOLDERS:
        for old in sorted((package / folder).rglob("*.py")):
            if old.relative_to(package).as_posix() not in files:
                old.unlink()
                if not any(old.parent.rglob("*.py")):
                    shutil.rmtree(old.parent)


def _ruff(verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "ruff", verb, "--isolated", "--line-length=120", "--target-version=py310"]
    done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise OutputError(f"{' '.join([*command, *arguments])}: {done.stdout}{done.stderr}")
