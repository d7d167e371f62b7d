"""The event loop of something that outlives a call of the blocking client, as streams and raw replies see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

__all__ = ["Lease"]

T = TypeVar("T")


class Lease(Protocol):
    """A loop that is held until `release`."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end."""
        ...

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, and closes it when the iteration ends."""
        ...

    def release(self) -> None:
        """Gives the loop back. Further calls do nothing."""
        ...
