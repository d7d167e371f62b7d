"""What a busy API does: rate limits in token buckets, and latencies with a slow tail."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import msgspec

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError

__all__ = ["RateLimits", "slow_tail"]

# What costs tokens; all else, files and lists and what is stored, is not limited.
_LIMITED = ("/chat/completions", "/completions", "/embeddings", "/responses", "/moderations", "/audio/", "/images/")


class _Caps(msgspec.Struct):
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    max_tokens: int | None = None


_caps = msgspec.json.Decoder(_Caps).decode


class _Bucket:
    """Fills by `per_minute`, up to `capacity`."""

    def __init__(self, per_minute: float, burst: float) -> None:
        self.limit = per_minute
        self.rate = per_minute / 60
        self.capacity = self.level = max(1.0, self.rate * burst)

    def fill(self, seconds: float) -> None:
        self.level = min(self.capacity, self.level + seconds * self.rate)

    def missing(self, cost: float) -> float:
        """Seconds until there is enough; what never fits needs a full bucket."""
        return max(0.0, min(cost, self.capacity) - self.level) / self.rate

    def headers(self, name: str) -> str:
        """Limit, what is left, and the time until nothing is missing."""
        reset = _duration((self.capacity - self.level) / self.rate)
        return (
            f"x-ratelimit-limit-{name}: {self.limit:.0f}\r\n"
            f"x-ratelimit-remaining-{name}: {max(0, int(self.level))}\r\n"
            f"x-ratelimit-reset-{name}: {reset}\r\n"
        )


class RateLimits:
    """Requests and tokens a minute that a server allows; None is no limit. For `Server(limits=...)`.

    burst: how many seconds' worth may come at once after a pause; buckets are full at the start.
    clock: what time it is, in seconds.

    A request is let in when there is room for what it might cost, a token for every four bytes and the answer's limit
    if that is more; it is charged what its reply's `usage` says. Who is refused is told when to come back, and is
    charged nothing. `admitted` and `refused` count requests, `charged` tokens.
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
            raise ValueError("limits must be positive numbers")
        self._requests = None if rpm is None else _Bucket(rpm, burst)
        self._tokens = None if tpm is None else _Bucket(tpm, burst)
        self._clock = clock
        self._at = clock()
        self.admitted = 0
        self.refused = 0
        self.charged = 0

    def admit(self, request: ReceivedRequest, path: str) -> ApiError | None:
        """Let a request in, or say why not."""
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
        """Take what a reply has cost."""
        self.charged += tokens
        if self._tokens is not None:
            self._tokens.level -= tokens

    def headers(self) -> str:
        """The header lines of a reply."""
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
    """As the API writes it: `12ms`, `1.5s`, `6m0s`; rounded up, so that nobody comes too early."""
    millis = math.ceil(seconds * 1e3)
    if millis < 1_000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1e3:g}s"
    return f"{minutes}m{text}" if minutes else text


def slow_tail(
    seconds: float, *, share: float = 0.01, factor: float = 20.0, spread: float = 0.1, seed: int = 0
) -> Callable[[], float]:
    """Latencies for `Server(latency=...)`: about `seconds`, give or take `spread` of it, and `factor` times as long for
    a `share` of all requests. The same ones in each run.
    """
    chance = random.Random(seed)

    def latency() -> float:
        base = seconds * (1 + spread * (2 * chance.random() - 1))
        return base * factor if chance.random() < share else base

    return latency
