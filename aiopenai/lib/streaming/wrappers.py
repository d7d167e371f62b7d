"""The two forms of a stream of events: one wrapper for each client around logic that is independent of both.

The logic is a function from one item of the raw stream to the events that it causes. The wrappers iterate, close, and
read to the end. The managers send the request when their block is entered, and close the stream when it is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from aiopenai._calls.request import Request
from aiopenai._http.messages import HTTPResponse

__all__ = ["AsyncEventIterator", "AsyncStreamManager", "EventIterator", "StreamManager", "managed_by", "with_headers"]

EventT = TypeVar("EventT")
StreamT = TypeVar("StreamT")


class _EventSource(Generic[EventT]):
    """The part that both iterators share."""

    def __init__(self, raw_stream: Any, handle: Callable[[Any], Sequence[EventT]]) -> None:
        self._raw_stream = raw_stream
        self._handle = handle
        self._ready: Iterator[EventT] = iter(())

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`."""
        response: HTTPResponse = self._raw_stream.response
        return response


class EventIterator(_EventSource[EventT]):
    """An iterator over the events that a stream causes, and a context manager that closes it."""

    def __iter__(self) -> Iterator[EventT]:
        while True:
            # Without a Python call for each event.
            yield from self._ready
            try:
                self._ready = iter(self._handle(next(self._raw_stream)))
            except StopIteration:
                return

    def __next__(self) -> EventT:
        while True:
            # The first turn of a `for` is the quickest way to take the next item of an iterator.
            for event in self._ready:
                return event
            self._ready = iter(self._handle(next(self._raw_stream)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        self._ready = iter(())
        self._raw_stream.close()

    def until_done(self) -> Self:
        """Reads the stream to its end."""
        self._ready = iter(())
        for received in self._raw_stream:
            self._handle(received)
        return self


class AsyncEventIterator(_EventSource[EventT]):
    """An async iterator over the events that a stream causes, and an async context manager that closes it."""

    def __aiter__(self) -> AsyncIterator[EventT]:
        return self

    async def __anext__(self) -> EventT:
        while True:
            for event in self._ready:
                return event
            self._ready = iter(self._handle(await self._raw_stream.__anext__()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drops the connection at once, unless the stream has come to its end."""
        self._ready = iter(())
        await self._raw_stream.close()

    aclose = close

    async def until_done(self) -> Self:
        """Reads the stream to its end."""
        self._ready = iter(())
        async for received in self._raw_stream:
            self._handle(received)
        return self


class StreamManager(Generic[StreamT]):
    """Sends the request when its block is entered, and closes the stream when it is left."""

    def __init__(self, api_request: Callable[[], Any], wrap: Callable[[Any], StreamT]) -> None:
        self._api_request = api_request
        self._wrap = wrap
        self._raw_stream: Any = None

    def __enter__(self) -> StreamT:
        self._raw_stream = self._api_request()
        return self._wrap(self._raw_stream)

    def __exit__(self, *_: object) -> None:
        if self._raw_stream is not None:
            self._raw_stream.close()


class AsyncStreamManager(Generic[StreamT]):
    """Sends the request when its block is entered, and closes the stream when it is left."""

    def __init__(self, api_request: Awaitable[Any], wrap: Callable[[Any], StreamT]) -> None:
        self._api_request = api_request
        self._wrap = wrap
        self._raw_stream: Any = None

    async def __aenter__(self) -> StreamT:
        self._raw_stream = await self._api_request
        return self._wrap(self._raw_stream)

    async def __aexit__(self, *_: object) -> None:
        if self._raw_stream is not None:
            await self._raw_stream.close()


def managed_by(
    resource: Any, request: Request[Any], manager: Callable[..., Any], async_manager: Callable[..., Any], **options: Any
) -> Any:
    """Returns the manager of a request's stream that belongs to the resource's client.

    The blocking manager takes a function that sends the request, the other one an awaitable.
    """
    if resource._blocking:
        return manager(lambda: resource._call(request), **options)
    return async_manager(resource._call(request), **options)


def with_headers(request: Request[Any], headers: Mapping[str, str]) -> Request[Any]:
    """Adds headers that name the method a request comes from. Headers of the caller win."""
    given = {name.lower() for name in request.headers or ()}
    added = {name: value for name, value in headers.items() if name.lower() not in given}
    request.headers = {**added, **(request.headers or {})}
    return request
