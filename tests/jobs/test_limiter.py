"""The gate in the running loop: order, limits per model, waits and their reasons."""

from __future__ import annotations

import asyncio

import pytest

from aiopenai._jobs import limiter as limiters
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

    async def test_a_pause_is_for_all(self) -> None:
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

    async def test_models_do_not_wait_for_each_other(self) -> None:
        limiter = Limiter(10)
        small, large = limiter.lane("/chat/completions", "small"), limiter.lane("/chat/completions", "large")
        assert limiter.lane("/chat/completions", "small") is small
        assert limiter.lane("/embeddings", "small") is not small
        assert limiter.several
        grant = await limiter.acquire(lane=small)
        limiter.refused(grant, {}, 30.0)
        limiter.release(grant)
        waiting = asyncio.ensure_future(limiter.acquire(lane=small))
        await asyncio.sleep(0)
        limiter.release(await asyncio.wait_for(limiter.acquire(lane=large), 1))
        ((lane, seconds, reason),) = limiter.waits()
        assert lane is small
        assert 29 < seconds <= 30
        assert reason == "the server refused small (429)"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert limiter.running == limiter.waiting == 0
        assert list(limiter.waits()) == []

    async def test_a_free_place_goes_round(self) -> None:
        """With one place for all, each lane gets its turns."""
        limiter = Limiter(1)
        order: list[str] = []

        async def one(model: str) -> None:
            grant = await limiter.acquire(lane=limiter.lane("/x", model))
            order.append(model)
            await asyncio.sleep(0)
            limiter.release(grant)

        await asyncio.gather(*(one(model) for model in "aaaabbbb"))
        assert sorted(order) == list("aaaabbbb")
        assert "b" in order[:3]

    async def test_further_attempts_go_in_their_order(self) -> None:
        limiter = Limiter(1)
        grant = await limiter.acquire()
        order: list[str] = []

        async def one(name: str, first: bool) -> None:
            mine = await limiter.acquire(first=first)
            order.append(name)
            limiter.release(mine)

        tasks = [asyncio.ensure_future(one(*each)) for each in (("new", False), ("again 1", True), ("again 2", True))]
        await asyncio.sleep(0)
        assert limiter.waiting == 3
        limiter.release(grant)
        await asyncio.gather(*tasks)
        assert order == ["again 1", "again 2", "new"]

    async def test_so_many_models_share_a_lane(self) -> None:
        limiter = Limiter(1)
        lanes = {id(limiter.lane("/x", f"m-{number}")) for number in range(1_000)}
        assert len(lanes) == limiters._MAX_LANES + 1
        assert limiter.lane("/x", "m-999").name == "other models"
        assert Limiter(1).lane("/x").name == "/x"

    async def test_limits_by_hand_hold_for_all_models_together(self) -> None:
        limiter = Limiter(10, rpm=60, tpm=60)
        limiter.release(await limiter.acquire(lane=limiter.lane("/x", "a")))
        waiting = asyncio.ensure_future(limiter.acquire(lane=limiter.lane("/x", "b")))
        await asyncio.sleep(0)
        ((_, seconds, reason),) = limiter.waits(0.0)
        assert 0 < seconds < 2
        assert reason == "the given limit of requests per minute"
        waiting.cancel()
        tokens = Limiter(10, tpm=60)
        tokens.release(await tokens.acquire(1.0))
        waiting = asyncio.ensure_future(tokens.acquire(1.0))
        await asyncio.sleep(0)
        ((_, _, reason),) = tokens.waits(0.0)
        assert reason == "the given limit of tokens per minute"
        waiting.cancel()

    @pytest.mark.parametrize("name", ["requests", "tokens"])
    async def test_a_wait_for_headers_is_bounded_and_logged(
        self, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A server that says that all is used for a day, and accepts the next request, is not believed again."""
        monkeypatch.setattr(limiters, "MAX_WAIT_SECONDS", 0.05)
        monkeypatch.setattr(limiters, "LOGGED_WAIT_SECONDS", 0.01)
        caplog.set_level("INFO", "aiopenai")
        limiter = Limiter(10)
        loop = asyncio.get_running_loop()
        headers = {
            f"x-ratelimit-limit-{name}": "100",
            f"x-ratelimit-remaining-{name}": "0",
            f"x-ratelimit-reset-{name}": "24h",
        }
        grant = await limiter.acquire(10.0)
        limiter.replied(grant, headers, 0.1)
        limiter.release(grant)
        begin = loop.time()
        assert limiter._delay(grant.lane, 1.0, begin) > 500
        waiting = asyncio.ensure_future(limiter.acquire(1.0))
        await asyncio.sleep(0)
        ((_, seconds, reason),) = limiter.waits(0.0)
        assert seconds <= 0.05
        assert reason == f"the {name.removesuffix('s')} limit of this job"
        grant = await asyncio.wait_for(waiting, 30)
        assert grant.probe
        assert "Waiting" in caplog.text
        assert reason in caplog.text
        # Refused, it waits on; accepted, the resets of this server do not count any more.
        limiter.refused(grant, headers, 0.0)
        limiter.release(grant)
        assert limiter._delay(grant.lane, 1.0, loop.time()) > 500
        probe = await asyncio.wait_for(limiter.acquire(1.0), 30)
        assert probe.probe
        limiter.replied(probe, {**headers, f"x-ratelimit-remaining-{name}": "50"}, 0.1)
        limiter.release(probe)
        assert limiter._delay(grant.lane, 1.0, loop.time()) == 0

    async def test_a_short_wait_is_no_probe(self) -> None:
        limiter = Limiter(20, rpm=600)
        limiter.release(await limiter.acquire())
        grants = [await limiter.acquire() for _ in range(12)]
        assert not any(grant.probe for grant in grants)

    async def test_an_error_that_says_nothing_about_the_load(self) -> None:
        limiter = Limiter(10, tpm=6_000)
        grant = await limiter.acquire(50.0)
        limiter.rejected(grant)
        assert limiter.tokens.level == limiter.tokens.capacity
        assert limiter._default.window._failed == 0
        limiter.failed(await limiter.acquire(50.0))
        assert limiter._default.window._failed == 1
