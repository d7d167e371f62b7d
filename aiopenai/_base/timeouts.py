"""`Timeout`: the time limits of one attempt, and the defaults of a client."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from typing_extensions import override

from aiopenai._base.aliases import python_value
from aiopenai._base.sentinels import NotGiven, not_given

__all__ = ["DEFAULT_MAX_RETRIES", "DEFAULT_TIMEOUT", "Timeout", "TimeoutTypes"]


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

    __slots__ = ("_hash", "_rest", "connect", "first_event", "idle", "pool", "read", "total", "write")

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
        pool: float | None | NotGiven = not_given,
        first_event: float | None = None,
        idle: float | None = None,
    ) -> None:
        rest = None if isinstance(timeout, NotGiven) else timeout
        self.connect = _seconds("connect", rest if isinstance(connect, NotGiven) else connect)
        self.read = _seconds("read", rest if isinstance(read, NotGiven) else read)
        self.write = _seconds("write", rest if isinstance(write, NotGiven) else write)
        self.pool = _seconds("pool", None if isinstance(pool, NotGiven) else pool)
        self._rest = _seconds("timeout", rest if isinstance(pool, NotGiven) else pool)
        self.total = _seconds("total", total)
        self.first_event = _seconds("first_event", first_event)
        self.idle = _seconds("idle", idle)
        # Each call looks its limits up: the hash is computed once.
        self._hash = hash(self._values())

    @classmethod
    def of(cls, value: Any) -> Timeout:
        """Returns the Timeout for a value of `timeout=`: seconds, None, a Timeout, or an object like httpx's."""
        if isinstance(value, Timeout):
            return value
        value = python_value(value)
        if value is None or isinstance(value, (int, float)):
            return cls(value)
        if hasattr(value, "connect") and hasattr(value, "read"):
            return cls(connect=value.connect, read=value.read, write=getattr(value, "write", None))
        raise TypeError(f"timeout must be seconds, None or a Timeout, not {type(value).__name__}")

    def as_dict(self) -> dict[str, float | None]:
        """Returns the connect, read, write and pool timeouts by name, as the reference does.

        Its pool timeout is the general one unless given by name, although here a queue has no limit then.
        """
        return {"connect": self.connect, "read": self.read, "write": self.write, "pool": self._rest}

    def _values(self) -> tuple[float | None, ...]:
        return tuple(getattr(self, name) for name in self.__slots__[2:])

    @override
    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Timeout) else NotImplemented

    @override
    def __hash__(self) -> int:
        return self._hash

    @override
    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value}" for name in self.__slots__[2:] if (value := getattr(self, name)) is not None
        )
        return f"Timeout({given})"


TimeoutTypes: TypeAlias = float | Timeout | None


def _seconds(name: str, value: Any) -> float | None:
    value = python_value(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"the timeout {name!r} must be a non-negative number of seconds or None, not {value!r}")
    return value


DEFAULT_TIMEOUT = Timeout(600, connect=5.0)
DEFAULT_MAX_RETRIES = 2
