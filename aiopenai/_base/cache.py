"""`BoundedCache`: the one cache of the package that cannot grow without end."""

from __future__ import annotations

from typing import TypeVar

from typing_extensions import override

__all__ = ["LIMIT", "BoundedCache"]

K = TypeVar("K")
V = TypeVar("V")

LIMIT = 1_000
"""Entries of a cache, unless it is made with another limit."""


class BoundedCache(dict[K, V]):
    """A dict that drops the older half of its entries when a new key would exceed its limit.

    Only assignment (`cache[key] = value`) checks the limit. Lookups are those of `dict` and cost as little. Half is
    dropped at once because CPython takes linear time to find the first entry of a dict that lost many.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__()
        self.limit = limit

    @override
    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.limit and key not in self:
            # `list` copies in one step, so that another thread may write meanwhile.
            for old in list(self)[: (self.limit + 1) // 2]:
                self.pop(old, None)
        super().__setitem__(key, value)
