"""The load of `aiopenai bench`: when requests start, and the times of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from aiopenai._cli.collector import rare_collections

if TYPE_CHECKING:
    from aiopenai._client.client import AsyncOpenAI
    from aiopenai.types.chat import ChatCompletion

__all__ = ["LoadLevel", "LoadPlan", "Sample", "run_level"]

_LAG_INTERVAL = 0.02
# The first requests of a level do not start all at once: a real crowd does not either.
_RAMP_SECONDS = 2.0


class Sample:
    """One request: times in seconds, counted from its scheduled start.

    `late` is the delay between the scheduled start and the call. `first` is the time to the first token, `total` the
    whole latency, and `gaps` the times between tokens. `error` is the kind of a failure.
    """

    __slots__ = ("error", "first", "gaps", "late", "reason", "scheduled", "tokens", "total")

    def __init__(self, scheduled: float) -> None:
        self.scheduled = scheduled
        self.late = self.total = 0.0
        self.first: float | None = None
        self.gaps: list[float] = []
        self.tokens = 0
        self.error = self.reason = ""


class LoadPlan:
    """The requests of a load test: `bodies` are the arguments of chat calls, which are used in turn."""

    def __init__(self, bodies: list[dict[str, Any]], *, stream: bool, with_usage: bool, seed: int) -> None:
        self.bodies = bodies
        self.stream = stream
        self.with_usage = with_usage
        self.seed = seed


class LoadLevel:
    """One level of load, and after it the samples and the state of this process.

    Either `concurrency` requests are in flight at a time, or requests start at `rate` per second. The level ends after
    `seconds`, or after `requests`. `cpu` is the share of one core that the client used, `busiest` its share in the
    busiest second, and `lags` are the delays of its event loop.
    """

    def __init__(
        self, *, concurrency: int | None, rate: float | None, poisson: bool, seconds: float, requests: int | None
    ) -> None:
        self.concurrency = concurrency
        self.rate = rate
        self.poisson = poisson
        self.seconds = seconds
        self.requests = requests
        self.samples: list[Sample] = []
        self.lags: list[float] = []
        self.wall = self.cpu = self.busiest = 0.0
        self.most_in_flight = 0

    @property
    def name(self) -> str:
        """The level in words."""
        return f"{self.concurrency:,} at a time" if self.concurrency else f"{self.rate:g} per second"

    def starts(self, seed: int) -> Iterator[float]:
        """Yields the scheduled starts of a rate, in seconds from the beginning."""
        assert self.rate is not None
        numbers = random.Random(seed)
        at, count = 0.0, 0
        while self.requests is None or count < self.requests:
            at += numbers.expovariate(self.rate) if self.poisson else 1 / self.rate
            if self.requests is None and at > self.seconds:
                return
            count += 1
            yield at


async def run_level(
    client: AsyncOpenAI, plan: LoadPlan, level: LoadLevel, step: Callable[[], object] = lambda: None
) -> None:
    """Runs one level and waits for its last reply. A cancelled level keeps the samples that it has."""
    tasks: set[asyncio.Task[None]] = set()
    with rare_collections():
        watch = asyncio.ensure_future(_watch(level))
        began, cpu = time.perf_counter(), time.process_time()
        try:
            if level.concurrency is not None:
                await _closed_loop(client, plan, level, tasks, step)
            else:
                await _open_loop(client, plan, level, tasks, step)
        finally:
            left = [*tasks, watch]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            level.wall = time.perf_counter() - began
            level.cpu = (time.process_time() - cpu) / level.wall
            level.busiest = max(level.busiest, level.cpu)


async def _closed_loop(
    client: AsyncOpenAI, plan: LoadPlan, level: LoadLevel, tasks: set[asyncio.Task[None]], step: Callable[[], object]
) -> None:
    """Keeps `concurrency` requests in flight: each worker starts the next one when its last one has ended."""
    assert level.concurrency is not None
    began = time.perf_counter()
    started = 0
    level.most_in_flight = level.concurrency
    ramp = min(_RAMP_SECONDS, level.seconds / 4) / level.concurrency

    async def worker(number: int) -> None:
        nonlocal started
        await asyncio.sleep(number * ramp)
        while started < level.requests if level.requests is not None else time.perf_counter() - began < level.seconds:
            started += 1
            level.samples.append(await _sample(client, plan, started - 1, time.perf_counter()))
            step()

    tasks.update(asyncio.ensure_future(worker(number)) for number in range(level.concurrency))
    await asyncio.gather(*tasks)


async def _open_loop(
    client: AsyncOpenAI, plan: LoadPlan, level: LoadLevel, tasks: set[asyncio.Task[None]], step: Callable[[], object]
) -> None:
    """Starts requests by the schedule, however many are in flight."""
    began = time.perf_counter()

    async def one(number: int, scheduled: float) -> None:
        level.samples.append(await _sample(client, plan, number, scheduled))
        step()

    for number, at in enumerate(level.starts(plan.seed)):
        await asyncio.sleep(max(began + at - time.perf_counter(), 0))
        task = asyncio.ensure_future(one(number, began + at))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        level.most_in_flight = max(level.most_in_flight, len(tasks))
    await asyncio.gather(*tasks)


async def _sample(client: AsyncOpenAI, plan: LoadPlan, number: int, scheduled: float) -> Sample:
    """Makes one request and measures it."""
    from aiopenai._jobs.progress import reason_of
    from aiopenai.errors import OpenAIError

    sample = Sample(scheduled)
    sample.late = time.perf_counter() - scheduled
    body = plan.bodies[number % len(plan.bodies)]
    try:
        if plan.stream:
            await _streamed(client, plan, body, sample)
        else:
            completion = cast("ChatCompletion", await client.chat.completions.create(**body))
            sample.tokens = (completion.usage.completion_tokens or 0) if completion.usage else 0
    except OpenAIError as error:
        sample.error, sample.reason = reason_of(error)
    sample.total = time.perf_counter() - scheduled
    return sample


async def _streamed(client: AsyncOpenAI, plan: LoadPlan, body: dict[str, Any], sample: Sample) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if plan.with_usage else {}
    stream: Any = await client.chat.completions.create(**body, **options, stream=True)
    last = 0.0
    pieces = 0
    clock = time.perf_counter
    async with stream:
        async for chunk in stream:
            if chunk.usage is not None:
                sample.tokens = chunk.usage.completion_tokens or 0
            if not chunk.choices or not _has_token(chunk.choices[0].delta):
                continue
            now = clock()
            if sample.first is None:
                sample.first = now - sample.scheduled
            else:
                sample.gaps.append(now - last)
            last = now
            pieces += 1
    sample.tokens = sample.tokens or pieces


def _has_token(delta: Any) -> bool:
    # Servers of reasoning models send their thoughts in a field of their own.
    if delta is None:
        return False
    if delta.content or delta.tool_calls:
        return True
    extra: dict[str, Any] = delta.model_extra or {}
    return bool(extra.get("reasoning_content") or extra.get("reasoning"))


async def _watch(level: LoadLevel) -> None:
    """Records how late the event loop wakes up a task, and the share of a core that the busiest second used."""
    marked, used = time.perf_counter(), time.process_time()
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(_LAG_INTERVAL)
        now = time.perf_counter()
        level.lags.append(max(now - begin - _LAG_INTERVAL, 0.0))
        if now - marked >= 1:
            cpu = time.process_time()
            level.busiest = max(level.busiest, (cpu - used) / (now - marked))
            marked, used = now, cpu
