"""The attempts of one request of a job."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity

from aiopenai import AsyncOpenAI, InternalServerError, RateLimitError
from aiopenai._jobs import sending
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.result import Result
from aiopenai._jobs.sending import PATIENCE, PendingRequest, Sender, is_refusal
from aiopenai.errors import APIConnectionError, APIError
from aiopenai.testing import Server

LINE = {"url": "/v1/chat/completions", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}}
SOON = {"retry-after-ms": "1"}


def prepared(sender: Sender, item: Any = LINE) -> PendingRequest:
    return sender.prepare(Result(0, item), 0.0)


class TestPreparing:
    async def test_the_body_is_encoded_once(self, client: AsyncOpenAI) -> None:
        pending = prepared(Sender(client, Limiter(), None))
        assert isinstance(pending.request.content, bytes)
        assert pending.size == len(pending.request.content)
        assert pending.cost > 1
        assert (pending.lane.path, pending.lane.model) == ("/chat/completions", "gpt-4o")

    async def test_forms_and_queries(self, client: AsyncOpenAI) -> None:
        sender = Sender(client, Limiter(), None)
        upload = prepared(sender, client.files.create.request(file=b"x", purpose="batch"))
        assert (upload.size, upload.cost) == (0, 0.0)
        listed = prepared(sender, client.models.list.request())
        assert (listed.size, listed.lane.model) == (0, "")

    async def test_a_model_of_another_type(self, client: AsyncOpenAI) -> None:
        pending = prepared(Sender(client, Limiter(), None), {"url": "/v1/x", "body": {"model": ["m"]}})
        assert pending.lane.model == ""

    @pytest.mark.parametrize("item", [3, {"url": "/v1/x", "body": {"stream": True}}], ids=["number", "stream"])
    async def test_items_that_cannot_be_sent(self, client: AsyncOpenAI, item: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            prepared(Sender(client, Limiter(), None), item)

    async def test_permission_that_is_not_used(self, client: AsyncOpenAI) -> None:
        limiter = Limiter(1)
        sender = Sender(client, limiter, None)
        pending = prepared(sender)
        await sender.admit(pending)
        assert limiter.running == 1
        sender.drop(pending)
        sender.drop(pending)
        assert limiter.running == 0


class TestAttempts:
    async def test_each_failure_is_told(self, server: Server, client: AsyncOpenAI) -> None:
        errors: list[APIError] = []
        server.fault(status=500, headers=SOON, times=2)
        pending = prepared(Sender(client, Limiter(), None, errors.append))
        await Sender(client, Limiter(), None, errors.append).send(pending)
        assert [type(error) for error in errors] == [InternalServerError] * 2
        assert pending.result.attempts == 3

    async def test_options_of_the_request(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=500, headers=SOON, times=None)
        create = client.chat.completions.create
        policy = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_none())
        for options, attempts in (({"max_retries": 1}, 2), ({"retry": policy}, 4)):
            item = create.request(model="m", messages=[], **options)  # type: ignore[call-overload]
            sender = Sender(client, Limiter(), None)
            pending = prepared(sender, item)
            with pytest.raises(InternalServerError):
                await sender.send(pending)
            assert pending.result.attempts == attempts

    async def test_a_refused_request_is_patient_while_others_are_answered(
        self, server: Server, client: AsyncOpenAI
    ) -> None:
        limiter = Limiter(5)
        sender = Sender(client, limiter, None)
        other = prepared(sender)
        await sender.send(other)
        refusals = [0]

        def refuse(request: Any) -> bool:
            if b"stubborn" not in request.body:
                return False
            refusals[0] += 1
            # A reply to another request, now and then.
            if refusals[0] % 5 == 0:
                other.lane.replies += 1
            return refusals[0] <= 3 * PATIENCE

        server.fault(status=429, headers=SOON, times=None, match=refuse)
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "stubborn"}]}
        pending = prepared(sender, {"url": "/v1/chat/completions", "body": body})
        await sender.send(pending)
        assert pending.result.attempts == 3 * PATIENCE + 1

    async def test_but_not_for_ever(self, server: Server, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "MOST_REFUSALS", 15)
        limiter = Limiter(5)
        sender = Sender(client, limiter, None)
        pending = prepared(sender)

        def refuse(_: Any) -> bool:
            pending.lane.replies += 1
            return True

        server.fault(status=429, headers=SOON, times=None, match=refuse)
        with pytest.raises(RateLimitError):
            await sender.send(pending)
        assert pending.result.attempts == 16

    async def test_no_retries_no_patience(self, server: Server, client: AsyncOpenAI) -> None:
        server.fault(status=429, headers=SOON, times=None)
        sender = Sender(client.with_options(max_retries=0), Limiter(), None)
        pending = prepared(sender)
        with pytest.raises(RateLimitError):
            await sender.send(pending)
        assert pending.result.attempts == 1


class TestLimiting:
    async def test_the_limiter_learns_of_each_end(self, server: Server, client: AsyncOpenAI) -> None:
        limiter = Limiter()
        sender = Sender(client.with_options(max_retries=0), limiter, None)
        first = prepared(sender)
        await sender.admit(first)
        await sender.send(first)
        assert first.result.usage is not None
        assert first.lane.replies == 1
        server.reply_with("/chat/completions", {"id": "x", "object": "chat.completion", "choices": []}, times=1)
        second = prepared(sender)
        await sender.send(second)
        assert second.result.usage is None
        for status, failed in ((400, 0), (500, 1)):
            server.fault(status=status)
            with pytest.raises(APIError):
                await sender.send(prepared(sender))
            assert first.lane.window._failed == failed
        assert limiter.running == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "headers", "refusal"),
        [
            (429, {}, True),
            (503, {"retry-after": "1"}, True),
            (503, {}, False),
            (500, {"retry-after": "1"}, False),
            (400, {}, False),
        ],
        ids=["429", "503-told", "503", "500", "400"],
    )
    async def test_are(
        self, server: Server, client: AsyncOpenAI, status: int, headers: dict[str, str], refusal: bool
    ) -> None:
        server.fault(status=status, headers=headers)
        errors: list[APIError] = []
        sender = Sender(client.with_options(max_retries=0), Limiter(), None, errors.append)
        with pytest.raises(APIError):
            await sender.send(prepared(sender))
        assert [is_refusal(error) for error in errors] == [refusal]

    def test_are_not(self) -> None:
        assert not is_refusal(APIConnectionError(request=None))
        assert not is_refusal(APIError("x", None, body=None))
