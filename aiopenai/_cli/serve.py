"""`python -m aiopenai serve`: the local server, to develop against without a key, and recordings of another one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from aiopenai._cli.collector import rare_collections
from aiopenai._cli.loop import run_async
from aiopenai._cli.options import port, positive_number, seconds
from aiopenai._cli.output import notify, say

if TYPE_CHECKING:
    from aiopenai.testing import ReceivedRequest, Server

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--port", type=port, default=8000, help="%(default)s; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="%(default)s")
    parser.add_argument("--latency", type=seconds, default=0.0, help="seconds to wait before each reply")
    parser.add_argument("--token-delay", type=seconds, default=0.0, help="seconds between the events of a stream")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    parser.add_argument("--record", metavar="FOLDER", help="pass calls on to --upstream, and write them into a folder")
    parser.add_argument("--upstream", metavar="URL", help="the base URL of the server to record; by default the API's")
    parser.add_argument("--replace", action="store_true", help="delete an earlier recording in the folder")
    parser.add_argument("--replay", metavar="FOLDER", help="answer from a folder that --record has written")
    parser.add_argument(
        "--ignore",
        metavar="NAME",
        action="append",
        default=[],
        help="a key of requests that does not count; repeatable",
    )
    parser.add_argument(
        "--speed", type=positive_number, help="1 keeps the recorded times, 10 is ten times as fast; by default at once"
    )
    parser.add_argument(
        "--unknown",
        choices=["fail", "answer", "record"],
        default="fail",
        help="for requests that are not recorded: fail with the nearest one, answer like a server, or record them",
    )
    parser.add_argument("--verbose", action="store_true", help="print each request")
    parser.set_defaults(command=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    if (wrong := _misused(arguments)) is not None:
        notify(f"aiopenai serve: {wrong}")
        return 2
    # The server is imported by this command only: it is no part of the client.
    from aiopenai.testing import serve_forever

    try:
        with rare_collections():
            run_async(_serving(arguments, serve_forever))
    except _RecordingError as error:
        notify(f"aiopenai serve: {error}")
        return 1
    except OSError as error:
        notify(
            f"aiopenai serve: cannot listen on {arguments.host} port {arguments.port}: {error.strerror or error}; "
            "--port 0 takes a free port"
        )
        return 1
    return 0


def _misused(arguments: argparse.Namespace) -> str | None:
    """Returns the fault of options that do not go together."""
    record, replay = arguments.record is not None, arguments.replay is not None
    adds = replay and arguments.unknown == "record"
    if record and replay:
        return "give one of --record and --replay; --replay FOLDER --unknown record adds to a recording"
    if arguments.replace and not record:
        return "--replace needs --record FOLDER"
    if arguments.upstream is not None and not (record or adds):
        return "--upstream needs --record FOLDER, or --replay FOLDER --unknown record"
    if not replay and (arguments.ignore or arguments.speed is not None or arguments.unknown != "fail"):
        return "--ignore, --speed and --unknown need --replay FOLDER"
    return None


class _RecordingError(Exception):
    """A recording cannot be made or replayed."""


def _prepare(server: Server, arguments: argparse.Namespace) -> None:
    """Begins to record or to replay, as the options say."""
    upstream = {} if arguments.upstream is None else {"upstream": arguments.upstream}
    try:
        if arguments.record is not None:
            server.record(arguments.record, replace=arguments.replace, **upstream)
        elif arguments.replay is not None:
            server.replay(
                arguments.replay,
                ignore=arguments.ignore,
                speed=arguments.speed,
                unknown=arguments.unknown,
                on_unknown=notify,
                **upstream,
            )
    except FileExistsError:
        raise _RecordingError(f"{arguments.record} has a recording already: delete it, or give --replace") from None
    except (OSError, ValueError) as error:
        raise _RecordingError(str(error)) from error


def _show_address(server: Server) -> None:
    # The first line is for programs, the others are for people.
    say(server.base_url)
    say(f"export OPENAI_BASE_URL={shlex.quote(server.base_url)}")
    say("export OPENAI_API_KEY=local", flush=True)


def _show_request(request: ReceivedRequest) -> None:
    notify(f"{request.method} {request.raw_path} {len(request.body):,} bytes")


async def _serving(arguments: argparse.Namespace, serve_forever: Callable[..., Coroutine[Any, Any, None]]) -> None:
    def ready(server: Server) -> None:
        _prepare(server, arguments)
        _show_address(server)

    server = asyncio.ensure_future(
        serve_forever(
            arguments.host,
            arguments.port,
            on_ready=ready,
            on_request=_show_request if arguments.verbose else None,
            latency=arguments.latency,
            token_delay=arguments.token_delay,
        )
    )
    waiting: set[asyncio.Future[None]] = {server}
    if arguments.until_eof:
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        waiting.add(end)
        threading.Thread(target=_at_eof, args=(loop, end), daemon=True).start()
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        await server
    # Otherwise the server ends with the loop.


def _at_eof(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None]) -> None:
    # Not through sys.stdin: this thread would hold its lock when the interpreter ends.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended before
        loop.call_soon_threadsafe(end.set_result, None)
