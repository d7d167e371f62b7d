"""The client of a command: its options, its server, and the one line that an error becomes."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from aiopenai._cli.loop import run_async
from aiopenai._cli.options import positive_number, zero_or_more
from aiopenai._cli.output import notify
from aiopenai._cli.target import CommandTarget, TargetError, target

if TYPE_CHECKING:
    from aiopenai._client.client import AsyncOpenAI

__all__ = ["CommandError", "add_server_options", "add_target_options", "as_command", "client_of", "command_client"]


class CommandError(Exception):
    """A command cannot go on; the message says why, and the cure."""


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of commands that talk to a server."""
    add_target_options(parser)
    parser.add_argument("--timeout", type=positive_number, help="seconds of one attempt")
    parser.add_argument("--max-retries", type=zero_or_more, default=2, help="further attempts (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose the server."""
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--base-url", help="the server (OPENAI_BASE_URL)")
    server.add_argument("--local", action="store_true", help="a local server, started for this, that costs nothing")


def client_of(server: CommandTarget | None, base_url: str | None, **options: Any) -> AsyncOpenAI:
    """Returns the client of a server that was started for a command, or of the one that the environment names."""
    from aiopenai._client.client import AsyncOpenAI
    from aiopenai._client.environment import client_of_environment

    if server is None:
        return client_of_environment(base_url=base_url, **options)
    return AsyncOpenAI(base_url=server.base_url, api_key=server.api_key, trust_env=False, **options)


@contextlib.asynccontextmanager
async def command_client(arguments: argparse.Namespace, **options: Any) -> AsyncGenerator[AsyncOpenAI, None]:
    """Gives the client that the options and the environment describe."""
    from aiopenai._base.sentinels import not_given

    options = {"max_retries": arguments.max_retries, "timeout": arguments.timeout or not_given, **options}
    with target(None, {}) if arguments.local else contextlib.nullcontext() as server:
        if server is None and _needs_no_key(arguments.base_url):
            options["api_key"] = "none"
        async with client_of(server, arguments.base_url, **options) as client:
            yield client


def _needs_no_key(base_url: str | None) -> bool:
    """Returns whether a named server may do without a key, as most others than the API do. The rest say so."""
    env = os.environ
    keys = (env.get("OPENAI_API_KEY"), env.get("OPENAI_ADMIN_KEY"), env.get("OPENAI_API_TYPE", "openai") != "openai")
    return bool(base_url or env.get("OPENAI_BASE_URL")) and not any(keys)


def _run_command(name: str, command: Callable[[], Coroutine[Any, Any, int | None]]) -> int:
    """Runs a command and returns its exit code. An error becomes one line on standard error."""
    from aiopenai.errors import OpenAIError

    try:
        return run_async(command()) or 0
    except (CommandError, TargetError, ValueError) as error:
        text = str(error)
    except OpenAIError as error:
        text = f"{type(error).__name__}: {error}{_cure(name, error)}"
    sys.stdout.flush()
    notify(f"aiopenai {name}: {' '.join(text.split())}")
    return 1


def as_command(
    name: str, work: Callable[[argparse.Namespace], Coroutine[Any, Any, int | None]]
) -> Callable[[argparse.Namespace], int]:
    """Returns a command for a parser: it takes the arguments and returns an exit code."""
    return lambda arguments: _run_command(name, lambda: work(arguments))


def _cure(name: str, error: Exception) -> str:
    """Returns the next step after an error of a command, in brackets."""
    from aiopenai.errors import APIConnectionError, AuthenticationError, NotFoundError

    if isinstance(error, NotFoundError) and name.startswith(("batches", "files")):
        return f" (`aiopenai {name.partition(' ')[0]} list` shows the ids)"
    if isinstance(error, NotFoundError):
        return " (`aiopenai models` lists the models of the server)"
    if isinstance(error, (APIConnectionError, AuthenticationError)):
        return " (`aiopenai doctor` examines key, address, proxy and network)"
    return ""
