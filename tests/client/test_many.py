"""`map`, `gather` and `warm_up`: their limits, orders and progress. The jobs behind them are tested in tests/jobs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, OpenAIError
from aiopenai._jobs.limiter import Limiter
from aiopenai.testing import Server


def requests(client: AsyncOpenAI, number: int) -> Iterator[Any]:
    for each in range(number):
        yield client.chat.completions.create.request(
            model="gpt-4o", messages=[{"role": "user", "content": f"number {each}"}]
        )


def slow(server: Server, number: int) -> None:
    """Delays one request, so that later ones overtake it."""
    server.fault(delay=0.2, match=lambda request: f"number {number}".encode() in request.body)


async def most_at_once(server: Server, until: Any, job: Any, expected: int) -> int:
    """The number of requests that a job sends before the first answer; no fewer than expected."""
    server.fault(delay=600, times=None)
    running = asyncio.ensure_future(job)
    await until(lambda: server.request_count >= expected)
    # Time in which a job without a limit would send all others.
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return server.request_count


class TestMap:
    async def test_results_come_as_they_are_there(self, client: AsyncOpenAI, server: Server) -> None:
        slow(server, 0)
        indexes = [result.index async for result in client.map(requests(client, 8))]
        assert sorted(indexes) == list(range(8))
        assert indexes[-1] == 0

    async def test_ordered(self, client: AsyncOpenAI, server: Server) -> None:
        slow(server, 0)
        assert [result.index async for result in client.map(requests(client, 8), ordered=True)] == list(range(8))

    async def test_concurrency(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        async def job() -> None:
            async for _ in client.map(requests(client, 20), concurrency=3):
                pass

        assert await most_at_once(server, until, job(), 3) == 3

    async def test_a_limiter_stands_for_the_limits(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        limiter = Limiter(2)
        assert await most_at_once(server, until, client.gather(requests(client, 10), limiter=limiter), 2) == 2
        assert limiter.running == limiter.waiting == 0

    @pytest.mark.parametrize("limit", ["concurrency", "rpm", "tpm"])
    async def test_a_limiter_and_a_limit(self, client: AsyncOpenAI, limit: str, server: Server) -> None:
        with pytest.raises(ValueError, match="`limiter` has limits of its own"):
            client.map(requests(client, 1), limiter=Limiter(2), **{limit: 5})  # type: ignore[call-overload]
        assert server.request_count == 0

    @pytest.mark.parametrize("limit", ["concurrency", "rpm", "tpm"])
    async def test_limits_are_checked_before_anything_is_read(self, client: AsyncOpenAI, limit: str) -> None:
        def source() -> Iterator[Any]:
            raise AssertionError("nothing is read")
            yield

        with pytest.raises(ValueError, match="not -1"):
            client.map(source(), **{limit: -1})  # type: ignore[call-overload]

    async def test_rates_reach_the_limiter(self, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[Any] = []

        class Noting(Limiter):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                given.append((arguments, options))
                super().__init__(*arguments, **options)

        monkeypatch.setattr("aiopenai._jobs.limiter.Limiter", Noting)
        await client.gather([], rpm=600, tpm=90_000)
        await client.gather([], concurrency=7)
        assert given == [((1_000,), {"rpm": 600, "tpm": 90_000}), ((7,), {"rpm": None, "tpm": None})]

    async def test_the_retries_are_those_of_the_client(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=None)
        for retries in (0, 2):
            (result,) = await client.copy(max_retries=retries).gather(requests(client, 1))
            assert (result.ok, result.attempts) == (False, retries + 1)

    def test_no_code_of_jobs_is_imported_before(self) -> None:
        program = """
import sys
from aiopenai import AsyncOpenAI
client = AsyncOpenAI(api_key="k")
assert "aiopenai._jobs.job" not in sys.modules
client.map([])
assert "aiopenai._jobs.job" in sys.modules
assert "aiopenai._jobs.bar" not in sys.modules
"""
        subprocess.run([sys.executable, "-c", program], check=True)


class TestProgress:
    async def test_rich_is_needed_at_once(self, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
        # Its modules are found by their own names once another test has imported them.
        for name in {"rich", *(each for each in sys.modules if each.startswith("rich."))}:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(OpenAIError, match="rich"):
            client.map([], progress=True)

    async def test_without_a_terminal_nothing_changes(
        self, client: AsyncOpenAI, server: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("rich")
        slow(server, 0)
        async with aclosing(client.map(requests(client, 4), progress=True, ordered=True)) as results:
            assert [result.index async for result in results] == list(range(4))
        assert capsys.readouterr().err == ""


class TestGather:
    async def test_results_are_in_the_order_of_requests(self, client: AsyncOpenAI, server: Server) -> None:
        slow(server, 0)
        results = await client.gather(requests(client, 8))
        assert [result.index for result in results] == list(range(8))
        assert [result.unwrap().choices[0].message.content for result in results] == [
            f"You said: number {each}" for each in range(8)
        ]

    async def test_a_slow_first_request_holds_up_none(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        """With `ordered` a job reads no further than twice its concurrency beyond a result that is missing."""
        stuck = server.fault(delay=60, match=lambda request: b"number 0" in request.body)
        gathering = asyncio.ensure_future(client.gather(requests(client, 30), concurrency=2))
        await until(lambda: server.request_count == 30)
        assert stuck.applied == 1
        gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering

    async def test_all_limits_are_passed_on(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        assert await most_at_once(server, until, client.gather(requests(client, 12), concurrency=4), 4) == 4
        with pytest.raises(ValueError, match="limiter"):
            await client.gather([], limiter=Limiter(1), tpm=5)

    async def test_a_cancelled_gather_ends_its_job(self, client: AsyncOpenAI, server: Server, until: Any) -> None:
        closed: list[bool] = []

        async def source() -> AsyncIterator[Any]:
            try:
                for request in requests(client, 3):
                    yield request
                await asyncio.sleep(3600)
            finally:
                closed.append(True)

        server.fault(delay=60, times=None)
        gathering = asyncio.ensure_future(client.gather(source()))
        await until(lambda: server.request_count == 3)
        gathering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathering
        assert closed == [True]
        await until(lambda: server.open_connections == 0)


class TestWarmUp:
    async def test_opens_connections(self, server: Server, client: AsyncOpenAI) -> None:
        await client.warm_up(20)
        assert server.connections == server.open_connections == 20
        await client.gather(requests(client, 20), concurrency=20)
        assert server.connections == 20

    async def test_opens_one_connection_by_default(self, server: Server, client: AsyncOpenAI) -> None:
        await client.warm_up()
        assert server.connections == 1
        assert [(request.method, request.path) for request in server.journal] == [("GET", "/v1/models")]

    async def test_the_answer_does_not_matter(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=401, times=None)
        await client.warm_up(2)
        # Neither is a warm-up worth a retry.
        server.clear_faults()
        server.fault(status=500, times=None)
        await client.warm_up(2)
        assert server.request_count == 4

    async def test_no_server(self, server: Server, client: AsyncOpenAI) -> None:
        await server.close()
        with pytest.raises(APIConnectionError):
            await client.warm_up(3)

    async def test_a_failure_ends_the_others(self, server: Server, client: AsyncOpenAI, until: Any) -> None:
        server.fault(reset=True, match=lambda _: server.request_count == 3)
        server.fault(delay=60, times=None)
        with pytest.raises(APIConnectionError):
            await client.warm_up(3)
        await until(lambda: server.open_connections == 0)
