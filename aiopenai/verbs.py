"""Requests that the resources do not have: `client.get(path, cast_to=...)` and its kin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, overload

from typing_extensions import Unpack

from aiopenai.arguments import OPTIONS, CallOptions, add_options
from aiopenai.paging import AsyncPaginator
from aiopenai.request import Endpoint, Request
from aiopenai.streaming import AsyncStream
from aiopenai.values import Body, RequestFiles, is_mapping

__all__ = ["AsyncVerbs"]

T = TypeVar("T")
StreamT = TypeVar("StreamT", bound=AsyncStream[Any])


class AsyncVerbs(ABC):
    """The low-level verbs of the asynchronous client.

    `path` is below the base URL, or absolute; `cast_to` the type of the reply: a reply type, `str`, `bytes`,
    `HTTPResponse`, a dict, or a pydantic model. `options` is the reference's dict of request options, for which the
    keyword arguments of every call do as well.
    """

    @abstractmethod
    async def send(self, request: Request[T]) -> T:
        """Send a request and give its reply."""

    @abstractmethod
    async def open_stream(self, request: Request[Any], stream_cls: Any) -> Any:
        """Send a request and give its reply as a stream of the given class."""

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
        stream_cls: type[StreamT],
        **more: Unpack[CallOptions],
    ) -> StreamT: ...
    @overload
    async def get(
        self,
        path: str,
        *,
        cast_to: type[T],
        options: Mapping[str, Any] | None = None,
        stream: bool,
        stream_cls: type[StreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> T | StreamT: ...
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
        return await self._low_level("GET", path, cast_to, None, None, None, options, stream, stream_cls, more)

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
        stream_cls: type[StreamT],
        **more: Unpack[CallOptions],
    ) -> StreamT: ...
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
        stream_cls: type[StreamT] | None = None,
        **more: Unpack[CallOptions],
    ) -> T | StreamT: ...
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
        return await self._low_level("POST", path, cast_to, body, content, files, options, stream, stream_cls, more)

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
        return cast(
            "T", await self._low_level("PATCH", path, cast_to, body, content, files, options, False, None, more)
        )

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
        return cast("T", await self._low_level("PUT", path, cast_to, body, content, files, options, False, None, more))

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
        return cast(
            "T", await self._low_level("DELETE", path, cast_to, body, content, None, options, False, None, more)
        )

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
    ) -> AsyncPaginator[Any, Any]:
        """A list below `path`: `page` is one of the page types, `model` that of its items."""
        kind = page if get_args(page) else page[model]
        endpoint = Endpoint(method=method.upper(), path=path, reply=kind, page=kind, security="any")
        request: Request[Any] = Request(endpoint=endpoint, path=path, body=body)
        _apply(request, options, cast("dict[str, Any]", more))
        return AsyncPaginator(self, request)

    async def _low_level(
        self,
        method: str,
        path: str,
        cast_to: Any,
        body: Any,
        content: Any,
        files: Any,
        options: Mapping[str, Any] | None,
        stream: bool,
        stream_cls: Any,
        more: Any,
    ) -> Any:
        if content is not None and (body is not None or files is not None):
            raise TypeError("content cannot be given together with body or files")
        endpoint = Endpoint(
            method=method,
            path=path,
            reply=cast_to,
            event=cast_to,
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
        if stream and stream_cls is not None:
            return await self.open_stream(request, stream_cls)
        return await self.send(request)


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
