"""Rates and concurrency, by a clock of the test's own; the gate in the running loop."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.limiter import Bucket, Estimate, Limiter, Window, duration


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
    def test_nobody_waits_while_nothing_is_known(self) -> None:
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

    def test_a_limit_by_hand_holds_where_the_server_allows_more(self) -> None:
        bucket = Bucket(600)
        bucket.observe(60_000, 59_000, 1.0, 0.0, 0.0)
        assert bucket.rate == 10
        bucket.observe(60, 1, 59.0, 0.0, 0.0)
        assert bucket.rate == 1

    def test_never_sees_it_better_than_the_server(self) -> None:
        bucket = Bucket()
        bucket.observe(6_000, 6_000, 0.0, 0.0, 0.0)
        # Somebody else has spent nearly all.
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


class TestEstimate:
    def test_learns(self) -> None:
        estimate = Estimate()
        for _ in range(300):
            estimate.learn(1_000, 500, 50)
        assert estimate.of(2_000, None) == pytest.approx(1_050, rel=0.02)
        assert estimate.of(2_000, 10) == pytest.approx(1_010, rel=0.02)

    def test_before_it_knows(self) -> None:
        assert estimate_of(400, 16) == 116


def estimate_of(size: int, most: int | None) -> float:
    return Estimate().of(size, most)


class TestLimiter:
    async def test_in_order_and_no_more_than_there_is_room(self) -> None:
        limiter = Limiter(2)
        order: list[int] = []

        async def one(number: int) -> None:
            grant = await limiter.acquire()
            order.append(number)
            assert limiter.running <= 2
            await asyncio.sleep(0)
            limiter.release(grant)

        await asyncio.gather(*map(one, range(20)))
        assert order == list(range(20))
        assert limiter.running == limiter.waiting == 0

    async def test_first_comes_before_those_who_wait(self) -> None:
        limiter = Limiter(1)
        grant = await limiter.acquire()
        waiting = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0)
        again = asyncio.ensure_future(limiter.acquire(first=True))
        await asyncio.sleep(0)
        limiter.release(grant)
        await again
        assert not waiting.done()
        waiting.cancel()

    @pytest.mark.parametrize("turns", [0, 1, 2])
    async def test_cancelling_leaves_nothing_behind(self, turns: int) -> None:
        limiter = Limiter(1)
        grant = await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        limiter.release(grant)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        for each in done:
            if not isinstance(each, BaseException):
                limiter.release(each)
        assert limiter.running == 0
        limiter.release(await asyncio.wait_for(limiter.acquire(), 1))

    async def test_a_pause_is_for_everybody(self) -> None:
        limiter = Limiter(10)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        limiter.pause(0.05)
        limiter.pause(0.01)
        await asyncio.gather(*(limiter.acquire() for _ in range(5)))
        assert loop.time() - begin >= 0.049

    async def test_a_refusal_that_the_server_has_room_for_teaches_its_way_of_counting(self) -> None:
        limiter = Limiter(10)
        grant = await limiter.acquire(10.0)
        headers = {
            "x-ratelimit-limit-tokens": "60000",
            "x-ratelimit-remaining-tokens": "400",
            "x-ratelimit-reset-tokens": "600ms",
            "x-ratelimit-remaining-requests": "7",
        }
        limiter.refused(grant, headers, 0.0)
        assert limiter.tokens.floor == 500

    async def test_a_share_of_what_the_headers_tell(self) -> None:
        limiter = Limiter(10, rpm=300, share=0.25)
        grant = await limiter.acquire()
        headers = {
            f"x-ratelimit-{what}-{name}": value
            for name in ("requests", "tokens")
            for what, value in (("limit", "600"), ("remaining", "400"), ("reset", "20s"))
        }
        limiter.replied(grant, headers, 0.1)
        assert limiter.tokens.rate == pytest.approx(600 / 60 / 4)
        assert limiter.tokens.capacity == pytest.approx(600 / 4)
        assert limiter.tokens.level == pytest.approx(400 / 4)
        # What is given is this limiter's own; the smaller of the two holds.
        assert limiter.requests.rate == pytest.approx(600 / 60 / 4)
        for share in (0.0, 1.5, -1.0, float("nan")):
            with pytest.raises(ValueError, match="share"):
                Limiter(share=share)

    async def test_nonsense_in_headers_is_ignored(self) -> None:
        limiter = Limiter(10)
        grant = await limiter.acquire()
        for value in ("", "nan", "-1", "inf", "many"):
            limiter.replied(grant, {"x-ratelimit-remaining-requests": value, "x-ratelimit-limit-requests": "5"}, 0.1)
        assert limiter.requests.rate == 0
