"""The size of the window by replies, refusals and failures."""

from __future__ import annotations

import pytest

from aiopenai._jobs.window import Window


class TestWindow:
    def rounds(self, window: Window, number: int, latency: float, running: int | None = None) -> None:
        for _ in range(number):
            for _ in range(int(window.size) + 10):
                window.succeeded(window.round, int(window.size) if running is None else running, latency)

    def test_grows_to_its_bound(self) -> None:
        window = Window(500)
        self.rounds(window, 8, 1.0)
        assert window.size == 500

    def test_does_not_grow_unused(self) -> None:
        window = Window(500)
        self.rounds(window, 8, 1.0, running=3)
        assert window.size == Window.START

    def test_is_at_once_what_the_servers_rate_needs(self) -> None:
        window = Window(500)
        window.expect(90.0)
        assert window.size == 90
        window.expect(9_000.0)
        assert window.size == 500
        window.refused(window.round, known=True)
        window.expect(9_000.0)
        assert window.size == 450

    def test_small_bounds(self) -> None:
        assert Window(3).size == 3
        with pytest.raises(ValueError, match="at least 1"):
            Window(0)

    def test_a_refusal_counts_once(self) -> None:
        window = Window(500)
        self.rounds(window, 8, 1.0)
        early = window.round
        for _ in range(100):
            window.refused(early, known=False)
        assert window.size == 250
        window.refused(window.round, known=True)
        assert window.size == 225

    def test_recovers_quickly_to_where_it_was(self) -> None:
        window = Window(500)
        self.rounds(window, 8, 1.0)
        window.refused(window.round, known=False)
        self.rounds(window, 6, 1.0)
        assert window.size > 400

    def test_few_failures_are_accidents(self) -> None:
        window = Window(100)
        self.rounds(window, 8, 1.0)
        for number in range(400):
            if number % 50:
                window.succeeded(window.round, 100, 1.0)
            else:
                window.failed(window.round)
        assert window.size == 100

    def test_many_failures_are_not(self) -> None:
        window = Window(100)
        self.rounds(window, 8, 1.0)
        for _ in range(40):
            window.failed(window.round)
            window.succeeded(window.round, 100, 1.0)
            window.succeeded(window.round, 100, 1.0)
        assert window.size == pytest.approx(70)

    def test_finds_what_a_server_can_do_at_once(self) -> None:
        """A server that does 50 at a time, and takes the longer the more are there."""
        window = Window(1_000)
        for _ in range(60):
            for _ in range(int(window.size) + 10):
                window.succeeded(window.round, int(window.size), 0.1 * max(1.0, window.size / 50))
        assert 30 < window.size < 200

    def test_long_answers_are_not_congestion(self) -> None:
        window = Window(200)
        self.rounds(window, 10, 1.0)
        self.rounds(window, 10, 5.0)
        assert window.size == 200


def test_a_round_with_room_to_spare_is_no_reason_to_grow() -> None:
    window = Window(1_000)
    window.refused(0, known=False)
    assert (window.size, window.round) == (16.0, 1)
    for _ in range(16):
        window.succeeded(1, running=16, latency=1.0)
    grown = window.size
    assert grown > 16
    # The next round is not busy: the size of the last one says nothing about it.
    for _ in range(30):
        window.succeeded(1, running=1, latency=1.0)
    assert window.size == grown
    assert window.round == 1
