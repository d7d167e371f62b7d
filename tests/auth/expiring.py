"""Many calls with tokens that expire soon: `python -m tests.auth.expiring --calls 10000`."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any, NamedTuple

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


class Figures(NamedTuple):
    """The result of a run: calls made, tokens issued, seconds, and requests that were refused and sent again."""

    calls: int
    exchanges: int
    seconds: float
    refused: int


async def run(calls: int, lifetime: float, *, concurrency: int, seconds: float = 0.0) -> Figures:
    """Makes so many calls, and goes on until `seconds` are over. Raises the error of the first call that fails."""
    async with Server(api_key="no call has it", token_lifetime=lifetime, journal=False) as server:
        identity: Any = {
            "identity_provider_id": "i",
            "service_account_id": "s",
            "provider": {"token_type": "jwt", "get_token": lambda: "subject"},
            "token_exchange_url": server.token_exchange_url,
        }
        async with AsyncOpenAI(workload_identity=identity, base_url=server.base_url, max_retries=0) as client:
            begun = time.monotonic()
            made = 0
            while made < calls or time.monotonic() - begun < seconds:
                await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(concurrency)))
                made += concurrency
            took = time.monotonic() - begun
        return Figures(made, server.tokens_issued, took, server.request_count - made - server.tokens_issued)


def main() -> None:
    """Runs at length and prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.auth.expiring", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--lifetime", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    found = asyncio.run(run(options.calls, options.lifetime, concurrency=options.concurrency, seconds=options.seconds))
    print(
        f"{found.calls:,} calls, none failed; {found.exchanges} exchanges in {found.seconds:.1f} s, "
        f"{found.refused} requests answered with 401 and sent again"
    )


if __name__ == "__main__":
    main()
