"""`map`, `gather` and `warm_up`: many requests at once. The jobs' own code is imported when a job starts."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from typing_extensions import TypedDict

from aiopenai._calls.hedging import cancelled
from aiopenai._calls.request import Endpoint, Request
from aiopenai._client.configuration import Configuration
from aiopenai.errors import APIStatusError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse
    from aiopenai._jobs.bulk import Line, Result, Source
    from aiopenai._jobs.limiter import Limiter

__all__ = ["GatherOptions", "Many", "MapOptions"]

T = TypeVar("T")

# Not HEAD: the direct transport leaves that to the general one, whose connections are others.
_CHEAP = Endpoint(method="GET", path="/models", reply=object, security="any")


class GatherOptions(TypedDict, total=False):
    """The limits of a job; see `AsyncOpenAI.map`."""

    concurrency: int | None
    rpm: float | None
    tpm: float | None
    limiter: Limiter | None


class MapOptions(GatherOptions, total=False):
    """The same, and whether results come in the order of their requests."""

    ordered: bool


class Many(ABC):
    """The methods of the async client that send many requests."""

    _configuration: Configuration
    max_retries: Any

    @abstractmethod
    async def attempt(self, request: Request[T], *, taken: int = 0) -> LegacyAPIResponse[T]:
        """Send a request once, after `taken` other attempts."""

    @overload
    def map(
        self,
        requests: Source[Request[T]],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> AsyncGenerator[Result[T], None]: ...
    @overload
    def map(
        self,
        requests: Source[Request[Any] | Line] | Source[Line],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> AsyncGenerator[Result[Any], None]: ...
    def map(
        self,
        requests: Any,
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> AsyncGenerator[Result[Any], None]:
        """Send many requests, and give each one's `Result` when it is there, or with `ordered` in their order.

        `requests` is any iterable, plain or async, of what `resource.method.request(...)` makes or of lines of a batch
        file (dicts with `url` and `body`). It is read as needed and may be endless. Results that nobody takes stop
        the job after twice `concurrency` of them.

        At most `concurrency` (1,000) are on their way: how many it takes is found out. `rpm` and `tpm` are requests and
        tokens a minute, by default what the server's headers tell. A `limiter` stands for all three, and several jobs
        may share it. Retries are by the client's and the requests' own rules; refusals (429) make everybody wait and
        are tried more often.

        What goes wrong with a request is in its result; what the source raises ends the job, after all that was read
        before. Ending the iteration, or cancelling it, cancels what is on its way. Raises ValueError for impossible
        limits and TypeError for what is no iterable.
        """
        from aiopenai._jobs.bulk import run_requests
        from aiopenai._jobs.limiter import Limiter

        if limiter is None:
            limiter = Limiter(1_000 if concurrency is None else concurrency, rpm=rpm, tpm=tpm)
        elif not (concurrency is None and rpm is None and tpm is None):
            raise ValueError("a limiter has limits of its own: concurrency, rpm and tpm cannot be given beside it")
        return run_requests(self, requests, limiter, ordered=ordered, policy=self._configuration.retry)

    @overload
    async def gather(
        self,
        requests: Source[Request[T]],
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> list[Result[T]]: ...
    @overload
    async def gather(
        self,
        requests: Source[Request[Any] | Line] | Source[Line],
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> list[Result[Any]]: ...
    async def gather(
        self,
        requests: Any,
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
    ) -> list[Result[Any]]:
        """The results of all requests, in their order; see `map`."""
        results = self.map(requests, concurrency=concurrency, rpm=rpm, tpm=tpm, limiter=limiter)
        try:
            # Not `ordered`: one slow request at the front would hold up the others.
            return sorted([result async for result in results], key=lambda result: result.index)
        finally:
            await results.aclose()

    async def warm_up(self, connections: int = 1) -> None:
        """Open so many connections now, names looked up and TLS agreed upon, so that the first calls need not.

        Each asks the server for something cheap (`GET /models`); what it answers does not matter. SharedSessions that
        nobody uses are closed after 15 seconds, as always. Raises APIConnectionError and APITimeoutError.
        """

        cheap: Request[Any] = Request(endpoint=_CHEAP, path=_CHEAP.path)

        async def one() -> None:
            with contextlib.suppress(APIStatusError):
                await self.attempt(cheap)

        # All at once: each then needs a connection of its own.
        tasks = [asyncio.ensure_future(one()) for _ in range(connections)]
        try:
            await asyncio.gather(*tasks)
        finally:
            await cancelled(tasks)
