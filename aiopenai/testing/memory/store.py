"""The bounded store in which the server keeps objects."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Store"]

T = TypeVar("T")


class Store(Generic[T]):
    """Objects by id, oldest first. The oldest are dropped beyond `limit` objects, or beyond `max_bytes` bytes."""

    __slots__ = ("_items", "_sizes", "_total", "limit", "max_bytes")

    def __init__(self, limit: int, max_bytes: int | None = None) -> None:
        self.limit = limit
        self.max_bytes = max_bytes
        self._items: dict[str, T] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0

    def put(self, key: str, value: T, size: int = 0) -> None:
        """Adds or replaces an object of `size` bytes. The newest object is always kept."""
        self.pop(key)
        self._items[key] = value
        if self.max_bytes is not None:
            self._sizes[key] = size
            self._total += size
        while len(self._items) > 1 and (
            len(self._items) > self.limit or (self.max_bytes is not None and self._total > self.max_bytes)
        ):
            self.pop(next(iter(self._items)))

    def get(self, key: str) -> T | None:
        """Returns the object, or None."""
        return self._items.get(key)

    def pop(self, key: str) -> T | None:
        """Removes the object and returns it, or None."""
        self._total -= self._sizes.pop(key, 0)
        return self._items.pop(key, None)

    def clear(self) -> None:
        """Drops all objects."""
        self._items.clear()
        self._sizes.clear()
        self._total = 0

    def values(self) -> list[T]:
        """Returns the objects, oldest first."""
        return list(self._items.values())
