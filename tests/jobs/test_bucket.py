"""A bucket by a clock of the test's own, and the durations and times in headers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.bucket import Bucket, duration, seconds_until


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("6m0s", 360.0),
            ("12ms", 0.012),
            ("1.5s", 1.5),
            ("1h2m3s", 3_723.0),
            ("2", 2.0),
            ("0s", 0.0),
            ("1d", 86_400.0),
            ("-3", 0.0),
            (" 5ms", 0.005),
            ("soon", None),
            ("", None),
            ("5s!", None),
        ],
    )
    def test_forms(self, text: str, seconds: float | None) -> None:
        assert duration(text) == seconds

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        found = duration(text)
        assert found is None or found >= 0 or found != found


NOW = 1_780_000_000.0


class TestSecondsUntil:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("6m0s", 360.0),
            ("90", 90.0),
            ("1780000030", 30.0),
            ("1780000030.5", 30.5),
            ("1780000030000", 30.0),
            ("1780000030000000", 30.0),
            ("1780000030000000000", 30.0),
            ("1779999990", 0.0),
            ("2026-05-28T20:27:10Z", 30.0),
            ("2026-05-28T20:27:10+00:00", 30.0),
            ("2026-05-28T22:27:10+02:00", 30.0),
            ("2026-05-28T20:27:10", 30.0),
            ("Thu, 28 May 2026 20:27:10 GMT", 30.0),
            ("Thu, 28 May 2026 20:00:00 GMT", 0.0),
            # More than a month, or no time at all.
            ("99999999", None),
            ("1790000000", None),
            ("2099-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00", 0.0),
            ("soon", None),
            ("nan", None),
            ("inf", None),
            ("", None),
        ],
    )
    def test_forms(self, text: str, seconds: float | None) -> None:
        found = seconds_until(text, NOW)
        assert found == (seconds if seconds is None else pytest.approx(seconds, abs=1e-3))

    @given(st.text() | st.floats().map(str) | st.datetimes().map(str))
    def test_any_text(self, text: str) -> None:
        found = seconds_until(text, NOW)
        assert found is None or 0 <= found <= 31 * 86_400


class Served:
    """The server's side of a bucket."""

    def __init__(self, per_minute: float, burst: float) -> None:
        self.limit = per_minute
        self.rate = per_minute / 60
        self.capacity = self.level = self.rate * burst
        self.at = 0.0

    def take(self, cost: float, now: float) -> bool:
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < cost:
            return False
        self.level -= cost
        return True


class TestBucket:
    def test_no_wait_while_nothing_is_known(self) -> None:
        assert Bucket().wait(1e9, 0.0) == 0.0

    @pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
    def test_impossible_limits(self, limit: float) -> None:
        with pytest.raises(ValueError, match="positive"):
            Bucket(limit)

    def test_a_limit_by_hand_is_spread(self) -> None:
        bucket = Bucket(600)
        sent = now = 0.0
        while now < 60:
            wait = bucket.wait(1, now)
            now += wait
            if now < 60:
                bucket.take(1)
                sent += 1
        # 10 a second, a second's worth at once at the start.
        assert 590 <= sent <= 610

    def test_what_never_fits_waits_for_a_full_bucket(self) -> None:
        bucket = Bucket(60)
        bucket.wait(1, 0.0)
        bucket.take(1)
        wait = bucket.wait(1_000, 0.0)
        assert 1.0 <= wait < 1.1
        assert bucket.wait(1_000, wait) == 0.0

    def test_learns_rate_and_capacity(self) -> None:
        bucket = Bucket()
        bucket.take(1)
        # 6,000 a minute of which a second's worth fits: full again when the one that is missing is there.
        bucket.observe(6_000, 99, 0.01, bucket.spent, 0.0)
        assert bucket.rate == 100
        assert bucket.capacity == pytest.approx(100)
        assert bucket.level == pytest.approx(99)

    def test_learns_a_limit_per_day(self) -> None:
        bucket = Bucket()
        bucket.take(1)
        bucket.observe(200, 199, 432.0, bucket.spent, 0.0)
        assert bucket.rate == pytest.approx(200 / 86_400)
        assert bucket.capacity == 200

    def test_without_reset_a_minute_fits(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 10, None, 0.0, 0.0)
        assert bucket.capacity == 6_000
        assert bucket.level == 10

    def test_never_sees_it_better_than_the_server(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 6_000, 0.0, 0.0, 0.0)
        # Another program has spent nearly all.
        bucket.observe(6_000, 5, 59.95, bucket.spent, 0.0)
        assert bucket.level <= 5

    def test_corrections(self) -> None:
        bucket = Bucket(60_000)
        bucket.take(100)
        bucket.correct(100, 20)
        assert bucket.level == pytest.approx(bucket.capacity - 20)

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("delay", [0.01, 0.5, 5.0])
    def test_keeps_a_servers_rate(self, seed: int, delay: float) -> None:
        """A minute against a server that is `delay` away: nearly all that it allows, and hardly a refusal."""
        chance = random.Random(seed)
        server, bucket = Served(6_000, 1.0), Bucket()
        refused = admitted = 0
        now = 0.0
        replies: list[tuple[float, float, float, float]] = []
        while now < 60:
            while replies and replies[0][0] <= now:
                _, left, mark, sent = replies.pop(0)
                bucket.observe(6_000, left, (server.capacity - left) / server.rate, mark, now - sent)
            wait = bucket.wait(1, now)
            if wait:
                now = min(now + wait, replies[0][0] if replies else 1e9)
                continue
            bucket.take(1)
            if server.take(1, now + 0.002 + chance.random() * 0.004):
                admitted += 1
            else:
                refused += 1
            replies.append((now + delay, server.level, bucket.spent, now))
            if not bucket.rate:
                now += delay / 50
        assert refused < 0.01 * admitted
        # Until the first reply nothing is known.
        assert admitted > 0.97 * 100 * (60 - delay)

    def test_rises_slowly_and_only_as_far_as_the_reply_says(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 100, 1.0, 0.0, 0.0)
        assert bucket.level == 100
        bucket.observe(6_000, 180, 0.0, 0.0, 0.0)
        assert 100 < bucket.level < 110
        level = bucket.level
        # The reply leaves it open whether the content is more or less.
        bucket.observe(6_000, level - 5, 1.0, 0.0, 1.0)
        assert bucket.level == level

    def test_a_reply_without_a_limit(self) -> None:
        bucket = Bucket()
        bucket.observe(None, 5, None, 0.0, 0.0)
        assert bucket.rate == 0
        bucket.observe(600, 600, None, 0.0, 0.0)
        bucket.observe(0, 3, None, 0.0, 0.0)
        assert bucket.level == 3

    def test_forgets(self) -> None:
        bucket = Bucket()
        bucket.observe(100, 0, 86_400.0, 0.0, 0.0)
        assert bucket.wait(1, 0.0) > 500
        assert not bucket.plenty
        bucket.forget()
        assert bucket.wait(1, 0.0) == 0
        assert bucket.plenty
        bucket.observe(100, 50, 86_400.0, 0.0, 0.0)
        assert bucket.rate == pytest.approx(100 / 60)


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59+00:00", "Fri, 31 Dec 99999 23:59:59 GMT", "0001-01-01T00:00:00+14:00"]
)
def test_times_at_the_end_of_the_calendar(text: str) -> None:
    assert seconds_until(text, NOW) in (None, 0.0)


class TestContent:
    def test_plenty(self) -> None:
        assert Bucket().plenty
        bucket = Bucket(60)
        bucket.level = bucket.capacity
        assert bucket.plenty
        bucket.level = 0.5 * bucket.capacity
        assert not bucket.plenty
        bucket.forget()
        bucket.level = -5.0
        assert bucket.plenty

    def test_a_limit_of_one_a_minute(self) -> None:
        bucket = Bucket()
        bucket.observe(1.0, 1.0, None, 0.0, 0.0)
        assert (bucket.capacity, bucket.level, bucket.rate) == (1.0, 1.0, 1 / 60)
        bucket = Bucket()
        bucket.observe(0.5, 0.5, None, 0.0, 0.0)
        assert bucket.capacity == 1.0

    def test_forgetting_begins_anew(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 6_000, None, 0.0, 0.0)
        bucket.not_enough(100.0)
        bucket.take(40.0)
        bucket.forget()
        assert (bucket.rate, bucket.floor, bucket.capacity, bucket.level) == (0.0, 0.0, 1.0, 1.0)
        # The amount that was taken says what was sent between two replies, and stays.
        assert bucket.spent == 40.0

    def test_a_refusal_despite_a_rest_keeps_more_in_reserve(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 6_000, None, 0.0, 0.0)
        bucket.take(1_000)
        assert bucket.wait(4_700, 0.0) == 0.0
        assert bucket.wait(4_701, 0.0) > 0.0
        bucket.not_enough(1_000.0)
        assert bucket.floor == 1_250.0
        assert bucket.wait(3_750, 0.0) == 0.0
        assert bucket.wait(3_751, 0.0) == pytest.approx(1 / (100 * 0.99))
        # It is the largest of all, and at most half of the bucket.
        bucket.not_enough(10.0)
        assert bucket.floor == 1_250.0
        bucket.not_enough(5_000.0)
        assert bucket.floor == 3_000.0

    def test_a_cost_above_the_capacity_needs_a_full_bucket(self) -> None:
        bucket = Bucket()
        bucket.observe(60, 60, None, 0.0, 0.0)
        assert bucket.wait(1_000, 0.0) == 0.0
        bucket.take(10)
        assert bucket.wait(1_000, 0.0) == pytest.approx(10 / 0.99)
        bucket.correct(10, 4)
        assert bucket.level == 56
        bucket.correct(10, 0)
        assert bucket.level == 60
