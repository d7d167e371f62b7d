"""The command line; the docstring of the package describes the method."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import check, pictures, report, runner
from .report import Document
from .rows import FULL, QUICK, ROWS, Plan, Row

RESULTS = Path(__file__).with_name("results")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and returns the exit code: 1 if `--check` finds a ratio worse in two measurements."""
    arguments = _parser().parse_args(argv)
    rows = [row for row in ROWS if arguments.row is None or row.name in arguments.row]
    plan = QUICK if arguments.quick else FULL
    results = _measure(rows, plan)
    document = report.as_document(results)
    print(
        json.dumps(report.as_document(results, samples=True), indent=2) if arguments.json else report.as_text(document)
    )
    folder: Path | None = arguments.out
    if folder is None and not (arguments.quick or arguments.row or arguments.check):
        folder = RESULTS
    if folder is not None:
        write(document, folder)
    return _check(document, rows, plan) if arguments.check else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="aiopenai beside the reference SDK, hand-written aiohttp and the floor.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer turns and clients, under a minute")
    parser.add_argument("--json", action="store_true", help="print JSON with every sample instead of the table")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="only this row; repeatable")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"fail where a ratio is more than {check.TOLERANCE * 100:.0f} %% worse than in the committed results",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write table, figures and pictures here (a full run: to the results)"
    )
    return parser


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(rows: Sequence[Row], plan: Plan) -> runner.Results:
    return asyncio.run(runner.run(rows, plan, _note))


def write(document: Document, folder: Path) -> None:
    """Writes the document of a report, its tables and its pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(report.as_markdown(document), encoding="utf-8")
    try:
        pictures.draw(document, folder)
    except ImportError as exc:
        _note(f"no pictures: {exc}")


def _check(document: Document, rows: Sequence[Row], plan: Plan) -> int:
    try:
        committed: Document = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        _note("nothing to check against: a full run writes the results")
        return 1
    count = check.compared(document, committed)
    if not count:
        _note("nothing to check: the committed results have none of these ratios, and a full run writes them")
        return 1
    suspects = {loss.row for loss in check.losses(document, committed)}
    if suspects:
        # A busy moment of the machine passes; a real loss shows in the second measurement as well.
        _note(f"measuring again: {', '.join(sorted(suspects))}")
        again = _measure([row for row in rows if row.name in suspects], plan)
        first = {(loss.row, loss.client) for loss in check.losses(document, committed)}
        found = [
            loss for loss in check.losses(report.as_document(again), committed) if (loss.row, loss.client) in first
        ]
        for loss in found:
            _note(f"slower: {loss}")
        if found:
            return 1
    _note(f"none of {count} ratios is more than {check.TOLERANCE:.0%} worse than in the committed results")
    return 0


if __name__ == "__main__":
    sys.exit(main())
