"""How fast: rates kept as the server keeps them, and a concurrency that finds its own size.

A server allows so many requests and tokens a minute, in buckets that fill steadily, and tells in the headers of each
reply what is left. `Bucket` is our picture of such a bucket, `Window` the number of requests that may be on their way,
`Estimate` what a request will cost in tokens before anybody knows, and `Limiter` the gate that all of a job's attempts
pass through, one after the other. The first three do no I/O and are told what time it is.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

__all__ = ["Bucket", "Estimate", "Grant", "Limiter", "Window", "duration"]

# We refill our bucket a little more slowly than the server does: clocks and networks are not exact, and what comes too
# early is refused, which costs more than what comes a little late.
_SLOWNESS = 0.99
# The share of a bucket that is left alone, for what overtakes other requests on the way: lost once, not each time.
_RESERVE = 0.05
# Limits that were given by hand are spread evenly: no more than this many seconds' worth at once.
_BURST_SECONDS = 1.0
# How much of the way the picture goes up towards what a reply says; down it goes at once.
_CATCH_UP = 0.05
_LOOK_SECONDS = 0.01

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def duration(text: str) -> float | None:
    """Seconds of `6m0s`, `1.5s`, `12ms` or a bare number; None for anything else."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    found = list(_PARTS.finditer(text))
    if not found or "".join(part[0] for part in found) != text.strip():
        return None
    return sum(float(part[1]) * _UNITS[part[2]] for part in found)


class Bucket:
    """Our picture of one of the server's buckets.

    `rate` is what comes in per second, `capacity` what fits, `level` what is there: below zero where more was spent
    than there was. `rate` is 0 while nobody has said anything, and then nothing waits. A limit given by hand, per
    minute, holds where replies allow more.
    """

    __slots__ = ("_at", "_given", "_limit", "capacity", "floor", "level", "rate", "spent")

    def __init__(self, per_minute: float | None = None) -> None:
        if per_minute is not None and not 0 < per_minute < float("inf"):
            raise ValueError(f"a limit per minute must be a positive number, not {per_minute!r}")
        self.rate = self._given = (per_minute or 0.0) / 60
        self.capacity = self.level = max(1.0, self.rate * _BURST_SECONDS)
        self.floor = 0.0
        self._limit = 0.0
        self._at: float | None = None
        # All that was ever taken, corrections not counted: where a reply comes from in the order of requests.
        self.spent = 0.0

    @property
    def plenty(self) -> bool:
        """Whether the limit is far away, or unknown."""
        return not self.rate or self.level > 0.5 * self.capacity

    def wait(self, cost: float, now: float) -> float:
        """Seconds until `cost` may be taken, 0 for now. What never fits may be taken when the bucket is full."""
        if not self.rate:
            return 0.0
        self._refill(now)
        missing = min(cost + max(_RESERVE * self.capacity, self.floor), self.capacity) - self.level
        # A bucket that is full but for a rounding error must not keep anybody waiting for it.
        return missing / (self.rate * _SLOWNESS) if missing > 1e-6 else 0.0

    def take(self, cost: float) -> None:
        """Take `cost` out, there or not."""
        self.level -= cost
        self.spent += cost

    def correct(self, charged: float, actual: float) -> None:
        """What was taken as `charged` has cost `actual`."""
        self.level = min(self.level + charged - actual, self.capacity)

    def observe(self, limit: float | None, remaining: float, reset: float | None, mark: float, age: float) -> None:
        """What a reply says of the bucket: `limit` a minute, `remaining` now, full again in `reset` seconds.

        `mark` was `spent` when the request left, `age` seconds ago.
        """
        if limit:
            self._learn(limit, remaining, reset)
        if not self.rate:
            return
        # The server looked when the request came. Since then what left here after it went out, and no more came in than
        # `rate` says: how much of that did not fit any more is not known. So it has between `least` and `most`.
        least = remaining - (self.spent - mark)
        most = min(least + self.rate * age, self.capacity)
        if most < self.level:
            self.level = most
        elif least > self.level and self.rate != self._given:
            self.level += _CATCH_UP * (min(least, self.capacity) - self.level)

    def not_enough(self, remaining: float) -> None:
        """`remaining` was less than the server wanted to see: it counts more than the request costs in the end."""
        self.floor = max(self.floor, min(1.25 * remaining, 0.5 * self.capacity))

    def _learn(self, limit: float, remaining: float, reset: float | None) -> None:
        rate = limit / 60
        capacity = limit
        if reset is not None:
            # Often less than a minute's worth fits at once: what is left and what comes until it is full.
            capacity = remaining + reset * rate
            if capacity > 1.5 * limit and remaining < limit:
                # It takes too long to fill: this limit is not per minute, but per hour or day.
                rate, capacity = (limit - remaining) / reset, limit
        if 0 < self._given <= rate:
            return
        capacity = max(1.0, min(capacity, limit))
        if limit != self._limit:
            self._limit = limit
            if not self.rate:
                self.level = remaining
            self.rate = rate
            self.capacity = capacity
        elif capacity > self.capacity:
            # `reset` is rounded, down too: the most that was ever seen is nearest.
            self.capacity = capacity

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self.level = min(self.level + (now - self._at) * self.rate * _SLOWNESS, self.capacity)
        self._at = now


class Window:
    """How many requests may be on their way: additive increase, multiplicative decrease.

    It begins small and grows by one with each reply until something speaks against it: a refusal (429), failures of
    the server, or replies that take twice as long as they did at best. From then on it grows slowly. What was sent
    before a decrease does not cause another one. Replies may also take longer for reasons that have nothing to do with
    us, long answers say: when they are no faster after a decrease, it is taken back and they count as normal.
    """

    __slots__ = (
        "_base",
        "_begun",
        "_busy",
        "_ceiling",
        "_count",
        "_failed",
        "_samples",
        "_slow_start",
        "_trial",
        "bound",
        "round",
        "size",
    )

    START = 32.0
    # Of the replies of one round: fewer failures than this share are accidents and say nothing about the load.
    FAILURES = 0.05
    SLOW = 2.0

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"concurrency must be at least 1, not {bound}")
        self.bound = float(bound)
        self.size = min(self.START, self.bound)
        self.round = 0
        self._slow_start = True
        self._base: float | None = None
        # Where it was when it was last made smaller, and the size and latency to compare with after a trial.
        self._ceiling = self.bound
        self._trial: tuple[float, float] | None = None
        self._samples: list[float] = []
        self._count = self._failed = 0
        self._busy = False
        # The size when this round began.
        self._begun = self.size

    def succeeded(self, round: int, running: int, latency: float) -> None:
        """A request of this round had a reply after `latency` seconds, one of `running` that were on their way."""
        if round != self.round:
            return
        if running >= 0.9 * self.size - 1:
            self._busy = True
            if self._slow_start:
                self.size = min(self.size + 1, self.bound)
        if self._count % (1 + int(self.size) // 64) == 0:
            self._samples.append(latency)
        self._counted()

    def expect(self, size: float) -> None:
        """So many are needed for the rates that the server allows: no need to feel the way there."""
        if self._slow_start and size > self.size:
            self.size = min(size, self.bound)

    def failed(self, round: int) -> None:
        """The server failed a request of this round, or did not answer."""
        if round == self.round:
            self._failed += 1
            self._counted()

    def refused(self, round: int, *, known: bool) -> None:
        """A request of this round was one too many (429). `known` tells that the rates are, so that this is rare."""
        if round == self.round:
            self._shrink(0.9 if known else 0.5)

    def _counted(self) -> None:
        self._count += 1
        if self._count >= max(10.0, self._begun):
            self._review()

    def _review(self) -> None:
        """At the end of a window's worth of replies."""
        samples, busy = sorted(self._samples), self._busy
        if self._failed >= max(2.0, self.FAILURES * self._count):
            self._shrink(0.7)
            return
        if samples and self._is_slow(samples[len(samples) // 2], busy):
            return
        if busy and not self._slow_start:
            # Quickly back to where it was well before, slowly beyond.
            step = 0.25 * self.size if self.size < 0.8 * self._ceiling else max(1.0, 0.02 * self.bound)
            self.size = min(self.size + step, self.bound)
        self._begin()

    def _is_slow(self, median: float, busy: bool) -> bool:
        """Whether the window was changed because of how long replies take."""
        base = self._base
        trial, self._trial = self._trial, None
        if trial is not None:
            size, before = trial
            if median > 0.85 * before:
                # No faster with fewer: it is not us.
                self._base = median
                self.size = size
                self._begin()
                return True
        if base is None or median < base:
            self._base = median
        elif median > self.SLOW * base and busy and self.size > 1:
            # These replies were asked for when the window was what it was when the round began, or smaller.
            size, begun = self.size, min(self._begun, self.size)
            self._shrink(0.7 * begun / size)
            self._trial = size, median
            return True
        else:
            # What was best long ago need not be possible today.
            self._base = base * 1.002
        return False

    def _shrink(self, factor: float) -> None:
        self._ceiling = self.size
        self._slow_start = False
        self.size = max(1.0, self.size * factor)
        self.round += 1
        self._trial = None
        self._begin()

    def _begin(self) -> None:
        self._samples = []
        self._count = self._failed = 0
        self._busy = False
        self._begun = self.size


class Estimate:
    """What requests cost in tokens, learned from what others of the same job did cost."""

    __slots__ = ("_bytes", "_calls", "_read", "_written")

    # How much older observations count beside a new one.
    MEMORY = 0.98

    def __init__(self) -> None:
        # Four bytes of JSON a token and a short answer, until it is known better.
        self._bytes, self._read = 4_000.0, 1_000.0
        self._calls, self._written = 1.0, 200.0

    def of(self, size: int, most: int | None) -> float:
        """Tokens that a request of `size` bytes may cost, its answer limited to `most` tokens."""
        written = self._written / self._calls
        return max(1.0, size * self._read / self._bytes + (written if most is None else min(written, most)))

    def learn(self, size: int, read: int, written: int) -> None:
        """A request of `size` bytes has cost so many tokens."""
        self._bytes = self._bytes * self.MEMORY + size
        self._read = self._read * self.MEMORY + read
        self._calls = self._calls * self.MEMORY + 1
        self._written = self._written * self.MEMORY + written


class Grant:
    """The right to make one attempt, and what is needed to tell what its reply means."""

    __slots__ = ("at", "cost", "requests", "round", "tokens")

    def __init__(self, at: float, cost: float, requests: float, tokens: float, round: int) -> None:
        self.at = at
        self.cost = cost
        self.requests = requests
        self.tokens = tokens
        self.round = round


class Limiter:
    """The gate of a job: who passes has a place, and the rates allow it.

    - `concurrency`: at most so many attempts at a time; fewer where the server has enough with fewer.
    - `rpm`, `tpm`: requests and tokens a minute; taken from the replies' `x-ratelimit-*` headers where not given.
    - `share`: how much of what the headers tell is for this limiter, where other processes have the rest.

    One limiter may serve several jobs, in one event loop at a time. Raises ValueError for limits that cannot be.
    """

    def __init__(
        self, concurrency: int = 1_000, *, rpm: float | None = None, tpm: float | None = None, share: float = 1.0
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"a share must be above 0 and at most 1, not {share!r}")
        self.share = share
        self.window = Window(concurrency)
        self.requests = Bucket(rpm)
        self.tokens = Bucket(tpm)
        self.estimate = Estimate()
        self.running = 0
        self._paused_until = 0.0
        self._look_at = 0.0
        self._waiting: deque[tuple[float, asyncio.Future[Grant]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait at the gate."""
        return len(self._waiting)

    async def acquire(self, cost: float = 0.0, *, first: bool = False) -> Grant:
        """Wait for the turn of an attempt that may cost so many tokens; `first` goes before those who wait."""
        loop = asyncio.get_running_loop()
        if not self._waiting and self._delay(cost, now := loop.time()) == 0.0:
            return self._grant(cost, now)
        turn: asyncio.Future[Grant] = loop.create_future()
        if first:
            self._waiting.appendleft((cost, turn))
        else:
            self._waiting.append((cost, turn))
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was let in and cancelled in the same breath.
                self.release(turn.result())
            else:
                self._let_in()
            raise

    def release(self, grant: Grant) -> None:
        """An attempt has ended, however it did: its place is free."""
        self.running -= 1
        if self._waiting:
            self._let_in()

    def replied(self, grant: Grant, headers: Mapping[str, str], latency: float) -> None:
        """A reply came, `latency` seconds after the attempt began. Before `release`."""
        self._observe(grant, headers)
        rates = [self.requests.rate, self.tokens.rate / max(grant.cost, 1.0)]
        if any(rates):
            self.window.expect(min(filter(None, rates)) * latency)
        self.window.succeeded(grant.round, self.running, latency)

    def used(self, grant: Grant, size: int, read: int, written: int) -> None:
        """What the attempt has cost, in tokens read and written, for `size` bytes."""
        self.tokens.correct(grant.cost, read + written)
        self.estimate.learn(size, read, written)

    def refused(self, grant: Grant, headers: Mapping[str, str], seconds: float) -> None:
        """The attempt was one too many: nobody makes another for so many seconds."""
        self.window.refused(grant.round, known=bool(self.requests.rate or self.tokens.rate))
        self.tokens.correct(grant.cost, 0.0)
        self._observe(grant, headers)
        requests = _number(headers.get("x-ratelimit-remaining-requests"))
        tokens = _number(headers.get("x-ratelimit-remaining-tokens"))
        if tokens is not None and tokens > grant.cost and (requests is None or requests >= 1):
            self.tokens.not_enough(tokens * self.share)
        self.pause(seconds)

    def failed(self, grant: Grant) -> None:
        """The server failed, or there was no reply."""
        self.tokens.correct(grant.cost, 0.0)
        self.window.failed(grant.round)

    def pause(self, seconds: float) -> None:
        """Let nobody in for so many seconds."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)

    def _observe(self, grant: Grant, headers: Mapping[str, str]) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        age = now - grant.at
        for bucket, name, mark in (
            (self.requests, "requests", grant.requests),
            (self.tokens, "tokens", grant.tokens),
        ):
            remaining = _number(headers.get(f"x-ratelimit-remaining-{name}"))
            if remaining is not None:
                limit = _number(headers.get(f"x-ratelimit-limit-{name}")) or 0.0
                reset = headers.get(f"x-ratelimit-reset-{name}")
                # A share of a bucket is a smaller one that is full at the same time.
                known = None if reset is None else duration(reset)
                bucket.observe(limit * self.share, remaining * self.share, known, mark, age)
        if self.requests.plenty and self.tokens.plenty:
            # Reading headers takes as long as the rest of this module: while nothing is short, not those of each reply.
            self._look_at = now + _LOOK_SECONDS

    def _delay(self, cost: float, now: float) -> float:
        """Seconds until an attempt may begin; infinite where another has to end first."""
        if self.running >= int(self.window.size):
            return float("inf")
        return max(self._paused_until - now, self.requests.wait(1.0, now), self.tokens.wait(cost, now), 0.0)

    def _grant(self, cost: float, now: float) -> Grant:
        self.running += 1
        self.requests.take(1.0)
        self.tokens.take(cost)
        return Grant(now, cost, self.requests.spent, self.tokens.spent, self.window.round)

    def _let_in(self) -> None:
        """Let in all who may, in order; the next look is when the first of those left may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        waiting = self._waiting
        while waiting:
            cost, turn = waiting[0]
            if turn.done():
                waiting.popleft()
                continue
            now = loop.time()
            delay = self._delay(cost, now)
            if delay > 0:
                if delay != float("inf"):
                    self._timer = loop.call_later(delay, self._let_in)
                return
            waiting.popleft()
            turn.set_result(self._grant(cost, now))


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None
