"""The interface through which a blocking stream or unread reply runs its coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

__all__ = ["HeldLoop"]

T = TypeVar("T")


class HeldLoop(Protocol):
    """An event loop that a stream or an unread reply holds until `release`."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end."""
        ...

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, and closes it when the iteration ends."""
        ...

    def release(self) -> None:
        """Gives the loop back. Further calls do nothing."""
        ...
