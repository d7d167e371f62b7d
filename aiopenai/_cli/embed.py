"""`aiopenai embed`: the vectors of texts."""

from __future__ import annotations

import argparse
import math
import sys

from aiopenai._cli.connection import CommandError, add_server_options, as_command, command_client
from aiopenai._cli.display import say_json, say_table
from aiopenai._cli.options import positive
from aiopenai._cli.output import notify

__all__ = ["add_arguments"]

# The texts of one call. The API takes 2,048 of them, other servers fewer.
_TEXTS_PER_CALL = 256
_SHOWN_VALUES = 4
_SHOWN_TEXT = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="the texts; without any, the lines of standard input")
    parser.add_argument("--model", default="text-embedding-3-small", help="%(default)s")
    parser.add_argument("--dimensions", type=positive, help="the length of the vectors")
    add_server_options(parser)
    parser.set_defaults(command=as_command("embed", _embed))


async def _embed(arguments: argparse.Namespace) -> None:
    from aiopenai._base.sentinels import omit

    texts: list[str] = arguments.texts or [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
    if not texts:
        raise CommandError("no texts: give them as arguments, or one a line on standard input")
    rows: list[tuple[str, int, str, str]] = []
    tokens = 0
    async with command_client(arguments) as client:
        for begin in range(0, len(texts), _TEXTS_PER_CALL):
            some = texts[begin : begin + _TEXTS_PER_CALL]
            reply = await client.embeddings.create(
                model=arguments.model, input=some, dimensions=arguments.dimensions or omit
            )
            tokens += reply.usage.total_tokens if reply.usage else 0
            for text, item in zip(some, reply.data, strict=True):
                vector = item.embedding
                if arguments.json:
                    say_json({"text": text, "embedding": vector})
                else:
                    first = ", ".join(f"{value:.4f}" for value in vector[:_SHOWN_VALUES])
                    rows.append((text[:_SHOWN_TEXT], len(vector), f"{math.hypot(*vector):.3f}", f"{first}, ..."))
    if not arguments.json:
        say_table(("text", "dimensions", "length", "first values"), rows, right=(1, 2))
    notify(f"{len(texts):,} texts, {tokens:,} tokens")
