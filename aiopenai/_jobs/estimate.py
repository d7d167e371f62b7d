"""The cost of a request in tokens, before its reply tells it."""

from __future__ import annotations

__all__ = ["Estimate"]


class Estimate:
    """The expected cost of requests in tokens, learned from the replies of the same job."""

    __slots__ = ("_bytes", "_calls", "_read", "_written")

    # The weight that older observations keep with each new one.
    MEMORY = 0.98

    def __init__(self) -> None:
        # Four bytes of JSON per token and a short answer, until replies say better.
        self._bytes, self._read = 4_000.0, 1_000.0
        self._calls, self._written = 1.0, 200.0

    def of(self, size: int, most: int | None) -> float:
        """Returns the expected tokens of a request of `size` bytes with an answer of at most `most` tokens."""
        written = self._written / self._calls
        return max(1.0, size * self._read / self._bytes + (written if most is None else min(written, most)))

    def learn(self, size: int, read: int, written: int) -> None:
        """Learns that a request of `size` bytes cost so many tokens."""
        self._bytes = self._bytes * self.MEMORY + size
        self._read = self._read * self.MEMORY + read
        self._calls = self._calls * self.MEMORY + 1
        self._written = self._written * self.MEMORY + written
