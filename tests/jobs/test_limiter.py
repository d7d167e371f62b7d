"""The gate in the running loop: order, limits per model, waits and their reasons."""

from __future__ import annotations

import asyncio

import pytest

from aiopenai._jobs.limiter import Limiter


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
        assert grant.lane.tokens.floor == 500

    async def test_a_share_of_what_the_headers_tell(self) -> None:
        limiter = Limiter(10, rpm=300, share=0.25)
        grant = await limiter.acquire()
        headers = {
            f"x-ratelimit-{what}-{name}": value
            for name in ("requests", "tokens")
            for what, value in (("limit", "600"), ("remaining", "400"), ("reset", "20s"))
        }
        limiter.replied(grant, headers, 0.1)
        assert grant.lane.tokens.rate == pytest.approx(600 / 60 / 4)
        assert grant.lane.tokens.capacity == pytest.approx(600 / 4)
        assert grant.lane.tokens.level == pytest.approx(400 / 4)
        # A limit given by hand is this limiter's own; the smaller of the two holds.
        assert limiter.requests.rate == pytest.approx(300 / 60)
        assert grant.lane.requests.rate == pytest.approx(600 / 60 / 4)
        for share in (0.0, 1.5, -1.0, float("nan")):
            with pytest.raises(ValueError, match="share"):
                Limiter(share=share)

    async def test_nonsense_in_headers_is_ignored(self) -> None:
        limiter = Limiter(10)
        grant = await limiter.acquire()
        for value in ("", "nan", "-1", "inf", "many"):
            limiter.replied(grant, {"x-ratelimit-remaining-requests": value, "x-ratelimit-limit-requests": "5"}, 0.1)
        assert grant.lane.requests.rate == 0
