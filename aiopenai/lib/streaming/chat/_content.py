"""The content of a streamed message: text, or a list of parts where a server sends them."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.streaming.growing import Strings

__all__ = ["GrowingContent", "text_of_delta"]


class GrowingContent(Strings):
    """A content that grows: its text, and its parts if a delta has brought a list of them.

    Parts are kept as they came, in their order. Text that comes as a string before or after parts becomes a part of
    the type `text`. Empty strings change nothing.
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        super().__init__()
        # Parts with their moments; a string that grows stands for a part of text.
        self._parts: list[tuple[int, Any]] | None = None

    @property
    def has_parts(self) -> bool:
        """Whether a list of parts has come."""
        return self._parts is not None

    def add_text(self, moment: int, text: str) -> int:
        """Adds a string. Returns the new size of the text."""
        if self._parts is not None and text:
            if not (self._parts and isinstance(self._parts[-1][1], Strings)):
                self._parts.append((moment, Strings()))
            self._parts[-1][1].add(moment, text)
        return self.add(moment, text)

    def add_parts(self, moment: int, parts: list[Any]) -> int:
        """Adds a list of parts. Returns the new size of the text."""
        if self._parts is None:
            self._parts = []
            if self.size:
                before = Strings()
                before.add(0, self.cut(self.size))
                self._parts.append((0, before))
        self._parts += [(moment, part) for part in parts]
        return self.add(moment, "".join(map(_part_text, parts)))

    @override
    def merge(self, moment: int, value: Any) -> None:
        """Adds a string or a list of parts."""
        if isinstance(value, str):
            self.add_text(moment, value)
        elif is_list(value):
            self.add_parts(moment, value)

    @override
    def upto(self, moment: int) -> Any:
        """Returns the content at a moment: text before the first part, and a list after it."""
        parts = self._parts
        if parts is None or not any(at <= moment and not isinstance(part, Strings) for at, part in parts):
            return super().upto(moment)
        return [
            {"type": "text", "text": part.upto(moment)} if isinstance(part, Strings) else part
            for at, part in parts
            if at <= moment
        ]


def text_of_delta(content: Any) -> str | None:
    """Returns the text of a delta's content; None without any."""
    if isinstance(content, str):
        return content
    if is_list(content):
        return "".join(map(_part_text, content)) or None
    return None


def _part_text(part: Any) -> str:
    text = part.get("text") if is_mapping(part) else None
    return text if isinstance(text, str) else ""
