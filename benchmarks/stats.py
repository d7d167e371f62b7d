"""From samples to figures: medians, and ratios of neighbouring turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

# What can be measured, and its unit. The first two are derived from every sample's clocks, per operation.
UNITS: Final[Mapping[str, str]] = {
    "wall": "us",
    "cpu": "us",
    "p50": "us",  # of single operations, from when each was due
    "p99": "us",
    "blocked": "ms",  # the longest that the event loop was kept from everybody else
    "rss": "MB",  # per 1,000 operations in flight
    "growth": "MB",
    "sockets": "sockets",
    "left": "sockets",  # after the client was closed
    "errors": "errors",
    "server": "%",  # how busy the server was
}


@dataclass(frozen=True)
class Sample:
    """One turn of one client: so many operations took so many seconds of wall clock and of its own CPU.

    `more` holds what else was measured, by the names of `UNITS`.
    """

    calls: int
    wall: float
    cpu: float
    more: Mapping[str, float] = field(default_factory=dict[str, float])

    def value(self, measure: str) -> float | None:
        """What was measured, in its unit; None where it was not."""
        if measure == "wall":
            return self.wall / self.calls * 1e6
        if measure == "cpu":
            return self.cpu / self.calls * 1e6
        return self.more.get(measure)


@dataclass(frozen=True)
class Spread:
    """The median of some values with its quartiles, and the values."""

    median: float
    low: float
    high: float
    values: tuple[float, ...]


def spread(values: Sequence[float]) -> Spread | None:
    """Median and quartiles (inclusive method); None without values."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], tuple(values))
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(statistics.median(values), low, high, tuple(values))


def measured(samples: Sequence[Sample | None], measure: str) -> Spread | None:
    """The spread of one measure; None where no sample has it."""
    values = [sample.value(measure) for sample in samples if sample is not None]
    return spread([value for value in values if value is not None])


def ratios(over: Sequence[Sample | None], under: Sequence[Sample | None], measure: str) -> Spread | None:
    """A measure of `over` divided by that of `under`, turn by turn; turns that either missed are left out.

    Both have an entry for every turn, or none at all.
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
    """The value below which `share` (0 to 1) of the values lie, the nearest one that occurred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
