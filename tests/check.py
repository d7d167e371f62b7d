"""The quick loop: `python -m tests.check` checks the changed files, and runs the tests of the changed rooms.

Changed is everything that differs from the merge base with `--base` (main), files that git does not track included.
The steps are: format, lint, types, the layering tests, and the tests of each room with a change. The exit code is that
of the first step that fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The tests of a room of the package; a room without an entry has its tests in the folder or module of its own name.
TESTS_OF = {
    "_base": "tests/base",
    "_data": "tests/data",
    "_http": "tests/http",
    "_calls": "tests/calls",
    "_client": "tests/client",
    "_live": "tests/live",
    "_jobs": "tests/jobs",
    "_cli": "tests/cli",
    "_codegen": "tests/codegen",
    "_dropin": "tests/dropin",
    "_reference": "tests/test_paths.py",
    "resources": "tests/codegen",
    "types": "tests/codegen",
    "__init__": "tests/client",
}
ALWAYS = ("tests/test_layers.py", "tests/test_paths.py", "tests/test_style.py")


def git(*arguments: str) -> list[str]:
    """The lines that a git command prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def changed(base: str) -> list[Path]:
    """The Python files that differ from the base and exist."""
    start = git("merge-base", base, "HEAD")[0]
    names = git("diff", "--name-only", start) + git("ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in dict.fromkeys(names) if name.endswith(".py") and (ROOT / name).is_file()]


def tests_of(path: Path) -> str | None:
    """The tests to run for a changed file."""
    top, *rest = path.parts
    if top == "tests":
        if len(rest) > 1:
            return f"tests/{rest[0]}"
        return str(path) if rest[0].startswith("test_") else None
    if top == "aiopenai":
        room = Path(rest[0]).stem
        for candidate in (TESTS_OF.get(room), f"tests/{room}", f"tests/test_{room}.py"):
            if candidate is not None and (ROOT / candidate).exists():
                return candidate
    if top in ("benchmarks", "examples"):
        return f"tests/test_{top}.py"
    return None


def main() -> int:
    """Run the steps; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=__doc__)
    parser.add_argument("--base", default="main", help="the branch or commit to compare with (default: main)")
    parser.add_argument("--processes", default="2", help="how many processes run the tests (default: 2)")
    options = parser.parse_args()
    files = changed(options.base)
    names = [str(path) for path in files]
    rooms = sorted({*ALWAYS, *filter(None, map(tests_of, files))})
    steps = {"tests": ["pytest", "-q", "-n", options.processes, "--dist", "loadfile", *rooms]}
    if names:
        steps = {
            "format": ["ruff", "format", "--check", *names],
            "lint": ["ruff", "check", *names],
            "types": ["mypy", "--strict", "aiopenai"],
            **steps,
        }
    for name, command in steps.items():
        began = time.monotonic()
        code = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
        print(f"{name}: {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
