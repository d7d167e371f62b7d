"""The command line: `aiopenai COMMAND` and `python -m aiopenai COMMAND`.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, cast

from typing_extensions import override

from aiopenai._cli.output import OutputError, notify, open_standard_streams, say, silence
from aiopenai.version import __version__

__all__ = ["main"]

# Each command with its module and its line of help. Only the module of the given command is imported.
_COMMANDS = {
    "demo": ("demo", "a call, a stream and a fan-out, with figures"),
    "chat": ("chat", "ask a model, in a conversation or in a pipe"),
    "models": ("models", "the models of the server"),
    "embed": ("embed", "the vectors of texts"),
    "files": ("stored", "list, show, store and delete files"),
    "batches": ("stored", "list, show and cancel batches"),
    "run": ("run", "answer a file of requests, line by line"),
    "bench": ("bench", "load test of any compatible server"),
    "doctor": ("doctor", "examine key, address, proxy, network and clock"),
    "exec": ("execute", "run a program whose `import openai` is aiopenai"),
    "serve": ("serve", "the local server, to develop against without a key; prints its base URL"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    open_standard_streams()
    given = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser(given).parse_args(given)
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


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    # An abbreviation that is unique today means something else when an option is added.
    words = "A fast asyncio client for the OpenAI API."
    parser = _SuggestingParser(prog="aiopenai", description=words, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (module, words) in _COMMANDS.items():
        command = commands.add_parser(name, help=words, allow_abbrev=False)
        if name in given:
            import_module(f"aiopenai._cli.{module}").add_arguments(command)
    return parser


class _SuggestingParser(argparse.ArgumentParser):
    """A parser that suggests the nearest option or command for a misspelt one."""

    @override
    def parse_known_args(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, rest = super().parse_known_args(args, namespace or argparse.Namespace())
        if unknown := [word for word in rest if word.startswith("-")]:
            # The parser of the command reports it: the outer parser does not know the options of commands.
            self.error(f"unrecognized arguments: {' '.join(rest)}{self._nearest(unknown[0].partition('=')[0])}")
        return found, rest

    def _nearest(self, word: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(word, self._option_string_actions, 1)
        return f"; did you mean {near[0]}?" if near else f"; `{self.prog} --help` lists all options"

    @override
    def error(self, message: str) -> NoReturn:
        from difflib import get_close_matches

        if "invalid choice: '" in message:
            word = message.partition("invalid choice: '")[2].partition("'")[0]
            choices = [str(name) for action in self._actions for name in action.choices or ()]
            near = get_close_matches(word, choices, 1)
            message += f"; did you mean {near[0]}?" if near else ""
        super().error(message)
