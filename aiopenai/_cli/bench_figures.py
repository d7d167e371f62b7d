"""The figures of `aiopenai bench`: percentiles, rates and errors of a level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from aiopenai._cli.bench_load import LoadLevel

__all__ = ["figures_of", "percentile"]

_SHARES = (50, 90, 99)
# Above this share of a core the times are those of the client and not those of the server.
_BUSY = 0.85
# A loop that wakes up this late adds as much to the times.
_LATE_MS = 20.0


def percentile(ordered: list[float], share: float) -> float:
    """Returns the value that `share` percent of the sorted values do not exceed, by linear interpolation."""
    place = (len(ordered) - 1) * share / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def figures_of(level: LoadLevel) -> dict[str, Any]:
    """Returns the figures of a level, times in milliseconds, as the report and the JSON show them."""
    good = [sample for sample in level.samples if not sample.error]
    errors = Counter(sample.error for sample in level.samples if sample.error)
    reasons = {sample.error: sample.reason for sample in reversed(level.samples) if sample.error}
    lag = _percentiles(level.lags)
    return {
        "level": level.name,
        "concurrency": level.concurrency,
        "rate": level.rate,
        "arrivals": None if level.rate is None else "poisson" if level.poisson else "constant",
        "seconds": level.wall,
        "requests": len(level.samples),
        "in_flight": level.most_in_flight,
        "requests_per_second": len(good) / level.wall if level.wall else 0.0,
        "tokens_per_second": sum(sample.tokens for sample in good) / level.wall if level.wall else 0.0,
        "time_to_first_token_ms": _percentiles(sample.first for sample in good),
        "time_between_tokens_ms": _percentiles(gap for sample in good for gap in sample.gaps),
        "latency_ms": _percentiles(sample.total for sample in good),
        "late_start_ms": _percentiles(sample.late for sample in level.samples),
        "errors": {kind: {"count": count, "reason": reasons[kind]} for kind, count in errors.most_common()},
        "client_cpu": level.cpu,
        "client_cpu_busiest_second": level.busiest,
        "client_loop_lag_ms": lag,
        "client_is_limit": level.busiest > _BUSY,
        "client_is_late": lag is not None and lag["p99"] > _LATE_MS,
    }


def _percentiles(values: Iterable[float | None]) -> dict[str, float] | None:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    return {f"p{share}": percentile(ordered, share) * 1e3 for share in _SHARES}
