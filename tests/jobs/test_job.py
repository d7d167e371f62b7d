"""`client.map` and `client.gather`, against the local server."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import tenacity

from aiopenai import (
    AsyncOpenAI,
    BadRequestError,
    InternalServerError,
    OpenAI,
    RateLimitError,
    Request,
    not_given,
    omit,
)
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.sending import PATIENCE
from aiopenai.testing import RateLimits, Server
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.embeddings import CreateEmbeddingResponse
from aiopenai.types.responses import Response


def requests(client: AsyncOpenAI, number: int, **more: Any) -> Iterator[Any]:
    for each in range(number):
        yield client.chat.completions.create.request(
            model="gpt-4o", messages=[{"role": "user", "content": f"number {each}"}], **more
        )


def said(result: Any) -> str:
    return str(result.unwrap().choices[0].message.content)


class TestMap:
    async def test_all_come(self, client: AsyncOpenAI) -> None:
        results = [result async for result in client.map(requests(client, 100))]
        assert sorted(result.index for result in results) == list(range(100))
        for result in results:
            assert isinstance(result.reply, ChatCompletion)
            assert said(result) == f"You said: number {result.index}"
            assert result.ok
            assert result.attempts == 1
            assert result.usage is not None
            assert result.usage.total_tokens > 0
            assert result.queued is not None
            assert result.queued >= 0
            assert result.first_byte is not None
            assert result.total is not None
            assert 0 < result.first_byte <= result.total

    async def test_ordered(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(delay=0.05, times=5, match=lambda request: b"number 3" in request.body)
        results = [result.index async for result in client.map(requests(client, 40), ordered=True)]
        assert results == list(range(40))

    async def test_async_source(self, client: AsyncOpenAI) -> None:
        async def source() -> AsyncIterator[Any]:
            for request in requests(client, 20):
                await asyncio.sleep(0)
                yield request

        assert len([result async for result in client.map(source())]) == 20

    async def test_nothing_to_do(self, server: Server, client: AsyncOpenAI) -> None:
        assert [result async for result in client.map([])] == []
        assert server.request_count == 0

    async def test_batch_lines(self, client: AsyncOpenAI) -> None:
        lines = [
            {
                "custom_id": "a",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]},
            },
            {
                "custom_id": "b",
                "url": "/v1/embeddings",
                "body": {"model": "text-embedding-3-small", "input": "x", "dimensions": 4},
            },
            {"custom_id": "c", "url": "/v1/responses", "body": {"model": "gpt-4o", "input": "x"}},
            {"custom_id": "d", "method": "GET", "url": "/v1/models"},
        ]
        results = await client.gather(lines)
        kinds = [type(result.unwrap()) for result in results]
        assert kinds == [ChatCompletion, CreateEmbeddingResponse, Response, dict]
        assert [result.custom_id for result in results] == ["a", "b", "c", "d"]

    @pytest.mark.parametrize(
        "item",
        [
            17,
            {"body": {}},
            {"url": 3},
            {"url": "https://elsewhere.example/v1/chat/completions", "body": {}},
            {"url": "//elsewhere.example", "body": {}},
            {"url": "/v1/chat/completions", "method": 3},
        ],
    )
    async def test_what_is_no_request_is_in_its_result(self, server: Server, client: AsyncOpenAI, item: Any) -> None:
        (result,) = await client.gather([item])
        assert isinstance(result.error, (TypeError, ValueError))
        assert result.attempts == 0
        assert result.queued is None
        assert server.request_count == 0
        with pytest.raises((TypeError, ValueError)):
            result.unwrap()

    @pytest.mark.parametrize("stream", [True, 1, "true"])
    async def test_streams_are_refused_before_sending(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], stream: Any
    ) -> None:
        body = {**chat, "stream": stream}
        content = json.dumps(body).encode()
        endpoint = client.chat.completions.create.request(**chat).endpoint
        items = [
            *requests(client, 1, stream=stream),
            *requests(client, 1, extra_body={"stream": stream}),
            {"url": "/v1/chat/completions", "body": body},
            {"url": "/v1/responses", "body": {"model": "gpt-4o", "input": "x", "stream": stream}},
            Request(endpoint=endpoint, path=endpoint.path, body=body),
            Request(endpoint=endpoint, path=endpoint.path, content=content),
            client.responses.retrieve.request("resp_1", extra_query={"stream": stream}),
        ]
        for result in await client.gather(items):
            assert isinstance(result.error, ValueError)
            assert "`stream` must be false" in str(result.error)
            assert result.attempts == 0
        assert server.request_count == 0

    @pytest.mark.parametrize("stream", [False, None, not_given, omit], ids=["false", "null", "not_given", "omit"])
    async def test_no_stream_is_no_stream(self, client: AsyncOpenAI, chat: dict[str, Any], stream: Any) -> None:
        (result,) = await client.gather([{"url": "/v1/chat/completions", "body": {**chat, "stream": stream}}])
        assert result.unwrap().choices

    async def test_what_json_cannot_hold(self, client: AsyncOpenAI) -> None:
        bad = client.chat.completions.create.request(model="gpt-4o", messages=[{"role": "user", "content": object()}])  # type: ignore[list-item]
        results = await client.gather([bad, *requests(client, 3)])
        assert [result.ok for result in results] == [False, True, True, True]
        assert isinstance(results[0].error, TypeError)

    async def test_reads_no_further_than_it_must(self, client: AsyncOpenAI) -> None:
        pulled = 0

        def endless() -> Iterator[Any]:
            nonlocal pulled
            for request in requests(client, 10**9):
                pulled += 1
                yield request

        async with aclosing(client.map(endless(), concurrency=4)) as results:
            async for result in results:
                assert pulled - result.index <= 2 * 4 + 1
                if result.index >= 100:
                    break
            # No results are taken: the job stops.
            before = -1
            while pulled != before:
                before = pulled
                await asyncio.sleep(0.02)
            assert pulled <= 100 + 4 * 4

    async def test_no_more_at_a_time_than_it_may(self, server: Server, client: AsyncOpenAI) -> None:
        server.latency = 0.005
        limiter = Limiter(7)
        highest = 0
        async for _ in client.map(requests(client, 60), limiter=limiter):
            highest = max(highest, limiter.running)
        assert highest <= 7
        assert limiter.running == 0
        assert server.connections <= 7

    @pytest.mark.once
    async def test_memory_is_flat(self, caplog: pytest.LogCaptureFixture) -> None:
        # Records of the log would count.
        caplog.set_level("WARNING", "aiopenai")
        peaks: list[int] = []
        async with (
            Server(journal=False) as server,
            AsyncOpenAI(api_key="x", base_url=server.base_url) as client,
        ):
            # Without tokens and choices the server is quick.
            server.reply_with("/chat/completions", {"id": "x", "object": "chat.completion"})
            await client.gather(requests(client, 100))
            for number in (100, 500):
                gc.collect()
                tracemalloc.start()
                async for _ in client.map(requests(client, number), concurrency=10):
                    pass
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        assert peaks[1] - peaks[0] < 500_000

    async def test_source_that_raises(self, client: AsyncOpenAI) -> None:
        def source() -> Iterator[Any]:
            yield from requests(client, 5)
            raise LookupError("no more")

        done: list[bool] = []

        async def drain() -> None:
            async for result in client.map(source()):
                done.append(result.ok)

        with pytest.raises(LookupError, match="no more"):
            await drain()
        assert done == [True] * 5

    async def test_what_is_no_source(self, client: AsyncOpenAI) -> None:
        with pytest.raises(TypeError, match="iterable"):
            client.map(3)  # type: ignore[call-overload]

    async def test_limits_that_cannot_be(self, client: AsyncOpenAI) -> None:
        for limits in ({"concurrency": 0}, {"rpm": 0}, {"tpm": -1}, {"limiter": Limiter(), "rpm": 5}):
            with pytest.raises(ValueError, match=r"must be|beside"):
                client.map([], **limits)  # type: ignore[arg-type]


class TestLanes:
    async def test_a_slow_model_does_not_hold_up_the_others(self, server: Server, client: AsyncOpenAI) -> None:
        """While one model has to wait for its limit, all requests of the other one are answered."""
        release = asyncio.Event()
        server.fault(
            status=429,
            headers={"retry-after": "60"},
            times=None,
            match=lambda request: b'"small"' in request.body and not release.is_set(),
        )
        lines = [
            {
                "url": "/v1/chat/completions",
                "body": {
                    "model": "small" if each % 3 == 0 else "large",
                    "messages": [{"role": "user", "content": "x"}],
                },
            }
            for each in range(90)
        ]
        limiter = Limiter(200)
        done: list[Any] = []
        async with aclosing(client.map(lines, limiter=limiter)) as results:
            async for result in results:
                done.append(result)
                if len(done) == 60:
                    break
        assert {result.request["body"]["model"] for result in done} == {"large"}
        assert limiter.running == limiter.waiting == 0

    async def test_bodies_without_a_model(self, client: AsyncOpenAI) -> None:
        results = await client.gather([{"method": "GET", "url": "/v1/models"}, *requests(client, 1)])
        assert all(result.ok for result in results)


class TestBlocking:
    def test_streams_are_refused_before_sending(self) -> None:
        with Server() as server, OpenAI(api_key="x", base_url=server.base_url) as client:
            (result,) = client.gather([{"url": "/v1/chat/completions", "body": {"model": "m", "stream": True}}])
            assert isinstance(result.error, ValueError)
            assert server.request_count == 0

    @pytest.mark.parametrize("where", ["source", "loop"])
    def test_an_interrupt_stays_one(self, where: str) -> None:
        """Ctrl-C in the program's own source, or between two results."""
        with Server() as server, OpenAI(api_key="x", base_url=server.base_url) as client:
            line = {"url": "/v1/models", "method": "GET"}

            def source() -> Iterator[Any]:
                yield line
                if where == "source":
                    raise KeyboardInterrupt
                yield from [line] * 5

            def drain() -> None:
                for _ in client.map(source()):
                    if where == "loop":
                        raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                drain()
            # The client still works.
            assert client.gather([line])[0].ok
            gc.collect()


class TestEnds:
    async def test_breaking_off_cancels_what_is_under_way(self, server: Server, client: AsyncOpenAI) -> None:
        await client.models.list()
        server.fault(delay=60, times=None, match=lambda request: b"number 0" not in request.body)
        limiter = Limiter(20)
        async with aclosing(client.map(requests(client, 100), limiter=limiter)) as results:
            async for _ in results:
                break
        assert limiter.running == limiter.waiting == 0
        while server.open_connections > 1:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.001)

    @pytest.mark.parametrize("turns", [0, 1, 3, 50])
    async def test_cancelling(self, server: Server, client: AsyncOpenAI, turns: int) -> None:
        server.latency = 60
        limiter = Limiter(20)
        task = asyncio.ensure_future(client.gather(requests(client, 100), limiter=limiter))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert limiter.running == limiter.waiting == 0
        assert not [task for task in asyncio.all_tasks() if "RequestJob" in repr(task)]


class TestFailures:
    async def test_are_in_the_result(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=400, match=lambda request: b"number 3" in request.body)
        results = await client.gather(requests(client, 5))
        assert [result.ok for result in results] == [True, True, True, False, True]
        assert isinstance(results[3].error, BadRequestError)
        assert results[3].attempts == 1

    async def test_are_tried_again(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        (result,) = await client.gather(requests(client, 1))
        assert result.ok
        assert result.attempts == 3
        counts = [request.headers["x-stainless-retry-count"] for request in server.journal]
        assert counts == ["0", "1", "2"]

    async def test_no_more_often_than_the_client_says(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=None)
        (result,) = await client.with_options(max_retries=1).gather(requests(client, 1))
        assert isinstance(result.error, InternalServerError)
        assert result.attempts == 2

    async def test_no_more_often_than_the_request_says(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=None)
        (result,) = await client.gather(requests(client, 1, max_retries=0))
        assert result.attempts == 1

    async def test_lost_connections(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(reset=True, times=1)
        (result,) = await client.gather(requests(client, 1))
        assert result.ok
        assert result.attempts == 2

    async def test_by_a_policy_of_the_users(self, server: Server, client: AsyncOpenAI) -> None:
        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_none())
        server.fault(status=500, times=None)
        (result,) = await client.with_options(retry=policy).gather(requests(client, 1))
        assert isinstance(result.error, InternalServerError)
        assert result.attempts == 4

    async def test_reply_that_is_none(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(body="<html>", content_type="text/html")
        (result,) = await client.gather(requests(client, 1))
        assert type(result.error).__name__ == "APIResponseValidationError"
        assert result.attempts == 1
        assert result.first_byte is not None


class TestRefusals:
    async def test_all_requests_wait(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers={"retry-after-ms": "150"})
        results = await client.gather(requests(client, 30), concurrency=1)
        assert all(result.ok for result in results)
        first, second, *_ = server.requests_for("/chat/completions")
        assert second.arrived - first.arrived >= 0.149

    async def test_are_not_held_against_a_request(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers={"retry-after-ms": "1"}, times=PATIENCE)
        (result,) = await client.gather(requests(client, 1))
        assert result.ok
        assert result.attempts == PATIENCE + 1

    async def test_but_have_an_end(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers={"retry-after-ms": "1"}, times=None)
        (result,) = await client.gather(requests(client, 1))
        assert isinstance(result.error, RateLimitError)
        assert result.attempts == PATIENCE + 1

    async def test_who_wants_no_retries_gets_none(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers={"retry-after-ms": "1"}, times=None)
        (result,) = await client.with_options(max_retries=0).gather(requests(client, 1))
        assert result.attempts == 1

    async def test_a_quota_that_is_used_up_is_not_tried_again(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, body={"error": {"code": "insufficient_quota", "message": "no"}}, times=None)
        (result,) = await client.gather(requests(client, 1))
        assert result.attempts == 1

    @pytest.mark.parametrize("limits", [{"rpm": 12_000}, {"tpm": 150_000}])
    async def test_a_servers_limits_are_kept(self, limits: dict[str, float]) -> None:
        kept = RateLimits(**limits, burst=0.5)
        loop = asyncio.get_running_loop()
        async with (
            Server(limits=kept, latency=0.01) as server,
            AsyncOpenAI(api_key="x", base_url=server.base_url) as client,
        ):
            begin = loop.time()
            results = await client.gather(requests(client, 300))
            taken = loop.time() - begin
        assert all(result.ok for result in results)
        assert kept.refused <= 3
        # 200 requests a second and half a second's worth at the start; tokens come to about the same.
        assert 0.9 < taken < 15
