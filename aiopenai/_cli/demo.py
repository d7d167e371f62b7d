"""`python -m aiopenai demo`: a call, a stream, its usage, and a fan-out with figures.

It talks to the server that the options or the environment name, or to a local one in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._base.urls import shown
from aiopenai._calls.hedging import cancelled
from aiopenai._cli.display import painted, progress_bar
from aiopenai._cli.loop import run_async
from aiopenai._cli.options import positive
from aiopenai._cli.output import notify, say
from aiopenai._cli.target import CommandTarget, TargetError, target
from aiopenai._client.client import AsyncOpenAI
from aiopenai.errors import NotFoundError, OpenAIError
from aiopenai.types.chat import ChatCompletionUserMessageParam
from aiopenai.version import __version__

__all__ = ["CONCURRENCY", "DEMO_MODEL", "DemoError", "Figures", "add_arguments", "default_calls", "fan_out", "show"]

DEMO_MODEL = "gpt-4o-mini"
CALLS = 2_000
# Calls to other machines may cost money: 2,000 of them are made on request only.
CALLS_ELSEWHERE = 20
CONCURRENCY = 100
# The whole demo ends within 8 s on a usual machine. This is the limit on a slow one, with a server far away.
TIME_LIMIT = 25.0

_QUESTION = "Say hello to all that wait for a reply."
_STORY = "Count from one to twelve in words, with a remark on how pleasant it is to see words arrive one by one."


class DemoError(Exception):
    """The demo cannot go on; the message says why in one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--calls", type=positive, help="calls of the fan-out (2,000 on this machine, 20 elsewhere)")
    parser.add_argument("--concurrency", type=positive, default=CONCURRENCY, help="so many at a time (%(default)s)")
    parser.add_argument("--model", default=DEMO_MODEL, help="%(default)s")
    parser.add_argument("--base-url", help="the server (OPENAI_BASE_URL)")
    parser.set_defaults(command=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    try:
        with target(arguments.base_url) as server:
            run_async(
                show(server, say, calls=arguments.calls, concurrency=arguments.concurrency, model=arguments.model)
            )
    except (DemoError, TargetError) as error:
        notify("aiopenai demo: " + " ".join(str(error).split()))
        return 1
    return 0


class Figures(NamedTuple):
    """The figures of a fan-out: calls done, seconds, the seconds of each call, and CPU seconds of this process."""

    calls: int
    seconds: float
    latencies: list[float]
    cpu: float

    def percentile(self, share: float) -> float:
        """Returns the latency in seconds that `share` (0 to 1) of the calls did not exceed."""
        return sorted(self.latencies)[max(0, math.ceil(share * len(self.latencies)) - 1)]


def default_calls(base_url: str) -> int:
    """Returns the number of calls of the fan-out: few where they may cost money."""
    host = urlsplit(base_url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return CALLS if here else CALLS_ELSEWHERE


async def show(
    server: CommandTarget,
    say: Callable[..., None],
    *,
    calls: int | None = None,
    concurrency: int = CONCURRENCY,
    model: str = DEMO_MODEL,
    time_limit: float = TIME_LIMIT,
) -> Figures:
    """Runs the demo. `say` works like `print`. Without `calls` all ends within `time_limit` seconds.

    Raises DemoError.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + time_limit
    client = _demo_client(server, time_limit)
    where = shown(server.base_url)
    most = default_calls(server.base_url)
    number = most if calls is None else calls
    say(f"aiopenai {__version__} on Python {platform.python_version()}, {_loop_name(loop)}")
    say(f"Talking to {where} ({server.why}).")
    try:
        async with client:
            await within(time_limit, _introduce(client, model, say))
            title = f"\n4. {number:,} chat calls with asyncio.gather, {min(concurrency, number):,} at a time"
            say(painted(title, "bold cyan"))
            if calls is None and most < CALLS:
                say("   Not more, because they may cost money: --calls 2000 makes 2,000.")
            left = None if calls is not None else max(end - loop.time(), 0.0)
            figures = await fan_out(client, model, number, concurrency, left, say)
    except asyncio.TimeoutError as error:
        raise DemoError(f"{where}: no answer to the first calls within {time_limit:g} s") from error
    except OpenAIError as error:
        hint = " (--model names another model)" if isinstance(error, NotFoundError) else ""
        raise DemoError(f"{where}: {type(error).__name__}: {error}{hint}") from error
    if not figures.calls:
        raise DemoError(f"{where}: no call was answered in time")
    if figures.calls < number:
        say(f"   Stopped after {time_limit:g} s with {figures.calls:,} of them done: --calls N waits for all of N.")
    rate, micros = figures.calls / figures.seconds, figures.cpu / figures.calls * 1e6
    p50, p99 = (figures.percentile(share) * 1e3 for share in (0.5, 0.99))
    words = (
        f"{rate:,.0f} calls per second, latency p50 {p50:.1f} ms, p99 {p99:.1f} ms, {micros:,.0f} us of CPU per call"
    )
    say(painted(f"   {words}", "bold green"))
    return figures


def _demo_client(server: CommandTarget, time_limit: float) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            api_key=server.api_key,
            base_url=server.base_url,
            timeout=Timeout(time_limit, connect=5.0),
            # No proxy of the environment can reach a server on this machine's loopback interface.
            trust_env=not server.local,
        )
    except ValueError as error:
        raise DemoError(str(error)) from error


async def _introduce(client: AsyncOpenAI, model: str, say: Callable[..., None]) -> None:
    say(painted("\n1. A chat call", "bold cyan"))
    say(painted(f"   > {_QUESTION}", "dim"))
    completion = await client.chat.completions.create(model=model, messages=[_user(_QUESTION)])
    say(f"   {completion.choices[0].message.content if completion.choices else ''}")
    say(painted("\n2. A stream, as it arrives", "bold cyan"))
    say(painted(f"   > {_STORY}", "dim"))
    say("   ", end="")
    usage: Any = None
    async for chunk in await client.chat.completions.create(
        model=model, messages=[_user(_STORY)], stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        if chunk.choices and chunk.choices[0].delta.content:
            say(chunk.choices[0].delta.content, end="", flush=True)
    say(painted("\n\n3. The usage of the stream", "bold cyan"))
    if usage is None:
        say("   (this server does not tell)")
        return
    for name, value in _flat(usage.to_dict()):
        say(f"   {name:<52}{value:>6}")


async def fan_out(
    client: AsyncOpenAI, model: str, calls: int, concurrency: int, seconds: float | None, say: Callable[..., None]
) -> Figures:
    """Makes `calls` chat calls by `gather`, `concurrency` at a time; after `seconds` the others are dropped.

    Raises the error of the first call that fails.
    """
    latencies: list[float] = []
    turn = asyncio.Semaphore(concurrency)
    messages = [_user(_QUESTION)]

    async def one(step: Callable[[], object]) -> None:
        async with turn:
            begin = time.perf_counter()
            await client.chat.completions.create(model=model, messages=messages)
            latencies.append(time.perf_counter() - begin)
        step()

    with progress_bar(calls, "   ", say) as step:
        started, cpu = time.perf_counter(), time.process_time()
        tasks = [asyncio.ensure_future(one(step)) for _ in range(calls)]
        try:
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            taken, cpu = time.perf_counter() - started, time.process_time() - cpu
            await cancelled(tasks)
        for task in done:
            task.result()
    return Figures(len(latencies), taken, latencies, cpu)


def _user(text: str) -> ChatCompletionUserMessageParam:
    return {"role": "user", "content": text}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields names and values of nested mappings, with names joined by dots and without nulls."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        elif value is not None:
            yield before + name, value


def _loop_name(loop: asyncio.AbstractEventLoop) -> str:
    name = type(loop).__module__.partition(".")[0]
    return "uvloop" if name == "uvloop" else "asyncio's own loop (uvloop, if installed, is faster)"
