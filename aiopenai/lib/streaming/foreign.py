"""Streams of other makers, which tracers and mocks return in place of the client's own."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from typing_extensions import Self

from aiopenai._calls.streaming import AsyncStream, Events, Stream

__all__ = ["AsyncForeignStream", "ForeignStream", "async_native_stream", "native", "native_stream"]


class _Foreign:
    ended = False
    """Not known: an iterable that has ended yields nothing more."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def response(self) -> Any:
        """The reply's head. Raises AttributeError if the stream has none."""
        return self._stream.response


class ForeignStream(_Foreign):
    """Any iterable as a stream. Raises TypeError for an object that is not iterable."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        if not hasattr(stream, "__iter__"):
            raise _no_stream(stream, "an iterable")
        self._items: Iterator[Any] = iter(stream)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return native(next(self._items))

    def close(self) -> None:
        """Closes the stream, if it can be closed."""
        if (close := getattr(self._stream, "close", None)) is not None:
            close()


class AsyncForeignStream(_Foreign):
    """Any async iterable as a stream. Raises TypeError for an object that is not one."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        if not hasattr(stream, "__aiter__"):
            raise _no_stream(stream, "an async iterable")
        self._items: AsyncIterator[Any] = aiter(stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return native(await self._items.__anext__())

    async def close(self) -> None:
        """Closes the stream, if it can be closed."""
        # Async generators have `aclose` only. The `close` of some tracers is no coroutine function.
        close = getattr(self._stream, "close", None) or getattr(self._stream, "aclose", None)
        if close is not None and inspect.isawaitable(closing := close()):
            await closing


def native_stream(raw: Any) -> Any:
    """Returns a stream of the package's own types: the given one, or one that converts its items."""
    return raw if _yields_structs(raw, Stream) else ForeignStream(raw)


def async_native_stream(raw: Any) -> Any:
    """Returns `native_stream` for the async client."""
    return raw if _yields_structs(raw, AsyncStream) else AsyncForeignStream(raw)


def _yields_structs(raw: Any, kind: type[Events[Any]]) -> bool:
    return isinstance(raw, kind) and raw.yields_structs


def native(item: Any) -> Any:
    """Returns an item as the package's own type, where its class knows that."""
    convert: Any = getattr(cast("Any", type(item)), "__native__", None)
    return item if convert is None else convert(item)


def _no_stream(found: Any, wanted: str) -> TypeError:
    return TypeError(
        f"The stream helper received {type(found).__name__} instead of a stream. "
        f"A replaced method must return {wanted} for stream=True."
    )
