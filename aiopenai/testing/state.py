"""What the server remembers between requests: bounded stores, counters, the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

from .catalogue import MODELS
from .stored import StoredChat, StoredFile, StoredResponse

__all__ = ["EPOCH", "Answer", "State", "Store"]

T = TypeVar("T")

Answer: TypeAlias = "str | Callable[[str], str] | None"

# Replies carry this time unless the server is given a clock, so that the same input gives the same output.
EPOCH = 1_750_000_000


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


class State:
    """The memory of one server."""

    def __init__(
        self,
        *,
        answer: Answer,
        models: Iterable[str] | None,
        clock: Callable[[], float] | None,
        max_stored: int,
        max_stored_bytes: int,
    ) -> None:
        self.answer: Answer = answer
        self.clock: Callable[[], float] = clock or _epoch
        self._models = tuple(MODELS if models is None else models)
        self.models: dict[str, None] = dict.fromkeys(self._models)
        self.chats: Store[StoredChat] = Store(max_stored)
        self.responses: Store[StoredResponse] = Store(max_stored)
        self.files: Store[StoredFile] = Store(max_stored, max_stored_bytes)
        self._serial = 0

    def new_id(self, prefix: str) -> str:
        """An id that no other object of this server has; the numbers run on from 1."""
        self._serial += 1
        return f"{prefix}{self._serial:024x}"

    def reply_text(self, prompt: str) -> str:
        """The text that a model gives to `prompt` (the last thing the user said)."""
        answer = self.answer
        if answer is None:
            prompt = prompt.strip()
            return f"You said: {prompt[:2000]}" if prompt else "Hello! How can I help you today?"
        if isinstance(answer, str):
            return answer
        return answer(prompt)

    def clear(self) -> None:
        """Forget stored objects, bring back deleted models, and count ids from 1 again."""
        self.models = dict.fromkeys(self._models)
        self.chats.clear()
        self.responses.clear()
        self.files.clear()
        self._serial = 0


def _epoch() -> float:
    return EPOCH
