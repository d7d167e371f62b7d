"""The blocking client: the asynchronous one, run on private event loops (runner.py) instead of the caller's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from typing_extensions import Self, Unpack, override

from aiopenai._calls.methods import Blocking, BlockingRaw, BlockingStreaming, Mode
from aiopenai._calls.paging import blocking
from aiopenai._calls.raw import APIResponse, LegacyAPIResponse
from aiopenai._calls.request import Request
from aiopenai._client.client import BaseClient
from aiopenai._client.loops import Lease, Runners
from aiopenai._client.many import GatherOptions, Many, MapOptions
from aiopenai.resources import Resources

if TYPE_CHECKING:
    from aiopenai._jobs.bulk import Line, Result, Source

__all__ = ["Client", "OpenAI"]

T = TypeVar("T")


class OpenAI(BaseClient[Blocking]):
    __doc__ = BaseClient.__doc__

    mode = Blocking

    @override
    def _check_wiring(self, http_client: Any, connector: Any) -> None:
        if http_client is not None or not (connector is None or callable(connector)):
            what = "http_client" if http_client is not None else "connector"
            raise TypeError(
                f"{what} belongs to one event loop, and this client runs loops of its own: give connector=a function "
                "that makes one for each, or proxy, ssl, trust_env; or use AsyncOpenAI"
            )

    @property
    def with_raw_response(self) -> Resources[BlockingRaw]:
        """The same resources, answering with headers: `LegacyAPIResponse`."""
        return Resources[BlockingRaw](self, BlockingRaw)

    @property
    def with_streaming_response(self) -> Resources[BlockingStreaming]:
        """The same resources, answering before the body is read: `APIResponse`, as a context manager."""
        return Resources[BlockingStreaming](self, BlockingStreaming)

    @override
    def caller(self, mode: type[Mode]) -> Callable[[Request[Any]], Any]:
        callers: dict[type[Mode], Callable[[Request[Any]], Any]] = {
            Blocking: self.send,
            BlockingRaw: self._send_raw,
            BlockingStreaming: self._send_streaming,
        }
        return callers.get(mode) or super().caller(mode)

    @override
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, on one of the client's own event loops."""
        return self._runners.run(coroutine)

    def send(self, request: Request[T]) -> T:
        """Send a request and give its reply: what a resource method does, for a request made with `.request(...)`.

        Raises APIStatusError, APIConnectionError, APITimeoutError, APIResponseValidationError, each after what
        attempts are due.
        """
        if request.stream:
            return cast("T", self._leased(request, self.perform))
        return self._runners.run(self.perform(request, None, _kind(request)))

    def _send_raw(self, request: Request[Any]) -> LegacyAPIResponse[Any]:
        if request.stream:
            return cast("LegacyAPIResponse[Any]", self._leased(request, self.perform_raw))
        return self._runners.run(self.perform_raw(request, None, _kind(request)))

    def _send_streaming(self, request: Request[Any]) -> AbstractContextManager[APIResponse[Any]]:
        return _Streaming(self, request)

    def open_blocking(self, request: Request[Any]) -> APIResponse[Any]:
        """Send a request and give its reply with the body unread."""
        lease = self._runners.lease()
        try:
            return APIResponse(lease.run(self.open_response(request, lease, _kind(request))), lease)
        except BaseException:
            lease.release()
            raise

    def _leased(self, request: Request[Any], send: Callable[[Request[Any], Lease], Coroutine[Any, Any, Any]]) -> Any:
        """The loop stays with the stream."""
        lease = self._runners.lease()
        try:
            return lease.run(send(request, lease))
        except BaseException:
            lease.release()
            raise

    @overload
    def map(self, requests: Source[Request[T]], **options: Unpack[MapOptions]) -> Iterator[Result[T]]: ...
    @overload
    def map(
        self, requests: Source[Request[Any] | Line] | Source[Line], **options: Unpack[MapOptions]
    ) -> Iterator[Result[Any]]: ...
    def map(self, requests: Any, **options: Unpack[MapOptions]) -> Iterator[Result[Any]]:
        """Send many requests, and give each one's `Result` when it is there: see `AsyncOpenAI.map`.

        Requests are on their way while the next result is waited for; ending the iteration cancels them.
        """
        return self._iterate(Many.map(cast("Any", self), requests, **options))

    @overload
    def gather(self, requests: Source[Request[T]], **options: Unpack[GatherOptions]) -> list[Result[T]]: ...
    @overload
    def gather(
        self, requests: Source[Request[Any] | Line] | Source[Line], **options: Unpack[GatherOptions]
    ) -> list[Result[Any]]: ...
    def gather(self, requests: Any, **options: Unpack[GatherOptions]) -> list[Result[Any]]:
        """The results of all requests, in their order; see `map`."""
        return sorted(self.map(requests, **options), key=lambda result: result.index)

    def _iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """What an async generator yields, on a loop that is kept for it."""
        lease = self._runners.lease()
        try:
            yield from lease.iterate(items)
        finally:
            lease.release()

    @property
    def _runners(self) -> Runners:
        shared = self._sessions
        if shared.runners is None:
            shared.runners = Runners()
        return shared.runners

    def close(self) -> None:
        """Close the connections, also those that copies of this client use."""
        self._sessions.closed = True
        # Each loop closes its own session when it ends; those of open streams do so when these end.
        self._runners.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Streaming:
    """The context manager of a reply whose body is not read yet."""

    def __init__(self, client: OpenAI, request: Request[Any]) -> None:
        self._client = client
        self._request = request
        self._response: APIResponse[Any] | None = None

    def __enter__(self) -> APIResponse[Any]:
        self._response = self._client.open_blocking(self._request)
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()


def _kind(request: Request[Any]) -> Any:
    """The type of a list's pages, which are walked differently here; else the request's own."""
    return None if request.endpoint.page is None else blocking(request.endpoint.reply)


Client = OpenAI
