"""Many requests as one job: `client.map` and `client.gather`.

One task reads the source, one request ahead, and waits until the limiter admits each request, which then gets a task of
its own. So the source is read as fast as the server takes requests and the results are taken. With several lanes, a
request that its lane does not admit yet waits in its own task, and the source is read on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from aiopenai._calls.hedging import cancelled
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.result import Result
from aiopenai._jobs.sending import PendingRequest, Sender

if TYPE_CHECKING:
    from aiopenai._client.many import Many
    from aiopenai.errors import APIError

__all__ = ["RequestJob", "RequestSource"]

RequestT = TypeVar("RequestT")

RequestSource: TypeAlias = Iterable[RequestT] | AsyncIterable[RequestT]


class RequestJob:
    """A job; see `AsyncOpenAI.map`. `policy` is the client's tenacity policy, if it has one.

    `read` makes the `reply` of each raw response, instead of parsing it; `usage` is a `Tokens` then. `on_trouble` is
    called with the error of each attempt that fails. Raises TypeError for a source that is not iterable.
    """

    def __init__(
        self,
        client: Many,
        source: Any,
        limiter: Limiter,
        *,
        ordered: bool = False,
        policy: Any = None,
        read: Callable[[Any], Any] | None = None,
        on_trouble: Callable[[APIError], object] | None = None,
    ) -> None:
        if not hasattr(source, "__aiter__") and not hasattr(source, "__iter__"):
            raise TypeError(f"requests must be an iterable or an async iterable, not {type(source).__name__}")
        self._source = source
        self._limiter = limiter
        self._sender = Sender(client, limiter, policy, on_trouble)
        self._read = read
        self._tasks: dict[asyncio.Task[None], PendingRequest] = {}
        self._pulled = self._given = 0
        self._room = 2 * limiter.concurrency
        self._ready: deque[Result[Any]] = deque()
        # Results that came before their turn, by index.
        self._early: dict[int, Result[Any]] | None = {} if ordered else None
        self._failure: Exception | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._fed = False
        # Futures that the consumer and the feeder wait for: news, and room for more.
        self._news: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None

    async def results(self) -> AsyncGenerator[Result[Any], None]:
        """Runs the job and yields its results. An error of the source is raised after all results."""
        loop = asyncio.get_running_loop()
        self._feeder = loop.create_task(self._feed())
        self._feeder.add_done_callback(_retrieve)
        ready = self._ready
        try:
            while True:
                while ready:
                    self._given += 1
                    _wake(self._space)
                    yield ready.popleft()
                if self._fed and not self._tasks:
                    break
                self._news = loop.create_future()
                await self._news
        finally:
            await self.halt()
        if self._failure is not None:
            raise self._failure

    async def halt(self) -> None:
        """Stops reading and cancels all that is in flight. Results that are there are still yielded."""
        assert self._feeder is not None
        await cancelled([self._feeder, *self._tasks])

    async def _feed(self) -> None:
        try:
            if hasattr(self._source, "__aiter__"):
                async for item in self._source:
                    await self._begin(item)
            else:
                for item in self._source:
                    await self._begin(item)
        except Exception as error:
            # The source's own error: results of the requests before it are yielded first.
            self._failure = error
        finally:
            self._fed = True
            _wake(self._news)

    async def _begin(self, item: Any) -> None:
        """Starts one request, and waits until there is room for the next one."""
        loop = asyncio.get_running_loop()
        result: Result[Any] = Result(self._pulled, item)
        self._pulled += 1
        try:
            pending = self._sender.prepare(result, loop.time())
        except Exception as error:
            result.error = error
            self._deliver(result)
        else:
            if not self._limiter.several:
                await self._sender.admit(pending)
            task = loop.create_task(self._finish(pending))
            self._tasks[task] = pending
            task.add_done_callback(self._ended)
        while self._pulled - self._given >= self._room:
            self._space = loop.create_future()
            await self._space

    def _ended(self, task: asyncio.Task[None]) -> None:
        # It still has its permission if it was cancelled before its first step.
        self._sender.drop(self._tasks.pop(task))
        _retrieve(task)
        _wake(self._news)

    async def _finish(self, pending: PendingRequest) -> None:
        result = pending.result
        try:
            response = await self._sender.send(pending)
            if self._read is not None:
                result.reply = self._read(response)
            else:
                result.reply = response.parse()
                result.usage = getattr(result.reply, "usage", None)
        except Exception as error:
            result.error = error
        result.total = asyncio.get_running_loop().time() - pending.begun
        self._deliver(result)

    def _deliver(self, result: Result[Any]) -> None:
        if self._early is None:
            self._ready.append(result)
        else:
            self._early[result.index] = result
            turn = self._given + len(self._ready)
            while turn in self._early:
                self._ready.append(self._early.pop(turn))
                turn += 1
        _wake(self._news)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _retrieve(task: asyncio.Task[None]) -> None:
    """Marks the exception of a task as seen: an interrupt (Ctrl-C) is already raised by the loop itself."""
    if not task.cancelled():
        task.exception()
