"""What a resource method is: a description that turns arguments into a Request, and one way to send it per mode.

A resource class is written once and typed for all clients. Its methods are signatures under a decorator (`get`,
`post`, `cursor_page`, `streamed` ...). At run time the decorator makes a plain function that checks the names of the
arguments, builds the Request and hands it to the resource's mode; the keyword arguments that were given are the body,
as they are, in one dict. For type checkers it is a descriptor whose type depends on the mode of the resource:
`Resource[Async]` has coroutines, `Resource[AsyncRaw]` coroutines of raw replies, and so on. A ParamSpec carries the
arguments with their types; as it cannot carry overloads, `streamed` takes three signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from string import Formatter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from msgspec import structs
from typing_extensions import Self, TypedDict

from aiopenai.codec import encode
from aiopenai.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncPaginator,
    AsyncTokenPage,
)
from aiopenai.querystring import encode_path_segment
from aiopenai.request import Endpoint, Request
from aiopenai.values import Body, Headers, NotGiven, Omit, Query, TimeoutTypes, is_mapping, omit

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from aiopenai.response import APIResponse, AsyncAPIResponse
    from aiopenai.streaming import AsyncStream

__all__ = [
    "Async",
    "AsyncRaw",
    "AsyncStreaming",
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


class Async(Mode):
    """With coroutines of the parsed reply."""


class AsyncRaw(Mode):
    """With coroutines of the reply with its headers (`with_raw_response`)."""


class AsyncStreaming(Mode):
    """With context managers of the reply, its body not read yet (`with_streaming_response`)."""


M = TypeVar("M", bound=Mode)


class CallOptions(TypedDict, total=False):
    """What every call takes beside its own parameters.

    `extra_headers` (`omit` removes a header), `extra_query` and `extra_body` add to the request and win over the
    client's and the method's own; `timeout` in seconds, None for no limit; `retry` a tenacity policy;
    `idempotency_key` is sent with all attempts.
    """

    extra_headers: Headers | None
    extra_query: Query | None
    extra_body: Body | None
    timeout: TimeoutTypes | NotGiven
    max_retries: int
    retry: BaseRetrying | None
    idempotency_key: str | None


OPTIONS = frozenset(CallOptions.__annotations__)


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


class _Builder:
    """How the arguments of one method become a Request.

    `query`, `body` and `header_params` name the parameters that travel elsewhere than is usual for the verb, `files`
    those that are uploads (`may_upload`: a form only where one is given), `typed_parts` those that are parts of a form
    with a content type of their own (`sole_part`: the one that is the whole body where it is alone), `wire` the API's
    names where Python has others, `nested` the same for keys inside of parameters, by path. Of the sets of names in
    `needs` one must be given. `replies` are the reply types by the value of the parameter `chosen_by`.
    """

    def __init__(
        self,
        signature: Callable[..., Any],
        endpoint: Endpoint,
        *,
        name: str,
        query: tuple[str, ...] = (),
        body: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        may_upload: tuple[str, ...] = (),
        typed_parts: Mapping[str, str] | None = None,
        sole_part: str | None = None,
        header_params: Mapping[str, str] | None = None,
        wire: Mapping[str, str] | None = None,
        nested: Mapping[str, str] | None = None,
        needs: tuple[tuple[str, ...], ...] = (),
        chosen_by: str | None = None,
        replies: Mapping[str, Any] | None = None,
    ) -> None:
        code = signature.__code__
        positional = code.co_argcount
        names = code.co_varnames[1 : positional + code.co_kwonlyargcount]
        optional = signature.__kwdefaults__ or {}
        self.name = name
        self.endpoint = endpoint
        self.positional = code.co_varnames[1:positional]
        self.names = frozenset(names)
        self.required = frozenset(names) - optional.keys()
        # The template's texts, each with the parameter that follows it.
        self.path = [(text, field) for text, field, _, _ in Formatter().parse(endpoint.path)]
        self.in_path = tuple(field for _, field in self.path if field)
        self.has_body = endpoint.method not in ("GET", "DELETE")
        # A POST without any parameter for its body has none, rather than an empty object.
        self.sends_body = self.has_body and bool({*names} - {*self.in_path, *query, *(header_params or ())})
        self.query = frozenset(query)
        self.body = frozenset(body)
        # The reference names some twice, as one file and as several: which it is shows when it is given.
        self.files = tuple(dict.fromkeys(name.removesuffix("[]") for name in files or may_upload))
        self.typed_parts = typed_parts or {}
        self.sole_part = sole_part
        self.header_params = header_params or {}
        self.wire = wire or {}
        self.nested = [(_path(path), name) for path, name in (nested or {}).items()]
        self.needs = needs
        self.chosen_by = chosen_by
        self.endpoints = {value: structs.replace(endpoint, reply=reply) for value, reply in (replies or {}).items()}
        self.streams = endpoint.event is not None
        self.only_streams = self.streams and endpoint.reply is None
        # Nothing but a body, as nearly all calls are: the keyword arguments are it.
        elsewhere = self.in_path or query or self.files or self.header_params or self.wire or self.nested
        self.simple = self.sends_body and not (elsewhere or self.typed_parts or needs or chosen_by)

    def build(self, args: tuple[Any, ...], given: dict[str, Any]) -> Request[Any]:
        """Make the request. Raises TypeError for wrong and missing names, ValueError for an empty path argument."""
        if args:
            self._name(args, given)
        options: dict[str, Any] | None = None
        if not OPTIONS.isdisjoint(given):
            options = {name: given.pop(name) for name in OPTIONS if name in given}
        if not (self.names.issuperset(given) and self.required.issubset(given)):
            raise self._misnamed(given)
        stream = self.streams and (self.only_streams or given.get("stream") is True)
        if self.simple:
            request: Request[Any] = Request(endpoint=self.endpoint, path=self.endpoint.path, body=given, stream=stream)
        else:
            request = self._distribute(given, stream)
        if options is not None:
            add_options(request, options)
        if self.typed_parts:
            self._make_form(request)
        return request

    def _name(self, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        if len(args) > len(self.positional):
            raise TypeError(
                f"{self.name}() takes {len(self.positional)} positional arguments but {len(args)} were given"
            )
        for name, value in zip(self.positional, args, strict=False):
            if name in given:
                raise TypeError(f"{self.name}() got multiple values for argument {name!r}")
            given[name] = value

    def _misnamed(self, given: dict[str, Any]) -> TypeError:
        unknown = [name for name in given if name not in self.names]
        if unknown:
            return TypeError(f"{self.name}() got an unexpected keyword argument {unknown[0]!r}")
        missing = ", ".join(repr(name) for name in sorted(self.required - given.keys()))
        return TypeError(f"{self.name}() is missing required arguments: {missing}")

    def _distribute(self, given: dict[str, Any], stream: bool) -> Request[Any]:
        path = self.endpoint.path
        if self.in_path:
            pieces: list[str] = []
            for text, field in self.path:
                pieces.append(text)
                if field:
                    pieces.append(encode_path_segment(given.pop(field), field))
            path = "".join(pieces)
        headers: dict[str, Any] = {}
        if self.needs and not any(given.keys() >= {*each} for each in self.needs):
            sets = " or ".join(", ".join(map(repr, each)) for each in self.needs)
            raise TypeError(f"{self.name}() is missing required arguments: {sets}")
        for name, header in self.header_params.items():
            if (value := given.pop(name, None)) is not None and not isinstance(value, (Omit, NotGiven)):
                several = isinstance(value, (list, tuple))
                headers[header] = ",".join(map(str, cast("Sequence[Any]", value))) if several else str(value)
        for (name, *steps), own in self.nested:
            if name in given:
                given[name] = _renamed(given[name], steps, own)
        choice = given.get(self.chosen_by) if self.chosen_by else None
        # Where a file may be an object instead, one that names it say, that is sent like all others.
        files = [(name, given.pop(name)) for name in self.files if name in given and not is_mapping(given[name])]
        query: dict[str, Any] = {}
        body: dict[str, Any] = {}
        for name, value in given.items():
            if isinstance(value, (Omit, NotGiven)):
                continue
            elsewhere = name in self.query if self.has_body else name not in self.body
            (query if elsewhere else body)[self.wire.get(name, name)] = value
        parts = _file_parts(files) if self.files else None
        return Request(
            endpoint=self.endpoints.get(choice, self.endpoint) if isinstance(choice, str) else self.endpoint,
            path=path,
            query=query or None,
            body=body if self.sends_body or body else None,
            files=parts if parts or self.endpoint.multipart else None,
            headers=headers or None,
            stream=stream,
        )

    def _make_form(self, request: Request[Any]) -> None:
        """Make the body a form whose parts say what they are, or the one part that was given. Raises TypeError."""
        fields: dict[str, Any] = {
            name: value for name, value in request.body.items() if not isinstance(value, (Omit, NotGiven))
        }
        for name, kind in self.typed_parts.items():
            if kind != "application/json" and not isinstance(fields.get(name, ""), str):
                raise TypeError(f"{name!r} must be a str, not {type(fields[name]).__name__}")
        if self.sole_part is not None and fields.keys() == {self.sole_part}:
            request.body = None
            request.content = fields[self.sole_part].encode()
            request.headers = {**(request.headers or {}), "Content-Type": self.typed_parts[self.sole_part]}
            return
        request.files = [
            (name, (None, encode(value) if kind == "application/json" else value.encode(), kind))
            for name, kind in self.typed_parts.items()
            if (value := fields.pop(name, omit)) is not omit
        ]
        request.body = fields


def _path(text: str) -> list[str]:
    """`tools[].items.*` as its steps: `tools`, `[]`, `items`, `*`."""
    return text.replace("[]", ".[]").split(".")


def _renamed(value: Any, path: Sequence[str], name: str) -> Any:
    """A copy of `value` in which the key at the end of `path` is called `name`."""
    step, *rest = path
    if step == "[]":
        if isinstance(value, (str, Mapping)):
            return cast("Any", value)
        return [_renamed(item, rest, name) for item in value]
    if not is_mapping(value):
        return value
    if step == "*":
        return {key: _renamed(item, rest, name) for key, item in value.items()}
    if step not in value:
        return value
    if rest:
        return {**value, step: _renamed(value[step], rest, name)}
    return {(name if key == step else key): item for key, item in value.items()}


def _file_parts(files: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = []
    for name, value in files:
        if value is None or isinstance(value, (Omit, NotGiven)):
            continue
        if isinstance(value, (list, tuple)) and not _is_file_tuple(value):
            parts += ((f"{name}[]", item) for item in cast("Sequence[Any]", value))
        else:
            parts.append((name, cast("Any", value)))
    return parts


def _is_file_tuple(value: Any) -> bool:
    """(file name, content ...) is one file; a tuple of files has no name in front."""
    return isinstance(value, tuple) and isinstance(next(iter(cast("Any", value)), b""), (str, type(None)))


def add_options(request: Request[Any], options: dict[str, Any]) -> None:
    """Put a call's options into its request. Raises TypeError for an `extra_body` that does not fit the body."""
    if (headers := options.pop("extra_headers", None)) is not None:
        request.headers = {**(request.headers or {}), **headers}
    if (query := options.pop("extra_query", None)) is not None:
        request.query = {**(request.query or {}), **query}
    if (body := options.pop("extra_body", None)) is not None:
        if request.body is None:
            request.body = body
        elif is_mapping(body) and is_mapping(request.body):
            request.body = {**request.body, **body}
        else:
            raise TypeError(f"extra_body must be a mapping to be merged into the body, not {type(body).__name__}")
    if options:
        request.options = options


def _finish(method: Any, builder: _Builder, signature: Any) -> Any:
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


def _method(builder: _Builder, signature: Any) -> Any:
    build = builder.build

    def method(self: Any, /, *args: Any, **given: Any) -> Any:
        return self._call(build(args, given))

    return _finish(method, builder, signature)


def _list_method(builder: _Builder, signature: Any) -> Any:
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
    }
)


def _endpoint(
    make: Callable[[_Builder, Any], Any], verb: str, path: str, facts: dict[str, Any], **kinds: Any
) -> Callable[[Any], Any]:
    building = {name: facts.pop(name) for name in _FACTS & facts.keys()}
    endpoint = Endpoint(method=verb, path=path, multipart="files" in building, **kinds, **facts)
    return lambda signature: make(_Builder(signature, endpoint, name=signature.__name__, **building), signature)


def get(path: str, reply: Any, **facts: Any) -> Callable[[Callable[Concatenate[Any, P], T]], Method[P, T]]:
    """`GET path`; see `_Builder` and `request.Endpoint` for the facts."""
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
    builder = _Builder(signature, endpoint, name=signature.__name__.removeprefix("_"), **building)
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
    builder = _Builder(shown, endpoint, name=name, chosen_by=by, replies=replies, **building)
    method: Chosen[P1, T1, P2, T2, P3, T3, P4, T4, P5, T5, P6, T6, P7, T7] = _method(builder, shown)
    return method
