"""The expected cost of requests."""

from __future__ import annotations

import pytest

from aiopenai._jobs.estimate import Estimate


class TestEstimate:
    def test_learns(self) -> None:
        estimate = Estimate()
        for _ in range(300):
            estimate.learn(1_000, 500, 50)
        assert estimate.of(2_000, None) == pytest.approx(1_050, rel=0.02)
        assert estimate.of(2_000, 10) == pytest.approx(1_010, rel=0.02)

    def test_before_it_knows(self) -> None:
        assert estimate_of(400, 16) == 116
        assert estimate_of(400, None) == 300
        assert estimate_of(0, 0) == 1


def estimate_of(size: int, most: int | None) -> float:
    return Estimate().of(size, most)
