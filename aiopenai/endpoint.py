"""What a resource method is: a description that turns arguments into a Request, and one way to send it per mode.

A resource class is written once and typed for all clients. Its methods are signatures under a decorator (`get`,
`post`, `cursor_page`, `streamed` ...). At run time the decorator makes a plain function that checks the names of the
arguments, builds the Request and hands it to the resource's mode; the keyword arguments that were given are the body,
as they are, in one dict. For type checkers it is a descriptor whose type depends on the mode of the resource:
`Resource[Async]` has coroutines, `Resource[AsyncRaw]` coroutines of raw replies, and so on. A ParamSpec carries the
arguments with their types; as it cannot carry overloads, `streamed` takes three signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from typing_extensions import Self

from aiopenai.arguments import Builder, CallOptions
from aiopenai.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncPaginator,
    AsyncTokenPage,
)
from aiopenai.request import Endpoint, Request

if TYPE_CHECKING:
    from aiopenai.response import APIResponse, AsyncAPIResponse
    from aiopenai.streaming import AsyncStream

__all__ = [
    "Async",
    "AsyncRaw",
    "AsyncStreaming",
    "Blocking",
    "BlockingRaw",
    "BlockingStreaming",
    "CallOptions",
    "M",
    "Resource",
    "View",
    "chosen",
    "conversation_cursor_page",
    "cursor_page",
    "delete",
    "events",
    "get",
    "next_cursor_page",
    "page",
    "patch",
    "post",
    "put",
    "streamed",
    "token_page",
]

P = ParamSpec("P")
PlainP = ParamSpec("PlainP")
StreamingP = ParamSpec("StreamingP")
EitherP = ParamSpec("EitherP")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
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


class Mode:
    """How a resource's methods answer."""

    blocking = False


class Async(Mode):
    """With coroutines of the parsed reply."""


class AsyncRaw(Mode):
    """With coroutines of the reply with its headers (`with_raw_response`)."""


class AsyncStreaming(Mode):
    """With context managers of the reply, its body not read yet (`with_streaming_response`)."""


class Blocking(Mode):
    """With the parsed reply itself."""

    blocking = True


class BlockingRaw(Blocking):
    """With the reply with its headers."""


class BlockingStreaming(Blocking):
    """With context managers of the reply, its body not read yet."""


M = TypeVar("M", bound=Mode)


class Caller(Protocol):
    """What a resource needs of its client."""

    def caller(self, mode: type[Mode]) -> Callable[[Request[Any]], Any]:
        """The function that sends a request in the given mode."""
        ...


class Resource(Generic[M]):
    """A group of endpoints; a resource below another has the same client and mode."""

    def __init__(self, parent: Resource[Any], mode: type[Mode] | None = None) -> None:
        self._bind(parent._client, mode or parent._mode)

    def _bind(self, client: Caller, mode: type[Mode]) -> None:
        self._client = client
        self._mode = mode
        self._call = client.caller(mode)

    def _list(self, request: Request[Any]) -> Any:
        """A list is not sent before it is awaited or iterated."""
        return cast("Any", AsyncPaginator)(self._client, request) if self._mode is Async else self._call(request)


class View(Generic[T_co]):
    """A resource again, in another mode: `with_raw_response` and `with_streaming_response`."""

    def __init__(self, mode: type[Mode]) -> None:
        self.mode = mode

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: Resource[Async], owner: type) -> T_co: ...
    def __get__(self, obj: Resource[Async] | None, owner: type) -> Any:
        return self if obj is None else type(obj)(obj, self.mode)


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
    def __call__(self, *args: PlainP.args, **kwargs: PlainP.kwargs) -> Coroutine[Any, Any, APIResponse[T]]: ...
    @overload
    def __call__(
        self, *args: StreamingP.args, **kwargs: StreamingP.kwargs
    ) -> Coroutine[Any, Any, APIResponse[AsyncStream[EventT]]]: ...
    @overload
    def __call__(
        self, *args: EitherP.args, **kwargs: EitherP.kwargs
    ) -> Coroutine[Any, Any, APIResponse[T | AsyncStream[EventT]]]: ...


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
    def __call__(self, *args: P1.args, **kwargs: P1.kwargs) -> Coroutine[Any, Any, APIResponse[T1]]: ...
    @overload
    def __call__(self, *args: P2.args, **kwargs: P2.kwargs) -> Coroutine[Any, Any, APIResponse[T2]]: ...
    @overload
    def __call__(self, *args: P3.args, **kwargs: P3.kwargs) -> Coroutine[Any, Any, APIResponse[T3]]: ...
    @overload
    def __call__(self, *args: P4.args, **kwargs: P4.kwargs) -> Coroutine[Any, Any, APIResponse[T4]]: ...
    @overload
    def __call__(self, *args: P5.args, **kwargs: P5.kwargs) -> Coroutine[Any, Any, APIResponse[T5]]: ...
    @overload
    def __call__(self, *args: P6.args, **kwargs: P6.kwargs) -> Coroutine[Any, Any, APIResponse[T6]]: ...
    @overload
    def __call__(self, *args: P7.args, **kwargs: P7.kwargs) -> Coroutine[Any, Any, APIResponse[T7]]: ...


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


if TYPE_CHECKING:

    class Method(Generic[P, T]):
        """A method with one kind of reply, as type checkers see it."""

        def request(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]: ...
        @overload
        def __get__(self, obj: None, owner: type) -> Method[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> AsyncMethod[P, T]: ...
        @overload
        def __get__(self, obj: Resource[AsyncRaw], owner: type) -> Callable[P, Coroutine[Any, Any, APIResponse[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[T]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Page(Generic[P, T]):
        """A list that comes whole, as type checkers see it; its kin below have their own page types."""

        @overload
        def __get__(self, obj: None, owner: type) -> Page[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> Callable[P, AsyncPaginator[T, AsyncPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, APIResponse[AsyncPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncPage[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class CursorPage(Generic[P, T]):
        """A list by the id of its last item."""

        @overload
        def __get__(self, obj: None, owner: type) -> CursorPage[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> Callable[P, AsyncPaginator[T, AsyncCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, APIResponse[AsyncCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncCursorPage[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class ConversationCursorPage(Generic[P, T]):
        """A list by `last_id`."""

        @overload
        def __get__(self, obj: None, owner: type) -> ConversationCursorPage[P, T]: ...
        @overload
        def __get__(
            self, obj: Resource[Async], owner: type
        ) -> Callable[P, AsyncPaginator[T, AsyncConversationCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, APIResponse[AsyncConversationCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncConversationCursorPage[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class NextCursorPage(Generic[P, T]):
        """A list by the cursor `next`."""

        @overload
        def __get__(self, obj: None, owner: type) -> NextCursorPage[P, T]: ...
        @overload
        def __get__(
            self, obj: Resource[Async], owner: type
        ) -> Callable[P, AsyncPaginator[T, AsyncNextCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, APIResponse[AsyncNextCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncNextCursorPage[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class TokenPage(Generic[P, T]):
        """A list by the page token `next`."""

        @overload
        def __get__(self, obj: None, owner: type) -> TokenPage[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> Callable[P, AsyncPaginator[T, AsyncTokenPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, APIResponse[AsyncTokenPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncTokenPage[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Streamed(Generic[PlainP, StreamingP, EitherP, T, EventT]):
        """A method that streams with `stream=True`, as type checkers see it."""

        @overload
        def __get__(self, obj: None, owner: type) -> Streamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        @overload
        def __get__(
            self, obj: Resource[Async], owner: type
        ) -> AsyncStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> AsyncRawStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> AsyncStreamingStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Chosen(Generic[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]):
        """A method whose reply depends on an argument, as type checkers see it."""

        @overload
        def __get__(self, obj: None, owner: type) -> Chosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        @overload
        def __get__(
            self, obj: Resource[Async], owner: type
        ) -> AsyncChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> AsyncRawChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> AsyncStreamingChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...


def _finish(method: Any, builder: Builder, signature: Any) -> Any:
    def request(*args: Any, **given: Any) -> Request[Any]:
        return builder.build(args, given)

    method.request = request
    # `inspect.signature` and `help` follow this to the real keyword arguments.
    method.__wrapped__ = signature
    method.__name__ = builder.name
    method.__qualname__ = f"{signature.__qualname__.rpartition('.')[0]}.{builder.name}"
    method.__module__ = signature.__module__
    method.__doc__ = signature.__doc__ or f"`{builder.endpoint.method} {builder.endpoint.path}`"
    return method


def _method(builder: Builder, signature: Any) -> Any:
    build = builder.build

    def method(self: Any, /, *args: Any, **given: Any) -> Any:
        return self._call(build(args, given))

    return _finish(method, builder, signature)


def _list_method(builder: Builder, signature: Any) -> Any:
    build = builder.build

    def method(self: Any, /, *args: Any, **given: Any) -> Any:
        return self._list(build(args, given))

    return _finish(method, builder, signature)


_FACTS = frozenset(
    {
        "query",
        "body",
        "files",
        "may_upload",
        "typed_parts",
        "sole_part",
        "header_params",
        "wire",
        "nested",
        "needs",
        "prepare",
    }
)


def _endpoint(
    make: Callable[[Builder, Any], Any], verb: str, path: str, facts: dict[str, Any], **kinds: Any
) -> Callable[[Any], Any]:
    building = {name: facts.pop(name) for name in _FACTS & facts.keys()}
    endpoint = Endpoint(method=verb, path=path, multipart="files" in building, **kinds, **facts)
    return lambda signature: make(Builder(signature, endpoint, name=signature.__name__, **building), signature)


def get(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`GET path`; see `Builder` and `request.Endpoint` for the facts."""
    return _endpoint(_method, "GET", path, facts, reply=reply)


def post(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`POST path`."""
    return _endpoint(_method, "POST", path, facts, reply=reply)


def put(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`PUT path`."""
    return _endpoint(_method, "PUT", path, facts, reply=reply)


def patch(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`PATCH path`."""
    return _endpoint(_method, "PATCH", path, facts, reply=reply)


def delete(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`DELETE path`."""
    return _endpoint(_method, "DELETE", path, facts, reply=reply)


def _paged(kind: Any, path: str, item: Any, facts: dict[str, Any]) -> Callable[[Any], Any]:
    verb = facts.pop("verb", "GET")
    return _endpoint(_list_method, verb, path, facts, reply=kind[item], page=kind)


def page(path: str, item: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Page[P, T]]:
    """A list that comes whole."""
    return _paged(AsyncPage, path, item, facts)


def cursor_page(path: str, item: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], CursorPage[P, T]]:
    """A list whose next page begins after the id of the last item."""
    return _paged(AsyncCursorPage, path, item, facts)


def conversation_cursor_page(
    path: str, item: Any, **facts: Any
) -> Callable[[Callable[Concatenate[Any, P], T]], ConversationCursorPage[P, T]]:
    """A list whose next page begins after `last_id`."""
    return _paged(AsyncConversationCursorPage, path, item, facts)


def next_cursor_page(
    path: str, item: Any, **facts: Any
) -> Callable[[Callable[Concatenate[Any, P], T]], NextCursorPage[P, T]]:
    """A list whose next page begins after the cursor `next`."""
    return _paged(AsyncNextCursorPage, path, item, facts)


def token_page(path: str, item: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], TokenPage[P, T]]:
    """A list whose next page is named by the token `next`."""
    return _paged(AsyncTokenPage, path, item, facts)


def streamed(
    verb: str,
    path: str,
    reply: type[T] | Any,
    event: type[EventT] | Any,
    plain: Callable[Concatenate[Any, PlainP], T],
    streaming: Callable[Concatenate[Any, StreamingP], EventT],
    either: Callable[Concatenate[Any, EitherP], Any],
    **facts: Any,
) -> Streamed[PlainP, StreamingP, EitherP, T, EventT]:
    """A method that gives `reply`, or with `stream=True` a stream of `event`; three signatures for the three uses."""
    building = {name: facts.pop(name) for name in _FACTS & facts.keys()}
    endpoint = Endpoint(method=verb, path=path, reply=reply, event=event, multipart="files" in building, **facts)
    signature: Any = plain
    builder = Builder(signature, endpoint, name=signature.__name__.removeprefix("_"), **building)
    method: Streamed[PlainP, StreamingP, EitherP, T, EventT] = _method(builder, signature)
    return method


def events(
    verb: str, path: str, event: Any, **facts: Any
) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, AsyncStream[T]]]:
    """A method that always gives a stream of `event`."""
    return _endpoint(_method, verb, path, facts, reply=None, event=event)


def chosen(
    verb: str,
    path: str,
    by: str,
    replies: Mapping[str, Any],
    event: Any,
    one: Callable[Concatenate[Any, P1], T1],
    two: Callable[Concatenate[Any, P2], T2],
    three: Callable[Concatenate[Any, P3], T3],
    four: Callable[Concatenate[Any, P4], T4],
    five: Callable[Concatenate[Any, P5], T5],
    six: Callable[Concatenate[Any, P6], T6],
    seven: Callable[Concatenate[Any, P7], T7],
    *,
    shown: Callable[..., Any],
    **facts: Any,
) -> Chosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]:
    """A method whose reply depends on its argument `by`: the first of `replies` where it is left out or unknown.

    The signatures are for type checkers, the most special ones first and the last one repeated until there are seven;
    `shown` is the one that the method has at run time. With `stream=True` it gives a stream of `event`, if not None.
    """
    building = {name: facts.pop(name) for name in _FACTS & facts.keys()}
    reply = next(iter(replies.values()))
    endpoint = Endpoint(method=verb, path=path, reply=reply, event=event, multipart="files" in building, **facts)
    name = shown.__name__.removeprefix("_").removesuffix("_any")
    builder = Builder(shown, endpoint, name=name, chosen_by=by, replies=replies, **building)
    method: Chosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7] = _method(builder, shown)
    return method
