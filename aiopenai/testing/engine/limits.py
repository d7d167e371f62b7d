"""The behaviour of a busy API: rate limits in token buckets, and latencies with a slow tail."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import msgspec

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError

__all__ = ["RateLimits", "slow_tail"]

# Only endpoints that cost tokens are limited.
_LIMITED = ("/chat/completions", "/completions", "/embeddings", "/responses", "/moderations", "/audio/", "/images/")


class _Caps(msgspec.Struct):
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    max_tokens: int | None = None


_caps = msgspec.json.Decoder(_Caps).decode


class _Bucket:
    """A token bucket. It fills by `per_minute`, up to the capacity for `burst` seconds."""

    def __init__(self, per_minute: float, burst: float) -> None:
        self.limit = per_minute
        self.rate = per_minute / 60
        self.capacity = self.level = max(1.0, self.rate * burst)

    def fill(self, seconds: float) -> None:
        self.level = min(self.capacity, self.level + seconds * self.rate)

    def missing(self, cost: float) -> float:
        """Returns the seconds until the level reaches `cost`. A cost above the capacity needs a full bucket."""
        return max(0.0, min(cost, self.capacity) - self.level) / self.rate

    def headers(self, name: str) -> str:
        """Returns the header lines of the limit, the rest, and the time until the bucket is full."""
        reset = _duration((self.capacity - self.level) / self.rate)
        return (
            f"x-ratelimit-limit-{name}: {self.limit:.0f}\r\n"
            f"x-ratelimit-remaining-{name}: {max(0, int(self.level))}\r\n"
            f"x-ratelimit-reset-{name}: {reset}\r\n"
        )


class RateLimits:
    """The requests and tokens a minute that a server allows, for `Server(limits=...)`. None is no limit.

    burst: the seconds of the limit that may be used at once after a pause. Buckets are full at the start.
    clock: returns the time in seconds.

    A request is admitted when the buckets hold its estimated cost: a token for every four bytes, or the token limit of
    its answer if that is more. It is charged the `usage` of its reply. A refused request is charged nothing, and its
    reply has a Retry-After. `admitted` and `refused` count requests, `charged` counts tokens.
    """

    def __init__(
        self,
        *,
        rpm: float | None = None,
        tpm: float | None = None,
        burst: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if any(limit is not None and limit <= 0 for limit in (rpm, tpm, burst)):
            raise ValueError("rpm, tpm and burst must be positive numbers")
        self._requests = None if rpm is None else _Bucket(rpm, burst)
        self._tokens = None if tpm is None else _Bucket(tpm, burst)
        self._clock = clock
        self._at = clock()
        self.admitted = 0
        self.refused = 0
        self.charged = 0

    def admit(self, request: ReceivedRequest, path: str) -> ApiError | None:
        """Admits a request, or returns the error that refuses it."""
        if request.method != "POST" or not path.startswith(_LIMITED):
            return None
        self._fill()
        cost = _might_cost(request.body)
        for bucket, name, wanted in ((self._requests, "requests", 1.0), (self._tokens, "tokens", cost)):
            if bucket is not None and (seconds := bucket.missing(wanted)) > 0:
                self.refused += 1
                return _refusal(bucket, name, wanted, seconds)
        self.admitted += 1
        if self._requests is not None:
            self._requests.level -= 1
        return None

    def charge(self, tokens: int) -> None:
        """Takes the tokens that a reply has cost."""
        self.charged += tokens
        if self._tokens is not None:
            self._tokens.level -= tokens

    def headers(self) -> str:
        """Returns the header lines of a reply."""
        self._fill()
        return "".join(
            bucket.headers(name)
            for bucket, name in ((self._requests, "requests"), (self._tokens, "tokens"))
            if bucket is not None
        )

    def _fill(self) -> None:
        now = self._clock()
        for bucket in (self._requests, self._tokens):
            if bucket is not None:
                bucket.fill(now - self._at)
        self._at = now


def _might_cost(body: bytes) -> float:
    try:
        caps = _caps(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        caps = _Caps()
    most = caps.max_completion_tokens or caps.max_output_tokens or caps.max_tokens or 0
    return max(most, len(body) / 4, 1.0)


def _refusal(bucket: _Bucket, name: str, wanted: float, seconds: float) -> ApiError:
    told = _duration(seconds)
    message = (
        f"Rate limit reached on {name} per min: Limit {bucket.limit:.0f}, Used {bucket.capacity - bucket.level:.0f}, "
        f"Requested {wanted:.0f}. Please try again in {told}."
    )
    return ApiError(
        429,
        message,
        type=name,
        code="rate_limit_exceeded",
        headers={"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1e3))},
    )


def _duration(seconds: float) -> str:
    """Returns a time as the API writes it: `12ms`, `1.5s`, `6m0s`. It is rounded up, so that no retry is too early."""
    millis = math.ceil(seconds * 1e3)
    if millis < 1_000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1e3:g}s"
    return f"{minutes}m{text}" if minutes else text


def slow_tail(
    seconds: float, *, share: float = 0.01, factor: float = 20.0, spread: float = 0.1, seed: int = 0
) -> Callable[[], float]:
    """Returns a function that makes latencies, for `Server(latency=...)`. They are the same in each run.

    seconds, spread: the usual latency, and the share of it by which it varies up and down.
    share, factor: the share of slow requests, and the factor of their latency.
    """
    chance = random.Random(seed)

    def latency() -> float:
        base = seconds * (1 + spread * (2 * chance.random() - 1))
        return base * factor if chance.random() < share else base

    return latency
