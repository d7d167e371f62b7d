"""`python -m aiopenai._codegen [--out DIR] [--all]`: write `types` and `resources` anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aiopenai._codegen import NAMESPACES, PIN
from aiopenai._codegen.generate import generate
from aiopenai._codegen.output import OutputError, write
from aiopenai._codegen.source import SourceError, installed


def main() -> int:
    """Run the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aiopenai._codegen", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1], help="the package to write into")
    parser.add_argument("--all", action="store_true", help="all namespaces of the reference, not only those in scope")
    arguments = parser.parse_args()
    try:
        source = installed()
        files = generate(source, None if arguments.all else NAMESPACES)
        write(files, arguments.out)
    except (SourceError, OutputError) as error:
        print(f"aiopenai._codegen: {error}", file=sys.stderr)
        return 1
    if source.version != PIN:
        print(f"aiopenai._codegen: read openai {source.version}, the pin is {PIN}", file=sys.stderr)
    print(f"{len(files)} files from openai {source.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
