"""The command line: `python -m aiopenai demo`, `run` and `serve`.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aiopenai.version import __version__

if TYPE_CHECKING:
    from aiopenai._cli.demo import Target
    from aiopenai._jobs.run import Job, Progress

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
    from aiopenai._cli.demo import CONCURRENCY, MODEL

    parser = argparse.ArgumentParser(prog="python -m aiopenai", description="A fast asyncio client for the OpenAI API.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser("demo", help="a call, a stream and a fan-out, with figures")
    demo.add_argument("--calls", type=_positive, help="calls of the fan-out (2,000 on this machine, 20 elsewhere)")
    demo.add_argument("--concurrency", type=_positive, default=CONCURRENCY, help="how many at a time (%(default)s)")
    demo.add_argument("--model", default=MODEL, help="%(default)s")
    demo.add_argument("--base-url", help="whom to talk to (OPENAI_BASE_URL)")
    demo.set_defaults(command=_demo)

    _add_run(commands)

    serve = commands.add_parser("serve", help="the local server, to develop against without a key; prints its base URL")
    serve.add_argument("--port", type=_port, default=8000, help="%(default)s; 0 takes a free one")
    serve.add_argument("--host", default="127.0.0.1", help="%(default)s")
    serve.add_argument("--latency", type=_seconds, default=0.0, help="seconds to wait before each reply")
    serve.add_argument("--token-delay", type=_seconds, default=0.0, help="seconds between the events of a stream")
    serve.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    serve.set_defaults(command=_serve)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="answer a file of requests, line by line",
        description="Answer a file of requests: the lines of a batch file, or prompts with --model. What is killed "
        "goes on with the same command. Exit codes: 0 all done, 1 some failed, 2 bad usage.",
    )
    run.add_argument("input", type=Path, help="requests, a line each, as the Batch API takes them, or prompts")
    run.add_argument(
        "-o", "--output", type=Path, required=True, help="results, a line each, as the Batch API gives them"
    )
    run.add_argument("--model", help="for prompts, and for lines that name none")
    run.add_argument("--concurrency", type=_positive, default=1_000, help="at most so many at a time (%(default)s)")
    run.add_argument("--rpm", type=_limit, help="requests per minute, instead of what the server's headers say")
    run.add_argument("--tpm", type=_limit, help="tokens per minute, likewise")
    run.add_argument("--max-retries", type=_count, default=5, help="further attempts of each (%(default)s)")
    run.add_argument("--timeout", type=_limit, help="seconds of one attempt")
    run.add_argument("--batch", action="store_true", help="through the Batch API: slower, and cheaper")
    run.add_argument("--retry-failed", action="store_true", help="only what failed before")
    run.add_argument("--skip-bad", action="store_true", help="go on without the lines that are no requests")
    run.add_argument("--price-in", type=_seconds, metavar="DOLLARS", help="of a million tokens read")
    run.add_argument("--price-out", type=_seconds, metavar="DOLLARS", help="of a million tokens written")
    whom = run.add_mutually_exclusive_group()
    whom.add_argument("--base-url", help="whom to ask (OPENAI_BASE_URL)")
    whom.add_argument("--local", action="store_true", help="ask a local server, started for this, that costs nothing")
    run.set_defaults(command=_run_file)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is less than 0")
    return number


def _limit(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


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
    from aiopenai._cli import demo

    try:
        with demo.target(arguments.base_url) as whom:
            _run(
                demo.show(whom, print, calls=arguments.calls, concurrency=arguments.concurrency, model=arguments.model)
            )
    except demo.DemoError as error:
        return _failed("demo", str(error))
    return 0


def _run_file(arguments: argparse.Namespace) -> int:
    from aiopenai._cli import demo
    from aiopenai._jobs import run
    from aiopenai._jobs.lines import FilesError
    from aiopenai.errors import OpenAIError

    try:
        job = run.Job(
            arguments.input,
            arguments.output,
            model=arguments.model,
            retry_failed=arguments.retry_failed,
            skip_bad=arguments.skip_bad,
            say=lambda text: print(f"aiopenai run: {text}", file=sys.stderr),
        )
    except (run.UsageError, FilesError) as error:
        _failed("run", str(error))
        return 2
    prices = run.Prices(arguments.price_in, arguments.price_out)
    progress = run.Progress(job.total, prices, done=job.done, failed=job.failed)
    try:
        if job.left:
            with demo.target(None, {}) if arguments.local else contextlib.nullcontext() as whom:
                _run(_asking(arguments, job, progress, whom))
    except (run.UsageError, ValueError) as error:
        _failed("run", str(error))
        return 2
    except (run.JobError, FilesError, OpenAIError, demo.DemoError) as error:
        return _failed(
            "run", f"{error}; {progress.done:,} of {progress.total:,} done, the same command goes on from there"
        )
    except KeyboardInterrupt:
        print(
            f"\naiopenai run: stopped with {progress.done:,} of {progress.total:,} done, all of them in "
            f"{job.output_path}; the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    finally:
        job.close()
    print(progress.summary())
    if progress.failed:
        print(f"failures are in {job.failures_path}; --retry-failed tries them again")
    return 1 if progress.failed else 0


async def _asking(arguments: argparse.Namespace, job: Job, progress: Progress, whom: Target | None) -> None:
    from aiopenai._base.sentinels import not_given
    from aiopenai._client.client import AsyncOpenAI
    from aiopenai._jobs import batch as runbatch
    from aiopenai._jobs import run
    from aiopenai._jobs.limiter import Limiter
    from aiopenai.errors import OpenAIError

    _also_end_by(signal.SIGTERM)
    options: dict[str, Any] = {"base_url": arguments.base_url or not_given}
    if whom is not None:
        options = {"base_url": whom.base_url, "api_key": whom.api_key, "trust_env": False}
    try:
        client = AsyncOpenAI(max_retries=arguments.max_retries, timeout=arguments.timeout or not_given, **options)
    except OpenAIError as error:
        raise run.UsageError(str(error)) from error
    batches = runbatch.Batches(job)
    try:
        if batches.under_way and not arguments.batch:
            raise run.UsageError("batches are under way for these files: --batch collects them")
        progress.begin()
        async with client, run.reporting(job, progress, sys.stderr):
            if arguments.batch:
                await batches.ask(client, progress)
            else:
                limiter = Limiter(arguments.concurrency, rpm=arguments.rpm, tpm=arguments.tpm)
                await run.ask(client, job, limiter, progress)
            job.complete()
    finally:
        batches.close()


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
    _also_end_by(signal.SIGINT)
    return await main


def _also_end_by(number: signal.Signals) -> None:
    """Have a signal cancel the running task."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows, where asyncio.run has to do
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _failed(name: str, why: str) -> int:
    line = " ".join(why.split())
    print(f"aiopenai {name}: {line}", file=sys.stderr)
    return 1
