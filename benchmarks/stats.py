"""From samples to figures: medians, and ratios of neighbouring turns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One turn of one client: so many operations took so many seconds of wall clock and of its own CPU."""

    calls: int
    wall: float
    cpu: float

    @property
    def wall_us(self) -> float:
        """Microseconds of wall clock per operation."""
        return self.wall / self.calls * 1e6

    @property
    def cpu_us(self) -> float:
        """Microseconds of client CPU per operation."""
        return self.cpu / self.calls * 1e6

    def time_us(self, clock: str) -> float:
        """Microseconds per operation by ``wall`` or ``cpu``."""
        return self.wall_us if clock == "wall" else self.cpu_us


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


def ratios(over: Sequence[Sample | None], under: Sequence[Sample | None], clock: str) -> Spread | None:
    """Time per operation of `over` divided by that of `under`, turn by turn; turns that either missed are left out.

    Both have an entry for every turn, or none at all.
    """
    if not over or not under:
        return None
    return spread(
        [
            a.time_us(clock) / b.time_us(clock)
            for a, b in zip(over, under, strict=True)
            if a is not None and b is not None and b.time_us(clock) > 0
        ]
    )
