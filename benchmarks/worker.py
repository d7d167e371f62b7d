"""The measured process: ``python -m benchmarks.worker CLIENT --base-url URL [--core N]``.

Reads one turn a line from stdin, ``{"workload", "concurrency", "seconds"}``, and answers each with a line
``{"calls", "wall", "cpu"}`` (seconds) or ``{"error"}``. Its first line, before any turn, says that it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from . import answers, process
from .clients import CLIENTS, Client
from .stats import Sample

# Enough for first-use work (compiled schemas, caches, the first connection) to be over before the clock starts.
_WARM_UP = {"chat": 20, "stream": 2}
# The first and the last wave of a turn are in lockstep, which costs some clients a third more than steady work does.
# This many calls per lane make the steady part the bulk, for slow clients at high concurrency too.
_LEAST = {"chat": 10, "stream": 3}
# Clients kept alive by one turn of "construct".
_MAX_CONSTRUCTED = 200

Factory = Callable[[str], Client]


class WrongAnswerError(Exception):
    """A client returned something other than what the server sent: its time means nothing."""


def _operation(client: Client, workload: str) -> Callable[[], Awaitable[None]]:
    async def chat() -> None:
        text = await client.chat()
        if text != answers.CHAT_TEXT:
            raise WrongAnswerError(f"chat gave {text[:80]!r}")

    async def stream() -> None:
        characters = await client.stream()
        if characters != answers.STREAM_CHARACTERS:
            raise WrongAnswerError(f"the stream gave {characters} characters instead of {answers.STREAM_CHARACTERS}")

    return chat if workload == "chat" else stream


async def _calls(factory: Factory, base_url: str, workload: str, concurrency: int, seconds: float) -> Sample:
    """`concurrency` lanes that call back to back until the time is up, and each at least `_LEAST` calls."""
    least = _LEAST[workload]
    client = factory(base_url)
    try:
        operation = _operation(client, workload)
        for _ in range(_WARM_UP[workload]):
            await operation()
        await asyncio.gather(*(operation() for _ in range(concurrency)))
        gc.collect()

        async def lane(deadline: float) -> int:
            done = 0
            while True:
                await operation()
                done += 1
                if done >= least and time.perf_counter() >= deadline:
                    return done

        cpu = time.process_time()
        wall = time.perf_counter()
        calls = sum(await asyncio.gather(*(lane(wall + seconds) for _ in range(concurrency))))
        return Sample(calls, time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        await client.close()


async def _construct(factory: Factory, base_url: str, seconds: float) -> Sample:
    """Clients made while a first one lives, up to a number or until the time is up."""
    clients = [factory(base_url)]
    try:
        gc.collect()
        cpu = time.process_time()
        wall = time.perf_counter()
        deadline = wall + seconds
        while len(clients) <= _MAX_CONSTRUCTED and (len(clients) == 1 or time.perf_counter() < deadline):
            clients.append(factory(base_url))
        return Sample(len(clients) - 1, time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        for client in clients:
            await client.close()


def take_turn(factory: Factory, base_url: str, workload: str, concurrency: int, seconds: float) -> Sample:
    """One turn on an event loop of its own."""
    if workload == "construct":
        return asyncio.run(_construct(factory, base_url, seconds))
    return asyncio.run(_calls(factory, base_url, workload, concurrency, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    process.settle(arguments.core)
    # The protocol has stdout to itself: what a client library prints goes to stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        factory = CLIENTS[arguments.client].load()
    except ImportError as exc:
        reply({"error": f"{type(exc).__name__}: {exc}"})
        return
    reply({"ready": arguments.client})
    for line in sys.stdin:
        turn: dict[str, Any] = json.loads(line)
        try:
            sample = take_turn(factory, arguments.base_url, turn["workload"], turn["concurrency"], turn["seconds"])
        except Exception as exc:  # whatever a client raises is a result of the comparison, not a reason to stop it
            reply({"error": f"{type(exc).__name__}: {exc}"[:500]})
        else:
            reply({"calls": sample.calls, "wall": sample.wall, "cpu": sample.cpu})


if __name__ == "__main__":
    main()
