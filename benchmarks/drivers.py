"""The drivers of a turn: each makes the calls in its own pattern while the clocks run.

A driver takes the turn, a factory of clients and the control connection, and returns one `Sample`. It opens connections
and fills caches before its clock starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from . import answers, process
from .clients import Client, operation
from .control import Control
from .stats import Sample, percentile

Factory = Callable[[], Client]

# Upper bound of the clients that one turn of "construct" keeps alive.
_MAX_CONSTRUCTED = 200
# Numbers of calls of "heavy": timed ones, and further ones during which the loop is watched.
_HEAVY = (3, 2)
# Indices modulo 100 of the "soak" calls that are cancelled, fail and are followed by a stream. The first two also hold
# for the streams.
_CANCELLED, _FAILED, _STREAMED = 7, 13, 50
_LANES = 100
# Attempts at opening connections for all lanes.
_WAVES = 3
# Below this duration the control requests themselves dominate the CPU of the server.
_MEANINGFUL = 0.02


@dataclass(frozen=True)
class Turn:
    """One task of the measured process; the fields are those of `rows.Row`."""

    driver: str
    operation: str
    model: str
    concurrency: int
    seconds: float
    loop: str
    least: int
    per: int
    count: int


class WrongAnswerError(Exception):
    """A client returned a value that the server did not send; its time is meaningless."""


class _Clocks:
    """Wall clock, CPU of this process and CPU of the server, from `start` to `stop`."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def start(self) -> float:
        gc.collect()
        self._server = self._control.cpu()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        return self._wall

    def stop(self, calls: int, **more: float) -> Sample:
        wall = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        if wall >= _MEANINGFUL:
            more["server"] = (self._control.cpu() - self._server) / wall * 100
        return Sample(calls, wall, cpu, more)


def _latencies(seconds: list[float]) -> dict[str, float]:
    return {"p50": percentile(seconds, 0.5) * 1e6, "p99": percentile(seconds, 0.99) * 1e6}


def _check(turn: Turn, value: object) -> None:
    expected = answers.expected(turn.operation, turn.model)
    if value != expected:
        raise WrongAnswerError(f"{turn.operation} gave {str(value)[:80]!r} instead of {str(expected)[:80]!r}")


def _checked(client: Client, turn: Turn) -> Callable[[], Awaitable[None]]:
    """Returns the operation of the turn on `client`; it checks the answer of every call."""
    method = operation(client, turn.operation)
    arguments = () if turn.model == answers.MODEL else (turn.model,)

    async def call() -> None:
        _check(turn, await method(*arguments))

    return call


async def _warm(client: Client, turn: Turn, call: Callable[[], Awaitable[None]]) -> None:
    """Makes a few operations and opens a connection for every lane."""
    for _ in range(turn.least):
        await call()
    if turn.concurrency > 1:
        # Short calls for every row: 200 slow streams would take longer than the measurement.
        if turn.operation.startswith("socket_"):
            short = partial(operation(client, "socket_events"), answers.SLOW)
        else:
            short = operation(client, "chat")
        for _ in range(_WAVES):
            outcomes = await asyncio.gather(*(short() for _ in range(turn.concurrency)), return_exceptions=True)
            # Some clients time out while they open a thousand connections; their later calls succeed.
            if not any(isinstance(outcome, BaseException) for outcome in outcomes):
                break


async def lanes(turn: Turn, make: Factory, control: Control) -> Sample:
    """Runs `concurrency` lanes that call back to back until the time is up, each at least `least` times."""
    client = make()
    try:
        call = _checked(client, turn)
        await _warm(client, turn, call)
        durations: list[float] = []

        async def lane(deadline: float) -> None:
            done = 0
            begin = time.perf_counter()
            while done < turn.least or begin < deadline:
                await call()
                end = time.perf_counter()
                durations.append(end - begin)
                begin = end
                done += 1

        clocks = _Clocks(control)
        deadline = clocks.start() + turn.seconds
        await asyncio.gather(*(lane(deadline) for _ in range(turn.concurrency)))
        return clocks.stop(len(durations) * turn.per, **_latencies(durations))
    finally:
        await client.close()


async def flood(turn: Turn, make: Factory, control: Control) -> Sample:
    """Makes `concurrency` calls with one gather, after one call that warms up; errors are counted, not raised."""
    client = make()
    try:
        call = _checked(client, turn)
        await call()
        clocks = _Clocks(control)
        clocks.start()
        outcomes = await asyncio.gather(*(call() for _ in range(turn.concurrency)), return_exceptions=True)
        errors = [outcome for outcome in outcomes if outcome is not None]
        sample = clocks.stop(len(outcomes), errors=len(errors))
        if len(errors) == len(outcomes):
            raise errors[0]
        return sample
    finally:
        await client.close()


async def paced(turn: Turn, make: Factory, control: Control) -> Sample:
    """Starts `count` operations on schedule, without waiting for earlier ones.

    A duration begins at the scheduled start. The time that the server needs to send the stream is subtracted: the rest
    is the delay caused by the client.
    """
    client = make()
    try:
        call = _checked(client, turn)
        await _warm(client, turn, call if turn.operation.startswith("socket_") else operation(client, "chat"))
        loop = asyncio.get_running_loop()
        durations: list[float] = []
        # Starts are spread evenly, so that calls arrive at a steady rate and events of streams alternate.
        spacing = turn.seconds / turn.count
        pace = (answers.PACED_CHUNKS - 1) * answers.PACE_SECONDS if turn.model == answers.PACED else 0.0

        async def one(due: float) -> None:
            await asyncio.sleep(due - loop.time())
            await call()
            durations.append(loop.time() - due - pace)

        clocks = _Clocks(control)
        clocks.start()
        begin = loop.time() + 0.01
        await asyncio.gather(*(one(begin + number * spacing) for number in range(turn.count)))
        return clocks.stop(turn.count * turn.per, **_latencies(durations))
    finally:
        await client.close()


async def scheduled(turn: Turn, make: Factory, control: Control) -> Sample:
    """Starts `count` operations on schedule, each when it is due; a duration begins at the scheduled start."""
    client = make()
    try:
        call = _checked(client, turn)
        await _warm(client, turn, operation(client, "chat"))
        loop = asyncio.get_running_loop()
        durations: list[float] = []
        spacing = turn.seconds / turn.count
        running: set[asyncio.Task[None]] = set()

        async def one(due: float) -> None:
            await call()
            durations.append(loop.time() - due)

        clocks = _Clocks(control)
        clocks.start()
        begin = loop.time() + 0.01
        started = 0
        while started < turn.count:
            # All that are due by now: a loop that is late starts several at once, as a server's callers would.
            due = begin + started * spacing
            if due <= loop.time():
                task = loop.create_task(one(due))
                running.add(task)
                task.add_done_callback(running.discard)
                started += 1
            else:
                await asyncio.sleep(due - loop.time())
        await asyncio.gather(*running)
        return clocks.stop(turn.count, p999=percentile(durations, 0.999) * 1e6, **_latencies(durations))
    finally:
        await client.close()


async def heavy(turn: Turn, make: Factory, control: Control) -> Sample:
    """Makes a few calls in sequence, then a few more while it measures how long the loop is blocked."""
    client = make()
    try:
        call = _checked(client, turn)
        await call()
        timed, watched = _HEAVY
        clocks = _Clocks(control)
        clocks.start()
        for _ in range(timed):
            await call()
        sample = clocks.stop(timed)
        gc.collect()
        with _watch() as longest:
            for _ in range(watched):
                await call()
        return Sample(sample.calls, sample.wall, sample.cpu, {**sample.more, "blocked": longest[0] * 1e3})
    finally:
        await client.close()


@contextlib.contextmanager
def _watch() -> Iterator[list[float]]:
    """Yields a list with the longest time between two iterations of the running loop, which never sleeps meanwhile."""
    loop = asyncio.get_running_loop()
    longest = [0.0]
    last = time.perf_counter()
    handle: asyncio.Handle

    def tick() -> None:
        nonlocal last, handle
        now = time.perf_counter()
        longest[0] = max(longest[0], now - last)
        last = now
        handle = loop.call_soon(tick)

    handle = loop.call_soon(tick)
    try:
        yield longest
    finally:
        handle.cancel()
        longest[0] = max(longest[0], time.perf_counter() - last)


async def construct(turn: Turn, make: Factory, control: Control) -> Sample:
    """Makes clients while a first one exists, until the time is up or the bound is reached."""
    clients = [make()]
    try:
        clocks = _Clocks(control)
        deadline = clocks.start() + turn.seconds
        while len(clients) <= _MAX_CONSTRUCTED and (len(clients) == 1 or time.perf_counter() < deadline):
            clients.append(make())
        return clocks.stop(len(clients) - 1)
    finally:
        for client in clients:
            await client.close()


async def first(turn: Turn, make: Factory, control: Control) -> Sample:
    """Makes the first client of the process."""
    del turn
    clocks = _Clocks(control)
    clocks.start()
    client = make()
    sample = clocks.stop(1)
    await client.close()
    return sample


async def memory(turn: Turn, make: Factory, control: Control) -> Sample:
    """Measures the memory that `concurrency` waiting calls add to this process."""
    client = make()
    try:
        await operation(client, "chat")()
        call = _checked(client, turn)
        gc.collect()
        before = process.resident_bytes()
        clocks = _Clocks(control)
        clocks.start()
        tasks = [asyncio.ensure_future(call()) for _ in range(turn.concurrency)]
        # Only the server knows that the last request has arrived.
        while control.held() < turn.concurrency and not any(task.done() for task in tasks):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        after = process.resident_bytes()
        control.release()
        await asyncio.gather(*tasks)
        more: dict[str, float] = {}
        if before is not None and after is not None:
            more["rss"] = (after - before) / 1e6 * 1000 / turn.concurrency
        return clocks.stop(turn.concurrency, **more)
    finally:
        await client.close()


async def soak(turn: Turn, make: Factory, control: Control) -> Sample:
    """Makes `count` calls and a hundredth as many streams in 100 lanes; some are cancelled and some fail.

    The first tenth warms up. `growth` is the memory that the rest adds to this process. `sockets` is the number of new
    sockets at the end, and `left` the number after the client was closed.
    """
    control.cpu()  # opens the control connection, which is not a leak
    before = process.open_sockets()
    client = make()
    more: dict[str, float] = {}
    try:
        numbers = random.Random(3)
        warm_up = turn.count // 10
        await _soak_lanes(client, iter(range(warm_up)), numbers)
        gc.collect()
        start = process.resident_bytes()
        clocks = _Clocks(control)
        clocks.start()
        await _soak_lanes(client, iter(range(warm_up, turn.count)), numbers)
        sample = clocks.stop(turn.count - warm_up)
        # The last cancelled calls close their connections a little later.
        await asyncio.sleep(0.1)
        gc.collect()
        end = process.resident_bytes()
        if start is not None and end is not None:
            more["growth"] = (end - start) / 1e6
        sockets = process.open_sockets()
        if sockets is not None and before is not None:
            more["sockets"] = sockets - before
    finally:
        await client.close()
    await asyncio.sleep(0.1)
    left = process.open_sockets()
    if left is not None and before is not None:
        more["left"] = left - before
    return Sample(sample.calls, sample.wall, sample.cpu, {**sample.more, **more})


async def _soak_lanes(client: Client, indices: Iterator[int], numbers: random.Random) -> None:
    chat, stream = operation(client, "chat"), operation(client, "stream")

    async def lane() -> None:
        for index in indices:
            await _one_way_or_another(chat, index, numbers)
            number, rest = divmod(index, 100)
            if rest == _STREAMED:
                await _one_way_or_another(stream, number, numbers)

    await asyncio.gather(*(lane() for _ in range(_LANES)))


async def _one_way_or_another(
    method: Callable[..., Coroutine[Any, Any, object]], index: int, numbers: random.Random
) -> None:
    """Makes one call; `index` decides whether it succeeds, is cancelled or fails."""
    name = method.__name__
    kind = index % 100
    if kind == _CANCELLED:
        task = asyncio.ensure_future(method(answers.SLOW if name == "chat" else answers.PACED))
        await asyncio.sleep(numbers.uniform(0, answers.SLOW_SECONDS / 2))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    elif kind == _FAILED:
        # Retries of a broken connection wait for seconds; one call in ten is enough.
        model = answers.BROKEN if name == "stream" or index % 1_000 == 500 + _FAILED else answers.REFUSED
        try:
            await method(model)
        except Exception:  # the tests check the class of the error; here it must only leave no socket behind
            return
        raise WrongAnswerError(f"{name} did not fail")
    elif (value := await method()) != answers.expected(name, answers.MODEL):
        raise WrongAnswerError(f"{name} gave {str(value)[:80]!r}")


def threads(turn: Turn, make: Factory, control: Control) -> Sample:
    """Runs `lanes` with a blocking client, in one thread per lane."""
    client = make()
    durations: list[float] = []
    failures: list[BaseException] = []
    try:
        method = operation(client, turn.operation)

        def lane(deadline: float | None) -> None:
            # No deadline: these calls warm up.
            done = 0
            begin = time.perf_counter()
            try:
                while done < turn.least or (deadline is not None and begin < deadline):
                    _check(turn, method())
                    end = time.perf_counter()
                    if deadline is not None:
                        durations.append(end - begin)
                    begin = end
                    done += 1
            except BaseException as exc:
                failures.append(exc)

        def run(deadline: float | None) -> None:
            if turn.concurrency == 1:
                lane(deadline)
            else:
                workers = [threading.Thread(target=lane, args=(deadline,)) for _ in range(turn.concurrency)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
            if failures:
                raise failures[0]

        run(None)
        clocks = _Clocks(control)
        run(clocks.start() + turn.seconds)
        return clocks.stop(len(durations) * turn.per, **_latencies(durations))
    finally:
        client.close()


ASYNC: Final[dict[str, Callable[[Turn, Factory, Control], Coroutine[Any, Any, Sample]]]] = {
    driver.__name__: driver for driver in (lanes, flood, paced, scheduled, heavy, construct, first, memory, soak)
}


def drive(turn: Turn, make: Factory, control: Control, *, blocking: bool) -> Sample:
    """Runs one turn, on a new event loop unless the client is blocking; errors of the client are raised unchanged."""
    if blocking:
        return threads(turn, make, control)
    return process.loop_runner(turn.loop)(ASYNC[turn.driver](turn, make, control))
