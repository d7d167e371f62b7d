"""The clock of a grouper: checks events, and tells the time of the transcript between them."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any, Literal, NamedTuple

from aiopenai.errors import OpenAIError
from aiopenai.lib.live.segments import LONGEST_MS, Fragment, GroupingRules, Speaker, TranscriptUpdate
from aiopenai.lib.live.turns import Turns

__all__ = ["TimedTurns"]

_SPEAKERS: dict[str, Speaker] = {
    "session.input_transcript.delta": "user",
    "session.output_transcript.delta": "assistant",
}
# A fragment waits this long for one of the other speaker with the same times.
_HELD_MS = 50
_LARGEST_TIME = 2**53 - 1
_numbers = itertools.count()


class _Received(NamedTuple):
    fragment: Fragment
    at: float


class TimedTurns:
    """Turns that end by the clock, too. One thread at a time may use it."""

    def __init__(self, rules: GroupingRules) -> None:
        self._turns = Turns(rules, f"segment_{next(_numbers)}")
        self._seen: set[str] = set()
        self._held: list[_Received] = []
        self._last_start: int | None = None
        # A time of the transcript, and the local time at which it was reached.
        self._reached: tuple[int, float] | None = None
        self.closed = False

    def push(self, event: Any) -> list[TranscriptUpdate] | None:
        """Takes an event. Returns None for one that changes nothing.

        Raises OpenAIError for a malformed event and after the close, and keeps its state.
        """
        if self.closed:
            raise OpenAIError("This grouper is closed and takes no more events: make one for each session.")
        kind = getattr(event, "type", None)
        if kind == "session.closed":
            return self.close("session_closed")
        speaker = _SPEAKERS.get(kind) if isinstance(kind, str) else None
        if speaker is None:
            if kind is None:
                raise OpenAIError(f"push takes events of a live connection, not {type(event).__name__}")
            return None
        event_id, fragment = _read(event, speaker)
        if event_id in self._seen:
            return None
        self._seen.add(event_id)
        return self._take(_Received(fragment, _now())) if fragment.text else None

    def _take(self, received: _Received) -> list[TranscriptUpdate]:
        new = received.fragment
        first = self._held[0].fragment if self._held else None
        if first is not None and (first.start_ms, first.end_ms) == (new.start_ms, new.end_ms):
            self._held.append(received)
            return self._release() if first.speaker != new.speaker else []
        updates = self._release()
        if self._turns.speaker == new.speaker:
            return updates + self._add([received])
        self._held.append(received)
        return updates

    def close(self, reason: Literal["manual", "session_closed"]) -> list[TranscriptUpdate]:
        """Ends all turns. A second call does nothing."""
        if self.closed:
            return []
        self.closed = True
        self._seen.clear()
        return self._release() + self._turns.close(self._time(), reason)

    def tick(self) -> list[TranscriptUpdate]:
        """Ends the turns that are due by now."""
        return self._release() + self._turns.advance(self._time())

    def delay(self) -> int | None:
        """Returns the milliseconds until `tick` is due, or None if nothing waits."""
        if self.closed:
            return None
        if self._held:
            left = self._held[0].at + _HELD_MS - _now()
        elif (due := self._turns.due()) is not None:
            left = due - self._time()
        else:
            return None
        return min(LONGEST_MS, max(0, math.ceil(left)))

    def _time(self) -> float:
        """Returns the time of the transcript, which goes on by the local clock after each fragment."""
        if self._reached is None:
            return 0
        reached, at = self._reached
        return reached + max(0.0, _now() - at)

    def _release(self) -> list[TranscriptUpdate]:
        held, self._held = self._held, []
        return self._add(held) if held else []

    def _add(self, received: list[_Received]) -> list[TranscriptUpdate]:
        start = received[0].fragment.start_ms
        updates: list[TranscriptUpdate] = []
        if self._last_start is not None and start < self._last_start:
            updates += self._turns.close(self._time(), "timestamp_reset")
            self._reached = None
        self._last_start = start
        reached = 0 if self._reached is None else self._reached[0]
        ends = (each.fragment.end_ms for each in received)
        self._reached = max(reached, *ends), max(each.at for each in received)
        return updates + self._turns.add([each.fragment for each in received])


def _now() -> float:
    return time.monotonic() * 1000


def _read(event: Any, speaker: Speaker) -> tuple[str, Fragment]:
    """Returns an event's id and fragment. Replies are decoded leniently, so each field is checked here."""
    event_id: Any = getattr(event, "event_id", None)
    text: Any = getattr(event, "delta", None)
    start: Any = getattr(event, "start_ms", None)
    end: Any = getattr(event, "end_ms", None)
    if not isinstance(event_id, str) or not event_id:
        fault = "event_id must be a string that is not empty"
    elif not isinstance(text, str):
        fault = "delta must be a string"
    elif not _is_time(start) or not _is_time(end) or end < start:
        fault = "start_ms and end_ms must be whole numbers from 0, the end not before the start"
    else:
        return event_id, Fragment(speaker, text, int(start), int(end))
    raise OpenAIError(f"The event {event.type!r} is malformed: {fault}.")


def _is_time(value: Any) -> bool:
    # A whole float is a time, as in the service's other clients; NaN and infinity fail the comparison.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= _LARGEST_TIME and int(value) == value
