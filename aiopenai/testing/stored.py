"""The objects that the server keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["StoredChat", "StoredFile", "StoredResponse"]


@dataclass(slots=True)
class StoredChat:
    """A chat completion that was created with `store: true`, and the messages that led to it."""

    completion: dict[str, Any]
    messages: list[Any]


@dataclass(slots=True)
class StoredResponse:
    """A response in its final form, and the input items of its whole conversation.

    polls: for background responses, how many retrievals still find it unfinished.
    """

    response: dict[str, Any]
    items: list[dict[str, Any]]
    polls: int = 0


@dataclass(slots=True)
class StoredFile:
    """A file and what `GET /files/{id}` says about it."""

    file: dict[str, Any]
    data: bytes
