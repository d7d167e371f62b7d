"""The low-level verbs, for requests without a resource method: `client.get(path, cast_to=...)` and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from typing_extensions import Unpack

from aiopenai._base.aliases import Body, RequestFiles
from aiopenai._calls.arguments import CallOptions
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.resources import Resource
from aiopenai._client.verb_requests import apply_options, verb_request

if TYPE_CHECKING:
    from aiopenai._calls.streaming import AsyncStream, Stream

__all__ = ["AsyncVerbs", "Verbs"]

T = TypeVar("T")
AsyncStreamT = TypeVar("AsyncStreamT", bound="AsyncStream[Any]")
StreamT = TypeVar("StreamT", bound="Stream[Any]")


def _sent(client: Any, request: Request[Any]) -> Any:
    """Sends a request. The header of raw replies, as frameworks set it in `options`, has the reply come unparsed."""
    return (client._marked[request.unparsed] if request.unparsed else client._call)(request)


class AsyncVerbs(Resource):
    """The low-level verbs of the asynchronous client.

    `path` is below the base URL, or absolute; `cast_to` the type of the reply: a reply type, `str`, `bytes`,
    `HTTPResponse`, a dict, or a pydantic model. `options` is the reference's dict of request options; the keyword
    arguments of every call do the same.
    """

    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> T: ...
    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: Any,
        options: Mapping[str, Any] | None = None,
        stream: Literal[True],
        stream_cls: type[AsyncStreamT],
        **more: Unpack[CallOptions],
    ) -> AsyncStreamT: ...
    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[AsyncStreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> T | AsyncStreamT: ...
    async def get(
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
        request = verb_request("GET", path, cast_to, None, None, None, options, more, stream, stream_cls)
        return await _sent(self, request)

    @overload
    async def post(
        self,
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
    async def post(
        self,
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
    ) -> AsyncStreamT: ...
    @overload
    async def post(
        self,
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
    ) -> T | AsyncStreamT: ...
    async def post(
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
        request = verb_request("POST", path, cast_to, body, content, files, options, more, stream, stream_cls)
        return await _sent(self, request)

    async def patch(
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
        return cast("T", await _sent(self, verb_request("PATCH", path, cast_to, body, content, files, options, more)))

    async def put(
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
        return cast("T", await _sent(self, verb_request("PUT", path, cast_to, body, content, files, options, more)))

    async def delete(
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
        return cast("T", await _sent(self, verb_request("DELETE", path, cast_to, body, content, None, options, more)))

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
        kind = page[model] if getattr(page, "__parameters__", ()) else page
        endpoint = Endpoint(method=method.upper(), path=path, reply=kind, page=kind, security="any")
        request: Request[Any] = Request(endpoint=endpoint, path=path, body=body)
        apply_options(request, options, cast("dict[str, Any]", more))
        return self._list(request)


class Verbs(Resource):
    """The low-level verbs of the blocking client.

    `path` is below the base URL, or absolute; `cast_to` the type of the reply: a reply type, `str`, `bytes`,
    `HTTPResponse`, a dict, or a pydantic model. `options` is the reference's dict of request options, for which the
    keyword arguments of every call do as well.
    """

    @overload
    def get(
        self,
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: Literal[False] = False,
        **more: Unpack[CallOptions],
    ) -> T: ...
    @overload
    def get(
        self,
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
        self,
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
        request = verb_request("GET", path, cast_to, None, None, None, options, more, stream, stream_cls)
        return _sent(self, request)

    @overload
    def post(
        self,
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
        self,
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
        self,
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
        request = verb_request("POST", path, cast_to, body, content, files, options, more, stream, stream_cls)
        return _sent(self, request)

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
        return cast("T", _sent(self, verb_request("PATCH", path, cast_to, body, content, files, options, more)))

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
        return cast("T", _sent(self, verb_request("PUT", path, cast_to, body, content, files, options, more)))

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
        return cast("T", _sent(self, verb_request("DELETE", path, cast_to, body, content, None, options, more)))

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
        kind = page[model] if getattr(page, "__parameters__", ()) else page
        endpoint = Endpoint(method=method.upper(), path=path, reply=kind, page=kind, security="any")
        request: Request[Any] = Request(endpoint=endpoint, path=path, body=body)
        apply_options(request, options, cast("dict[str, Any]", more))
        return self._list(request)
