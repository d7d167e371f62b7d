"""Latency under load: ``python -m benchmarks.load [--seconds N] [--client NAME]``.

First each client makes calls back to back, 100 at once: that rate is its throughput on one core. Then calls start on
schedule at 50 % and 90 % of that rate, whether or not earlier ones are done. A duration begins at the scheduled start,
so that a delay of the client itself counts (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Final

from . import runner
from .clients import CLIENTS
from .rows import SUBJECT, Plan, Row
from .stats import Sample, measured

SHARES: Final = (0.5, 0.9)
_CLIENTS: Final = (SUBJECT, "tuned", "naive", "openai")
_MARKS: Final = ("p50", "p99", "p999")


def _throughput_row(client: str) -> Row:
    return Row("throughput", "100 at once", (client,), measures=("wall",), concurrency=100, subject=client, least=20)


def _load_row(client: str, rate: float, seconds: float) -> Row:
    return Row(
        "load",
        f"{rate:,.0f} calls a second",
        (client,),
        driver="scheduled",
        measures=_MARKS,
        concurrency=100,
        count=max(1, int(rate * seconds)),
        subject=client,
        least=20,
    )


async def _one(row: Row, seconds: float) -> list[Sample | None]:
    results = await runner.run([row], Plan(rounds=1, turns=1, seconds=seconds))
    (result,) = results.rows
    if result.errors:
        raise RuntimeError(result.errors[row.subject])
    return result.samples[row.subject]


async def compare(clients: list[str], seconds: float, calibration: float = 1.0) -> None:
    """Prints p50, p99 and p99.9 of each client at each share of its throughput, measured for `calibration` seconds."""
    print(f"{'':<26}{'share':>7}{'calls/s':>10}{'p50':>12}{'p99':>12}{'p99.9':>12}", flush=True)
    for client in clients:
        try:
            back_to_back = measured(await _one(_throughput_row(client), calibration), "wall")
            assert back_to_back is not None
            for share in SHARES:
                rate = share * 1e6 / back_to_back.median
                samples = await _one(_load_row(client, rate, seconds), seconds)
                spreads = [measured(samples, mark) for mark in _MARKS]
                cells = "".join(f"{'-' if each is None else f'{each.median / 1e3:.2f} ms':>12}" for each in spreads)
                print(f"{CLIENTS[client].title:<26}{share:>7.0%}{rate:>10,.0f}{cells}", flush=True)
        except RuntimeError as error:
            print(f"{CLIENTS[client].title:<26}{error}", file=sys.stderr, flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each client and rate (%(default)s)")
    parser.add_argument("--client", action="append", choices=_CLIENTS, help="only this client; repeatable")
    arguments = parser.parse_args()
    asyncio.run(compare(arguments.client or list(_CLIENTS), arguments.seconds))


if __name__ == "__main__":
    main()
