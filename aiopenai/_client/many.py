"""`map`, `gather` and `warm_up`: many requests at once. The code of jobs is imported when a job starts."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from typing_extensions import TypedDict

from aiopenai._calls.request import Endpoint, Request
from aiopenai._client.configuration import Configuration
from aiopenai.errors import APIStatusError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse
    from aiopenai._jobs.items import BatchLine
    from aiopenai._jobs.job import RequestSource
    from aiopenai._jobs.limiter import Limiter
    from aiopenai._jobs.result import Result

__all__ = ["GatherOptions", "Many", "MapOptions"]

T = TypeVar("T")

# Not HEAD: the direct transport leaves that to the general one, which has connections of its own.
_CHEAP = Endpoint(method="GET", path="/models", reply=object, security="any")


class GatherOptions(TypedDict, total=False):
    """The limits of a job, and whether its progress is shown; see `AsyncOpenAI.map`."""

    concurrency: int | None
    rpm: float | None
    tpm: float | None
    limiter: Limiter | None
    progress: bool


class MapOptions(GatherOptions, total=False):
    """The options of `gather`, and whether results come in the order of their requests."""

    ordered: bool


class Many(ABC):
    """The methods of the async client that send many requests."""

    _configuration: Configuration
    max_retries: Any

    @abstractmethod
    async def attempt(self, request: Request[T], *, taken: int = 0) -> LegacyAPIResponse[T]:
        """Sends a request once, after `taken` other attempts."""

    @overload
    def map(
        self,
        requests: RequestSource[Request[T]],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
        progress: bool = False,
    ) -> AsyncGenerator[Result[T], None]: ...
    @overload
    def map(
        self,
        requests: RequestSource[Request[Any] | BatchLine] | RequestSource[BatchLine],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
        progress: bool = False,
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
        progress: bool = False,
    ) -> AsyncGenerator[Result[Any], None]:
        """Sends many requests and yields the `Result` of each when it is there, or with `ordered` in their order.

        `requests` is an iterable, plain or async, of `resource.method.request(...)` values or of lines of a batch file
        (dicts with `url` and `body`). It is read as needed and may be endless. When twice `concurrency` results have
        not been taken, the job waits. A request with `stream` is refused before it is sent.

        At most `concurrency` (1,000) are in flight; a busy server gets fewer. `rpm` and `tpm` limit requests and tokens
        per minute. The limits in the server's headers hold as well, for each model and endpoint. A `limiter` stands for
        all three, and several jobs may share it. Retries follow the rules of the client and of each request. A refusal
        (429) makes all requests of its model wait, and is retried more often.

        `progress` shows a bar on standard error, with failures, rate, tokens and waits, and at the end the failures by
        kind. It needs `rich` (the extra `cli`), and shows nothing where there is no terminal and no notebook.

        The error of a request is in its result. An error of the source is raised after the results of all that was
        read before. Ending or cancelling the iteration cancels all that is in flight. Raises ValueError for impossible
        limits, TypeError for a source that is not iterable, and OpenAIError for `progress` without `rich`.
        """
        from aiopenai._jobs.job import RequestJob
        from aiopenai._jobs.limiter import Limiter

        if limiter is None:
            limiter = Limiter(1_000 if concurrency is None else concurrency, rpm=rpm, tpm=tpm)
        elif not (concurrency is None and rpm is None and tpm is None):
            raise ValueError("`limiter` has limits of its own: concurrency, rpm and tpm cannot be given beside it")
        policy = self._configuration.retry
        if not progress:
            return RequestJob(self, requests, limiter, ordered=ordered, policy=policy).results()

        from aiopenai._jobs.bar import JobBar

        bar = JobBar(requests, limiter)
        job = RequestJob(self, requests, limiter, ordered=ordered, policy=policy, on_trouble=bar.note_trouble)
        return bar.around(job.results())

    @overload
    async def gather(
        self,
        requests: RequestSource[Request[T]],
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
        progress: bool = False,
    ) -> list[Result[T]]: ...
    @overload
    async def gather(
        self,
        requests: RequestSource[Request[Any] | BatchLine] | RequestSource[BatchLine],
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
        progress: bool = False,
    ) -> list[Result[Any]]: ...
    async def gather(
        self,
        requests: Any,
        *,
        concurrency: int | None = None,
        rpm: float | None = None,
        tpm: float | None = None,
        limiter: Limiter | None = None,
        progress: bool = False,
    ) -> list[Result[Any]]:
        """Returns the results of all requests, in their order; see `map`."""
        results = self.map(requests, concurrency=concurrency, rpm=rpm, tpm=tpm, limiter=limiter, progress=progress)
        try:
            # Not `ordered`: one slow request at the front would hold up the others.
            return sorted([result async for result in results], key=lambda result: result.index)
        finally:
            await results.aclose()

    async def warm_up(self, connections: int = 1) -> None:
        """Opens so many connections now, with name lookups and TLS handshakes, so that the first calls need not.

        Each asks the server for something cheap (`GET /models`); the answer does not matter. Connections without use
        are closed after 15 seconds, as always. Raises APIConnectionError and APITimeoutError.
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
            from aiopenai._calls.hedging import cancelled

            await cancelled(tasks)
