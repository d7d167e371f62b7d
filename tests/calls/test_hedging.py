"""Second attempts and deadlines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiopenai import APIStatusError, APITimeoutError, AsyncOpenAI, HedgePolicy, InternalServerError
from aiopenai._calls import hedging
from aiopenai._calls.hedging import cancelled, harmless
from aiopenai.testing import Server


def hedged(client: AsyncOpenAI, after: float | str = 0.02, max_extra: float = 1.0) -> tuple[AsyncOpenAI, HedgePolicy]:
    policy = HedgePolicy(after=after, max_extra=max_extra)
    return client.with_options(hedge=policy), policy


class TestHedge:
    async def test_a_late_call_gets_company(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client)
        server.fault(delay=60)
        completion = await asyncio.wait_for(client.chat.completions.create(**chat), 30)
        assert completion.choices
        assert (policy.calls, policy.extra) == (1, 1)
        assert server.request_count == 2
        # The loser is cancelled: its connection goes.
        while server.open_connections > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def test_a_call_in_time_does_not(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client, after=30)
        await client.chat.completions.create(**chat)
        assert (policy.extra, server.request_count) == (0, 1)

    async def test_streams(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client)
        server.fault(delay=60)
        stream = await client.chat.completions.create(**chat, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        assert text == "You said: hi"
        assert policy.extra == 1

    async def test_both_late_the_first_wins(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client)
        server.fault(delay=0.1)
        server.fault(delay=60)
        await asyncio.wait_for(client.chat.completions.create(**chat), 30)
        assert policy.extra == 1

    async def test_one_fails_the_other_wins(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client)
        server.fault(delay=0.1)
        server.fault(status=500)
        await client.with_options(max_retries=0).chat.completions.create(**chat)
        assert policy.extra == 1

    async def test_both_fail(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client)
        server.fault(delay=0.05, status=500, times=2)
        with pytest.raises(InternalServerError):
            await client.with_options(max_retries=0).chat.completions.create(**chat)
        assert policy.extra == 1

    async def test_cancelling_cancels_both(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, _ = hedged(client)
        server.fault(delay=60, times=None)
        task = asyncio.ensure_future(client.chat.completions.create(**chat))
        while server.request_count < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while server.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def test_no_more_than_their_share(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client, after=0.0, max_extra=0.125)
        for _ in range(40):
            await client.chat.completions.create(**chat)
        assert policy.calls == 40
        assert policy.extra == 5

    async def test_by_a_percentile(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client, policy = hedged(client, after="p95")
        server.fault(delay=0.3)
        await client.chat.completions.create(**chat)
        # Too few latencies are known for a percentile.
        assert policy.extra == 0
        for _ in range(40):
            await client.chat.completions.create(**chat)
        server.fault(delay=60)
        before = policy.extra
        await asyncio.wait_for(client.chat.completions.create(**chat), 30)
        assert policy.extra == before + 1

    async def test_per_call(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        policy = HedgePolicy(after=0.01, max_extra=1)
        server.fault(delay=60)
        await asyncio.wait_for(client.chat.completions.create(**chat, hedge=policy), 30)
        client, mine = hedged(client)
        await client.chat.completions.create(**chat, hedge=None)
        assert mine.calls == 0

    async def test_what_changes_something_is_left_alone(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]
    ) -> None:
        client, policy = hedged(client)
        await client.chat.completions.create(**chat, store=True)
        await client.responses.create(model="gpt-4o", input="x")
        await client.files.create(file=("x", b"y"), purpose="batch")
        assert policy.calls == 0
        await client.responses.create(model="gpt-4o", input="x", idempotency_key="once")
        await client.responses.create(model="gpt-4o", input="x", store=False)
        await client.models.list()
        assert policy.calls == 3

    @pytest.mark.parametrize(
        "wrong",
        [{"after": "95"}, {"after": "p0"}, {"after": "px"}, {"after": -1}, {"max_extra": 2}, {"after": float("nan")}],
    )
    def test_impossible_policies(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="must be"):
            HedgePolicy(**wrong)

    async def test_what_is_no_policy(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="HedgePolicy"):
            await client.chat.completions.create(**chat, hedge="p95")

    def test_shows_itself(self) -> None:
        assert repr(HedgePolicy("p99", 0.01)) == "HedgePolicy(after='p99', max_extra=0.01)"


def test_what_is_harmless() -> None:
    assert harmless("GET", "/files", None)
    assert harmless("POST", "/embeddings", {"input": "x"})
    assert not harmless("POST", "/files", None)
    assert not harmless("DELETE", "/files/{file_id}", None)
    assert not harmless("POST", "/responses", {"store": None})


class TestDeadline:
    async def test_of_one_attempt(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.latency = 60
        with pytest.raises(APITimeoutError, match=r"deadline of 0\.05 s"):
            await client.chat.completions.create(**chat, deadline=0.05)
        assert server.request_count == 1
        while server.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def test_of_all_attempts(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.fault(status=500, headers={"retry-after-ms": "30"}, times=None)
        with pytest.raises(APITimeoutError, match="deadline"):
            await client.with_options(max_retries=1_000, deadline=0.2).chat.completions.create(**chat)
        assert 2 <= server.request_count <= 8

    async def test_in_time(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        client = client.with_options(deadline=30)
        assert (await client.chat.completions.create(**chat)).choices
        assert (await client.chat.completions.create(**chat, deadline=None)).choices

    async def test_errors_in_time_are_themselves(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]
    ) -> None:
        server.fault(status=400)
        with pytest.raises(APIStatusError):
            await client.chat.completions.create(**chat, deadline=30)

    @pytest.mark.parametrize("wrong", [0, -1, float("inf"), True, "soon"])
    async def test_impossible(self, client: AsyncOpenAI, chat: dict[str, Any], wrong: Any) -> None:
        with pytest.raises(ValueError, match="deadline"):
            await client.chat.completions.create(**chat, deadline=wrong)

    async def test_cancelling(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.latency = 60
        task = asyncio.ensure_future(client.chat.completions.create(**chat, deadline=30))
        while not server.request_count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while server.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_cancellation_that_is_swallowed_is_told_again() -> None:
    async def deaf() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        await asyncio.sleep(60)

    task = asyncio.ensure_future(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(cancelled([task]), 30)
    assert task.cancelled()


class TestRaces:
    """The policy by itself, with attempts that a test controls."""

    @staticmethod
    async def race(policy: HedgePolicy, *attempts: Any, kind: str = "GET /x") -> tuple[Any, list[Any]]:
        """Returns the result, and the results that were discarded."""
        discarded: list[Any] = []
        pending = iter(attempts)

        def attempt() -> Any:
            return next(pending)()

        return await policy.race(kind, attempt, discarded.append), discarded

    async def test_the_loser_is_cancelled(self) -> None:
        ended: list[str] = []

        async def slow() -> str:
            try:
                await asyncio.sleep(30)
            finally:
                ended.append("slow")
            return "slow"

        async def quick() -> str:
            return "quick"

        policy = HedgePolicy(after=0, max_extra=1)
        assert await self.race(policy, slow, quick) == ("quick", [])
        assert ended == ["slow"]
        assert (policy.calls, policy.extra) == (1, 1)

    async def test_a_loser_with_a_reply_is_closed(self) -> None:
        gate = asyncio.Event()

        async def first() -> str:
            await gate.wait()
            return "first"

        async def second() -> str:
            gate.set()
            return "second"

        async def stubborn() -> str:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                return "too late"
            return "in time"

        policy = HedgePolicy(after=0, max_extra=1)
        found, discarded = await self.race(policy, first, second)
        assert {found, *discarded} <= {"first", "second"}
        gate.clear()

        async def winner() -> str:
            return "winner"

        assert await self.race(policy, stubborn, winner) == ("winner", ["too late"])

    async def test_both_fail(self) -> None:
        async def late() -> None:
            await asyncio.sleep(0.01)
            raise ValueError("late")

        async def soon() -> None:
            raise ValueError("soon")

        with pytest.raises(ValueError, match="late"):
            await self.race(HedgePolicy(after=0, max_extra=1), late, soon)

    async def test_a_failure_waits_for_the_other(self) -> None:
        gate = asyncio.Event()

        async def fails() -> str:
            await gate.wait()
            raise ValueError

        async def answers() -> str:
            gate.set()
            await asyncio.sleep(0.01)
            return "reply"

        assert await self.race(HedgePolicy(after=0, max_extra=1), fails, answers) == ("reply", [])

    async def test_the_budget_is_not_overdrawn(self) -> None:
        """Many late calls at once share the credit: it is looked at again when each of them is late."""
        gate = asyncio.Event()
        begun = 0

        async def attempt() -> None:
            nonlocal begun
            begun += 1
            await gate.wait()

        policy = HedgePolicy(after=0.01, max_extra=0.125)
        calls = [asyncio.ensure_future(policy.race("GET /x", attempt, lambda _: None)) for _ in range(48)]
        await asyncio.sleep(0.1)
        gate.set()
        await asyncio.gather(*calls)
        assert policy.extra == 6
        assert begun == 54

    async def test_the_credit_is_bounded(self) -> None:
        async def quick() -> None:
            pass

        policy = HedgePolicy(after=30, max_extra=1)
        for _ in range(100):
            await policy.race("GET /x", quick, lambda _: None)
        gate = asyncio.Event()
        policy._seconds, policy.max_extra = 0.0, 0.0
        calls = [asyncio.ensure_future(policy.race("GET /x", gate.wait, lambda _: None)) for _ in range(40)]
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(*calls)
        assert policy.extra == 10

    async def test_kinds_are_bounded(self) -> None:
        async def quick() -> None:
            pass

        policy = HedgePolicy()
        for number in range(1_100):
            await policy.race(f"GET /{number}", quick, lambda _: None)
        assert len(policy._kinds) <= 1_001

    async def test_a_cancelled_race_leaves_nothing(self) -> None:
        ended: list[int] = []

        async def slow() -> None:
            try:
                await asyncio.sleep(30)
            finally:
                ended.append(1)

        task = asyncio.ensure_future(HedgePolicy(after=0, max_extra=1).race("GET /x", slow, lambda _: None))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [1, 1]


class TestPercentiles:
    def test_they_are_taken_with_every_twentieth_latency(self) -> None:
        usual = hedging._Usual()
        for number in range(19):
            usual.add(float(number))
            assert usual.percentile(0.5) is None
        usual.add(19.0)
        assert [usual.percentile(share) for share in (0.01, 0.5, 0.95, 0.999)] == [0.0, 10.0, 19.0, 19.0]
        for _ in range(19):
            usual.add(100.0)
            assert usual.percentile(0.95) == 19.0
        usual.add(100.0)
        assert [usual.percentile(share) for share in (0.25, 0.95)] == [10.0, 100.0]

    def test_old_latencies_are_forgotten(self) -> None:
        usual = hedging._Usual()
        for number in range(1_000):
            usual.add(float(number))
        assert usual.percentile(0.0) == 500.0
