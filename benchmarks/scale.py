"""Proof at scale: ``python -m benchmarks.scale map | streams | flight [--help]``.

- ``map``: 10,000,000 requests from a generator through `client.map`; rate and memory after each tenth.
- ``streams``: 10,000 streams open at once for 60 s, an event every 5 s in each; memory, CPU and lateness of events.
- ``flight``: the CPU of a call with 1 to 20,000 calls in flight, on default settings.

The server is a process of its own on another core. `benchmarks.load` measures latency under load.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from . import answers, process, report, runner
from .clients import CLIENTS
from .rows import SUBJECT, Plan, Row
from .stats import percentile

_SEGMENTS: Final = 10
_FLIGHTS: Final = (1, 10, 100, 1_000, 5_000, 10_000, 20_000)
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _client(url: str) -> Any:
    from aiopenai import AsyncOpenAI

    return AsyncOpenAI(api_key="sk-bench", base_url=url, trust_env=False)


# A job of millions


async def run_map(calls: int, concurrency: int) -> None:
    """Prints the rate, the CPU of a call and the resident memory for each tenth of a job."""
    cores = process.choose_cores()
    process.settle(cores.client)
    async with await process.Child.start("benchmarks.server", core=cores.server) as server:
        hello = await server.receive(10)
        async with _client(f"http://127.0.0.1:{hello['port']}/v1") as client:
            create = client.chat.completions.create
            await create(**answers.question())
            requests = (create.request(**answers.question()) for _ in range(calls))
            print(f"{'calls':>12}{'calls/s':>10}{'CPU us':>9}{'MB':>8}", flush=True)
            print(f"{0:>12,}{'':>10}{'':>9}{process.resident_megabytes():>8.1f}", flush=True)
            step = max(1, calls // _SEGMENTS)
            begin, cpu, done = time.perf_counter(), time.process_time(), 0
            async for result in client.map(requests, concurrency=concurrency, ordered=False):
                if not result.ok:
                    raise result.error
                done += 1
                if done % step == 0:
                    now, used = time.perf_counter(), time.process_time()
                    rate, each = step / (now - begin), (used - cpu) / step * 1e6
                    print(f"{done:>12,}{rate:>10,.0f}{each:>9.1f}{process.resident_megabytes():>8.1f}", flush=True)
                    begin, cpu = now, used


# Many streams that are open for long


class _Ticking(asyncio.Protocol):
    """A connection whose stream has an event every few seconds; each event holds the time at which it was sent."""

    def __init__(self, seconds: float, every: float) -> None:
        self._every = every
        self._left = int(seconds / every) + 1
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        # The server of this measurement is sent short requests only, each in one piece.
        if not data.startswith(b"POST"):
            return
        self._transport.write(_HEAD)
        self._tick(asyncio.get_running_loop().time())

    def _tick(self, due: float) -> None:
        last = self._left == 1
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": answers.MODEL,
            "choices": [
                {"index": 0, "delta": {"content": repr(time.monotonic())}, "finish_reason": "stop" if last else None}
            ],
        }
        data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
        if last:
            data += b"data: [DONE]\n\n"
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) + (b"0\r\n\r\n" if last else b""))
        self._left -= 1
        if not last:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(due + self._every, self._tick, due + self._every)


async def serve_streams(seconds: float, every: float, core: int | None) -> None:
    """Serves streams until stdin is closed."""
    process.settle(core)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Ticking(seconds, every), "127.0.0.1", 0, backlog=16_384)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


async def run_streams(streams: int, seconds: float, every: float) -> None:
    """Prints memory per stream, CPU, and how late events are read after the server has sent them."""
    cores = process.choose_cores()
    process.settle(cores.client)
    late: list[float] = []
    async with await process.Child.start(
        "benchmarks.scale", "serve", str(seconds), str(every), core=cores.server
    ) as server:
        hello = await server.receive(10)
        async with _client(f"http://127.0.0.1:{hello['port']}/v1") as client:
            opened = 0
            everything = asyncio.Event()

            async def one(start: float) -> None:
                nonlocal opened
                await asyncio.sleep(start)
                stream = await client.chat.completions.create(**answers.question(stream=True))
                opened += 1
                if opened == streams:
                    everything.set()
                async for chunk in stream:
                    late.append(time.monotonic() - float(chunk.choices[0].delta.content or 0))

            before = process.resident_megabytes()
            # Streams are opened over one interval, so that their events do not come all at once.
            tasks = [asyncio.ensure_future(one(number / streams * every)) for number in range(streams)]
            ended = asyncio.gather(*tasks)
            await asyncio.wait([asyncio.ensure_future(everything.wait()), ended], return_when="FIRST_COMPLETED")
            gc.collect()
            memory = (process.resident_megabytes() - before) / streams * 1e3
            begin, cpu = time.perf_counter(), time.process_time()
            await ended
            taken, used = time.perf_counter() - begin, time.process_time() - cpu
        marks = ", ".join(f"p{share * 100:g} {percentile(late, share) * 1e3:.1f} ms" for share in (0.5, 0.99, 0.999))
        print(f"{streams:,} streams, an event every {every:g} s in each, {seconds:g} s: {len(late):,} events")
        print(f"memory per stream {memory:.1f} KB; CPU {used / taken:.1%} of one core")
        print(f"events read after they were sent: {marks}, latest {max(late) * 1e3:.1f} ms")


# The cost of a call by the number of calls in flight


def flight_rows(flights: tuple[int, ...]) -> Iterator[Row]:
    """Yields a row for each number of calls in flight. Few calls at once are made more often."""
    for number in flights:
        yield Row(
            f"flight-{number}",
            f"{number:,} in flight",
            (SUBJECT, "naive", "bare"),
            measures=("cpu", "wall"),
            concurrency=number,
            least=3 if number > 100 else 20,
        )


def run_flight(most: int, rounds: int) -> None:
    """Prints the CPU of a call for each client and number of calls in flight."""
    rows = list(flight_rows(tuple(number for number in _FLIGHTS if number <= most)))
    plan = Plan(rounds=rounds, turns=1, seconds=0.3)
    results = asyncio.run(runner.run(rows, plan, lambda text: print(text, file=sys.stderr, flush=True)))
    document = report.as_document(results)
    clients = rows[0].clients
    print(f"{'in flight':>10}" + "".join(f"{CLIENTS[client].title:>24}" for client in clients))
    for row in document["rows"]:
        figures = [row["clients"][client]["figures"].get("cpu") for client in clients]
        cells = ["-" if figure is None else f"{figure['median']:.1f} us" for figure in figures]
        print(f"{row['concurrency']:>10,}" + "".join(f"{cell:>24}" for cell in cells))
        for client, error in ((name, row["clients"][name]["error"]) for name in clients):
            if error is not None:
                print(f"{'':>10}  {client}: {error}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=(__doc__ or "").partition(".")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    job = commands.add_parser("map", help="millions of requests through client.map")
    job.add_argument("--calls", type=int, default=10_000_000, help="(%(default)s)")
    job.add_argument("--concurrency", type=int, default=100, help="(%(default)s)")
    streams = commands.add_parser("streams", help="thousands of streams open at once")
    streams.add_argument("--streams", type=int, default=10_000, help="(%(default)s)")
    streams.add_argument("--seconds", type=float, default=60.0, help="(%(default)s)")
    streams.add_argument("--every", type=float, default=5.0, help="seconds between two events (%(default)s)")
    flight = commands.add_parser("flight", help="the cost of a call by the number of calls in flight")
    flight.add_argument("--most", type=int, default=_FLIGHTS[-1], help="the greatest number (%(default)s)")
    flight.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    serve = commands.add_parser("serve", help=argparse.SUPPRESS)
    serve.add_argument("seconds", type=float)
    serve.add_argument("every", type=float)
    serve.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.command == "map":
        asyncio.run(run_map(arguments.calls, arguments.concurrency))
    elif arguments.command == "streams":
        asyncio.run(run_streams(arguments.streams, arguments.seconds, arguments.every))
    elif arguments.command == "flight":
        run_flight(arguments.most, arguments.rounds)
    else:
        asyncio.run(serve_streams(arguments.seconds, arguments.every, arguments.core))


if __name__ == "__main__":
    main()
