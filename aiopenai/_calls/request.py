"""One API request as plain data.

Resource methods make requests and nothing else. The client adds the URL, credentials and timeouts, and sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec
from typing_extensions import override

from aiopenai._base.urls import shown

__all__ = ["Endpoint", "HeaderKind", "Request", "shown_path"]

T = TypeVar("T")

_NO_OPTIONS: Mapping[str, Any] = {}


class HeaderKind:
    """The facts of an endpoint on which its headers depend. Equal facts are one object: its identity is a cache key."""

    __slots__ = ("accept", "headers", "security")

    _made: dict[tuple[Any, ...], HeaderKind] = {}  # noqa: RUF012 - a cache of the class

    def __init__(self, security: str, accept: str | None, headers: Mapping[str, str]) -> None:
        self.security = security
        self.accept = accept
        self.headers = headers

    @classmethod
    def of(cls, security: str, accept: str | None, headers: Mapping[str, str]) -> HeaderKind:
        """Returns the object for these facts, made on first use."""
        key = (security, accept, *sorted(headers.items()))
        found = cls._made.get(key)
        if found is None:
            found = cls._made[key] = cls(security, accept, headers)
        return found


class Endpoint(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The facts that all requests of one method share; made once.

    `path` is a template. `name` is the method's name for messages, such as `chat.completions.create`; by default
    verb and path. `reply` is the
    type of the reply, `event` that of a stream's events, `page` the page class of a list. An `event` that is a stream
    class names the class of the stream. `replay` names the parameters that can hold objects of earlier replies.
    `events` is "named" if a stream's events are joined with their names. It is "bare" if events are taken as they are,
    an `error` in them included, and the stream has no end mark.
    """

    method: str
    path: str
    name: str = ""
    reply: Any = None
    event: Any = None
    page: Any = None
    accept: str | None = None
    security: Literal["bearer", "admin", "any"] = "bearer"
    headers: Mapping[str, str] = {}
    replay: tuple[str, ...] = ()
    multipart: bool = False
    events: Literal["", "bare", "named"] = ""
    header_kind: HeaderKind | None = None

    def __post_init__(self) -> None:
        kind = HeaderKind.of(self.security, self.accept, self.headers)
        msgspec.structs.force_setattr(self, "header_kind", kind)
        if not self.name:
            msgspec.structs.force_setattr(self, "name", f"{self.method} {self.path}")


class Request(msgspec.Struct, Generic[T], eq=False, kw_only=True):
    """One call. `body` is encoded as JSON, or as a form if there are `files`; `content` is sent as it is.

    `options` are the call's own `CallOptions`. `finish` turns the decoded reply into the result. `resumes` tells that a
    stream is continued if its connection breaks off. `opened` is called with the new stream and the client. Arguments
    are not copied: the body refers to the caller's objects.
    """

    endpoint: Endpoint
    path: str
    query: Mapping[str, Any] | None = None
    body: Any = None
    files: Any = None
    content: Any = None
    headers: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = _NO_OPTIONS
    stream: bool = False
    unparsed: Literal["", "raw", "stream"] = ""
    resumes: bool = False
    finish: Callable[[Any], Any] | None = None
    opened: Callable[[Any, Any], None] | None = None

    @property
    def method(self) -> str:
        """The HTTP verb."""
        return self.endpoint.method

    @override
    def __repr__(self) -> str:
        # Without headers and content, which may hold credentials and be large.
        return f"<Request {self.endpoint.method} {shown_path(self.path)}>"

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec gives rich all fields; a traceback with local variables would then show the headers.
        return [("method", self.endpoint.method), ("path", shown_path(self.path))]


def shown_path(path: str) -> str:
    """Returns a path, or an absolute URL given in its place, without credentials and query."""
    return path if path[:1] == "/" and "?" not in path else shown(path)
