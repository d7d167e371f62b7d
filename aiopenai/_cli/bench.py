"""`aiopenai bench`: a load test of any compatible server."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from aiopenai._cli.bench_figures import figures_of
from aiopenai._cli.bench_load import LoadLevel, LoadPlan, run_level
from aiopenai._cli.connection import CommandError, add_server_options, as_command, command_client
from aiopenai._cli.display import painted, progress_bar, say_json, say_table
from aiopenai._cli.options import positive, positive_number, zero_or_more
from aiopenai._cli.output import notify, say

__all__ = ["add_arguments", "prompts_of"]

NumberT = TypeVar("NumberT")
Measured: TypeAlias = tuple[LoadLevel, dict[str, Any]]

_WORDS = """
river lock tide boat rain stone bridge mill reed heron ferry bank source mouth delta canal island valley winter summer
north south water light cloud wind road town harbour sail rope lamp bell story letter
"""


def _several(convert: Callable[[str], NumberT]) -> Callable[[str], list[NumberT]]:
    """Returns the type of an option with one value or several, separated by commas."""
    return lambda text: [convert(part) for part in text.split(",")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.description = (
        "Load test of any compatible server by chat calls: a sweep of concurrencies, or scheduled rates. Times count "
        "from the scheduled start of a request, so that a queue in front of the server is seen."
    )
    parser.add_argument("--model", required=True, help="the model to ask")
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--concurrency", type=_several(positive), help="requests at a time, such as 1,10,100 (1,10,100)")
    load.add_argument("--rate", type=_several(positive_number), help="requests per second, such as 5,20,50")
    parser.add_argument(
        "--arrivals", choices=["poisson", "constant"], default="poisson", help="of a rate (%(default)s)"
    )
    parser.add_argument("--duration", type=positive_number, default=10.0, help="seconds of each level (%(default)g)")
    parser.add_argument("--requests", type=positive, help="so many requests of each level instead of --duration")
    parser.add_argument("--prompts", type=Path, help="a file of prompts, one a line: text or JSON")
    parser.add_argument("--prompt-words", type=positive, default=100, help="words of synthetic prompts (%(default)s)")
    parser.add_argument("--max-tokens", type=positive, help="the longest answer, in tokens")
    parser.add_argument("--extra-body", type=_json_object, help="further fields of each request, as a JSON object")
    parser.add_argument("--no-stream", action="store_true", help="whole answers instead of streams")
    parser.add_argument("--seed", type=zero_or_more, default=0, help="of schedule and prompts (%(default)s)")
    parser.add_argument("--html", type=Path, help="write a report with pictures to this file")
    add_server_options(parser)
    # A retry would hide an error, and count its wait as latency.
    parser.set_defaults(command=as_command("bench", _bench), max_retries=0)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('it is no JSON object such as {"ignore_eos": true}')
    return value  # pyright: ignore[reportUnknownVariableType]


def prompts_of(arguments: argparse.Namespace) -> list[Any]:
    """Returns the messages of all requests, from the file or synthetic. Raises CommandError for a bad file."""
    if arguments.prompts is None:
        # Each prompt begins otherwise, because servers keep the beginnings of prompts.
        numbers = random.Random(arguments.seed)
        texts = [" ".join(numbers.choices(_WORDS.split(), k=arguments.prompt_words)) for _ in range(64)]
        return [[{"role": "user", "content": text}] for text in texts]
    try:
        lines = [line.strip() for line in arguments.prompts.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--prompts: {arguments.prompts} cannot be read: {error}") from error
    prompts = [_messages(line, number) for number, line in enumerate(lines, 1) if line]
    if not prompts:
        raise CommandError(f"--prompts: {arguments.prompts} has no prompts")
    return prompts


def _messages(line: str, number: int) -> Any:
    value: Any = line
    if line.startswith(("{", '"')):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise CommandError(f"--prompts: line {number} is not JSON: {error}") from error
    if isinstance(value, dict):
        fields: Any = value.get("body", value)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        messages = fields.get("messages") if isinstance(fields, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if not isinstance(messages, list):
            raise CommandError(f"--prompts: line {number} is an object without a list `messages`")
        return messages  # pyright: ignore[reportUnknownVariableType]
    return [{"role": "user", "content": value}]


async def _bench(arguments: argparse.Namespace) -> int:
    bodies = [
        {"model": arguments.model, "messages": messages} for messages in await asyncio.to_thread(prompts_of, arguments)
    ]
    for body in bodies:
        if arguments.max_tokens:
            body["max_tokens"] = arguments.max_tokens
        if arguments.extra_body:
            body["extra_body"] = arguments.extra_body
    levels: list[Measured] = []
    async with command_client(arguments) as client:
        plan = await _checked_plan(client, arguments, bodies)
        about = _about(client, arguments)
        if not arguments.json:
            say(painted(f"Load test of {about['server']}, model {arguments.model}", "bold"))
        with contextlib.suppress(asyncio.CancelledError):
            for level in _levels(arguments):
                if level.concurrency is not None:
                    await client.warm_up(level.concurrency)
                try:
                    await _shown_level(client, plan, level)
                finally:
                    # Ctrl-C ends the test, and the samples until then are reported.
                    if level.samples:
                        levels.append((level, figures_of(level)))
    if not levels:
        raise CommandError("no request has ended; a longer --duration or --timeout helps")
    await asyncio.to_thread(_report, arguments, about, levels)
    return 0 if any(not sample.error for level, _ in levels for sample in level.samples) else 1


def _about(client: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    from aiopenai._base.urls import shown
    from aiopenai.version import __version__

    asked = f"file {arguments.prompts.name}" if arguments.prompts else f"{arguments.prompt_words:,} synthetic words"
    return {
        "server": shown(str(client.base_url)),
        "model": arguments.model,
        "prompts": asked,
        "streamed": not arguments.no_stream,
        "client": f"aiopenai {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores",
    }


def _levels(arguments: argparse.Namespace) -> list[LoadLevel]:
    limits = {"seconds": arguments.duration, "requests": arguments.requests}
    poisson = arguments.arrivals == "poisson"
    if arguments.rate:
        return [LoadLevel(concurrency=None, rate=rate, poisson=poisson, **limits) for rate in arguments.rate]
    counts = arguments.concurrency or [1, 10, 100]
    return [LoadLevel(concurrency=count, rate=None, poisson=poisson, **limits) for count in counts]


async def _checked_plan(client: Any, arguments: argparse.Namespace, bodies: list[dict[str, Any]]) -> LoadPlan:
    """Returns the plan after one request: an error of all requests is found before the load begins."""
    from aiopenai.errors import BadRequestError, UnprocessableEntityError

    stream = not arguments.no_stream
    if not stream:
        await client.chat.completions.create(**bodies[0])
        return LoadPlan(bodies, stream=False, with_usage=False, seed=arguments.seed)
    with_usage = True
    try:
        await _read_stream(client, bodies[0], stream_options={"include_usage": True})
    except (BadRequestError, UnprocessableEntityError):
        # Some servers know no `stream_options`. Tokens are then counted by their events.
        await _read_stream(client, bodies[0])
        with_usage = False
    return LoadPlan(bodies, stream=True, with_usage=with_usage, seed=arguments.seed)


async def _read_stream(client: Any, body: dict[str, Any], **options: Any) -> None:
    async with await client.chat.completions.create(**body, **options, stream=True) as stream:
        async for _ in stream:
            pass


async def _shown_level(client: Any, plan: LoadPlan, level: LoadLevel) -> None:
    if level.requests is None:
        notify(f"{level.name}, {level.seconds:g} s ...")
        await run_level(client, plan, level)
        return
    with progress_bar(level.requests, f"{level.name}: ", notify) as step:
        await run_level(client, plan, level, step)


_COLUMNS = ("level", "requests", "failed", "req/s", "tokens/s", "first token", "between", "latency", "CPU", "loop lag")


def _row(figures: dict[str, Any]) -> tuple[str, ...]:
    failed = sum(error["count"] for error in figures["errors"].values())
    return (
        figures["level"],
        f"{figures['requests']:,}",
        f"{failed:,}",
        f"{figures['requests_per_second']:,.1f}",
        f"{figures['tokens_per_second']:,.0f}",
        *(_times(figures[name]) for name in ("time_to_first_token_ms", "time_between_tokens_ms", "latency_ms")),
        f"{figures['client_cpu']:.0%}",
        _times(figures["client_loop_lag_ms"]),
    )


def _doubt(figures: dict[str, Any]) -> str:
    """Returns the reason why the times of a level are not those of the server; empty if there is none."""
    if figures["client_is_limit"]:
        return (
            f"the client is the limit: it used {figures['client_cpu_busiest_second']:.0%} of a core in its busiest "
            "second, so these times are its own; use a lower load, or several machines"
        )
    if figures["client_is_late"]:
        lag = figures["client_loop_lag_ms"]["p99"]
        return f"other programs held up the client: one wake-up in a hundred came {lag:,.0f} ms late, or later"
    return ""


def _times(values: dict[str, float] | None) -> str:
    return "-" if values is None else " / ".join(f"{value:,.1f}" for value in values.values())


def _report(
    arguments: argparse.Namespace, about: dict[str, Any], levels: list[tuple[LoadLevel, dict[str, Any]]]
) -> None:
    rows = [_row(figures) for _, figures in levels]
    if arguments.json:
        say_json({**about, "levels": [figures for _, figures in levels]})
    else:
        say_table(_COLUMNS, rows, right=range(1, len(_COLUMNS)))
        say("Times in ms: p50 / p90 / p99, from the scheduled start. CPU: share of one core that the client used.")
        for _, figures in levels:
            for kind, error in figures["errors"].items():
                say(painted(f"{figures['level']}: {error['count']:,} x {kind}: {error['reason']}", "red"))
            if doubt := _doubt(figures):
                say(painted(f"{figures['level']}: {doubt}", "bold yellow"))
    if arguments.html is not None:
        from aiopenai._cli.bench_html import html_report

        try:
            arguments.html.write_text(html_report(about, _COLUMNS, rows, levels), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--html: {arguments.html}: {error.strerror or error}") from error
        notify(f"the report is in {arguments.html}")
