"""The attempts of one request of a job: each passes the limiter, and refusals (429) have rules of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from aiopenai._base.aliases import is_mapping
from aiopenai._base.imports import import_in_thread
from aiopenai._base.sentinels import NotGiven
from aiopenai._calls.attempts import retried
from aiopenai._calls.request import Request
from aiopenai._data.codec import encode
from aiopenai._jobs.items import facts_of, request_of
from aiopenai._jobs.limiter import Grant, Lane, Limiter
from aiopenai._jobs.result import Result
from aiopenai._jobs.usage import tokens_of
from aiopenai.errors import APIConnectionError, APIError, APIStatusError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse
    from aiopenai._client.many import Many

__all__ = ["PATIENCE", "PendingRequest", "Sender"]

# The refusals (429) in a row of one request before it counts as failed, if no other one of its lane was answered
# meanwhile. Limits shared with other programs need many.
PATIENCE = 10
# The refusals of one request before it counts as failed in any case.
MOST_REFUSALS = 100


class PendingRequest:
    """One request of a job until its end, with its body encoded once for all attempts."""

    __slots__ = (
        "begun",
        "cost",
        "grant",
        "lane",
        "read_at",
        "refusals",
        "replies",
        "request",
        "result",
        "size",
        "vain",
    )

    def __init__(self, result: Result[Any], request: Request[Any], lane: Lane, read_at: float) -> None:
        self.result = result
        self.request = request
        self.lane = lane
        self.read_at = read_at
        self.begun = read_at
        self.size = len(request.content) if isinstance(request.content, bytes) else 0
        self.cost = 0.0
        # The refusals of this request: all, and those since the last reply in its lane, which had so many replies then.
        self.refusals = self.vain = 0
        self.replies = 0
        self.grant: Grant | None = None


class Sender:
    """Sends the requests of a job; `on_trouble` is called with the error of each attempt that fails."""

    def __init__(
        self, client: Many, limiter: Limiter, policy: Any, on_trouble: Callable[[APIError], object] | None = None
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._policy = policy
        self._on_trouble = on_trouble

    def prepare(self, result: Result[Any], read_at: float) -> PendingRequest:
        """Returns a result's item as a request that can be sent. Raises TypeError and ValueError."""
        request = request_of(result.request)
        body = request.body
        is_json = body is not None and request.files is None and not request.endpoint.multipart
        if is_json and request.method != "GET":
            request = structs.replace(request, content=encode(body, request.endpoint.replay))
        facts = facts_of(body if is_mapping(body) else request.content)
        if request.stream or facts.stream or (request.query or {}).get("stream"):
            raise ValueError("`stream` must be false in a job: a result holds a whole reply")
        lane = self._limiter.lane(request.endpoint.path, facts.model if isinstance(facts.model, str) else None)
        pending = PendingRequest(result, request, lane, read_at)
        if pending.size:
            pending.cost = lane.estimate.of(pending.size, facts.most)
        return pending

    async def admit(self, pending: PendingRequest) -> None:
        """Waits until the limits allow the first attempt."""
        pending.grant = await self._limiter.acquire(pending.cost, lane=pending.lane)

    def drop(self, pending: PendingRequest) -> None:
        """Gives back the permission of an attempt that was never made."""
        grant, pending.grant = pending.grant, None
        if grant is not None:
            self._limiter.release(grant)

    async def send(self, pending: PendingRequest) -> LegacyAPIResponse[Any]:
        """Sends a request, with all attempts that are due. Raises APIError."""
        try:
            return await self._attempt(pending)
        except APIError as error:
            rules = await import_in_thread("aiopenai.retry")
            options = pending.request.options
            retries = options.get("max_retries")
            retries = self._client.max_retries if retries is None or isinstance(retries, NotGiven) else retries
            policy = options.get("retry") or self._policy
            if policy is not None and error.replayable:
                return await retried(rules.policy(retries, policy), error, lambda: self._attempt(pending))
            return await self._by_rules(pending, rules, retries, error)

    async def _by_rules(
        self, pending: PendingRequest, rules: ModuleType, retries: int, error: APIError
    ) -> LegacyAPIResponse[Any]:
        while True:
            failures = pending.result.attempts - pending.refusals
            patient = retries and pending.vain <= PATIENCE and pending.refusals <= MOST_REFUSALS and failures <= retries
            if not rules.worth_retrying(error) or not (patient if is_refusal(error) else failures <= retries):
                raise error
            if not is_refusal(error):
                await asyncio.sleep(rules.delay(error, failures))
            try:
                return await self._attempt(pending)
            except APIError as again:
                error = again

    async def _attempt(self, pending: PendingRequest) -> LegacyAPIResponse[Any]:
        limiter, result = self._limiter, pending.result
        grant, pending.grant = pending.grant, None
        if grant is None:
            # Further attempts go before those that wait for their first one.
            grant = await limiter.acquire(pending.cost, lane=pending.lane, first=result.attempts > 0)
        if not result.attempts:
            pending.begun = grant.at
            result.queued = grant.at - pending.read_at
        result.attempts += 1
        try:
            response = await self._client.attempt(pending.request, taken=result.attempts - 1)
            result.first_byte = response.elapsed.total_seconds()
            limiter.replied(grant, response.headers, result.first_byte)
            result.usage = usage = tokens_of(response.content)
            if usage is not None:
                limiter.used(grant, pending.size, usage.read, usage.written)
            return response
        except APIError as error:
            if self._on_trouble is not None:
                self._on_trouble(error)
            await self._report(pending, grant, error)
            raise
        finally:
            limiter.release(grant)

    async def _report(self, pending: PendingRequest, grant: Grant, error: APIError) -> None:
        """Tells the limiter about the load that an error stands for."""
        rules = await import_in_thread("aiopenai.retry")
        if not rules.worth_retrying(error):
            self._limiter.rejected(grant)
        elif is_refusal(error):
            pending.refusals += 1
            pending.vain = pending.vain + 1 if pending.lane.replies == pending.replies else 1
            pending.replies = pending.lane.replies
            headers: Mapping[str, str] = cast("APIStatusError", error).response.headers
            self._limiter.refused(grant, headers, rules.delay(error, pending.vain))
        else:
            self._limiter.failed(grant)


def is_refusal(error: APIError) -> bool:
    """Returns whether the server says that there were too many requests, rather than that it is broken."""
    if isinstance(error, APIConnectionError) or not isinstance(error, APIStatusError):
        return False
    return error.status_code == 429 or (error.status_code == 503 and error.retry_after is not None)
