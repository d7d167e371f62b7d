"""Type aliases of arguments, and type guards for JSON values."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeGuard,
    TypeVar,
    overload,
)

from aiopenai._base.sentinels import Omit

__all__ = [
    "Body",
    "Content",
    "FileContent",
    "FileTypes",
    "Headers",
    "Query",
    "RequestFiles",
    "SequenceNotStr",
    "is_list",
    "is_mapping",
    "own_text",
    "python_value",
]

Headers: TypeAlias = Mapping[str, str | Omit]
Query: TypeAlias = Mapping[str, object]
Body: TypeAlias = object
FileContent: TypeAlias = IO[bytes] | bytes | PathLike[str]
FileTypes: TypeAlias = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
RequestFiles: TypeAlias = Mapping[str, FileTypes] | Sequence[tuple[str, FileTypes]]
Content: TypeAlias = bytes | bytearray | IO[bytes] | AsyncIterable[bytes]
T_co = TypeVar("T_co", covariant=True)

if TYPE_CHECKING:

    class SequenceNotStr(Protocol[T_co]):
        """A sequence but no str: the `__contains__` of a str takes a str only."""

        @overload
        def __getitem__(self, index: SupportsIndex, /) -> T_co: ...
        @overload
        def __getitem__(self, index: slice, /) -> Sequence[T_co]: ...
        def __contains__(self, value: object, /) -> bool: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[T_co]: ...
        def __reversed__(self) -> Iterator[T_co]: ...
else:
    SequenceNotStr = Sequence


# An isinstance tells type checkers nothing about the contents. The keys of JSON objects are strings.


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Returns whether a value is a mapping."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Returns whether a value is a list."""
    return isinstance(value, list)


def own_text(value: object) -> str:
    """Returns the text of a str, which a subclass may show otherwise, and the `str` of any other value."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def python_value(value: Any) -> Any:
    """Returns the values of a scalar or an array of numpy and its like, and all other values as they are."""
    if hasattr(value, "dtype") and callable(tolist := getattr(value, "tolist", None)):
        return tolist()
    return value
