"""The blocking client: a thin shell that runs the coroutines of the base client on event loops of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_origin, overload

from msgspec import structs
from typing_extensions import Self, Unpack, override

from aiopenai._calls.raw import APIResponse, LegacyAPIResponse
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.shared_sessions import SharedSessions
from aiopenai._calls.streaming import Stream
from aiopenai._client.base import BaseClient
from aiopenai._client.loops import Lease, Runners
from aiopenai._client.many import GatherOptions, Many, MapOptions
from aiopenai._client.sending import is_stream_class, split_stream
from aiopenai._client.verbs import Verbs
from aiopenai.resources import Resources

if TYPE_CHECKING:
    from aiopenai._jobs.items import BatchLine
    from aiopenai._jobs.job import RequestSource
    from aiopenai._jobs.result import Result

__all__ = ["Client", "OpenAI"]

T = TypeVar("T")


class _BlockingSessions(SharedSessions):
    """The sessions that a blocking client and its copies share, and the event loops on which these run."""

    def __init__(self, wiring: dict[str, Any]) -> None:
        # Before the sessions, so that it is collected first: sessions close with their loop.
        self.runners: Runners | None = None
        super().__init__(wiring)


class OpenAI(BaseClient, Verbs, Resources):
    __doc__ = BaseClient.__doc__

    _sessions_type = _BlockingSessions
    _sessions: _BlockingSessions

    @override
    def _check_wiring(self, http_client: Any, connector: Any) -> None:
        if http_client is not None or not (connector is None or callable(connector)):
            name = "http_client" if http_client is not None else "connector"
            raise TypeError(
                f"{name} belongs to one event loop, and this client runs loops of its own: pass as connector a "
                "function that returns one for each loop, or pass proxy, ssl and trust_env, or use AsyncOpenAI"
            )

    @override
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end, on one of the client's own event loops."""
        return self._runners.run(coroutine)

    def send(self, request: Request[T]) -> T:
        """Sends a request that `resource.method.request(...)` made, and returns the reply as the method does.

        Raises APIStatusError, APIConnectionError, APITimeoutError and APIResponseValidationError, each after as many
        attempts as are due.
        """
        request = _blocking_form(request)
        if request.stream:
            # Without a name for the stream: an error of the connection that waits in the idle loop keeps this frame.
            return _held(*self._leased(self.perform(request)))
        if not self._may_share(request):
            return self._runners.run(self.perform(request))
        call = self._prepare(request)
        reply, raw, _ = self._runners.share(self._attempts.run(call, read=True))
        return cast("T", self._parse(request, reply, raw or b""))

    def send_raw(self, request: Request[Any]) -> LegacyAPIResponse[Any]:
        """Sends a request and returns its reply with the headers."""
        request = _blocking_form(request)
        if not request.stream:
            if not self._may_share(request):
                return self._runners.run(self.perform_raw(request))
            call = self._prepare(request)
            return self._unparsed(call, *self._runners.share(self._attempts.run(call, read=True)))
        response, lease = self._leased(self.perform_raw(request))
        response.change_parsed(lambda value: _held(value, lease))
        return response

    def open_blocking(self, request: Request[Any]) -> APIResponse[Any]:
        """Sends a request and returns its reply with the body unread."""
        response, lease = self._leased(self.open_response(_blocking_form(request)))
        return APIResponse(response, lease, lambda value: _held(value, lease))

    def _may_share(self, request: Request[Any]) -> bool:
        """Returns whether the attempts of a call run no code of the program, which may depend on its thread."""
        wiring = self._sessions.wiring
        return not (
            self._hooks is not None
            or request.content is not None
            or request.files is not None
            or request.endpoint.multipart
            or "retry" in request.options
            or self._configuration.retry is not None
            or self._provider.authorizes
            or wiring["connector"] is not None
            or wiring["http_client"] is not None
            or wiring.get("plain_client") is not None
        )

    def _leased(self, coroutine: Coroutine[Any, Any, T]) -> tuple[T, Lease]:
        """Returns a coroutine's result and the loop that has run it, which the result goes on using."""
        lease = self._runners.lease()
        try:
            return lease.run(coroutine), lease
        except BaseException:
            lease.release()
            raise

    @overload
    def map(self, requests: RequestSource[Request[T]], **options: Unpack[MapOptions]) -> Iterator[Result[T]]: ...
    @overload
    def map(
        self,
        requests: RequestSource[Request[Any] | BatchLine] | RequestSource[BatchLine],
        **options: Unpack[MapOptions],
    ) -> Iterator[Result[Any]]: ...
    def map(self, requests: Any, **options: Unpack[MapOptions]) -> Iterator[Result[Any]]:
        """Sends many requests, and yields each one's `Result` as it arrives; see `AsyncOpenAI.map`.

        Requests are in flight while the program waits for the next result. The end of the iteration cancels them.
        """
        return self._iterate(Many.map(cast("Any", self), requests, **options))

    @overload
    def gather(self, requests: RequestSource[Request[T]], **options: Unpack[GatherOptions]) -> list[Result[T]]: ...
    @overload
    def gather(
        self,
        requests: RequestSource[Request[Any] | BatchLine] | RequestSource[BatchLine],
        **options: Unpack[GatherOptions],
    ) -> list[Result[Any]]: ...
    def gather(self, requests: Any, **options: Unpack[GatherOptions]) -> list[Result[Any]]:
        """Returns the results of all requests, in their order; see `map`."""
        return sorted(self.map(requests, **options), key=lambda result: result.index)

    def _iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, on a loop that it holds."""
        lease = self._runners.lease()
        try:
            yield from lease.iterate(items)
        finally:
            lease.release()

    @property
    def _runners(self) -> Runners:
        sessions = self._sessions
        if sessions.runners is None:
            sessions.runners = Runners()
        return sessions.runners

    def close(self) -> None:
        """Closes the connections, also those that copies of this client use, and a client of httpx below it."""
        self._sessions.closed = True
        try:
            # Each loop closes its own session when it ends. A loop that a stream holds ends with the stream.
            self._runners.close()
        finally:
            if (client := self._sessions.httpx_client) is not None:
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _blocking_form(request: Request[T]) -> Request[T]:
    """Returns a request for a reply of the blocking kind: its pages and its stream are read without `await`."""
    endpoint = request.endpoint
    if endpoint.page is None and not request.stream:
        return request
    return structs.replace(request, endpoint=_blocking_endpoint(endpoint))


@lru_cache(maxsize=1024)
def _blocking_endpoint(endpoint: Endpoint) -> Endpoint:
    changes: dict[str, Any] = {}
    if endpoint.page is not None and hasattr(get_origin(endpoint.reply) or endpoint.reply, "__aiter__"):
        from aiopenai._calls.paging import blocking

        changes["reply"] = blocking(endpoint.reply)
    stream_class, event = split_stream(endpoint.event)
    if stream_class is None:
        changes["event"] = cast("Any", Stream)[Any if event is None else event]
    elif (twin := getattr(stream_class, "blocking_class", None)) is not None:
        changes["event"] = twin[event]
    return structs.replace(endpoint, **changes)


def _held(value: T, lease: Lease) -> T:
    """Returns a parsed value; a stream reads on the loop that it holds."""
    if is_stream_class(type(value)):
        cast("Any", value).lease = lease
    return value


Client = OpenAI
