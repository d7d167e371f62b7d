"""How streams of events are offered: one wrapper for each client around logic that knows of neither.

The logic is a function from what the stream brings to the events that this causes. The wrappers iterate, close and
wait for the end; the managers send the request when their block is entered and close the stream when it is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from aiopenai._calls.request import Request
from aiopenai._http.messages import HTTPResponse

__all__ = ["AsyncEvents", "AsyncManager", "Events", "Manager", "with_headers"]

EventT = TypeVar("EventT")
StreamT = TypeVar("StreamT")


class Events(Generic[EventT]):
    """An iterator over the events that a stream causes; also a context manager that closes it."""

    def __init__(self, raw_stream: Any, handle: Callable[[Any], Sequence[EventT]]) -> None:
        self._raw_stream = raw_stream
        self._handle = handle
        self._ready: Iterator[EventT] = iter(())

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`."""
        response: HTTPResponse = self._raw_stream.response
        return response

    def __iter__(self) -> Iterator[EventT]:
        while True:
            # Without a call of ours for each event.
            yield from self._ready
            try:
                self._ready = iter(self._handle(next(self._raw_stream)))
            except StopIteration:
                return

    def __next__(self) -> EventT:
        while True:
            # The first turn of a `for` is the quickest way to ask an iterator for what it has.
            for event in self._ready:
                return event
            self._ready = iter(self._handle(next(self._raw_stream)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        self._ready = iter(())
        self._raw_stream.close()

    def until_done(self) -> Self:
        """Read the stream to its end."""
        self._ready = iter(())
        for received in self._raw_stream:
            self._handle(received)
        return self


class AsyncEvents(Generic[EventT]):
    """An async iterator over the events that a stream causes; also an async context manager that closes it."""

    def __init__(self, raw_stream: Any, handle: Callable[[Any], Sequence[EventT]]) -> None:
        self._raw_stream = raw_stream
        self._handle = handle
        self._ready: Iterator[EventT] = iter(())

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`."""
        response: HTTPResponse = self._raw_stream.response
        return response

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
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        self._ready = iter(())
        await self._raw_stream.close()

    aclose = close

    async def until_done(self) -> Self:
        """Read the stream to its end."""
        self._ready = iter(())
        async for received in self._raw_stream:
            self._handle(received)
        return self


class Manager(Generic[StreamT]):
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


class AsyncManager(Generic[StreamT]):
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


def with_headers(request: Request[Any], headers: Mapping[str, str]) -> Request[Any]:
    """Add headers that say which method a request comes from; those that the caller gave win."""
    given = {name.lower() for name in request.headers or ()}
    added = {name: value for name, value in headers.items() if name.lower() not in given}
    request.headers = {**added, **(request.headers or {})}
    return request
