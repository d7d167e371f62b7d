"""The figures made from samples: medians, and ratios of neighbouring turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

# The measures with their units. The first two come from the clocks of every sample, per operation.
UNITS: Final[Mapping[str, str]] = {
    "wall": "us",
    "cpu": "us",
    "p50": "us",  # of single operations, from their scheduled start
    "p99": "us",
    "p999": "us",
    "blocked": "ms",  # the longest time that the event loop was blocked
    "rss": "MB",  # per 1,000 operations in flight
    "growth": "MB",
    "sockets": "sockets",
    "left": "sockets",  # after the client was closed
    "errors": "errors",
    "server": "%",  # CPU share of the server
}


@dataclass(frozen=True)
class Sample:
    """One turn of one client: the number of operations, and their seconds of wall clock and of CPU.

    `more` holds further measures by the names of `UNITS`.
    """

    calls: int
    wall: float
    cpu: float
    more: Mapping[str, float] = field(default_factory=dict[str, float])

    def value(self, measure: str) -> float | None:
        """Returns a measure in its unit; None if the sample does not have it."""
        if measure == "wall":
            return self.wall / self.calls * 1e6
        if measure == "cpu":
            return self.cpu / self.calls * 1e6
        return self.more.get(measure)


@dataclass(frozen=True)
class Spread:
    """Some values with their median and quartiles."""

    median: float
    low: float
    high: float
    values: tuple[float, ...]


def spread(values: Sequence[float]) -> Spread | None:
    """Returns median and quartiles (inclusive method); None without values."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], tuple(values))
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(statistics.median(values), low, high, tuple(values))


def measured(samples: Sequence[Sample | None], measure: str) -> Spread | None:
    """Returns the spread of one measure; None if no sample has it."""
    values = [sample.value(measure) for sample in samples if sample is not None]
    return spread([value for value in values if value is not None])


def ratios(over: Sequence[Sample | None], under: Sequence[Sample | None], measure: str) -> Spread | None:
    """Returns a measure of `over` divided by that of `under`, turn by turn, without turns that either missed.

    Both have an entry for every turn, or are empty.
    """
    if not over or not under:
        return None
    pairs = [
        (a.value(measure), b.value(measure))
        for a, b in zip(over, under, strict=True)
        if a is not None and b is not None
    ]
    return spread([a / b for a, b in pairs if a is not None and b])


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the percentile of `share` (0 to 1): the nearest value that occurred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
