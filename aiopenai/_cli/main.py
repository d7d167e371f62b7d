"""The command line: `python -m aiopenai demo`, `run` and `serve`.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import cast

from aiopenai._cli.output import OutputError, notify, open_standard_streams, say, silence
from aiopenai.version import __version__

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    open_standard_streams()
    try:
        arguments = _parser().parse_args(argv)
        code = cast("int", arguments.command(arguments))
        say(end="", flush=True)
        return code
    except KeyboardInterrupt:
        notify("\naiopenai: interrupted")
        return 130
    except BrokenPipeError:
        # The reader has seen enough.
        silence()
        return 1
    except OutputError as error:
        notify(f"aiopenai: {error}")
        silence()
        return 1


def _parser() -> argparse.ArgumentParser:
    from aiopenai._cli.demo import add_demo
    from aiopenai._cli.run import add_run
    from aiopenai._cli.serve import add_serve

    parser = argparse.ArgumentParser(prog="python -m aiopenai", description="A fast asyncio client for the OpenAI API.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    add_demo(commands)
    add_run(commands)
    add_serve(commands)
    return parser
