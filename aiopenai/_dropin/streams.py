"""The streams of drop-in mode, whose iterators tracers replace or wrap."""

# Frameworks call and replace members that are not public.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

from typing_extensions import override

from aiopenai._calls.streaming import AsyncStream as NativeAsyncStream
from aiopenai._calls.streaming import Stream as NativeStream

__all__ = ["AsyncStream", "Stream"]

T = TypeVar("T")


class AsyncStream(NativeAsyncStream[T], Generic[T]):
    """The async client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    yields_structs = False

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._iterator: AsyncIterator[Any] = self.__stream__()

    def __stream__(self) -> AsyncIterator[Any]:
        return NativeAsyncStream.__aiter__(self)

    @override
    def __aiter__(self) -> Any:
        return self._iterator.__aiter__()

    @override
    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()


class Stream(NativeStream[T], Generic[T]):
    """The blocking client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    yields_structs = False

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._iterator: Iterator[Any] = self.__stream__()

    def __stream__(self) -> Iterator[Any]:
        return NativeStream.__iter__(self)

    @override
    def __iter__(self) -> Any:
        return iter(self._iterator)

    @override
    def __next__(self) -> Any:
        return next(self._iterator)
