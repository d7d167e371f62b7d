"""`aiopenai models`: the models of the server."""

from __future__ import annotations

import argparse
import time

from aiopenai._cli.connection import add_server_options, as_command, command_client
from aiopenai._cli.display import say_json, say_table

__all__ = ["add_arguments", "day_of"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("name", nargs="?", help="only the models with this in their name")
    add_server_options(parser)
    parser.set_defaults(command=as_command("models", _models))


async def _models(arguments: argparse.Namespace) -> None:
    async with command_client(arguments) as client:
        found = [each async for each in client.models.list() if (arguments.name or "") in each.id]
    found.sort(key=lambda each: each.id)
    if arguments.json:
        for each in found:
            say_json(each.to_dict())
        return
    say_table(("model", "owner", "created"), [(each.id, each.owned_by or "", day_of(each.created)) for each in found])


def day_of(moment: float | None) -> str:
    """Returns the day of a time in seconds since 1970; empty for None and 0."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment)) if moment else ""
