"""The command line: see the package's docstring for the method."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from . import report, runner
from .rows import FULL, QUICK, ROWS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="aiopenai beside hand-written aiohttp and the reference SDK."
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute")
    parser.add_argument("--json", action="store_true", help="print JSON with every sample instead of the table")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="only this row; repeatable")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.row is None or row.name in arguments.row]
    results = asyncio.run(
        runner.run(rows, QUICK if arguments.quick else FULL, lambda text: print(text, file=sys.stderr, flush=True))
    )
    print(json.dumps(report.as_json(results), indent=2) if arguments.json else report.as_text(results))


if __name__ == "__main__":
    main()
