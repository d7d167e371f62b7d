"""One rate limit of the server, as a bucket that fills steadily, and the headers that describe it.

A server allows so many requests and tokens per minute. Each reply says in its `x-ratelimit-*` headers how much is left.
`Bucket` is the client's estimate of such a bucket. It does no I/O and gets the time as an argument.
"""

from __future__ import annotations

import email.utils
import math
import re
import time
from datetime import datetime, timezone

__all__ = ["Bucket", "duration", "seconds_until"]

# The estimate refills 1% more slowly than the server's bucket: clocks are not exact, and a request that comes too early
# is refused, which costs more than one that comes a little late.
_SLOWNESS = 0.99
# This share of a bucket stays unused, for requests that overtake others on the way.
_RESERVE = 0.05
# A limit given by hand is spread evenly: no more than this many seconds' worth is sent at once.
_BURST_SECONDS = 1.0
# The share of the difference by which the estimate rises towards a reply's figure. It falls at once.
_CATCH_UP = 0.05

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# A number from here on is a Unix time: as seconds it would be 31 years. Milliseconds and finer units follow.
_UNIX_TIME = 1e9
_UNIX_SCALES = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
# A longer reset is an error of the server: no rate limit spans more than a month.
_LONGEST_RESET = 31 * 86_400.0


def duration(text: str) -> float | None:
    """Returns the seconds of `6m0s`, `1.5s`, `12ms` or a plain number; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    found = list(_PARTS.finditer(text))
    if not found or "".join(part[0] for part in found) != text.strip():
        return None
    return sum(float(part[1]) * _UNITS[part[2]] for part in found)


def seconds_until(text: str, now: float | None = None) -> float | None:
    """Returns the seconds until a reset; None for text that is no time or more than a month away.

    Servers write a duration, a Unix time (in seconds, milliseconds or finer), an ISO 8601 time or an HTTP date. `now`
    is the Unix time.
    """
    now = time.time() if now is None else now
    seconds = duration(text)
    if seconds is None:
        moment = _moment(text.strip())
        seconds = None if moment is None else max(0.0, moment - now)
    elif seconds >= _UNIX_TIME:
        scale = next(scale for end, scale in _UNIX_SCALES if seconds < end)
        seconds = max(0.0, seconds / scale - now)
    return None if seconds is None or seconds > _LONGEST_RESET else seconds


def _moment(text: str) -> float | None:
    """Returns the Unix time of an ISO 8601 time or an HTTP date."""
    try:
        # Python 3.10 does not know `Z`.
        moment = datetime.fromisoformat(text.removesuffix("Z") + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return None


class Bucket:
    """The client's estimate of one bucket of the server.

    `rate` is the inflow per second, `capacity` the maximum and `level` the present content, which is negative after
    more was spent than there was. Without a known limit `rate` is 0 and no request waits. `per_minute` sets the limit
    by hand; such a bucket never observes replies.
    """

    __slots__ = ("_at", "_limit", "_resets_known", "capacity", "floor", "level", "rate", "spent")

    def __init__(self, per_minute: float | None = None) -> None:
        if per_minute is not None and not 0 < per_minute < math.inf:
            raise ValueError(f"a limit per minute must be a positive number, not {per_minute!r}")
        self.rate = (per_minute or 0.0) / 60
        self.capacity = self.level = max(1.0, self.rate * _BURST_SECONDS)
        self.floor = 0.0
        self._limit = 0.0
        self._at: float | None = None
        self._resets_known = True
        # All that was ever taken, without corrections: it tells how much was sent between two replies.
        self.spent = 0.0

    @property
    def plenty(self) -> bool:
        """Whether the bucket is more than half full, or without a limit."""
        return not self.rate or self.level > 0.5 * self.capacity

    def wait(self, cost: float, now: float) -> float:
        """Returns the seconds until `cost` may be taken. A cost above the capacity may be taken when it is full."""
        if not self.rate:
            return 0.0
        self._refill(now)
        missing = min(cost + max(_RESERVE * self.capacity, self.floor), self.capacity) - self.level
        # A bucket that is full but for a rounding error counts as full.
        return missing / (self.rate * _SLOWNESS) if missing > 1e-6 else 0.0

    def take(self, cost: float) -> None:
        """Takes `cost` out of the bucket, also where it is not there."""
        self.level -= cost
        self.spent += cost

    def correct(self, charged: float, actual: float) -> None:
        """Replaces the estimated cost of a request by its actual cost."""
        self.level = min(self.level + charged - actual, self.capacity)

    def observe(self, limit: float | None, remaining: float, reset: float | None, mark: float, age: float) -> None:
        """Learns from a reply: `limit` per minute, `remaining` now, full again in `reset` seconds.

        `mark` was `spent` when the request left, `age` seconds ago.
        """
        if limit:
            self._learn(limit, remaining, reset if self._resets_known else None)
        if not self.rate:
            return
        # The server looked when the request arrived. All that was sent since then is gone. At most `rate * age` came
        # in since then, of which an unknown part did not fit. So the content lies between `least` and `most`.
        least = remaining - (self.spent - mark)
        most = min(least + self.rate * age, self.capacity)
        if most < self.level:
            self.level = most
        elif least > self.level:
            self.level += _CATCH_UP * (min(least, self.capacity) - self.level)

    def not_enough(self, remaining: float) -> None:
        """Learns that `remaining` was less than the server wanted: it counts more than a request costs in the end."""
        self.floor = max(self.floor, min(1.25 * remaining, 0.5 * self.capacity))

    def forget(self) -> None:
        """Drops all that was learned. From now on resets are ignored: the server accepts requests that they forbid."""
        self.rate = self.floor = self._limit = 0.0
        self.capacity = self.level = 1.0
        self._resets_known = False

    def _learn(self, limit: float, remaining: float, reset: float | None) -> None:
        rate = limit / 60
        capacity = limit
        if reset is not None:
            # Often less than a minute's worth fits in: the rest of it and the inflow until it is full.
            capacity = remaining + reset * rate
            if capacity > 1.5 * limit and remaining < limit:
                # It takes too long to fill: this limit is per hour or day, not per minute.
                rate, capacity = (limit - remaining) / reset, limit
        capacity = max(1.0, min(capacity, limit))
        if limit != self._limit:
            self._limit = limit
            if not self.rate:
                self.level = remaining
            self.rate = rate
            self.capacity = capacity
        elif capacity > self.capacity:
            # `reset` is rounded, also down: the highest figure is the nearest.
            self.capacity = capacity

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self.level = min(self.level + (now - self._at) * self.rate * _SLOWNESS, self.capacity)
        self._at = now
