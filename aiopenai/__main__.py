"""The command line: `python -m aiopenai demo` and `python -m aiopenai serve`.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

from aiopenai.version import __version__

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        arguments = _parser().parse_args(argv)
        for stream in (sys.stdout, sys.stderr):
            # What a model says may not exist in the terminal's encoding.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return cast("int", arguments.command(arguments))
    except KeyboardInterrupt:
        print("\naiopenai: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever reads has seen enough. Python flushes once more at exit, where nobody could catch the error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    from aiopenai.demo import CONCURRENCY, MODEL

    parser = argparse.ArgumentParser(prog="python -m aiopenai", description="A fast asyncio client for the OpenAI API.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser("demo", help="a call, a stream and a fan-out, with figures")
    demo.add_argument("--calls", type=_positive, help="calls of the fan-out (2,000 on this machine, 20 elsewhere)")
    demo.add_argument("--concurrency", type=_positive, default=CONCURRENCY, help="how many at a time (%(default)s)")
    demo.add_argument("--model", default=MODEL, help="%(default)s")
    demo.add_argument("--base-url", help="whom to talk to (OPENAI_BASE_URL)")
    demo.set_defaults(command=_demo)

    serve = commands.add_parser("serve", help="the local server, to develop against without a key; prints its base URL")
    serve.add_argument("--port", type=_port, default=8000, help="%(default)s; 0 takes a free one")
    serve.add_argument("--host", default="127.0.0.1", help="%(default)s")
    serve.add_argument("--latency", type=_seconds, default=0.0, help="seconds to wait before each reply")
    serve.add_argument("--token-delay", type=_seconds, default=0.0, help="seconds between the events of a stream")
    serve.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    serve.set_defaults(command=_serve)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**16:
        raise argparse.ArgumentTypeError(f"{number} is not a port")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number


def _demo(arguments: argparse.Namespace) -> int:
    from aiopenai import demo

    try:
        with demo.target(arguments.base_url) as whom:
            _run(
                demo.show(whom, print, calls=arguments.calls, concurrency=arguments.concurrency, model=arguments.model)
            )
    except demo.DemoError as error:
        return _failed("demo", str(error))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    try:
        _run(_serving(arguments))
    except OSError as error:
        return _failed("serve", f"cannot listen on {arguments.host} port {arguments.port}: {error.strerror or error}")
    return 0


async def _serving(arguments: argparse.Namespace) -> None:
    # The server is a command here and nothing that the package imports.
    from aiopenai.testing import serve_forever

    server = asyncio.ensure_future(
        serve_forever(
            arguments.host,
            arguments.port,
            on_ready=lambda server: print(server.base_url, flush=True),
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
    # Else the end of the loop is the server's, too.


def _at_eof(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None]) -> None:
    # Not through sys.stdin, whose lock would be held by this thread when the interpreter ends.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended before
        loop.call_soon_threadsafe(end.set_result, None)


def _run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, on uvloop where that is installed."""
    run: Any = asyncio.run
    with contextlib.suppress(ImportError):
        run = importlib.import_module("uvloop").run
    try:
        return cast("T", run(_interruptible(main)))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _interruptible(main: Coroutine[Any, Any, T]) -> T:
    """Ctrl-C cancels: until Python 3.11 it would strike in the middle of whatever runs, and be reported twice."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows, where asyncio.run has to do
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    return await main


def _failed(name: str, why: str) -> int:
    line = " ".join(why.split())
    print(f"aiopenai {name}: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
