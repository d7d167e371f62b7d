"""Many requests as one job: `client.map` and `client.gather`.

One task reads requests, one ahead, and lets each through the gate of a `Limiter` before it becomes a task of its own;
what is done waits for whoever iterates. So the source is read as fast as the server takes requests and the results
are taken, and memory holds no more than what is on its way and as much again. Further attempts pass the same gate,
before those that wait for their first: a refusal (429) stops everybody, and is not held against its request.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

import msgspec
from msgspec import structs
from typing_extensions import override

from aiopenai._base.aliases import is_mapping
from aiopenai._base.imports import import_in_thread
from aiopenai._base.sentinels import NotGiven
from aiopenai._calls.hedging import cancelled
from aiopenai._calls.request import Endpoint, Request
from aiopenai._data.codec import encode
from aiopenai._jobs.limiter import Grant, Limiter
from aiopenai.errors import APIConnectionError, APIError, APIStatusError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse
    from aiopenai._client.many import Many

__all__ = ["Line", "Result", "Tokens", "run_requests"]

T = TypeVar("T")
RequestT = TypeVar("RequestT")

Line: TypeAlias = Mapping[str, Any]
Source: TypeAlias = Iterable[RequestT] | AsyncIterable[RequestT]

# Refusals (429) that one request may meet before it counts as failed: whose limits others use too waits longer.
PATIENCE = 10

# Of the API's batches: what a line's `url` asks for, below /v1.
_REPLIES = {
    "/chat/completions": ("chat", "ChatCompletion"),
    "/completions": ("completions", "Completion"),
    "/embeddings": ("embeddings", "CreateEmbeddingResponse"),
    "/images/edits": ("images", "ImagesResponse"),
    "/images/generations": ("images", "ImagesResponse"),
    "/moderations": ("moderations", "ModerationCreateResponse"),
    "/responses": ("responses", "Response"),
    "/videos": ("videos", "Video"),
}
_endpoints: dict[str, Endpoint] = {}


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """The tokens that a reply says were read and written, by whichever names."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def read(self) -> int:
        """Tokens of the request."""
        read = self.prompt_tokens or self.input_tokens
        return read or max(0, (self.total_tokens or 0) - self.written)

    @property
    def written(self) -> int:
        """Tokens of the answer."""
        return self.completion_tokens or self.output_tokens or 0


class _Counted(msgspec.Struct, gc=False):
    usage: Tokens | None = None


class _Capped(msgspec.Struct, gc=False):
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    max_tokens: int | None = None


_read_usage = msgspec.json.Decoder(_Counted).decode
_read_caps = msgspec.json.Decoder(_Capped).decode


class Result(Generic[T]):
    """What became of one request of a job: `reply`, or the exception in `error`.

    - `index`: its place in the source, from 0; `request`: what the source had.
    - `attempts`: how many were made; 0 where it could not be sent at all.
    - `queued`: seconds from being read to the first attempt; `first_byte`: of the last attempt, until the reply's
      head; `total`: from the first attempt to the end, waits included. None where it did not come to that.
    - `usage`: the reply's.
    """

    __slots__ = ("attempts", "error", "first_byte", "index", "queued", "reply", "request", "total", "usage")

    def __init__(self, index: int, request: Request[T] | Line) -> None:
        self.index = index
        self.request = request
        self.reply: T | None = None
        self.error: Exception | None = None
        self.attempts = 0
        self.queued: float | None = None
        self.first_byte: float | None = None
        self.total: float | None = None
        self.usage: Any = None

    @property
    def ok(self) -> bool:
        """Whether there is a reply."""
        return self.error is None

    @property
    def custom_id(self) -> str | None:
        """The `custom_id` of a batch line."""
        return self.request.get("custom_id") if is_mapping(self.request) else None

    def unwrap(self) -> T:
        """The reply. Raises `error` where there is none."""
        if self.error is not None:
            raise self.error
        return cast("T", self.reply)

    @override
    def __repr__(self) -> str:
        what = "ok" if self.error is None else type(self.error).__name__
        return f"<Result {self.index} {what}, {self.attempts} attempts>"


def run_requests(
    client: Many,
    source: Any,
    limiter: Limiter,
    *,
    ordered: bool = False,
    policy: Any = None,
    read: Callable[[Any], Any] | None = None,
) -> AsyncGenerator[Result[Any], None]:
    """A job; see `AsyncOpenAI.map`. `policy` is the client's tenacity policy, if it has one.

    `read` makes of each raw response what is to be in `reply`, instead of parsing it; `usage` is `Tokens` then.
    """
    if not hasattr(source, "__aiter__") and not hasattr(source, "__iter__"):
        raise TypeError(f"requests must be an iterable or an async iterable, not {type(source).__name__}")
    return _Job(client, source, limiter, ordered, policy, read).results()


class _Call:
    """One request on its way."""

    __slots__ = ("cost", "grant", "refusals", "request", "result", "size")

    def __init__(self, result: Result[Any], request: Request[Any]) -> None:
        self.result = result
        self.request = request
        self.size = len(request.content) if isinstance(request.content, bytes) else 0
        self.cost = 0.0
        self.refusals = 0
        self.grant: Grant | None = None


class _Job:
    def __init__(
        self,
        client: Many,
        source: Any,
        limiter: Limiter,
        ordered: bool,
        policy: Any,
        read: Callable[[Any], Any] | None,
    ) -> None:
        self._client = client
        self._source = source
        self._limiter = limiter
        self._policy = policy
        self._read = read
        self._tasks: dict[asyncio.Task[None], _Call] = {}
        self._pulled = self._given = 0
        self._room = 2 * int(limiter.window.bound)
        self._ready: deque[Result[Any]] = deque()
        # Results that came before their turn, by index.
        self._early: dict[int, Result[Any]] | None = {} if ordered else None
        self._failure: Exception | None = None
        self._fed = False
        # What the consumer and the feeder wait for: news, and room for more.
        self._news: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None

    async def results(self) -> AsyncGenerator[Result[Any], None]:
        loop = asyncio.get_running_loop()
        feeder = loop.create_task(self._feed())
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
            await cancelled([feeder, *self._tasks])
        if self._failure is not None:
            raise self._failure

    async def _feed(self) -> None:
        try:
            if hasattr(self._source, "__aiter__"):
                async for item in self._source:
                    await self._begin(item)
            else:
                for item in self._source:
                    await self._begin(item)
        except Exception as error:
            # The source's own: what was read before is still delivered.
            self._failure = error
        finally:
            self._fed = True
            _wake(self._news)

    async def _begin(self, item: Any) -> None:
        """Send one request off, and wait until there is room for the next."""
        loop = asyncio.get_running_loop()
        read_at = loop.time()
        result: Result[Any] = Result(self._pulled, item)
        self._pulled += 1
        try:
            call = self._ready_to_send(item, result)
        except Exception as error:
            result.error = error
            self._deliver(result)
        else:
            call.grant = grant = await self._limiter.acquire(call.cost)
            result.queued = grant.at - read_at
            task = loop.create_task(self._finish(call))
            self._tasks[task] = call
            task.add_done_callback(self._ended)
        while self._pulled - self._given >= self._room:
            self._space = loop.create_future()
            await self._space

    def _ended(self, task: asyncio.Task[None]) -> None:
        grant = self._tasks.pop(task).grant
        if grant is not None:
            # Cancelled before its first step.
            self._limiter.release(grant)
        _wake(self._news)

    def _ready_to_send(self, item: Any, result: Result[Any]) -> _Call:
        """The request with its body encoded: once for all attempts. Raises TypeError and ValueError."""
        request: Request[Any] = cast("Any", item) if isinstance(item, Request) else _from_line(item)
        if request.stream:
            raise ValueError("a request with stream=True has no whole reply: a job cannot hold it")
        body = request.body
        is_json = body is not None and request.files is None and not request.endpoint.multipart
        if is_json and request.method != "GET":
            request = structs.replace(request, content=encode(body, request.endpoint.replay))
        call = _Call(result, request)
        if call.size:
            call.cost = self._limiter.estimate.of(call.size, _most(body if is_mapping(body) else request.content))
        return call

    async def _finish(self, call: _Call) -> None:
        result = call.result
        begun = call.grant.at if call.grant is not None else 0.0
        try:
            response = await self._attempts(call)
            if self._read is not None:
                result.reply = self._read(response)
            else:
                result.reply = response.parse()
                result.usage = getattr(result.reply, "usage", None)
        except Exception as error:
            result.error = error
        result.total = asyncio.get_running_loop().time() - begun
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

    async def _attempts(self, call: _Call) -> LegacyAPIResponse[Any]:
        try:
            return await self._attempt(call)
        except APIError as error:
            rules = await import_in_thread("aiopenai.retry")
            options = call.request.options
            retries = options.get("max_retries")
            retries = self._client.max_retries if retries is None or isinstance(retries, NotGiven) else retries
            policy = options.get("retry") or self._policy
            if policy is not None and error.replayable:
                return await self._by_policy(call, rules.policy(retries, policy), error)
            return await self._by_our_rules(call, rules, retries, error)

    async def _by_our_rules(
        self, call: _Call, rules: ModuleType, retries: int, error: APIError
    ) -> LegacyAPIResponse[Any]:
        while True:
            failures = call.result.attempts - call.refusals
            patient = retries and call.refusals <= PATIENCE and failures <= retries
            if not rules.worth_retrying(error) or not (patient if _is_refusal(error) else failures <= retries):
                raise error
            if not _is_refusal(error):
                await asyncio.sleep(rules.delay(error, failures))
            try:
                return await self._attempt(call)
            except APIError as again:
                error = again

    async def _by_policy(self, call: _Call, policy: Any, error: APIError) -> LegacyAPIResponse[Any]:
        """As a tenacity policy of the user's says, whose first attempt is the one that failed."""
        failed: APIError | None = error

        async def attempt() -> LegacyAPIResponse[Any]:
            nonlocal failed
            if failed is not None:
                first, failed = failed, None
                raise first
            return await self._attempt(call)

        return cast("LegacyAPIResponse[Any]", await policy(attempt))

    async def _attempt(self, call: _Call) -> LegacyAPIResponse[Any]:
        limiter, result = self._limiter, call.result
        grant, call.grant = call.grant, None
        if grant is None:
            grant = await limiter.acquire(call.cost, first=True)
        result.attempts += 1
        try:
            response = await self._client.attempt(call.request, taken=result.attempts - 1)
            result.first_byte = response.elapsed.total_seconds()
            limiter.replied(grant, response.headers, result.first_byte)
            result.usage = usage = _usage(response.content)
            if usage is not None:
                limiter.used(grant, call.size, usage.read, usage.written)
            return response
        except APIError as error:
            await self._report(call, grant, error)
            raise
        finally:
            limiter.release(grant)

    async def _report(self, call: _Call, grant: Grant, error: APIError) -> None:
        """Tell the limiter what an error says about the load."""
        limiter = self._limiter
        rules = await import_in_thread("aiopenai.retry")
        if not rules.worth_retrying(error):
            limiter.tokens.correct(grant.cost, 0.0)
        elif _is_refusal(error):
            call.refusals += 1
            headers: Mapping[str, str] = cast("APIStatusError", error).response.headers
            limiter.refused(grant, headers, rules.delay(error, call.refusals))
        else:
            limiter.failed(grant)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _is_refusal(error: APIError) -> bool:
    """Whether the server says that it was too much, and not that something is broken."""
    if isinstance(error, APIConnectionError) or not isinstance(error, APIStatusError):
        return False
    return error.status_code == 429 or (error.status_code == 503 and error.retry_after is not None)


def _usage(content: bytes) -> Tokens | None:
    try:
        return _read_usage(content).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _most(body: Any) -> int | None:
    """The limit that a body sets to its answer's tokens."""
    if isinstance(body, bytes):
        try:
            caps = _read_caps(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return caps.max_completion_tokens or caps.max_output_tokens or caps.max_tokens
    most = body.get("max_completion_tokens") or body.get("max_output_tokens") or body.get("max_tokens")
    return most if isinstance(most, int) else None


def endpoint_of(method: str, url: str) -> Endpoint:
    """The endpoint of a batch line; a reply of one that batches do not know is plain JSON.

    Raises ValueError for an absolute URL, which is not the business of whoever has the key.
    """
    path = url.removeprefix("/v1")
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"url must be a path such as /v1/chat/completions, not {url!r}")
    key = f"{method} {path}"
    found = _endpoints.get(key)
    if found is None:
        reply: Any = object
        if method == "POST" and path in _REPLIES:
            module, name = _REPLIES[path]
            reply = getattr(importlib.import_module(f"aiopenai.types.{module}"), name)
        found = Endpoint(method=method, path=path, reply=reply)
        if len(_endpoints) < 1_000:
            _endpoints[key] = found
    return found


def _from_line(line: Any) -> Request[Any]:
    if not is_mapping(line):
        raise TypeError(f"a job takes requests and lines of a batch file, not {type(line).__name__}")
    url, method = line.get("url"), line.get("method", "POST")
    if not isinstance(url, str) or not isinstance(method, str):
        raise ValueError("a line needs a `url`, and a `method` that is a string")
    endpoint = endpoint_of(method, url)
    return Request(endpoint=endpoint, path=endpoint.path, body=line.get("body"))
