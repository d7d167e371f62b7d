"""The two forms of a stream of events: one wrapper for each client around logic that is independent of both.

The logic is a function from one item of the raw stream to the events that it causes. The wrappers iterate, close, and
read to the end. The managers send the request when their block is entered, and close the stream when it is left.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MethodType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from aiopenai._base.aliases import is_mapping
from aiopenai._calls.methods import Call, description
from aiopenai._http.messages import HTTPResponse
from aiopenai.lib.streaming.foreign import async_native_stream, native_stream

__all__ = ["AsyncEventIterator", "AsyncStreamManager", "EventIterator", "StreamManager", "managed_by"]

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
        if not self._raw_stream.ended:
            for received in self._raw_stream:
                self._handle(received)
        return self


class AsyncEventIterator(_EventSource[EventT]):
    """An async iterator over the events that a stream causes, and an async context manager that closes it."""

    async def __aiter__(self) -> AsyncIterator[EventT]:
        # A generator costs two thirds of a coroutine for each event. All iterators of a stream share its events.
        for event in self._ready:
            yield event
        async for received in self._raw_stream:
            self._ready = ready = iter(self._handle(received))
            for event in ready:
                yield event

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
        if not self._raw_stream.ended:
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
        raw = self._api_request()
        self._raw_stream = native_stream(raw)
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
        raw = await self._api_request
        self._raw_stream = async_native_stream(raw)
        return self._wrap(self._raw_stream)

    async def __aexit__(self, *_: object) -> None:
        if self._raw_stream is not None:
            await self._raw_stream.close()


def managed_by(
    resource: Any,
    name: str,
    arguments: dict[str, Any],
    headers: Mapping[str, str],
    managers: tuple[Callable[..., Any], Callable[..., Any]],
    **options: Any,
) -> Any:
    """Returns the manager of the stream of the method `name`: the first one for the blocking client.

    The blocking manager takes a function that sends the request, the other one an awaitable. `headers` name the helper;
    headers of the caller win. If the method was replaced, the replacement is called with `stream=True`.
    """
    manager, async_manager = managers
    method = getattr(resource, name)
    described = description(method.__func__) if type(method) is MethodType else None
    if isinstance(described, Call) and described.name == name:
        request = described.build((), {**arguments, "stream": True})
        if headers:
            request.headers = _with_headers(headers, request.headers or {})
        # A client with other reply types has a function for requests whose replies stay Structs.
        send = partial(getattr(resource._client, "native_call", resource._call), request)
    else:
        given = arguments.get("extra_headers")
        # The method refuses values of another type itself.
        joined = _with_headers(headers, given or {}) if given is None or is_mapping(given) else given
        with_headers = {"extra_headers": joined} if joined else {}
        send = partial(method, **{**arguments, "stream": True, **with_headers})
    if resource._blocking:
        return manager(send, **options)
    sent = send()
    return async_manager(sent if inspect.isawaitable(sent) else _ready(sent), **options)


def _with_headers(headers: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    taken = {name.lower() for name in given}
    return {**{name: value for name, value in headers.items() if name.lower() not in taken}, **given}


async def _ready(stream: Any) -> Any:
    # A mock of an async method that is not an `AsyncMock` returns the stream itself.
    return stream
