from __future__ import annotations

import asyncio
import email.utils
import io
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from aiopenai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    BadRequestError,
    InternalServerError,
    RateLimitError,
    retry,
)
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai.errors import error_from_response
from aiopenai.testing import Server

REQUEST = HTTPRequest("POST", "http://h/v1/x")
SOON = {"retry-after-ms": "1"}


def error(status: int, body: bytes = b"{}", **headers: str) -> APIStatusError:
    response = HTTPResponse(status, Headers((n.replace("_", "-"), v) for n, v in headers.items()), body, REQUEST)
    return error_from_response(response, retry_after=retry.retry_after(response.headers))


class Waits:
    """What a policy sleeps, without sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def client(server: Server, waits: Waits) -> AsyncIterator[AsyncOpenAI]:
    policy = tenacity.AsyncRetrying(sleep=waits)
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, retry=policy) as client:
        yield client


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "7"}, 7),
            ({"retry-after": "0.5"}, 0.5),
            ({"retry-after": " 7 "}, 7),
            ({"retry-after": "0"}, 0),
            ({"retry-after": "-1"}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": ""}, None),
            ({"retry-after": "86400"}, 86400),
            ({"retry-after": "inf"}, float("inf")),
            ({"retry-after": "1000000000"}, 0),
            ({"retry-after-ms": "1000000000000"}, 0),
            ({"retry-after-ms": "1500"}, 1.5),
            ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
            ({"retry-after-ms": "?", "retry-after": "9"}, 9),
            ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
            ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
            ({"retry-after": "Wed, 21 Oct 2015 07:28:00 +99999999999"}, None),
        ],
    )
    def test_values(self, headers: dict[str, str], seconds: float | None) -> None:
        assert retry.retry_after(headers) == seconds

    def test_a_unix_time(self) -> None:
        found = retry.retry_after({"retry-after": str(int(time.time()) + 60)})
        assert found is not None
        assert 57 < found <= 60

    def test_a_date(self) -> None:
        date = email.utils.formatdate(time.time() + 60, usegmt=True)
        found = retry.retry_after({"retry-after": date})
        assert found is not None
        assert 57 < found <= 60

    @given(
        st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([+-]\d+|GMT|)", fullmatch=True)
    )
    def test_anything(self, value: str) -> None:
        for name in ("retry-after", "retry-after-ms"):
            seconds = retry.retry_after({name: value})
            assert seconds is None or seconds >= 0


class TestWorthRetrying:
    @pytest.mark.parametrize(
        ("failure", "worth"),
        [
            *((error(status), status in (408, 409, 429) or status >= 500) for status in range(400, 600)),
            (error(400, x_should_retry="true"), True),
            (error(500, x_should_retry="false"), False),
            (error(500, x_should_retry="maybe"), True),
            (error(429, retry_after="120"), True),
            (error(429, retry_after="121"), False),
            (error(503, retry_after_ms="120001"), False),
            (error(400, retry_after="1"), False),
            (error(429, b'{"error": {"code": "insufficient_quota"}}'), False),
            (error(429, b'{"error": {"type": "insufficient_quota"}}'), False),
            (error(429, b'{"error": {"code": "insufficient_quota"}}', x_should_retry="true"), False),
            (error(429, b'{"error": {"code": "rate_limit_exceeded"}}'), True),
            (error(429, b'{"error": {"type": "insufficient_balance"}}'), False),
            (error(429, b'{"error": {"code": "billing_hard_limit_reached"}}'), False),
            (error(503, b'{"error": {"code": "insufficient_quota"}}'), False),
            (error(429, b'{"error": {"message": "Request too large for gpt-4o in organization org-1"}}'), False),
            (error(429, b'{"error": {"message": "TPM: Limit 10,000, Used 0, Requested 10,001. Visit"}}'), False),
            (error(429, b'{"error": {"message": "TPM: Limit 10000, Used 9000, Requested 10000. Visit"}}'), True),
            (error(429, b'{"error": {"message": "limit: 8000 requested: 9000"}}', x_should_retry="true"), False),
            (error(429, b'{"error": {"code": "request_too_large"}}'), False),
            (error(500, b'{"error": {"message": "Limit 1, Requested 2"}}'), True),
            (APIConnectionError(request=REQUEST, retryable=False), False),
            (APIConnectionError(request=REQUEST), True),
            (APITimeoutError(REQUEST), True),
            (APIError("", REQUEST, body=None), False),
            (ValueError(), False),
            (None, False),
        ],
        ids=str,
    )
    def test_rules(self, failure: BaseException | None, worth: bool) -> None:
        assert retry.worth_retrying(failure) is worth

    def test_a_quota_is_told_from_a_rate(self) -> None:
        assert retry.quota_used_up(error(429, b'{"error": {"code": "insufficient_quota"}}'))
        assert not retry.quota_used_up(error(429, b'{"error": {"code": "rate_limit_exceeded"}}'))
        assert not retry.quota_used_up(ValueError())
        assert not retry.never_fits(ValueError())

    @pytest.mark.parametrize(
        ("words", "never"),
        [
            ("Limit 30000, Requested 61000.", True),
            ("Requested 61,000 tokens, limit 30,000", True),
            ("Limit: 30000, Used 20000, Requested: 15000", False),
            ("Requested 15000, limit 30000", False),
            ("Limit 30000", False),
        ],
    )
    def test_a_request_beyond_the_whole_limit(self, words: str, never: bool) -> None:
        assert retry.never_fits(error(429, f'{{"error": {{"message": "{words}"}}}}'.encode())) is never

    def test_a_body_that_cannot_be_sent_again(self) -> None:
        failure = error(500)
        failure.replayable = False
        assert not retry.worth_retrying(failure)


class TestWaits:
    def test_doubling(self) -> None:
        waits = [
            [retry.delay(APIConnectionError(request=REQUEST), n) for _ in range(50)] for n in (1, 2, 3, 4, 5, 6, 99)
        ]
        for expected, found in zip((0.5, 1, 2, 4, 8, 8, 8), waits, strict=True):
            assert all(expected <= seconds <= expected * 1.25 for seconds in found)
            assert len(set(found)) > 40

    @pytest.mark.parametrize(("told", "seconds"), [({"retry_after_ms": "30"}, 0.03), ({"retry_after": "120"}, 120)])
    def test_never_before_the_time_that_the_server_named(self, told: dict[str, str], seconds: float) -> None:
        found = [retry.delay(error(429, **told), 1) for _ in range(200)]
        assert min(found) >= seconds
        assert max(found) <= seconds * 1.1
        assert len(set(found)) > 150

    def test_nothing_told(self) -> None:
        for failure in (error(429, retry_after="0"), error(429, retry_after="soon"), error(429)):
            assert 0.5 <= retry.delay(failure, 1) <= 0.625


class TestPolicy:
    @pytest.mark.parametrize("kind", [tenacity.Retrying, tenacity.AsyncRetrying])
    def test_what_is_left_out_is_ours(self, kind: Any) -> None:
        for own in (None, kind()):
            policy = retry.policy(3, own)
            assert isinstance(policy.stop, retry.stop_after_retries)
            assert policy.stop.retries == 3
            assert isinstance(policy.wait, retry.wait_as_told)
            assert isinstance(policy.retry, retry.retry_if_worthwhile)
            assert policy.reraise

    @pytest.mark.parametrize("kind", [tenacity.Retrying, tenacity.AsyncRetrying])
    def test_what_is_given_is_taken(self, kind: Any) -> None:
        stop, wait = tenacity.stop_after_attempt(9), tenacity.wait_fixed(1)
        policy = retry.policy(3, kind(stop=stop, wait=wait))
        assert policy.stop is stop
        assert policy.wait is wait
        assert isinstance(policy.retry, retry.retry_if_worthwhile)

    def test_a_fresh_one_each_time(self) -> None:
        own = tenacity.AsyncRetrying()
        assert len({id(policy) for policy in [retry.policy(1, own), retry.policy(1, own), own]}) == 3


@pytest.mark.usefixtures("transport")
class TestCalls:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
    async def test_two_retries(self, status: int, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=status, headers=SOON, times=None)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            with pytest.raises(APIStatusError):
                await client.chat.completions.create(**chat)
        assert [r.headers["x-stainless-retry-count"] for r in server.journal] == ["0", "1", "2"]
        assert len({r.body for r in server.journal}) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    async def test_not_worth_it(self, status: int, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.fault(status=status, headers=SOON, times=None)
        with pytest.raises(APIStatusError):
            await client.chat.completions.create(**chat)
        assert server.request_count == 1

    @pytest.mark.parametrize(
        "fault",
        [{"cut_after": 0}, {"cut_after": 30}, {"cut_after": 200}, {"reset": True}, {"cut_after": 500, "reset": True}],
    )
    async def test_connections_that_break(
        self, fault: dict[str, Any], server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits
    ) -> None:
        server.fault(**fault, times=2)
        completion = await client.chat.completions.create(**chat)
        assert completion.choices
        assert server.request_count == 3
        assert 0.5 <= waits.seconds[0] <= 0.625
        assert 1 <= waits.seconds[1] <= 1.25
        server.fault(**fault, times=None)
        with pytest.raises(APIConnectionError) as caught:
            await client.chat.completions.create(**chat)
        assert caught.value.__cause__ is not None
        assert caught.value.request.url.endswith("/chat/completions")

    async def test_nobody_listens(self, waits: Waits, chat: dict[str, Any]) -> None:
        async with Server() as gone:
            url = gone.base_url
        async with AsyncOpenAI(api_key="k", base_url=url, retry=tenacity.AsyncRetrying(sleep=waits)) as client:
            with pytest.raises(APIConnectionError, match="Connection error"):
                await client.chat.completions.create(**chat)
        assert len(waits.seconds) == 2

    async def test_unknown_host(self, chat: dict[str, Any]) -> None:
        async with AsyncOpenAI(api_key="k", base_url="http://nowhere.invalid/v1", max_retries=0) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.chat.completions.create(**chat)
        assert "nowhere.invalid" in str(caught.value)

    async def test_timeouts(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits) -> None:
        server.fault(delay=5, times=2)
        completion = await client.chat.completions.create(**chat, timeout=0.05)
        assert completion.choices
        assert server.request_count == 3
        assert len(waits.seconds) == 2

    async def test_the_server_says_when(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits
    ) -> None:
        server.fault(status=429, headers={"retry-after": "100"})
        server.fault(status=429, headers={"retry-after-ms": "2500"})
        await client.chat.completions.create(**chat)
        assert 100 <= waits.seconds[0] <= 110
        assert 2.5 <= waits.seconds[1] <= 2.75

    @pytest.mark.parametrize(
        ("fault", "requests"),
        [
            ({"status": 500, "headers": {"x-should-retry": "false"}}, 1),
            ({"status": 400, "headers": {"x-should-retry": "true"}}, 3),
            ({"status": 429, "headers": {"retry-after": "121"}}, 1),
            ({"status": 429, "body": {"error": {"code": "insufficient_quota", "message": "Pay."}}}, 1),
        ],
    )
    async def test_rules(
        self, fault: dict[str, Any], requests: int, server: Server, client: AsyncOpenAI, chat: dict[str, Any]
    ) -> None:
        server.fault(**fault, times=None)
        with pytest.raises(APIStatusError):
            await client.chat.completions.create(**chat)
        assert server.request_count == requests

    async def test_the_error_says_when_to_come_back(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers={"retry-after": "1800"})
        with pytest.raises(RateLimitError) as caught:
            await client.models.list()
        assert caught.value.retry_after == 1800
        server.fault(status=400)
        with pytest.raises(BadRequestError) as plain:
            await client.models.list()
        assert plain.value.retry_after is None

    @pytest.mark.parametrize("retries", [0, 1, 4])
    async def test_max_retries(self, retries: int, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.fault(status=500, times=None)
        for attempt in (
            client.chat.completions.create(**chat, max_retries=retries),
            client.with_options(max_retries=retries).chat.completions.create(**chat),
        ):
            server.clear()
            server.fault(status=500, times=None)
            with pytest.raises(InternalServerError):
                await attempt
            assert len(server.journal) == retries + 1

    async def test_one_idempotency_key(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.fault(status=500, times=2)
        await client.chat.completions.create(**chat, idempotency_key="once")
        assert [r.headers["idempotency-key"] for r in server.journal] == ["once"] * 3

    async def test_the_callers_retry_count_is_kept(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]
    ) -> None:
        server.fault(status=500, times=2)
        await client.chat.completions.create(**chat, extra_headers={"X-Stainless-Retry-Count": "mine"})
        assert [r.headers.getall("x-stainless-retry-count") for r in server.journal] == [["mine"]] * 3

    async def test_raw_replies_tell_how_often(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        server.fault(status=500, times=2)
        assert (await client.chat.completions.with_raw_response.create(**chat)).retries_taken == 2
        server.fault(status=500, times=1)
        async with client.chat.completions.with_streaming_response.create(**chat) as response:
            assert response.retries_taken == 1

    async def test_cancelled_while_waiting(self, server: Server, chat: dict[str, Any]) -> None:
        waiting = asyncio.Event()

        async def forever(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        server.fault(status=500, times=None)
        policy = tenacity.AsyncRetrying(sleep=forever)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, retry=policy) as client:
            task = asyncio.create_task(client.chat.completions.create(**chat))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert server.request_count == 1


@pytest.mark.usefixtures("transport")
class TestOwnPolicies:
    async def test_stop(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits) -> None:
        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(5), sleep=waits)
        server.fault(status=500, times=None)
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**chat, retry=policy)
        assert server.request_count == 5
        # Ours still says what is worth it.
        server.clear()
        server.fault(status=400, times=None)
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(**chat, retry=policy)
        assert len(server.journal) == 1

    async def test_wait(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits) -> None:
        policy = tenacity.AsyncRetrying(wait=tenacity.wait_fixed(7) + tenacity.wait_fixed(1), sleep=waits)
        server.fault(status=500, times=2)
        await client.chat.completions.create(**chat, retry=policy)
        assert waits.seconds == [8, 8]

    @pytest.mark.parametrize("kind", ["function", "async"])
    async def test_predicate(
        self, kind: str, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits
    ) -> None:
        def bad(failure: BaseException) -> bool:
            return isinstance(failure, BadRequestError)

        async def slowly(failure: BaseException) -> bool:
            return bad(failure)

        predicate: Any = (
            tenacity.retry_if_exception(bad) if kind == "function" else tenacity.asyncio.retry_if_exception(slowly)
        )
        policy = tenacity.AsyncRetrying(retry=predicate, sleep=waits)
        server.fault(status=400, times=1)
        await client.chat.completions.create(**chat, retry=policy)
        assert server.request_count == 2
        server.fault(status=500, times=1)
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**chat, retry=policy)

    async def test_composed_with_ours(
        self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits
    ) -> None:
        policy = tenacity.AsyncRetrying(
            retry=retry.retry_if_worthwhile() | tenacity.retry_if_exception_type(BadRequestError),
            wait=retry.wait_as_told() + tenacity.wait_fixed(100),
            stop=retry.stop_after_retries(9) | tenacity.stop_after_attempt(4),
            sleep=waits,
        )
        server.fault(status=500, times=2)
        server.fault(status=400, times=1)
        await client.chat.completions.create(**chat, retry=policy)
        assert server.request_count == 4
        assert all(seconds > 100.4 for seconds in waits.seconds)

    async def test_of_the_call_before_that_of_the_client(
        self, server: Server, chat: dict[str, Any], waits: Waits
    ) -> None:
        server.fault(status=500, times=None)
        once = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2), sleep=waits)
        often = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(4), sleep=waits)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, retry=once, max_retries=7) as client:
            for call, attempts in ((client, 2), (client.with_options(retry=often), 4)):
                server.clear()
                server.fault(status=500, times=None)
                with pytest.raises(InternalServerError):
                    await call.chat.completions.create(**chat)
                assert len(server.journal) == attempts
            server.clear()
            server.fault(status=500, times=None)
            with pytest.raises(InternalServerError):
                await client.chat.completions.create(**chat, retry=often)
            assert len(server.journal) == 4

    async def test_one_policy_for_many_calls_at_once(self, server: Server, chat: dict[str, Any], waits: Waits) -> None:
        server.fault(status=500, times=100)
        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(200), sleep=waits)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, retry=policy) as client:
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(50)))
        assert server.request_count == 150

    async def test_callbacks(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits) -> None:
        seen: list[int] = []
        policy = tenacity.AsyncRetrying(before_sleep=lambda state: seen.append(state.attempt_number), sleep=waits)
        server.fault(status=500, times=2)
        await client.chat.completions.create(**chat, retry=policy)
        assert seen == [1, 2]

    async def test_a_deadline(self, server: Server, client: AsyncOpenAI, chat: dict[str, Any], waits: Waits) -> None:
        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_delay(0), sleep=waits)
        server.fault(status=500, times=None)
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(**chat, retry=policy)
        assert server.request_count == 1


class Unseekable(io.RawIOBase):
    """A file that can be read once."""

    name = "pipe.jsonl"

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


@pytest.mark.usefixtures("transport")
class TestBodies:
    @pytest.mark.parametrize("kind", ["bytes", "path", "tuple", "file", "seekable"])
    async def test_uploads_are_made_again(self, kind: str, server: Server, client: AsyncOpenAI, tmp_path: Any) -> None:
        content = b'{"a": 1}\n' * 100_000
        path = tmp_path / "n.jsonl"
        path.write_bytes(content)
        server.fault(status=500, times=1)
        server.fault(cut_after=0, times=1)
        with path.open("rb") as opened:
            opened.seek(5)
            file: Any = {
                "bytes": content,
                "path": path,
                "tuple": ("n.jsonl", content, "text/plain"),
                "file": opened,
                "seekable": io.BytesIO(content),
            }[kind]
            await client.files.create(file=file, purpose="batch")
        assert server.request_count == 3
        for request in server.journal:
            parts = {part.name: part.data for part in request.multipart()}
            assert parts == {"purpose": b"batch", "file": content}

    async def test_a_stream_that_cannot_be_rewound(self, server: Server, client: AsyncOpenAI, waits: Waits) -> None:
        server.fault(status=500, times=None)
        everything = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Exception), stop=tenacity.stop_after_attempt(3), sleep=waits
        )
        for options in ({}, {"retry": everything}):
            server.clear()
            server.fault(status=500, times=None)
            with pytest.raises(InternalServerError) as caught:
                await client.files.create(file=Unseekable(b"once"), purpose="batch", **options)  # type: ignore[arg-type]
            assert not caught.value.replayable
            assert len(server.journal) == 1
            assert server.journal[0].multipart()[-1].data == b"once"

    async def test_content_of_an_iterator(self, server: Server, client: AsyncOpenAI) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        server.fault(status=500, times=None)
        with pytest.raises(InternalServerError):
            await client.post("/x", cast_to=object, content=pieces())
        assert [r.body for r in server.journal] == [b"ab"]

    async def test_content_of_bytes(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=500, times=2)
        server.reply_with("/x", {})
        for content in (b"ab", bytearray(b"ab")):
            await client.post("/x", cast_to=object, content=content)
        assert [r.body for r in server.journal] == [b"ab"] * 4
