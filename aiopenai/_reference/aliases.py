"""The names of `openai._types` that are type aliases, type variables and protocols."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import IO, Any, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from typing_extensions import TypedDict

from aiopenai._base.sentinels import Omit

__all__ = [
    "AnyMapping",
    "ArrayFormat",
    "AsyncBinaryTypes",
    "Base64FileInput",
    "BinaryTypes",
    "CallableT",
    "CursorPageItem",
    "HeadersLike",
    "HeadersLikeProtocol",
    "HttpxFileContent",
    "HttpxFileTypes",
    "HttpxRequestFiles",
    "HttpxSendArgs",
    "IncEx",
    "InheritsGeneric",
    "ModelBuilderProtocol",
    "ModelT",
    "NestedFormat",
    "NoneType",
    "Omittable",
    "PostParser",
    "ResponseT",
    "SecurityOptions",
    "StrBytesIntFloat",
]

NoneType = type(None)
AnyMapping: TypeAlias = Mapping[str, object]
ModelT = TypeVar("ModelT")
ResponseT = TypeVar("ResponseT")
CallableT = TypeVar("CallableT", bound=Callable[..., Any])
_OmittedT = TypeVar("_OmittedT")

ArrayFormat: TypeAlias = Literal["comma", "repeat", "indices", "brackets"]
NestedFormat: TypeAlias = Literal["dots", "brackets"]
Base64FileInput: TypeAlias = IO[bytes] | os.PathLike[str]
BinaryTypes: TypeAlias = bytes | bytearray | IO[bytes] | Iterable[bytes]
AsyncBinaryTypes: TypeAlias = bytes | bytearray | IO[bytes] | AsyncIterable[bytes]
HttpxFileContent: TypeAlias = IO[bytes] | bytes
HttpxFileTypes: TypeAlias = (
    HttpxFileContent
    | tuple[str | None, HttpxFileContent]
    | tuple[str | None, HttpxFileContent, str | None]
    | tuple[str | None, HttpxFileContent, str | None, Mapping[str, str]]
)
HttpxRequestFiles: TypeAlias = Mapping[str, HttpxFileTypes] | Sequence[tuple[str, HttpxFileTypes]]
Omittable: TypeAlias = _OmittedT | Omit
StrBytesIntFloat: TypeAlias = str | bytes | int | float
PostParser: TypeAlias = Callable[[Any], Any]
# Names of fields, or a mapping of them to deeper ones, as `include` and `exclude` of dumps take them.
IncEx: TypeAlias = set[int] | set[str] | Mapping[int, Any] | Mapping[str, Any]


class SecurityOptions(TypedDict, total=False):
    """The credentials that a request may use."""

    bearer_auth: bool
    admin_api_key_auth: bool


class HttpxSendArgs(TypedDict, total=False):
    """The keyword arguments of an HTTP client's `send`."""

    auth: Any
    follow_redirects: bool


class ModelBuilderProtocol(Protocol):
    """A type with a class method that makes an object of a reply."""

    @classmethod
    def build(cls, *, response: Any, data: object) -> Any:
        """Returns the object of a reply."""


@runtime_checkable
class HeadersLikeProtocol(Protocol):
    """An object with a `get`, such as the headers of a web framework's request."""

    def get(self, key: str, /) -> str | None:
        """Returns the value of a header."""


HeadersLike: TypeAlias = Mapping[str, str | Omit] | HeadersLikeProtocol


@runtime_checkable
class CursorPageItem(Protocol):
    """An item of a list: its id is the cursor of the next page."""

    id: str


@runtime_checkable
class InheritsGeneric(Protocol):
    """A class with a generic base."""

    __orig_bases__: tuple[Any, ...]
