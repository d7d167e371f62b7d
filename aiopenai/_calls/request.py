"""A request as a value: what is to be asked, of whom nobody has been asked yet.

Resource methods make these and nothing else; the client adds URL, credentials and limits, and sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec
from typing_extensions import override

__all__ = ["Endpoint", "Request"]

T = TypeVar("T")

_NO_OPTIONS: Mapping[str, Any] = {}


class Endpoint(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What all requests of one kind have in common; made once.

    `path` is a template, `reply` the type of the answer, `event` that of a stream's events, `page` the page class of
    a list. `replay` names the parameters that can hold objects of earlier replies. `events` says of a stream that its
    events are put together with their names ("named"), or are taken as they are, an object `error` in them included,
    and have no end mark ("bare").
    """

    method: str
    path: str
    reply: Any = None
    event: Any = None
    page: Any = None
    accept: str | None = None
    security: Literal["bearer", "admin", "any"] = "bearer"
    headers: Mapping[str, str] = {}
    replay: tuple[str, ...] = ()
    multipart: bool = False
    events: Literal["", "bare", "named"] = ""


class Request(msgspec.Struct, Generic[T], eq=False, kw_only=True):
    """One call: `body` is encoded as JSON (or, with `files`, as a form), `content` sent as it is.

    `options` are the call's own `CallOptions`. `finish` makes of the decoded reply what the caller gets. Values, not
    copies: what the caller passed is not walked.
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
    finish: Callable[[Any], Any] | None = None

    @property
    def method(self) -> str:
        """The HTTP verb."""
        return self.endpoint.method

    @override
    def __repr__(self) -> str:
        # Without headers and content: they may hold credentials, and the reader's terminal has an end.
        return f"<Request {self.endpoint.method} {self.path}>"
