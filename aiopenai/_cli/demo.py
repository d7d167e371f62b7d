"""What `python -m aiopenai demo` shows: a call, a stream, its usage, and a fan-out with figures.

It talks to what the options or the environment name, else to a local server that it starts in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._base.urls import shown
from aiopenai._client.client import AsyncOpenAI
from aiopenai._client.configuration import DEFAULT_BASE_URL
from aiopenai.errors import NotFoundError, OpenAIError
from aiopenai.types.chat import ChatCompletionUserMessageParam
from aiopenai.version import __version__

__all__ = ["CONCURRENCY", "MODEL", "DemoError", "Figures", "Target", "default_calls", "show", "target"]

MODEL = "gpt-4o-mini"
CALLS = 2_000
# Elsewhere than on this machine calls may cost money: nobody should pay for 2,000 of them without having asked.
CALLS_ELSEWHERE = 20
CONCURRENCY = 100
# The whole demo ends within half a minute, starting Python and the server included.
TIME_LIMIT = 25.0
_START_SECONDS = 10.0
# Slow enough to be seen arriving.
_TOKEN_DELAY = 0.02

_QUESTION = "Say hello to everybody who waits for a reply."
_STORY = "Count from one to twelve in words, with a remark on how pleasant it is to see words arrive one by one."


class DemoError(Exception):
    """The demo cannot go on; says why in one line."""


class Target(NamedTuple):
    """Whom the demo talks to."""

    base_url: str
    api_key: str
    why: str
    local: bool
    """Whether it is the server that the demo has started."""


class Figures(NamedTuple):
    """What a fan-out took: calls done, seconds, each call's seconds, and seconds of this process's CPU."""

    calls: int
    seconds: float
    latencies: list[float]
    cpu: float

    def percentile(self, share: float) -> float:
        """The latency in seconds that `share` (0 to 1) of the calls did not exceed."""
        return sorted(self.latencies)[max(0, math.ceil(share * len(self.latencies)) - 1)]


@contextlib.contextmanager
def target(base_url: str | None, environment: Mapping[str, str] = os.environ) -> Generator[Target, None, None]:
    """Whom to talk to: `base_url`, else what the environment names, else a local server that lives as long as this.

    Raises DemoError where the server does not start.
    """
    key = environment.get("OPENAI_API_KEY")
    named = base_url or environment.get("OPENAI_BASE_URL")
    if named:
        why = "as --base-url says" if base_url else "as OPENAI_BASE_URL says"
        # Servers of one's own mostly ask for no key; those that do will say so.
        yield Target(named, key or "none", why, local=False)
    elif key:
        yield Target(DEFAULT_BASE_URL, key, "with the key in OPENAI_API_KEY", local=False)
    else:
        with _local_server() as url:
            why = "a local server, as neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"
            yield Target(url, "local", why, local=True)


@contextlib.contextmanager
def _local_server() -> Generator[str, None, None]:
    command = [sys.executable, "-m", "aiopenai", "serve", "--port", "0", "--token-delay", str(_TOKEN_DELAY)]
    # Its end comes with the block, or with the end of its standard input when this process is killed. Ctrl-C is for
    # this process alone, which then ends the server.
    with subprocess.Popen(
        [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        impatience = threading.Timer(_START_SECONDS, child.kill)
        impatience.daemon = True
        impatience.start()
        try:
            url = child.stdout.readline().strip()
            impatience.cancel()
            if not url:
                raise DemoError("the local server did not start")
            yield url
        finally:
            impatience.cancel()
            child.kill()


def default_calls(base_url: str) -> int:
    """How many calls the fan-out makes unless told: few where they may cost money."""
    host = urlsplit(base_url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return CALLS if here else CALLS_ELSEWHERE


async def show(
    whom: Target,
    say: Callable[..., None],
    *,
    calls: int | None = None,
    concurrency: int = CONCURRENCY,
    model: str = MODEL,
    time_limit: float = TIME_LIMIT,
) -> Figures:
    """The demo. `say` is `print` or like it; without `calls` all ends within `time_limit` seconds.

    Raises DemoError.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + time_limit
    client = _client(whom, time_limit)
    where = shown(whom.base_url)
    most = default_calls(whom.base_url)
    number = most if calls is None else calls
    say(f"aiopenai {__version__} on Python {platform.python_version()}, {_kind(loop)}")
    say(f"Talking to {where} ({whom.why}).")
    try:
        async with client:
            await within(time_limit, _introduce(client, model, say))
            say(f"\n4. {number:,} chat calls with asyncio.gather, {min(concurrency, number):,} at a time")
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
    say(
        f"   {rate:,.0f} calls per second, latency p50 {p50:.1f} ms, p99 {p99:.1f} ms, {micros:,.0f} us of CPU per call"
    )
    return figures


def _client(whom: Target, time_limit: float) -> AsyncOpenAI:
    try:
        return AsyncOpenAI(
            api_key=whom.api_key,
            base_url=whom.base_url,
            timeout=Timeout(time_limit, connect=5.0),
            # No proxy of the environment can reach a server on this machine's loopback interface.
            trust_env=not whom.local,
        )
    except ValueError as error:
        raise DemoError(str(error)) from error


async def _introduce(client: AsyncOpenAI, model: str, say: Callable[..., None]) -> None:
    say(f"\n1. A chat call\n   > {_QUESTION}")
    completion = await client.chat.completions.create(model=model, messages=[_user(_QUESTION)])
    say(f"   {completion.choices[0].message.content if completion.choices else ''}")
    say(f"\n2. A stream, as it arrives\n   > {_STORY}\n   ", end="")
    usage: Any = None
    async for chunk in await client.chat.completions.create(
        model=model, messages=[_user(_STORY)], stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        if chunk.choices and chunk.choices[0].delta.content:
            say(chunk.choices[0].delta.content, end="", flush=True)
    say("\n\n3. What the stream used")
    if usage is None:
        say("   (this server does not tell)")
        return
    for name, value in _flat(usage.to_dict()):
        say(f"   {name:<52}{value:>6}")


async def fan_out(
    client: AsyncOpenAI, model: str, calls: int, concurrency: int, seconds: float | None, say: Callable[..., None]
) -> Figures:
    """`calls` chat calls by `gather`, `concurrency` at a time; those that are not done after `seconds` are dropped.

    Raises what the first call that fails raises.
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

    with _progress(calls, say) as step:
        started, cpu = time.perf_counter(), time.process_time()
        tasks = [asyncio.ensure_future(one(step)) for _ in range(calls)]
        try:
            await within(seconds, asyncio.gather(*tasks))
        except asyncio.TimeoutError:
            pass
        finally:
            taken, cpu = time.perf_counter() - started, time.process_time() - cpu
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return Figures(len(latencies), taken, latencies, cpu)


@contextlib.contextmanager
def _progress(total: int, say: Callable[..., None]) -> Generator[Callable[[], object], None, None]:
    """What is to be called after each of `total` steps: tqdm's bar where it is installed, else a line per quarter."""
    try:
        from tqdm import tqdm
    except ImportError:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            if done * 4 // total > (done - 1) * 4 // total:
                say(f"   {done:,} of {total:,} done")

        yield step
    else:
        with tqdm(total=total, unit=" calls", desc="  ") as bar:
            yield bar.update


def _user(text: str) -> ChatCompletionUserMessageParam:
    return {"role": "user", "content": text}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of nested mappings, names joined by dots; what is null is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        elif value is not None:
            yield before + name, value


def _kind(loop: asyncio.AbstractEventLoop) -> str:
    name = type(loop).__module__.partition(".")[0]
    return "uvloop" if name == "uvloop" else "asyncio's own loop (uvloop, if installed, is faster)"
