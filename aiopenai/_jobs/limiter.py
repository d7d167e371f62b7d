"""The gate that all attempts of a job pass: rate limits as the server keeps them, and a concurrency that adapts.

A server keeps its limits per model and endpoint. So does `Limiter`: each pair is a `Lane` with buckets, a window and a
queue of its own. A lane that has to wait does not hold up the others.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from aiopenai._jobs.bucket import Bucket, duration, seconds_until
from aiopenai._jobs.estimate import Estimate
from aiopenai._jobs.window import Window

__all__ = ["Bucket", "Estimate", "Grant", "Lane", "Limiter", "Window", "duration"]

# The longest wait for a limit that the headers tell. Then one attempt asks the server, because headers can be wrong.
MAX_WAIT_SECONDS = 300.0
# A wait from here on is written to the log.
LOGGED_WAIT_SECONDS = 5.0
# Headers are read this often while nothing is short: reading them takes as long as the rest of this module.
_READING_SECONDS = 0.01
# Lanes that are kept. Models beyond this number share one lane.
_MAX_LANES = 256
_SHARED_LANE = ("", "other models")

_Turn: TypeAlias = "tuple[float, asyncio.Future[Grant]]"

_limiter_log = logging.getLogger("aiopenai")


class Lane:
    """One model at one endpoint: the limits that the server keeps for this pair, and the attempts that wait for them.

    It is made by `Limiter.lane`.
    """

    __slots__ = (
        "again",
        "estimate",
        "logged_at",
        "model",
        "path",
        "paused_until",
        "read_at",
        "replies",
        "requests",
        "running",
        "timer",
        "tokens",
        "waiting",
        "waiting_since",
        "window",
    )

    def __init__(self, path: str, model: str, concurrency: int) -> None:
        self.path = path
        self.model = model
        self.requests = Bucket()
        self.tokens = Bucket()
        self.estimate = Estimate()
        self.window = Window(concurrency)
        self.running = 0
        self.paused_until = 0.0
        # The times of the next reading of headers and of the last message in the log.
        self.read_at = 0.0
        self.logged_at = -math.inf
        # The time since which attempts wait without a grant.
        self.waiting_since: float | None = None
        self.replies = 0
        # Attempts that wait, in order. Further attempts of a request go before all first ones.
        self.again: deque[_Turn] = deque()
        self.waiting: deque[_Turn] = deque()
        self.timer: asyncio.TimerHandle | None = None

    @property
    def queue(self) -> deque[_Turn]:
        """The queue with the next attempt."""
        return self.again or self.waiting

    @property
    def name(self) -> str:
        """The model, or the endpoint where requests have none."""
        return self.model or self.path or "this job"


class Grant:
    """The permission to make one attempt, with the figures that its reply is compared with.

    `probe` marks an attempt that was let in although the headers forbid it.
    """

    __slots__ = ("at", "cost", "lane", "probe", "requests", "round", "tokens")

    def __init__(self, lane: Lane, at: float, cost: float, probe: bool) -> None:
        self.lane = lane
        self.at = at
        self.cost = cost
        self.probe = probe
        self.requests = lane.requests.spent
        self.tokens = lane.tokens.spent
        self.round = lane.window.round


class Limiter:
    """The limits of a job, or of several: an attempt passes when a place is free and all rates allow it.

    - `concurrency`: the most attempts at a time. A server that is busy with fewer gets fewer.
    - `rpm`, `tpm`: requests and tokens per minute of all models together. The limits in the replies' `x-ratelimit-*`
      headers always hold, for each model and endpoint.
    - `share`: the part of the limits in headers that this limiter may use, where other processes use the rest.

    One limiter may serve several jobs, in one event loop at a time. Raises ValueError for impossible limits.
    """

    def __init__(
        self, concurrency: int = 1_000, *, rpm: float | None = None, tpm: float | None = None, share: float = 1.0
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
        self.concurrency = concurrency
        self.share = share
        # The limits given by hand.
        self.requests = Bucket(rpm)
        self.tokens = Bucket(tpm)
        self.running = 0
        self._paused_until = 0.0
        self._default = Lane("", "", concurrency)
        self._lanes: dict[tuple[str, str], Lane] = {}
        # Lanes with attempts that wait, in the order of their turns.
        self._queues: dict[Lane, None] = {}

    @property
    def waiting(self) -> int:
        """The number of attempts that wait."""
        return sum(len(lane.again) + len(lane.waiting) for lane in self._queues)

    def lane(self, path: str, model: str | None = None) -> Lane:
        """Returns the lane of a model at an endpoint."""
        key = path, model or ""
        found = self._lanes.get(key)
        if found is None:
            if len(self._lanes) >= _MAX_LANES:
                key = _SHARED_LANE
                found = self._lanes.get(key)
            if found is None:
                found = self._lanes[key] = Lane(*key, self.concurrency)
        return found

    @property
    def several(self) -> bool:
        """Whether there is more than one lane, so that one need not wait for another."""
        return len(self._lanes) > 1

    async def acquire(self, cost: float = 0.0, *, lane: Lane | None = None, first: bool = False) -> Grant:
        """Waits until an attempt that may cost so many tokens is allowed; `first` goes before all first ones."""
        lane = lane or self._default
        loop = asyncio.get_running_loop()
        if not lane.queue and self._delay(lane, cost, now := loop.time()) == 0.0:
            return self._grant(lane, cost, now)
        turn: asyncio.Future[Grant] = loop.create_future()
        (lane.again if first else lane.waiting).append((cost, turn))
        if lane.waiting_since is None:
            lane.waiting_since = loop.time()
        self._queues.setdefault(lane)
        self._admit(lane)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was admitted and cancelled in the same turn of the loop.
                self.release(turn.result())
            else:
                self._admit(lane)
            raise

    def release(self, grant: Grant) -> None:
        """Ends an attempt: its place is free."""
        self.running -= 1
        grant.lane.running -= 1
        if self._queues:
            self._admit_all()

    def replied(self, grant: Grant, headers: Mapping[str, str], latency: float) -> None:
        """Records a reply, `latency` seconds after the attempt began. Call it before `release`."""
        lane = grant.lane
        lane.replies += 1
        if grant.probe:
            lane.requests.forget()
            lane.tokens.forget()
            lane.read_at = 0.0
        self._observe(grant, headers)
        rates = [lane.requests.rate, lane.tokens.rate / max(grant.cost, 1.0)]
        if any(rates):
            lane.window.expect(min(filter(None, rates)) * latency)
        lane.window.succeeded(grant.round, lane.running, latency)

    def used(self, grant: Grant, size: int, read: int, written: int) -> None:
        """Records the actual cost of an attempt of `size` bytes, in tokens read and written."""
        self._correct(grant, read + written)
        grant.lane.estimate.learn(size, read, written)

    def refused(self, grant: Grant, headers: Mapping[str, str], seconds: float) -> None:
        """Records a refusal (429): no attempt of this lane begins for so many seconds."""
        lane = grant.lane
        # A refusal although the headers promise plenty is for a limit that they do not tell.
        known = bool(lane.requests.rate or lane.tokens.rate) and not (lane.requests.plenty and lane.tokens.plenty)
        lane.window.refused(grant.round, known=known)
        self._correct(grant, 0.0)
        self._observe(grant, headers)
        requests = _figure(headers.get("x-ratelimit-remaining-requests"))
        tokens = _figure(headers.get("x-ratelimit-remaining-tokens"))
        if tokens is not None and tokens > grant.cost and (requests is None or requests >= 1):
            lane.tokens.not_enough(tokens * self.share)
        lane.paused_until = max(lane.paused_until, asyncio.get_running_loop().time() + seconds)

    def rejected(self, grant: Grant) -> None:
        """Records an error that says nothing about the load: the attempt cost no tokens."""
        self._correct(grant, 0.0)

    def failed(self, grant: Grant) -> None:
        """Records that the server failed, or that there was no reply."""
        self._correct(grant, 0.0)
        grant.lane.window.failed(grant.round)

    def pause(self, seconds: float) -> None:
        """Admits no attempt at all for so many seconds."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def waits(self, at_least: float = 1.0) -> Iterator[tuple[Lane, float, str]]:
        """Yields each lane that waits for a limit, with the seconds that are left and the reason."""
        now = asyncio.get_running_loop().time()
        for lane in self._queues:
            if lane.queue and self.running < self.concurrency:
                seconds, reason = max(self._reasons(lane, lane.queue[0][0], now))
                if seconds >= at_least:
                    yield lane, seconds, reason

    def words_of_wait(self) -> str:
        """Returns the longest wait and its reason in words; empty if nothing waits."""
        found = max(self.waits(), key=lambda wait: wait[1], default=None)
        return "" if found is None else f"waiting {found[1]:,.0f} s for {found[2]}"

    def _correct(self, grant: Grant, actual: float) -> None:
        self.tokens.correct(grant.cost, actual)
        grant.lane.tokens.correct(grant.cost, actual)

    def _observe(self, grant: Grant, headers: Mapping[str, str]) -> None:
        lane = grant.lane
        now = asyncio.get_running_loop().time()
        if now < lane.read_at:
            return
        age = now - grant.at
        for bucket, name, mark in (
            (lane.requests, "requests", grant.requests),
            (lane.tokens, "tokens", grant.tokens),
        ):
            remaining = _figure(headers.get(f"x-ratelimit-remaining-{name}"))
            if remaining is not None:
                limit = _figure(headers.get(f"x-ratelimit-limit-{name}")) or 0.0
                reset = headers.get(f"x-ratelimit-reset-{name}")
                # A share of a bucket is a smaller bucket that is full at the same time.
                known = None if reset is None else seconds_until(reset)
                bucket.observe(limit * self.share, remaining * self.share, known, mark, age)
        if lane.requests.plenty and lane.tokens.plenty:
            lane.read_at = now + _READING_SECONDS

    def _told(self, lane: Lane, cost: float, now: float) -> float:
        """Returns the wait for the limits in headers, which ends with a probe after a long time without a grant."""
        wait = max(lane.requests.wait(1.0, now), lane.tokens.wait(cost, now))
        if wait and lane.waiting_since is not None:
            wait = min(wait, max(lane.waiting_since + MAX_WAIT_SECONDS - now, 0.0))
        return wait

    def _given(self, cost: float, now: float) -> float:
        return max(self.requests.wait(1.0, now), self.tokens.wait(cost, now))

    def _delay(self, lane: Lane, cost: float, now: float) -> float:
        """Returns the seconds until an attempt may begin; infinity where another one has to end first."""
        if self.running >= self.concurrency or lane.running >= int(lane.window.size):
            return math.inf
        pause = max(lane.paused_until, self._paused_until) - now
        return max(pause, self._told(lane, cost, now), self._given(cost, now), 0.0)

    def _reasons(self, lane: Lane, cost: float, now: float) -> list[tuple[float, str]]:
        """Returns each wait of an attempt with its reason."""
        told = self._told(lane, cost, now)
        by_requests = lane.requests.wait(1.0, now) >= lane.tokens.wait(cost, now)
        return [
            (max(lane.paused_until, self._paused_until) - now, f"the server refused {lane.name} (429)"),
            (told, f"the {'request' if by_requests else 'token'} limit of {lane.name}"),
            (self.requests.wait(1.0, now), "the given limit of requests per minute"),
            (self.tokens.wait(cost, now), "the given limit of tokens per minute"),
        ]

    def _grant(self, lane: Lane, cost: float, now: float) -> Grant:
        probe = False
        if lane.waiting_since is not None:
            probe = max(lane.requests.wait(1.0, now), lane.tokens.wait(cost, now)) > 0
            lane.waiting_since = now
        self.running += 1
        lane.running += 1
        self.requests.take(1.0)
        self.tokens.take(cost)
        lane.requests.take(1.0)
        lane.tokens.take(cost)
        return Grant(lane, now, cost, probe)

    def _admit_all(self) -> None:
        for lane in list(self._queues):
            if self._admit(lane) and lane in self._queues:
                # The next free place is for another lane.
                del self._queues[lane]
                self._queues[lane] = None

    def _admit(self, lane: Lane) -> bool:
        """Admits all attempts of a lane that may begin, in order, and sets the time of the next look.

        Returns whether there were any.
        """
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        loop = asyncio.get_running_loop()
        admitted = False
        while queue := lane.queue:
            cost, turn = queue[0]
            if turn.done():
                queue.popleft()
                continue
            now = loop.time()
            delay = self._delay(lane, cost, now)
            if delay > 0:
                if delay != math.inf:
                    lane.timer = loop.call_later(delay, self._admit, lane)
                    if delay >= LOGGED_WAIT_SECONDS:
                        self._log_wait(lane, cost, now)
                return admitted
            queue.popleft()
            turn.set_result(self._grant(lane, cost, now))
            admitted = True
        self._queues.pop(lane, None)
        lane.waiting_since = None
        return admitted

    def _log_wait(self, lane: Lane, cost: float, now: float) -> None:
        if now - lane.logged_at >= LOGGED_WAIT_SECONDS:
            lane.logged_at = now
            _limiter_log.info("Waiting %.0f s for %s", *max(self._reasons(lane, cost, now)))


def _figure(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < math.inf else None
