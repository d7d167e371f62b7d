"""Requests that the resources do not have: `client.get(path, cast_to=...)` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, cast, get_args, get_origin, overload
from urllib.parse import urlsplit, urlunsplit

import msgspec
from typing_extensions import Unpack

from aiopenai._base.aliases import Body, RequestFiles, is_mapping
from aiopenai._base.headers import has
from aiopenai._base.secret import Secret
from aiopenai._calls.arguments import OPTIONS, CallOptions, add_options
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.methods import Async, Blocking, M, Resource
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.streaming import AsyncStream, Stream
from aiopenai._client.configuration import basic_authorization
from aiopenai._data.codec import Node
from aiopenai._http.messages import HTTPResponse

if TYPE_CHECKING:
    from aiopenai._calls.methods import Helper

__all__ = ["Verbs"]

P = ParamSpec("P")
T = TypeVar("T")
AsyncStreamT = TypeVar("AsyncStreamT", bound=AsyncStream[Any])
StreamT = TypeVar("StreamT", bound=Stream[Any])


def verb(make: Callable[Concatenate[Any, P], T]) -> Helper[P, T]:
    """A method that sends the request that `make` gives; for type checkers `make` gives the reply."""

    @wraps(make)
    def method(self: Any, /, *args: P.args, **given: P.kwargs) -> Any:
        return self._call(make(self, *args, **given))

    return cast("Helper[P, T]", method)


class Verbs(Resource[M]):
    """The low-level verbs of both clients: coroutines of the reply, or the reply.

    `path` is below the base URL, or absolute; `cast_to` the type of the reply: a reply type, `str`, `bytes`,
    `HTTPResponse`, a dict, or a pydantic model. `options` is the reference's dict of request options, for which the
    keyword arguments of every call do as well.
    """

    @overload
    def get(
        self: Resource[Async],
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def get(
        self: Resource[Async],
        path: str,
        *,
        cast_to: Any,
        options: Mapping[str, Any] | None = None,
        stream: Literal[True],
        stream_cls: type[AsyncStreamT],
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, AsyncStreamT]: ...
    @overload
    def get(
        self: Resource[Async],
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[AsyncStreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, T | AsyncStreamT]: ...
    @overload
    def get(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> T: ...
    @overload
    def get(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: Any,
        options: Mapping[str, Any] | None = None,
        stream: Literal[True],
        stream_cls: type[StreamT],
        **more: Unpack[CallOptions],
    ) -> StreamT: ...
    @overload
    def get(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[StreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> T | StreamT: ...
    def get(
        self,
        path: str,
        *,
        cast_to: Any,
        options: Mapping[str, Any] | None = None,
        stream: bool = False,
        stream_cls: Any = None,
        **more: Unpack[CallOptions],
    ) -> Any:
        """`GET path`, below the base URL or absolute; `cast_to` is the reply's type, `stream_cls` the stream's."""
        request = _request("GET", path, cast_to, None, None, None, options, more, stream, stream_cls)
        return self._call(request)

    @overload
    def post(
        self: Resource[Async],
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def post(
        self: Resource[Async],
        path: str,
        *,
        cast_to: Any,
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: Literal[True],
        stream_cls: type[AsyncStreamT],
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, AsyncStreamT]: ...
    @overload
    def post(
        self: Resource[Async],
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[AsyncStreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> Coroutine[Any, Any, T | AsyncStreamT]: ...
    @overload
    def post(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> T: ...
    @overload
    def post(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: Any,
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: Literal[True],
        stream_cls: type[StreamT],
        **more: Unpack[CallOptions],
    ) -> StreamT: ...
    @overload
    def post(
        self: Resource[Blocking],
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[StreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> T | StreamT: ...
    def post(
        self,
        path: str,
        *,
        cast_to: Any,
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        stream: bool = False,
        stream_cls: Any = None,
        **more: Unpack[CallOptions],
    ) -> Any:
        """`POST path`: `body` as JSON, `content` as it is, or `files` (with `body` as fields) as a form."""
        request = _request("POST", path, cast_to, body, content, files, options, more, stream, stream_cls)
        return self._call(request)

    @verb
    def patch(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Unpack[CallOptions],
    ) -> T:
        """`PATCH path`; see `post`."""
        return cast("T", _request("PATCH", path, cast_to, body, content, files, options, more))

    @verb
    def put(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        files: RequestFiles | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Unpack[CallOptions],
    ) -> T:
        """`PUT path`; see `post`."""
        return cast("T", _request("PUT", path, cast_to, body, content, files, options, more))

    @verb
    def delete(
        self,
        path: str,
        *,
        cast_to: type[T],
        body: Body | None = None,
        content: Any = None,
        options: Mapping[str, Any] | None = None,
        **more: Unpack[CallOptions],
    ) -> T:
        """`DELETE path`; see `post`."""
        return cast("T", _request("DELETE", path, cast_to, body, content, None, options, more))

    def get_api_list(
        self,
        path: str,
        *,
        model: Any,
        page: Any,
        body: Body | None = None,
        options: Mapping[str, Any] | None = None,
        method: str = "get",
        **more: Unpack[CallOptions],
    ) -> Any:
        """A list below `path`: `page` is one of the page types, `model` that of its items."""
        kind = page if get_args(page) else page[model]
        endpoint = Endpoint(method=method.upper(), path=path, reply=kind, page=kind, security="any")
        request: Request[Any] = Request(endpoint=endpoint, path=path, body=body)
        _apply(request, options, cast("dict[str, Any]", more))
        return self._list(request)


def _request(
    method: str,
    path: str,
    cast_to: Any,
    body: Any,
    content: Any,
    files: Any,
    options: Mapping[str, Any] | None,
    more: Any,
    stream: bool = False,
    stream_cls: Any = None,
) -> Any:
    """The request; for type checkers anything, as its method has the reply's type."""
    if content is not None and (body is not None or files is not None):
        raise TypeError("content cannot be given together with body or files: pass only one of them")
    if not stream:
        _check_cast(cast_to)
    path, authorization = _without_login(path)
    endpoint = Endpoint(
        method=method,
        path=path,
        reply=cast_to,
        event=stream_cls or cast_to,
        security="any",
        page=cast_to if hasattr(get_origin(cast_to) or cast_to, "next_page_info") else None,
    )
    request: Request[Any] = Request(
        endpoint=endpoint,
        path=path,
        body=body,
        content=content,
        files=list(files.items()) if is_mapping(files) else files,
        stream=stream,
    )
    _apply(request, options, more)
    if authorization and not has(request.headers or {}, "authorization"):
        request.headers = {**(request.headers or {}), "Authorization": authorization.value}
    return request


def _without_login(path: str) -> tuple[str, Secret[str] | None]:
    """Returns a path, or an absolute URL without its user and password, and the header that these become."""
    if path[:1] == "/" or "@" not in path:
        return path, None
    parts = urlsplit(path)
    login, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return path, None
    return urlunsplit(parts._replace(netloc=host)), Secret(basic_authorization(login))


def _check_cast(kind: Any) -> None:
    """Raises TypeError for a class to which no reply can be converted. A msgspec decoder returns a dict for it."""
    if not isinstance(kind, type) or issubclass(kind, (Node, HTTPResponse, HttpxBinaryResponseContent)):
        return
    if hasattr(kind, "model_validate") or hasattr(kind, "next_page_info"):
        return
    if kind is not object and isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.CustomType):
        name = f"{kind.__module__}.{kind.__qualname__}"
        cure = "aiopenai.response.HTTPResponse" if kind.__name__ == "Response" else "a reply type, dict, str or bytes"
        raise TypeError(f"cast_to={name} is no type to which a reply can be converted: pass {cure}")


def _apply(request: Request[Any], options: Mapping[str, Any] | None, more: dict[str, Any]) -> None:
    """The options of the low-level verbs: the reference's `options` dict, and our keyword arguments."""
    names = {"headers": "extra_headers", "params": "extra_query", "extra_json": "extra_body"}
    known = {"timeout", "max_retries", "idempotency_key", "retry"}
    settled: dict[str, Any] = {}
    for name, value in (options or {}).items():
        if name in names:
            settled[names[name]] = value
        elif name in known or name in OPTIONS:
            settled[name] = value
        elif name not in ("follow_redirects", "security"):
            raise TypeError(f"unknown request option {name!r}")
    for name in more:
        if name not in OPTIONS:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    settled.update(more)
    if settled:
        add_options(request, settled)
