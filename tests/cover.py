"""Branch coverage of each core module by its own test file: `python -m tests.cover [ROOM ...]`.

The rooms' tests run once under coverage, which notes for each branch the test that took it. A module then counts the
branches that its mirrored test file took: `tests/http/test_wire.py` for `aiopenai/_http/wire.py`. The exit code is 1
if a module is below `--bound` percent.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("base", "data", "http", "calls", "client", "live", "jobs")


def mirrored(module: Path) -> Path:
    """The test file of a module."""
    room = module.parent.name.removeprefix("_")
    return ROOT / "tests" / room / f"test_{module.stem}.py"


def measure(rooms: list[str], pytest_options: list[str], data: Path) -> int:
    """Run the tests of rooms under coverage; returns the exit code of pytest."""
    command = ["pytest", "-q", "--cov=aiopenai", "--cov-branch", "--cov-context=test", "--cov-report=", *pytest_options]
    tests = [f"tests/{room}" for room in rooms]
    environment = {**os.environ, "COVERAGE_FILE": str(data)}
    return subprocess.run([sys.executable, "-m", *command, *tests], cwd=ROOT, env=environment, check=False).returncode


def percent(module: Path, data: Path) -> float | None:
    """The share of a module's branches that its own test file took; None for a module without branches."""
    from coverage import Coverage

    coverage = Coverage(data_file=str(data), branch=True)
    coverage.load()
    test = mirrored(module).relative_to(ROOT).as_posix()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        # The empty context is the time of imports.
        coverage.json_report([str(module)], outfile=str(report), contexts=["^$", f"^{re.escape(test)}::"])
        totals = json.loads(report.read_text())["totals"]
    if not totals["num_branches"]:
        return None
    return float(100 * totals["covered_branches"] / totals["num_branches"])


def main() -> int:
    """Measure and print a table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cover", description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=f"the rooms to measure: {' '.join(ROOMS)}")
    parser.add_argument("--bound", type=float, default=90.0, help="percent of branches (default: 90)")
    parser.add_argument("--processes", default="2", help="how many processes run the tests (default: 2)")
    options = parser.parse_args()
    below = 0
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "coverage")
        code = measure(options.rooms, ["-n", options.processes, "--dist", "loadgroup"], data)
        if code:
            return code
        for room in options.rooms:
            for module in sorted((ROOT / "aiopenai" / f"_{room}").glob("*.py")):
                if module.stem == "__init__":
                    continue
                share = percent(module, data) if mirrored(module).is_file() else 0.0
                if share is None:
                    continue
                below += share < options.bound
                mark = "  BELOW" if share < options.bound else ""
                print(f"{share:6.1f} %  {module.relative_to(ROOT)}  by {mirrored(module).relative_to(ROOT)}{mark}")
    print(f"{below} modules below {options.bound} % of branches")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
