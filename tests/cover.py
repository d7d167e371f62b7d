"""Branch coverage of each core module by its own test file: `python -m tests.cover [ROOM ...]`.

`CORE` names the rooms of the core. The mirrored test file of a module is `tests/http/test_wire.py` for
`aiopenai/_http/wire.py`. `pytest --branches FILE` measures each of these test files while it runs, and fails if the
file takes less than `BOUND` percent of its module's branches. So the suite enforces the bound in its one run.

This command runs the mirrored test files of some rooms alone and prints a table.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "aiopenai"
CORE = ("_base", "_data", "_http", "_calls", "_client", "_live", "_jobs")
BOUND = 90.0
"""Percent of the branches in a module's functions."""


class Share(NamedTuple):
    """The branches of a module, and those that its test file took."""

    module: str
    taken: int
    branches: int
    missed: list[str]
    """Each as `12->15`; `12->exit` leaves the function."""

    @property
    def percent(self) -> float:
        """The share that was taken."""
        return 100 * self.taken / self.branches if self.branches else 100.0

    def line(self) -> str:
        """A line of the table."""
        mark = "" if self.percent >= BOUND else f"  BELOW {BOUND:.0f} %, missed: {' '.join(self.missed)}"
        return f"{self.percent:6.1f} %  {self.taken:3} of {self.branches:3}  {self.module}{mark}"


def mirrored(module: Path) -> Path:
    """The test file of a module."""
    *folders, room = module.relative_to(PACKAGE).parent.parts or ("",)
    del folders
    return ROOT / "tests" / room.removeprefix("_") / f"test_{module.stem}.py"


def core_modules(rooms: tuple[str, ...] = CORE) -> list[Path]:
    """The modules of the core."""
    return [path for room in rooms for path in sorted((PACKAGE / room).glob("*.py")) if path.stem != "__init__"]


def module_of(test: Path) -> Path | None:
    """The core module that a test file mirrors."""
    return next((module for module in core_modules() if mirrored(module) == test), None)


@contextmanager
def measured(module: Path, file: Path) -> Iterator[None]:
    """Counts the branches of a module that the block and its threads run; appends a `Share` to a file."""
    from coverage import Coverage

    coverage = Coverage(data_file=None, branch=True, include=[str(module)], config_file=False)
    # A module without functions runs when it is imported.
    coverage.set_option("run:disable_warnings", ["no-data-collected"])
    coverage.start()
    try:
        yield
    finally:
        coverage.stop()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        coverage.json_report([str(module)], outfile=str(report))
        (counted,) = json.loads(report.read_text())["files"].values()
    # The module is imported before: branches outside of functions would count as missed.
    inside = lines_of_functions(module)
    taken = [arc for arc in counted["executed_branches"] if arc[0] in inside]
    missed = [arc for arc in counted["missing_branches"] if arc[0] in inside]
    names = [f"{start}->{end if end > 0 else 'exit'}" for start, end in sorted(missed)]
    share = Share(module.relative_to(ROOT).as_posix(), len(taken), len(taken) + len(missed), names)
    with file.open("a") as stream:
        stream.write(json.dumps(share) + "\n")


def lines_of_functions(module: Path) -> set[int]:
    """The lines of a module that are inside of functions, without those for another version of Python."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    nodes = list(ast.walk(ast.parse(module.read_text())))
    inside = {line for node in nodes if isinstance(node, functions) for line in lines(node)}
    for node in nodes:
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare)):
            continue
        if (text := ast.unparse(node.test)).startswith("sys.version_info >= "):
            bound = ast.literal_eval(text.partition(">= ")[2])
            other = node.orelse if sys.version_info >= bound else node.body
            inside -= {line for each in other for line in lines(each)}
    return inside


def lines(node: Any) -> range:
    """The lines of a node."""
    return range(node.lineno, node.end_lineno + 1)


def shares(file: Path) -> list[Share]:
    """The measured shares, in the order of modules."""
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted(Share(*json.loads(line)) for line in lines)


def main() -> int:
    """Measure and print a table; returns the exit code."""
    rooms = [room.removeprefix("_") for room in CORE]
    parser = argparse.ArgumentParser(prog="python -m tests.cover", description=__doc__)
    parser.add_argument("rooms", nargs="*", default=rooms, help=f"the rooms to measure: {' '.join(rooms)}")
    parser.add_argument("--processes", default="0", help="how many processes run the tests (default: this one)")
    options = parser.parse_args()
    chosen = core_modules(tuple(room for room in CORE if room.removeprefix("_") in options.rooms))
    tests = [str(mirrored(module).relative_to(ROOT)) for module in chosen if mirrored(module).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "branches")
        command = ["pytest", "-q", "-n", options.processes, "--dist", "loadgroup", "--branches", str(file), *tests]
        code = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
        print(*(share.line() for share in shares(file)), sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
