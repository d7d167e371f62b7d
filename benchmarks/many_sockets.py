"""Many websockets at once: ``python -m benchmarks.many_sockets [CLIENT] [--sockets 1000] [--rate 5] [--seconds 60]``.

Each socket gets `rate` events a second from the server in a process of its own. The report has the events that are
missing, the CPU of the client per event, and its memory: before the sockets, when all are open, and as the events come.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from typing import Any

from . import answers, process
from .clients import CLIENTS, operation

_PATIENCE = 60.0
# Handshakes at the same time: the server's backlog is no part of the measurement.
_HANDSHAKES = 100


def main() -> int:
    """Measures, prints a report, and returns 1 if an event is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_sockets")
    parser.add_argument(
        "client", nargs="?", default="aiopenai", choices=["aiopenai", "tuned", "naive", "openai", "bare"]
    )
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=5, help="events per second on each socket")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    return asyncio.run(measure(arguments.client, arguments.sockets, arguments.rate, arguments.seconds))


async def measure(name: str, sockets: int, rate: int, seconds: int) -> int:
    """Runs the sockets of one client."""
    cores = process.choose_cores()
    process.settle(cores.client)
    async with await process.Child.start("benchmarks.server", core=cores.server) as server:
        hello = await server.receive(_PATIENCE)
        client = CLIENTS[name].load()(f"http://127.0.0.1:{hello['port']}/v1")
        try:
            return await _run(name, client, sockets, rate, seconds)
        finally:
            await client.close()


async def _run(name: str, client: Any, sockets: int, rate: int, seconds: int) -> int:
    events = rate * seconds
    ask = operation(client, "socket_events")
    await ask(answers.SLOW)
    gc.collect()
    memory = [process.resident_megabytes()]
    for opened in range(_HANDSHAKES, sockets + _HANDSHAKES, _HANDSHAKES):
        # Calls at the same time use a socket each, so this opens as many as are missing.
        await asyncio.gather(*(ask(answers.SLOW) for _ in range(min(opened, sockets))))
    memory.append(process.resident_megabytes())
    loop = asyncio.get_running_loop()
    model = f"{answers.PACED}-{events}-{1_000 // rate}"
    begin, cpu = loop.time() + 0.1, time.process_time()

    async def one(number: int) -> bool:
        # Starts are spread over an interval, so that the events of all sockets alternate.
        await asyncio.sleep(begin + number / sockets / rate - loop.time())
        return bool(await ask(model) == answers.characters(events))

    tasks = [asyncio.ensure_future(one(number)) for number in range(sockets)]
    for part in range(1, 4):
        await asyncio.sleep(begin + seconds * part / 4 - loop.time())
        memory.append(process.resident_megabytes())
    complete = await asyncio.gather(*tasks, return_exceptions=True)
    cpu = time.process_time() - cpu
    lost = sum(each is not True for each in complete)
    shown = " -> ".join(f"{each:.1f}" for each in memory)
    print(
        f"{name}: {sockets} sockets, {rate} events/s for {seconds} s: {sockets * events:,} events, "
        f"{lost} sockets with a loss, {cpu / sockets / events * 1e6:.1f} us CPU per event, "
        f"{cpu / seconds:.0%} of a core, {loop.time() - begin:.1f} s, memory {shown} MB"
    )
    for error in {repr(each) for each in complete if isinstance(each, BaseException)}:
        print(error, file=sys.stderr)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
