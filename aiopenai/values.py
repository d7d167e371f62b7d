"""The small values that calls are made of: sentinels, timeouts and the shapes of arguments."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    Literal,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeGuard,
    TypeVar,
    overload,
)

from typing_extensions import override

__all__ = [
    "DEFAULT_MAX_RETRIES",
    "DEFAULT_TIMEOUT",
    "NOT_GIVEN",
    "Body",
    "FileContent",
    "FileTypes",
    "Headers",
    "NotGiven",
    "Omit",
    "Query",
    "RequestFiles",
    "SequenceNotStr",
    "Timeout",
    "TimeoutTypes",
    "is_left_out",
    "is_list",
    "is_mapping",
    "not_given",
    "omit",
]


class Omit:
    """Leave something out: a parameter of the body, or a header that would be sent by default."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    @override
    def __repr__(self) -> str:
        return "omit"

    @override
    def __reduce__(self) -> str:
        return "omit"


class NotGiven:
    """The default of options for which None has a meaning: `timeout=None` is no limit, `not_given` the usual one."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    @override
    def __repr__(self) -> str:
        return "NOT_GIVEN"

    @override
    def __reduce__(self) -> str:
        return "not_given"


omit = Omit()
not_given = NotGiven()
NOT_GIVEN = not_given

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
        """A sequence that a str is not: a str's `__contains__` takes a str only."""

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


class Timeout:
    """The limits of one attempt, in seconds; None is no limit.

    `Timeout(60.0, connect=5.0)` sets connect, read and write to 60 s where they are not given by name.

    - `connect`: to open one connection, TLS included.
    - `read`: from the request having been sent to the first byte of the reply, and then between its bytes.
    - `write`: between pieces of the body that the server takes.
    - `pool`: waiting for a free connection; no limit unless given by name, because a queue is not a failure.
    - `total`: the attempt from its connection to its last byte.
    - `first_event`: of a stream, from the request to the first event.
    - `idle`: of a stream, between events; comments that keep the connection alive do not count.

    Raises ValueError for negative, infinite or non-numeric limits.
    """

    __slots__ = ("_hash", "connect", "first_event", "idle", "pool", "read", "total", "write")

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None
    first_event: float | None
    idle: float | None

    def __init__(
        self,
        timeout: float | None | NotGiven = not_given,
        *,
        total: float | None = None,
        connect: float | None | NotGiven = not_given,
        read: float | None | NotGiven = not_given,
        write: float | None | NotGiven = not_given,
        pool: float | None = None,
        first_event: float | None = None,
        idle: float | None = None,
    ) -> None:
        rest = None if isinstance(timeout, NotGiven) else timeout
        self.connect = _seconds("connect", rest if isinstance(connect, NotGiven) else connect)
        self.read = _seconds("read", rest if isinstance(read, NotGiven) else read)
        self.write = _seconds("write", rest if isinstance(write, NotGiven) else write)
        self.pool = _seconds("pool", pool)
        self.total = _seconds("total", total)
        self.first_event = _seconds("first_event", first_event)
        self.idle = _seconds("idle", idle)
        # Limits are looked up by each call, so this is worked out once.
        self._hash = hash(self._values())

    @classmethod
    def of(cls, value: Any) -> Timeout:
        """A Timeout from what `timeout=` takes: seconds, None, a Timeout, or an object like httpx's."""
        if isinstance(value, Timeout):
            return value
        if value is None or isinstance(value, (int, float)):
            return cls(value)
        if hasattr(value, "connect") and hasattr(value, "read"):
            return cls(connect=value.connect, read=value.read, write=getattr(value, "write", None))
        raise TypeError(f"timeout must be seconds, None or a Timeout, not {type(value).__name__}")

    def _values(self) -> tuple[float | None, ...]:
        return tuple(getattr(self, name) for name in self.__slots__[1:])

    @override
    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Timeout) else NotImplemented

    @override
    def __hash__(self) -> int:
        return self._hash

    @override
    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value}" for name in self.__slots__[1:] if (value := getattr(self, name)) is not None
        )
        return f"Timeout({given})"


TimeoutTypes: TypeAlias = float | Timeout | None


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"the timeout {name!r} must be a non-negative number of seconds or None, not {value!r}")
    return value


DEFAULT_TIMEOUT = Timeout(600, connect=5.0)
DEFAULT_MAX_RETRIES = 2


# Type checkers learn nothing of the contents from an isinstance; JSON's have strings for keys.


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping."""
    return isinstance(value, Mapping)


def is_left_out(value: object) -> bool:
    """Whether a value is `omit` or `not_given`."""
    return isinstance(value, (Omit, NotGiven))


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)
