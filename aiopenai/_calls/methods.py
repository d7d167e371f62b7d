"""What a resource method is: a description that turns arguments into a Request, and one way to send it per mode.

A resource class is written once and typed for all clients. Its methods are signatures under a decorator (`get`,
`post`, `cursor_page`, `streamed` ...). At run time the decorator makes a plain function that checks the names of the
arguments, builds the Request and hands it to the resource's mode; the keyword arguments that were given are the body,
as they are, in one dict. For type checkers it is a descriptor whose type depends on the mode of the resource:
`Resource[Async]` has coroutines, `Resource[Blocking]` replies, `Resource[AsyncRaw]` coroutines of raw replies, and so
on (methods.py). A ParamSpec carries the arguments with their types; as it cannot carry overloads, `streamed` takes
three signatures. What is not one call (`helper`, `managed`, `plain`) names the function that does it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from typing_extensions import Self

from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.arguments import Builder, CallOptions, Signature, later
from aiopenai._calls.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncPaginator,
    AsyncTokenPage,
)
from aiopenai._calls.request import Endpoint, Request

if TYPE_CHECKING:
    from aiopenai._calls.method_types import (
        AsyncChosen,
        AsyncMethod,
        AsyncRawChosen,
        AsyncRawStreamed,
        AsyncStreamed,
        AsyncStreamingChosen,
        AsyncStreamingStreamed,
        BlockingChosen,
        BlockingMethod,
        BlockingRawChosen,
        BlockingRawStreamed,
        BlockingStreamed,
        BlockingStreamingChosen,
        BlockingStreamingStreamed,
    )
    from aiopenai._calls.paging import (
        SyncConversationCursorPage,
        SyncCursorPage,
        SyncNextCursorPage,
        SyncPage,
        SyncTokenPage,
    )
    from aiopenai._calls.raw import APIResponse, AsyncAPIResponse, LegacyAPIResponse
    from aiopenai._calls.streaming import AsyncStream, Stream

__all__ = [
    "Async",
    "AsyncRaw",
    "AsyncStreaming",
    "Blocking",
    "BlockingRaw",
    "BlockingStreaming",
    "Both",
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
    "helper",
    "managed",
    "next_cursor_page",
    "page",
    "patch",
    "plain",
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
AsyncT = TypeVar("AsyncT")
BlockingT = TypeVar("BlockingT")
AsyncT_co = TypeVar("AsyncT_co", covariant=True)
BlockingT_co = TypeVar("BlockingT_co", covariant=True)
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
F = TypeVar("F", bound=Callable[..., Any])


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


class Client(Protocol):
    """What a resource needs of its client."""

    @property
    def resources(self) -> Any:
        """The resources with coroutines, whatever the client: what helpers call."""
        ...

    def caller(self, mode: type[Mode]) -> Callable[[Request[Any]], Any]:
        """The function that sends a request in the given mode."""
        ...

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; a blocking client alone can."""
        ...


class Resource(Generic[M]):
    """A group of endpoints; a resource below another has the same client and mode."""

    def __init__(self, parent: Resource[Any], mode: type[Mode] | None = None) -> None:
        self._bind(parent._client, mode or parent._mode)

    def _bind(self, client: Client, mode: type[Mode]) -> None:
        self._client = client
        self._mode = mode
        self._call = client.caller(mode)

    def _list(self, request: Request[Any]) -> Any:
        """A list is not sent before it is awaited or iterated."""
        return cast("Any", AsyncPaginator)(self._client, request) if self._mode is Async else self._call(request)


class View(Generic[AsyncT_co, BlockingT_co]):
    """A resource again, in another mode: `with_raw_response` and `with_streaming_response`."""

    def __init__(self, mode: type[Mode], blocking: type[Mode]) -> None:
        self.mode = mode
        self.blocking = blocking

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: Resource[Async], owner: type) -> AsyncT_co: ...
    @overload
    def __get__(self, obj: Resource[Blocking], owner: type) -> BlockingT_co: ...
    def __get__(self, obj: Any, owner: type) -> Any:
        return self if obj is None else type(obj)(obj, self.blocking if obj._mode.blocking else self.mode)


class Both(Generic[AsyncT_co, BlockingT_co]):
    """What a method gives in the async client and in the blocking one; for type checkers alone."""


if TYPE_CHECKING:

    class Method(Generic[P, T]):
        """A method with one kind of reply, as type checkers see it."""

        def request(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]: ...
        @overload
        def __get__(self, obj: None, owner: type) -> Method[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> AsyncMethod[P, T]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[T]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> BlockingMethod[P, T]: ...
        @overload
        def __get__(self, obj: Resource[BlockingRaw], owner: type) -> Callable[P, LegacyAPIResponse[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[T]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Events(Generic[P, T]):
        """A method that always gives a stream, as type checkers see it."""

        @overload
        def __get__(self, obj: None, owner: type) -> Events[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> AsyncMethod[P, AsyncStream[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncRaw], owner: type
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncStream[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncStream[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> BlockingMethod[P, Stream[T]]: ...
        @overload
        def __get__(self, obj: Resource[BlockingRaw], owner: type) -> Callable[P, LegacyAPIResponse[Stream[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[Stream[T]]]]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Helper(Generic[P, T]):
        """A method that makes several calls, as type checkers see it."""

        @overload
        def __get__(self, obj: None, owner: type) -> Helper[P, T]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, T]: ...
        def __get__(self, obj: Any, owner: type) -> Any: ...

    class Managed(Generic[P, AsyncT, BlockingT]):
        """A method that gives one thing in the async client and another in the blocking one."""

        @overload
        def __get__(self, obj: None, owner: type) -> Managed[P, AsyncT, BlockingT]: ...
        @overload
        def __get__(self, obj: Resource[Async], owner: type) -> Callable[P, AsyncT]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, BlockingT]: ...
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
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncPage[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, SyncPage[T]]: ...
        @overload
        def __get__(self, obj: Resource[BlockingRaw], owner: type) -> Callable[P, LegacyAPIResponse[SyncPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[SyncPage[T]]]]: ...
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
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncCursorPage[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, SyncCursorPage[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> Callable[P, LegacyAPIResponse[SyncCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[SyncCursorPage[T]]]]: ...
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
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncConversationCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncConversationCursorPage[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, SyncConversationCursorPage[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> Callable[P, LegacyAPIResponse[SyncConversationCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[SyncConversationCursorPage[T]]]]: ...
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
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncNextCursorPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncNextCursorPage[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, SyncNextCursorPage[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> Callable[P, LegacyAPIResponse[SyncNextCursorPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[SyncNextCursorPage[T]]]]: ...
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
        ) -> Callable[P, Coroutine[Any, Any, LegacyAPIResponse[AsyncTokenPage[T]]]]: ...
        @overload
        def __get__(
            self, obj: Resource[AsyncStreaming], owner: type
        ) -> Callable[P, AbstractAsyncContextManager[AsyncAPIResponse[AsyncTokenPage[T]]]]: ...
        @overload
        def __get__(self, obj: Resource[Blocking], owner: type) -> Callable[P, SyncTokenPage[T]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> Callable[P, LegacyAPIResponse[SyncTokenPage[T]]]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> Callable[P, AbstractContextManager[APIResponse[SyncTokenPage[T]]]]: ...
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
        @overload
        def __get__(
            self, obj: Resource[Blocking], owner: type
        ) -> BlockingStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> BlockingRawStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> BlockingStreamingStreamed[PlainP, StreamingP, EitherP, T, EventT]: ...
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
        @overload
        def __get__(
            self, obj: Resource[Blocking], owner: type
        ) -> BlockingChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingRaw], owner: type
        ) -> BlockingRawChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
        @overload
        def __get__(
            self, obj: Resource[BlockingStreaming], owner: type
        ) -> BlockingStreamingChosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7]: ...
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


def _helped(signature: Any, where: str, call: Callable[[Callable[..., Any], Any, dict[str, Any]], Any]) -> Any:
    """A method whose body is the function at `where`, called with the resource and the arguments that were given."""
    names = Signature(signature, signature.__name__)
    body = later(where)

    def method(self: Any, /, *args: Any, **given: Any) -> Any:
        options = names.take(args, given)
        if self._mode not in (Async, Blocking):
            raise TypeError(f"{names.name}() makes several calls: there is no one reply of it to look at")
        given = {name: value for name, value in given.items() if not is_left_out(value)}
        return call(body, self, {**given, **(options or {})})

    method.__wrapped__ = signature  # type: ignore[attr-defined]
    method.__name__, method.__qualname__ = signature.__name__, signature.__qualname__
    method.__module__, method.__doc__ = signature.__module__, signature.__doc__
    return method


def helper(where: str) -> Callable[[Callable[Concatenate[Any, P], T]], Helper[P, T]]:
    """A method that makes several calls: a coroutine of the resource in its asynchronous form, at `module:function`."""

    def call(body: Callable[..., Any], resource: Any, given: dict[str, Any]) -> Any:
        if resource._mode is Async:
            return body(resource, **given)
        return resource._client.run(body(type(resource)(resource, Async), **given))

    def decorate(signature: Callable[Concatenate[Any, P], T]) -> Helper[P, T]:
        method: Helper[P, T] = _helped(signature, where, call)
        return method

    return decorate


def _call(body: Callable[..., Any], resource: Any, given: dict[str, Any]) -> Any:
    return body(resource, **given)


def managed(
    where: str,
) -> Callable[[Callable[Concatenate[Any, P], Both[AsyncT, BlockingT]]], Managed[P, AsyncT, BlockingT]]:
    """A method that gives what the function at `module:function` makes of the resource as it is."""

    def decorate(signature: Callable[Concatenate[Any, P], Both[AsyncT, BlockingT]]) -> Managed[P, AsyncT, BlockingT]:
        method: Managed[P, AsyncT, BlockingT] = _helped(signature, where, _call)
        return method

    return decorate


def plain(where: str) -> Callable[[F], F]:
    """A method that asks nobody: the function at `module:function`, the same in both clients."""

    def decorate(signature: F) -> F:
        return cast("F", _helped(signature, where, _call))

    return decorate


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
) -> Callable[[Callable[Concatenate[Any, P], T]], Events[P, T]]:
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
