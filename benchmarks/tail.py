"""A slow tail of latencies, with and without hedging: ``python -m benchmarks.tail [--calls N]``.

One reply in a hundred takes twenty times as long as the others (50 ms). A client without hedging and clients with it
make the same calls, 20 at a time. Each has its own server process, which draws the same latencies. The policy counts
the further calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

from aiopenai import AsyncOpenAI, HedgePolicy
from aiopenai.testing import Server, slow_tail

from . import process

_LATENCY = 0.05
_CONCURRENCY = 20


async def measure(policy: HedgePolicy | None, calls: int, core: int | None) -> list[float]:
    latencies: list[float] = []
    async with await process.Child.start("benchmarks.tail", "--serve", core=core) as child:
        url = (await child.receive(10))["url"]
        async with AsyncOpenAI(api_key="local", base_url=url, hedge=policy) as client:
            await client.warm_up(2 * _CONCURRENCY)
            left = iter(range(calls))

            async def worker() -> None:
                for _ in left:
                    begun = time.perf_counter()
                    await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
                    latencies.append(time.perf_counter() - begun)

            await asyncio.gather(*(worker() for _ in range(_CONCURRENCY)))
    return sorted(latencies)


async def serve(core: int | None) -> None:
    process.settle(core)
    async with Server(latency=slow_tail(_LATENCY), journal=False) as server:
        print(json.dumps({"url": server.base_url}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def compare(calls: int) -> None:
    cores = process.choose_cores()
    process.settle(cores.client)
    print(f"{'hedge':<34}{'p50':>10}{'p99':>10}{'p99.9':>10}{'further calls':>15}")
    for policy in (None, HedgePolicy("p95"), HedgePolicy(2 * _LATENCY), HedgePolicy(2 * _LATENCY, max_extra=0.005)):
        found = await measure(policy, calls, cores.server)
        marks = "".join(f"{found[min(int(share * calls), calls - 1)] * 1e3:>7.0f} ms" for share in (0.5, 0.99, 0.999))
        extra = 0.0 if policy is None else policy.extra / policy.calls
        name = "none" if policy is None else f"after={policy.after!r}, max_extra={policy.max_extra}"
        print(f"{name:<34}{marks}{extra:>15.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tail")
    parser.add_argument("--calls", type=int, default=5_000, help="of each client (%(default)s)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.core) if arguments.serve else compare(arguments.calls))


if __name__ == "__main__":
    main()
