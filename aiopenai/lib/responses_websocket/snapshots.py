"""Immutable views of a response that is being received."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ResponsesWebSocketOutput", "ResponsesWebSocketSnapshot"]


@dataclass(frozen=True)
class ResponsesWebSocketOutput:
    """One output item so far. `text` holds pairs of a content index and a text."""

    output_index: int
    item_id: str | None
    type: str | None
    name: str | None
    call_id: str | None
    arguments: str
    input: str
    text: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ResponsesWebSocketSnapshot:
    """A response so far. `terminal_type` is the type of the ending event; None before it."""

    stream_id: str | None
    response_id: str | None
    terminal_type: str | None
    output: tuple[ResponsesWebSocketOutput, ...]

    @property
    def output_text(self) -> str:
        """The texts of all items, joined."""
        return "".join(text for item in self.output for _, text in item.text)
