"""A wrapper that keeps a credential out of reprs."""

from __future__ import annotations

from typing import Generic, TypeVar

from typing_extensions import override

from aiopenai._base.headers import REDACTED

__all__ = ["Secret"]

T = TypeVar("T")


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
        return isinstance(other, Secret) and self.value == other.value

    @override
    def __hash__(self) -> int:
        return hash(self.value)
