"""What a resource's methods look like to type checkers: how each kind is called, and what it gives, per mode.

Never imported at run time: there the methods are plain functions (endpoint.py).
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from aiopenai._calls.raw import APIResponse, AsyncAPIResponse, LegacyAPIResponse
from aiopenai._calls.request import Request
from aiopenai._calls.streaming import AsyncStream, Stream

P = ParamSpec("P")
PlainP = ParamSpec("PlainP")
StreamingP = ParamSpec("StreamingP")
EitherP = ParamSpec("EitherP")
T = TypeVar("T")
EventT = TypeVar("EventT")
P1 = ParamSpec("P1")
T1 = TypeVar("T1")
P2 = ParamSpec("P2")
T2 = TypeVar("T2")
P3 = ParamSpec("P3")
T3 = TypeVar("T3")
P4 = ParamSpec("P4")
T4 = TypeVar("T4")
P5 = ParamSpec("P5")
T5 = TypeVar("T5")
P6 = ParamSpec("P6")
T6 = TypeVar("T6")
P7 = ParamSpec("P7")
T7 = TypeVar("T7")


class AsyncMethod(Protocol[P, T]):
    """A method of the async client; `request(...)` makes its request without sending it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...
    def request(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]: ...


class AsyncStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """A method of the async client that streams with `stream=True`."""

    @overload
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> Coroutine[Any, Any, T]: ...
    @overload
    def __call__(
        self, *args: StreamingP.args, **kwargs: StreamingP.kwargs
    ) -> Coroutine[Any, Any, AsyncStream[EventT]]: ...
    @overload
    def __call__(
        self, *args: EitherP.args, **kwargs: EitherP.kwargs
    ) -> Coroutine[Any, Any, T | AsyncStream[EventT]]: ...
    @overload
    def request(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> Request[T]: ...
    @overload
    def request(self, *args: StreamingP.args, **kwargs: StreamingP.kwargs) -> Request[AsyncStream[EventT]]: ...
    @overload
    def request(self, *args: EitherP.args, **kwargs: EitherP.kwargs) -> Request[T | AsyncStream[EventT]]: ...


class AsyncRawStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """The same, with the reply's headers."""

    @overload
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T]]: ...
    @overload
    def __call__(
        self, *args: StreamingP.args, **kwargs: StreamingP.kwargs
    ) -> Coroutine[Any, Any, LegacyAPIResponse[AsyncStream[EventT]]]: ...
    @overload
    def __call__(
        self, *args: EitherP.args, **kwargs: EitherP.kwargs
    ) -> Coroutine[Any, Any, LegacyAPIResponse[T | AsyncStream[EventT]]]: ...


class AsyncStreamingStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """The same, as context managers of the reply."""

    @overload
    def __call__(
        self, *args: PlainP.args, **kwargs: PlainP.kwargs
    ) -> AbstractAsyncContextManager[AsyncAPIResponse[T]]: ...
    @overload
    def __call__(
        self, *args: StreamingP.args, **kwargs: StreamingP.kwargs
    ) -> AbstractAsyncContextManager[AsyncAPIResponse[AsyncStream[EventT]]]: ...
    @overload
    def __call__(
        self, *args: EitherP.args, **kwargs: EitherP.kwargs
    ) -> AbstractAsyncContextManager[AsyncAPIResponse[T | AsyncStream[EventT]]]: ...


class AsyncChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """A method of the async client whose reply depends on an argument."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> Coroutine[Any, Any, T1]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> Coroutine[Any, Any, T2]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> Coroutine[Any, Any, T3]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> Coroutine[Any, Any, T4]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> Coroutine[Any, Any, T5]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> Coroutine[Any, Any, T6]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> Coroutine[Any, Any, T7]: ...
    @overload
    def request(self, *args: P1.args, **kwargs: P1.kwargs) -> Request[T1]: ...
    @overload
    def request(self, *args: P2.args, **kwargs: P2.kwargs) -> Request[T2]: ...
    @overload
    def request(self, *args: P3.args, **kwargs: P3.kwargs) -> Request[T3]: ...
    @overload
    def request(self, *args: P4.args, **kwargs: P4.kwargs) -> Request[T4]: ...
    @overload
    def request(self, *args: P5.args, **kwargs: P5.kwargs) -> Request[T5]: ...
    @overload
    def request(self, *args: P6.args, **kwargs: P6.kwargs) -> Request[T6]: ...
    @overload
    def request(self, *args: P7.args, **kwargs: P7.kwargs) -> Request[T7]: ...


class AsyncRawChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """The same, with the reply's headers."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T1]]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T2]]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T3]]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T4]]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T5]]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T6]]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> Coroutine[Any, Any, LegacyAPIResponse[T7]]: ...


class AsyncStreamingChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """The same, as context managers of the reply."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T1]]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T2]]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T3]]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T4]]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T5]]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T6]]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> AbstractAsyncContextManager[AsyncAPIResponse[T7]]: ...


class BlockingMethod(Protocol[P, T]):
    """A method of the blocking client; `request(...)` makes its request without sending it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T: ...
    def request(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]: ...


class BlockingStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """A method of the blocking client that streams with `stream=True`."""

    @overload
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> T: ...
    @overload
    def __call__(self, *args: StreamingP.args, **kwargs: StreamingP.kwargs) -> Stream[EventT]: ...
    @overload
    def __call__(self, *args: EitherP.args, **kwargs: EitherP.kwargs) -> T | Stream[EventT]: ...
    @overload
    def request(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> Request[T]: ...
    @overload
    def request(self, *args: StreamingP.args, **kwargs: StreamingP.kwargs) -> Request[Stream[EventT]]: ...
    @overload
    def request(self, *args: EitherP.args, **kwargs: EitherP.kwargs) -> Request[T | Stream[EventT]]: ...


class BlockingRawStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """The same, with the reply's headers."""

    @overload
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> LegacyAPIResponse[T]: ...
    @overload
    def __call__(self, *args: StreamingP.args, **kwargs: StreamingP.kwargs) -> LegacyAPIResponse[Stream[EventT]]: ...
    @overload
    def __call__(self, *args: EitherP.args, **kwargs: EitherP.kwargs) -> LegacyAPIResponse[T | Stream[EventT]]: ...


class BlockingStreamingStreamed(Protocol[PlainP, StreamingP, EitherP, T, EventT]):
    """The same, as context managers of the reply."""

    @overload
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> AbstractContextManager[APIResponse[T]]: ...
    @overload
    def __call__(
        self, *args: StreamingP.args, **kwargs: StreamingP.kwargs
    ) -> AbstractContextManager[APIResponse[Stream[EventT]]]: ...
    @overload
    def __call__(
        self, *args: EitherP.args, **kwargs: EitherP.kwargs
    ) -> AbstractContextManager[APIResponse[T | Stream[EventT]]]: ...


class BlockingChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """A method of the blocking client whose reply depends on an argument."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> T1: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> T2: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> T3: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> T4: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> T5: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> T6: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> T7: ...
    @overload
    def request(self, *args: P1.args, **kwargs: P1.kwargs) -> Request[T1]: ...
    @overload
    def request(self, *args: P2.args, **kwargs: P2.kwargs) -> Request[T2]: ...
    @overload
    def request(self, *args: P3.args, **kwargs: P3.kwargs) -> Request[T3]: ...
    @overload
    def request(self, *args: P4.args, **kwargs: P4.kwargs) -> Request[T4]: ...
    @overload
    def request(self, *args: P5.args, **kwargs: P5.kwargs) -> Request[T5]: ...
    @overload
    def request(self, *args: P6.args, **kwargs: P6.kwargs) -> Request[T6]: ...
    @overload
    def request(self, *args: P7.args, **kwargs: P7.kwargs) -> Request[T7]: ...


class BlockingRawChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """The same, with the reply's headers."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> LegacyAPIResponse[T1]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> LegacyAPIResponse[T2]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> LegacyAPIResponse[T3]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> LegacyAPIResponse[T4]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> LegacyAPIResponse[T5]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> LegacyAPIResponse[T6]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> LegacyAPIResponse[T7]: ...


class BlockingStreamingChosen(Protocol[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
    """The same, as context managers of the reply."""

    @overload
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> AbstractContextManager[APIResponse[T1]]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> AbstractContextManager[APIResponse[T2]]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> AbstractContextManager[APIResponse[T3]]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> AbstractContextManager[APIResponse[T4]]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> AbstractContextManager[APIResponse[T5]]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> AbstractContextManager[APIResponse[T6]]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> AbstractContextManager[APIResponse[T7]]: ...
