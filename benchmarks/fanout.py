"""Rate limits, side by side: ``python -m benchmarks.fanout [--seconds N]``.

The same job runs against the local server with real token buckets. `client.map` learns the limits from the headers of
the replies. The hand-written rival is a fixed number of workers with up to 10 retries per call, at three concurrencies.
Each strategy has its own server process on another core, with replies that take 300 ms, and the same time. The server
counts admitted, refused and charged requests. It allows a bucket that is full at the start, and the refill.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

from aiopenai import AsyncOpenAI
from aiopenai.errors import APIError
from aiopenai.testing import RateLimits, Server, slow_tail

from . import process

_MODEL = "gpt-4o-mini"
_LATENCY = 0.3


class Case(NamedTuple):
    name: str
    rpm: float
    tpm: float
    words: int


class Figures(NamedTuple):
    admitted: int
    refused: int
    charged: int
    allowed_share: float


CASES = (
    # The first case runs out of requests, the second of tokens: its prompts have 1 to 100 words.
    Case("requests", rpm=12_000, tpm=10_000_000, words=4),
    Case("tokens", rpm=60_000, tpm=900_000, words=100),
)


def requests(client: AsyncOpenAI, words: int) -> Iterator[Any]:
    """Yields requests without end, the same ones for each strategy."""
    chance = random.Random(1)
    while True:
        text = " ".join(itertools.repeat("word", chance.randint(1, words)))
        yield client.chat.completions.create.request(model=_MODEL, messages=[{"role": "user", "content": text}])


async def adaptive(client: AsyncOpenAI, words: int) -> None:
    async for result in client.map(requests(client, words)):
        if not result.ok:
            print(f"failed: {result.error!r}", file=sys.stderr)


def by_hand(concurrency: int) -> Callable[[AsyncOpenAI, int], Coroutine[Any, Any, None]]:
    """Returns the usual hand-written strategy: one worker per concurrent call, and the retries of the client."""

    async def work(client: AsyncOpenAI, words: int) -> None:
        source = requests(client, words)

        async def worker() -> None:
            for request in source:
                with contextlib.suppress(APIError):
                    await client.send(request)

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    return work


async def measure(case: Case, work: Callable[..., Any], seconds: float, core: int | None) -> Figures:
    arguments = ["--serve", json.dumps({"rpm": case.rpm, "tpm": case.tpm})]
    async with await process.Child.start("benchmarks.fanout", *arguments, core=core) as child:
        url = (await child.receive(10))["url"]
        async with AsyncOpenAI(api_key="local", base_url=url, max_retries=10) as client:
            # Imports and the first connection happen before the clock starts.
            await client.models.list()
            began = await child.ask({}, 10)
            task = asyncio.ensure_future(work(client, case.words))
            await asyncio.wait([task], timeout=seconds)
            end = await child.ask({}, 10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        taken = end["at"] - began["at"]
        admitted, refused, charged = (end[name] - began[name] for name in ("admitted", "refused", "charged"))
        # The bucket holds the limit of one second; the refill comes on top.
        by_requests = admitted / (case.rpm / 60 * (1 + taken))
        by_tokens = charged / (case.tpm / 60 * (1 + taken))
        return Figures(admitted, refused, charged, max(by_requests, by_tokens))


async def serve(limits: dict[str, float], core: int | None) -> None:
    process.settle(core)
    loop = asyncio.get_running_loop()
    kept = RateLimits(**limits, burst=1.0)
    async with Server(limits=kept, latency=slow_tail(_LATENCY, share=0.0), journal=False) as server:
        print(json.dumps({"url": server.base_url}), flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            counts = {name: getattr(kept, name) for name in ("admitted", "refused", "charged")}
            print(json.dumps({**counts, "at": time.monotonic()}), flush=True)


async def compare(seconds: float) -> None:
    cores = process.choose_cores()
    process.settle(cores.client)
    strategies = {"map": adaptive, **{f"by hand, {number:,}": by_hand(number) for number in (10, 100, 1_000)}}
    print(f"{'limit':<10}{'strategy':<16}{'calls done':>11}{'of the allowed':>16}{'refused (429)':>15}{'of calls':>10}")
    for case in CASES:
        for name, work in strategies.items():
            found = await measure(case, work, seconds, cores.server)
            share = found.refused / max(1, found.admitted + found.refused)
            print(
                f"{case.name:<10}{name:<16}{found.admitted:>11,}{found.allowed_share:>16.1%}{found.refused:>15,}"
                f"{share:>10.1%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each strategy and limit (%(default)s)")
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        asyncio.run(serve(arguments.serve, arguments.core))
    else:
        asyncio.run(compare(arguments.seconds))


if __name__ == "__main__":
    main()
