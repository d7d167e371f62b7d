"""A bounded store: how the server keeps whatever the API keeps."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Store"]

T = TypeVar("T")


class Store(Generic[T]):
    """Objects by id, oldest first. Beyond `limit` objects, or `max_bytes` of them, the oldest are dropped."""

    __slots__ = ("_items", "_sizes", "_total", "limit", "max_bytes")

    def __init__(self, limit: int, max_bytes: int | None = None) -> None:
        self.limit = limit
        self.max_bytes = max_bytes
        self._items: dict[str, T] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0

    def put(self, key: str, value: T, size: int = 0) -> None:
        """Add or replace an object of `size` bytes; the newest one is always kept."""
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
        """The object, or None."""
        return self._items.get(key)

    def pop(self, key: str) -> T | None:
        """Remove the object and return it, or None."""
        self._total -= self._sizes.pop(key, 0)
        return self._items.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._sizes.clear()
        self._total = 0

    def values(self) -> list[T]:
        """The objects, oldest first."""
        return list(self._items.values())
