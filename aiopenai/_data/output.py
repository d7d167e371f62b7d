"""Bases of replies with output items: their text, and the value they were parsed into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from aiopenai._base.aliases import is_list
from aiopenai._data.model import Model

__all__ = ["MessageText", "OutputParsed", "OutputText"]

ContentType = TypeVar("ContentType")


class OutputText(Model):
    """A reply with output items."""

    @property
    def output_text(self) -> str:
        """The `output_text` contents of the output's messages, joined; empty if there are none."""
        texts: list[str] = []
        for item in _items(self, "output"):
            if getattr(item, "type", None) == "message":
                texts += _texts(item)
        return "".join(texts)


class MessageText(Model):
    """A message with content parts."""

    @property
    def output_text(self) -> str:
        """The `output_text` contents of the message, joined; empty if there are none."""
        return "".join(_texts(self))


class OutputParsed(Generic[ContentType]):
    """The parsed value of a reply with output items: a second base, which adds no fields."""

    __slots__ = ()

    @property
    def output_parsed(self) -> ContentType | None:
        """The first parsed content of the output's messages; None if there is none."""
        for item in _items(self, "output"):
            if getattr(item, "type", None) == "message":
                for part in _items(item, "content"):
                    parsed: ContentType | None = getattr(part, "parsed", None)
                    if getattr(part, "type", None) == "output_text" and parsed is not None:
                        return parsed
        return None


def _texts(message: Any) -> Iterator[str]:
    for part in _items(message, "content"):
        text = getattr(part, "text", None)
        if getattr(part, "type", None) == "output_text" and isinstance(text, str):
            yield text


def _items(node: Any, name: str) -> list[Any]:
    value: Any = getattr(node, name, None)
    return value if is_list(value) else []
