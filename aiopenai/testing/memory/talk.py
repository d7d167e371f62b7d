"""The memory of one realtime session: its items in order, and the lengths of their audio."""

from __future__ import annotations

from typing import Any

__all__ = ["Talk"]


class Talk:
    """The conversation of one realtime session."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.audio_ms: dict[str, int] = {}
        """The milliseconds of audio of an item, by its id."""

    def find(self, identity: object) -> dict[str, Any] | None:
        """Returns the item with this id, or None."""
        return next((item for item in self.items if item["id"] == identity), None)

    @property
    def last_id(self) -> str | None:
        """The id of the last item; None in an empty conversation."""
        return self.items[-1]["id"] if self.items else None

    def insert(self, item: dict[str, Any], after: object) -> str | None:
        """Adds an item after another one: None means the end, `root` the beginning. Returns the id of the one before.

        Raises KeyError if there is no such item.
        """
        if after is None:
            place = len(self.items)
        elif after == "root":
            place = 0
        else:
            before = self.find(after)
            if before is None:
                raise KeyError(after)
            place = self.items.index(before) + 1
        self.items.insert(place, item)
        return self.items[place - 1]["id"] if place else None
