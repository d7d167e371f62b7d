"""Credentials in memory: a wrapper whose repr hides them, and exceptions without the frames that hold them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from typing_extensions import override

from aiopenai._base.headers import REDACTED

__all__ = ["Secret", "without_frames"]

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


class Secret(Generic[T]):
    """A value that no repr shows: a key, or a header block with a key in it.

    Error reporters and debuggers print the local variables of each frame. A credential that is held in a local
    variable or an attribute is wrapped, so that they print `Secret(<redacted>)`.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    @override
    def __repr__(self) -> str:
        return f"Secret({REDACTED})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.value == cast("Any", other).value)

    @override
    def __hash__(self) -> int:
        return hash(self.value)


def without_frames(error: E) -> E:
    """Returns an exception after the tracebacks of it and of its causes are cleared: their frames may hold headers."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            pending += (each.__cause__, each.__context__)
    return error
