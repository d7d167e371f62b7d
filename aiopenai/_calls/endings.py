"""The end of a stream: the rules that tell a complete stream from a broken one, for all dialects of servers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiopenai._base.aliases import is_list

__all__ = ["StreamEnd", "is_done", "is_ending"]

DONE = b"[DONE]"

# The last word of the type of an ending event.
_LAST_WORDS = frozenset({"completed", "done", "failed", "incomplete", "cancelled", "expired", "requires_action"})
# Families of events in which only one object ends the stream: `response.output_text.done` ends a text, no response.
_SUBJECTS = {"response": "response", "thread": "thread.run"}


def is_done(data: bytes) -> bool:
    """Whether an event's data is the end mark. Some servers send white space around it."""
    return data == DONE or (len(data) < 32 and data.decode("utf-8", "replace").strip() == "[DONE]")


@lru_cache(maxsize=512)
def is_ending(kind: str) -> bool:
    """Whether an event of this type ends its stream, such as `response.completed` or `speech.audio.done`."""
    subject, _, last = kind.rpartition(".")
    return last in _LAST_WORDS and _SUBJECTS.get(kind.partition(".")[0], subject) == subject


class StreamEnd:
    """The progress of a stream towards its end.

    A stream is complete after `[DONE]`. Without that mark, the end of the body is the end of the stream if

    - each choice that has begun has its finish reason, however many chunks follow, or
    - an ending event has come, however many events follow, or
    - its events have neither choices nor types: nothing in them could tell the end.
    """

    __slots__ = ("_ended", "_finished", "_open", "done", "marked")

    def __init__(self) -> None:
        self.done = False
        """Whether `[DONE]` has come."""
        self.marked = False
        """Whether the events are of a kind that shows its end."""
        self._ended = False
        self._open: set[int] = set()
        self._finished: set[int] = set()

    def continues(self, index: int) -> None:
        """Notes a part of a choice without a finish reason. A finished choice stays finished."""
        if index not in self._finished:
            self._open.add(index)

    def note_choice(self, index: Any, finish_reason: Any) -> None:
        """Notes any part of a choice. A choice without a number is the first; an empty reason is no reason."""
        number = index if isinstance(index, int) else 0
        if finish_reason:
            self._finished.add(number)
            self._open.discard(number)
        else:
            self.continues(number)

    def note_type(self, kind: str) -> None:
        """Notes the type of an event."""
        self.marked = True
        if is_ending(kind):
            self._ended = True

    def note(self, event: Any) -> None:
        """Notes any event: its choices, or its type or name."""
        choices: Any = getattr(event, "choices", None)
        if choices is not None:
            self.marked = True
            for choice in choices if is_list(choices) else ():
                self.note_choice(getattr(choice, "index", None), getattr(choice, "finish_reason", None))
            return
        kind: Any = getattr(event, "type", None) or getattr(event, "event", None)
        if isinstance(kind, str):
            self.note_type(kind)

    def is_complete(self, events: int) -> bool:
        """Whether the stream may end here, after this number of events."""
        if self.done or self._ended:
            return True
        if self._open or not events:
            return False
        return bool(self._finished) or not self.marked
