"""The command line: writes `types` and `resources` from the reference's interface, lists the differences, or tries
another release of the reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aiopenai._codegen import PIN
from aiopenai._codegen.drift import drift
from aiopenai._codegen.follow import CHECKS, FollowError, follow
from aiopenai._codegen.generate import generate
from aiopenai._codegen.output import OutputError, read, write
from aiopenai._codegen.source import SourceError, at, installed
from aiopenai._codegen.words import Words, WordsError, read_words


def main() -> int:
    """Runs the command line, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aiopenai._codegen", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1], help="the package to write into")
    parser.add_argument("--reference", type=Path, help="the folder of the reference's package, or its parent")
    parser.add_argument("--check", action="store_true", help="write nothing and list the differences; exit 1 for any")
    parser.add_argument("--follow", metavar="VERSION", help="try a release in a scratch environment and a scratch tree")
    parser.add_argument("--tests", nargs="+", default=CHECKS, metavar="PATH", help="the tests of --follow")
    parser.add_argument("--scratch", type=Path, help="an empty folder in which --follow leaves environment and tree")
    arguments = parser.parse_args()
    try:
        if arguments.follow:
            outcome = follow(arguments.follow, arguments.tests, scratch=arguments.scratch)
            print(outcome.report())
            return 0 if outcome.fits else 1
        source = at(arguments.reference) if arguments.reference else installed()
        words = read_words()
        files = generate(source, words=words)
        if arguments.check:
            return _check(drift(read(arguments.out), files), words, f"{arguments.out.name} and {source.version}")
        write(files, arguments.out)
    except (FollowError, SourceError, OutputError, WordsError) as error:
        print(f"aiopenai._codegen: {error}", file=sys.stderr)
        return 1
    if source.version != PIN:
        print(f"aiopenai._codegen: read openai {source.version}, the pin is {PIN}", file=sys.stderr)
    lines = sum(text.count("\n") for text in files.values())
    print(f"{len(files)} files, {lines} lines from openai {source.version}")
    return 0


def _check(found: list[str], words: Words, compared: str) -> int:
    """Prints the differences, the methods without words and the unused words. Returns 1 for differences or errors."""
    unknown = words.unknown()
    for silent in sorted(words.silent):
        print(f"no words: {silent}")
    for key in unknown:
        print(f"words for nothing: {key}")
    print("\n".join([*found, f"{len(found)} differences between {compared}"]))
    return 1 if found or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
