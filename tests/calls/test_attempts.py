"""Attempts: retries under a policy, closed clients, tracebacks, the log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import traceback
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import tenacity

import aiopenai
from aiopenai import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, CallInfo, HedgePolicy, Hooks, OpenAI
from aiopenai._calls.attempts import retried
from aiopenai._calls.provider import Attempt, Provider
from aiopenai._calls.request import Endpoint, Request
from aiopenai._http.messages import HTTPRequest
from aiopenai.testing import Server
from tests.conftest import CHAT

PACKAGE = str(Path(aiopenai.__file__).parent)
FAST = {"retry-after-ms": "1"}


def our_frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]


def failure(number: int) -> APIConnectionError:
    return APIConnectionError(message=str(number), request=HTTPRequest("GET", "http://h"))


class TestRetried:
    async def test_the_failure_is_the_first_attempt(self) -> None:
        made: list[int] = []

        async def attempt() -> str:
            made.append(1)
            if len(made) < 3:
                raise failure(len(made))
            return "reply"

        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(4), reraise=True)
        assert await retried(policy, failure(0), attempt) == "reply"
        assert len(made) == 3

    async def test_the_last_error_leaves_without_tenacitys_frames(self) -> None:
        async def attempt() -> None:
            raise failure(1)

        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2), reraise=True)
        with pytest.raises(APIConnectionError, match="1") as caught:
            await retried(policy, failure(0), attempt)
        assert our_frames(caught.value) == ["retried"]

    async def test_other_errors_pass(self) -> None:
        async def attempt() -> None:
            raise ValueError("own")

        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2), reraise=True)
        with pytest.raises(ValueError, match="own"):
            await retried(policy, failure(0), attempt)


class BothAnswer(HedgePolicy):
    """A policy with which both attempts answer, and the second one wins."""

    async def race(self, kind: str, attempt: Any, discard: Any) -> Any:
        assert kind == "POST /chat/completions"
        self.loser, winner = await attempt(), await attempt()
        discard(self.loser)
        return winner


@pytest.mark.usefixtures("transport")
async def test_the_reply_of_a_hedge_that_lost_is_closed(client: AsyncOpenAI, server: Server) -> None:
    server.token_delay = 0.05
    policy = BothAnswer()
    stream = await client.with_options(hedge=policy).chat.completions.create(**CHAT, stream=True)
    assert policy.loser[0].closed
    assert [chunk async for chunk in stream]


@pytest.mark.usefixtures("transport")
class TestClosed:
    async def test_it_fails_at_once(self, server: Server) -> None:
        client = AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=5)
        await client.models.list()
        copy = client.with_options(timeout=3)
        await client.close()
        waits: list[Any] = []
        for closed in (client, copy):
            closed.on_retry(waits.append)
            with pytest.raises(APIConnectionError, match="the client is closed") as caught:
                await closed.models.list()
            assert not caught.value.retryable
            with pytest.raises(APIConnectionError, match="the client is closed"):
                await closed.chat.completions.create(**CHAT, stream=True)
        assert not waits
        assert server.request_count == 1

    async def test_a_call_on_a_kept_connection_ends_with_the_client(self, server: Server, until: Any) -> None:
        """aiohttp would send it again, on a connector that is gone."""
        client = AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=2)
        await client.models.list()
        server.fault(delay=3, times=None)
        call = asyncio.ensure_future(client.models.list())
        await until(lambda: server.request_count == 2)
        await client.close()
        with pytest.raises(APIConnectionError, match="the client is closed"):
            await call
        server.clear_faults()

    async def test_a_session_of_the_program(self, server: Server) -> None:
        async with aiohttp.ClientSession() as session:
            client = AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=session, max_retries=5)
            await client.models.list()
        waits: list[Any] = []
        client.on_retry(waits.append)
        with pytest.raises(APIConnectionError, match="http_client is closed"):
            await client.models.list()
        assert not waits

    def test_the_blocking_client(self, server: Server) -> None:
        with Server() as server:
            client = OpenAI(api_key="k", base_url=server.base_url, max_retries=5)
            client.models.list()
            client.close()
            waits: list[Any] = []
            client.on_retry(waits.append)
            for call in (client.models.list, lambda: client.chat.completions.create(**CHAT, stream=True)):
                with pytest.raises(APIConnectionError, match="the client is closed"):
                    call()
            assert not waits


@pytest.mark.usefixtures("transport")
class TestTracebacks:
    """At most six frames of the package in the asynchronous client, eight in the blocking one."""

    @pytest.mark.parametrize("retries", [0, 2])
    @pytest.mark.parametrize("options", [{}, {"deadline": 30}, {"hedge": HedgePolicy(after=20)}], ids=str)
    async def test_async(self, retries: int, options: Any, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=500, headers=FAST, times=None)
        create = client.chat.completions.create
        for call in (
            create(**CHAT, max_retries=retries, **options),
            create(**CHAT, max_retries=retries, stream=True, **options),
            client.chat.completions.with_raw_response.create(**CHAT, max_retries=retries, **options),
        ):
            with pytest.raises(APIError) as caught:
                await call
            assert len(our_frames(caught.value)) <= 6, our_frames(caught.value)
            assert "tenacity" not in "".join(traceback.format_tb(caught.value.__traceback__))
            assert caught.value.__context__ is None

    @pytest.mark.parametrize("retries", [0, 2])
    def test_blocking(self, retries: int) -> None:
        with Server() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=retries) as client:
            server.fault(status=500, headers=FAST, times=None)
            create = client.chat.completions.create
            for call in (
                lambda: create(**CHAT),
                lambda: create(**CHAT, stream=True),
                lambda: client.chat.completions.with_raw_response.create(**CHAT),
                lambda: list(client.models.list()),
                lambda: client.post("/x", cast_to=object),
            ):
                with pytest.raises(APIError) as caught:
                    call()
                assert len(our_frames(caught.value)) <= 8, our_frames(caught.value)

    async def test_no_cycle_keeps_an_error(self, client: AsyncOpenAI, server: Server) -> None:
        class Marked(str):
            """A value that only the call refers to."""

        server.fault(status=500, headers=FAST, times=None)
        gc.collect()
        gc.disable()
        try:
            for retries in (0, 1):
                content = Marked("x")
                seen = weakref.ref(content)
                with contextlib.suppress(APIError):
                    await client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": content}], max_retries=retries
                    )
                del content
                await asyncio.sleep(0)
                assert seen() is None
        finally:
            gc.enable()


class TestForgottenAwait:
    async def test_the_warning_names_the_method(self, client: AsyncOpenAI) -> None:
        for name, make in (
            ("AsyncCompletions.create", lambda: client.chat.completions.create(**CHAT)),
            ("AsyncFiles.retrieve", lambda: client.vector_stores.files.retrieve("f", vector_store_id="v")),
            ("AsyncModelsWithRawResponse.list", client.models.with_raw_response.list),
            ("AsyncVerbs.get", lambda: client.get("/models", cast_to=object)),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                make()
                gc.collect()
            (warning,) = caught
            assert f"coroutine '{name}' was never awaited" in str(warning.message)


class TestLog:
    async def test_one_line_for_a_call(
        self, client: AsyncOpenAI, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, logger="aiopenai")
        await client.chat.completions.create(**CHAT)
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert record.getMessage().startswith("POST /chat/completions -> 200 in 0.")
        caplog.clear()
        assert len([chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]) > 1
        assert len(caplog.records) == 1
        caplog.clear()
        url = server.base_url.replace("http://", "http://user:hunter2@")
        key = {"Authorization": "Bearer sk-test"}
        await client.get(f"{url}/models?api-key=hunter3", cast_to=object, extra_headers=key)
        assert "/models -> 200" in caplog.text
        assert "hunter" not in caplog.text

    async def test_retries(self, client: AsyncOpenAI, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, logger="aiopenai")
        server.fault(status=503, headers=FAST)
        await client.models.list()
        assert [record.getMessage().partition(" in ")[0] for record in caplog.records] == [
            "GET /models -> 503",
            "Attempt 2 of GET /models",
            "GET /models -> 200",
        ]


async def test_a_deadline_counts_all_attempts(client: AsyncOpenAI, server: Server) -> None:
    # The first call and the first failure import modules in a thread.
    server.fault(status=500, headers={"retry-after-ms": "1"}, times=1)
    await client.models.list()
    server.clear()
    server.fault(status=500, headers={"retry-after": "30"}, times=None)
    with pytest.raises(APITimeoutError, match=r"deadline of 0\.5 s"):
        await client.models.list(deadline=0.5, max_retries=100)
    assert len(server.journal) == 1


def always() -> tenacity.AsyncRetrying:
    """A policy that makes three attempts for any error."""
    retry = tenacity.retry_if_exception_type(APIError)
    return tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none(), retry=retry)


@pytest.mark.usefixtures("transport")
class TestPolicies:
    """Retries by a tenacity policy of the program."""

    async def test_it_retries_as_it_says(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=400, times=None)
        often = always()
        with pytest.raises(aiopenai.BadRequestError):
            await client.models.list(retry=often, max_retries=0)
        assert server.request_count == 3

    async def test_neither_a_spent_body_nor_a_closed_client(self, server: Server) -> None:
        async def pieces() -> Any:
            yield b"{}"

        client = AsyncOpenAI(api_key="k", base_url=server.base_url, retry=always())
        server.fault(status=500, times=None)
        with pytest.raises(aiopenai.InternalServerError) as caught:
            await client.post("/x", cast_to=object, content=pieces())
        assert not caught.value.replayable
        assert server.request_count == 1
        await client.close()
        with pytest.raises(APIConnectionError, match="closed"):
            await client.models.list()


class Renewing(Provider):
    """A provider with tokens that expire."""

    authorizes = True
    root = ""

    def __init__(self, fresh: bool) -> None:
        self.token = 0
        self.fresh = fresh

    def url(self, request: Request[Any]) -> str:
        return self.root + request.path

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {}

    def require(self, endpoint: Endpoint) -> None:
        raise AssertionError("there is a token")

    async def authorize(self, attempt: Attempt) -> None:
        attempt.headers["Authorization"] = f"Bearer token-{self.token}"

    async def renew(self, headers: Mapping[str, str]) -> bool:
        assert headers["Authorization"] == f"Bearer token-{self.token}"
        self.token += 1
        return self.fresh


@pytest.mark.usefixtures("transport")
class TestRenewal:
    async def renewed(self, server: Server, fresh: bool, **options: Any) -> tuple[list[str], BaseException | None]:
        provider = Renewing(fresh)
        provider.root = server.base_url
        client = AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0)
        client._make_provider = lambda _: provider  # type: ignore[method-assign,assignment]
        client._reconfigure()
        error: BaseException | None = None
        try:
            await client.post("/x", cast_to=object, **options)
        except APIError as caught:
            error = caught
        await client.close()
        return [request.headers["authorization"] for request in server.journal], error

    async def test_a_401_is_sent_once_more(self, server: Server) -> None:
        server.reply_with("/x", {})
        server.fault(status=401, match="/x")
        assert await self.renewed(server, True) == (["Bearer token-0", "Bearer token-1"], None)

    async def test_only_once(self, server: Server) -> None:
        server.fault(status=401, times=None)
        sent, error = await self.renewed(server, True)
        assert isinstance(error, aiopenai.AuthenticationError)
        assert len(sent) == 2

    async def test_not_without_fresh_credentials(self, server: Server) -> None:
        server.fault(status=401, times=None)
        assert len((await self.renewed(server, False))[0]) == 1

    async def test_not_with_a_spent_body(self, server: Server) -> None:
        async def pieces() -> Any:
            yield b"{}"

        server.fault(status=401, times=None)
        assert len((await self.renewed(server, True, content=pieces()))[0]) == 1

    async def test_redirects_take_its_headers(self, server: Server) -> None:
        server.reply_with("/y", {})
        server.fault(status=307, headers={"location": "/v1/y"}, match="/x")
        assert await self.renewed(server, True) == (["Bearer token-0", "Bearer token-0"], None)


async def test_hooks_learn_of_the_head(client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
    """The status and the id of the request are told before the end of a stream."""
    seen: list[tuple[Any, Any]] = []

    class Noting(Hooks):
        def on_response(self, call: CallInfo) -> None:
            seen.append((call.status, call.request_id))

    client.add_hooks(Noting())
    server.fault(status=500, headers={"retry-after-ms": "1"})
    await client.chat.completions.create(**chat)
    assert [status for status, _ in seen] == [200]
    assert seen[0][1] is not None
