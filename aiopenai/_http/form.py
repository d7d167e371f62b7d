"""`Form`: the interface of a body of several parts. The transports know it without importing the code of uploads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

__all__ = ["Form"]


class Form(ABC):
    """A ``multipart/form-data`` body; see multipart.py."""

    content_type: str

    @property
    @abstractmethod
    def replayable(self) -> bool:
        """Whether the body can be sent once more."""

    @abstractmethod
    def as_bytes(self, limit: int) -> bytes | None:
        """Returns the whole body if it is in memory and at most `limit` bytes long; else None."""

    @abstractmethod
    async def open(self) -> tuple[AsyncGenerator[bytes, None], int | None]:
        """Returns the body in pieces, and its length if that is known."""
