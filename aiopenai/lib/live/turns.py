"""The rules of turns: which fragments form a segment, and when it ends. There are no clocks here, only given times."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from aiopenai.lib.live.segments import (
    Fragment,
    GroupingRules,
    Speaker,
    TranscriptSegment,
    TranscriptSegmentClosedEvent,
    TranscriptSegmentCloseReason,
    TranscriptUpdate,
)

__all__ = ["Turns"]

# The white space of ECMAScript, whose rules the service's other clients follow. Python's has other characters.
_SPACES = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_EDGES = re.compile(rf"^[{_SPACES}.,!?;:\"'()\[\]{{}}]+|[{_SPACES}.,!?;:\"'()\[\]{{}}]+\Z")
_GAPS = re.compile(f"[{_SPACES}]+")
_ACKNOWLEDGMENTS: frozenset[str] = frozenset(
    (
        *("aha", "alright", "gotcha", "hm", "hmm", "mhm", "mm", "mm hmm"),
        *("ok", "okay", "right", "sure", "uh huh", "yeah", "yep", "yes"),
    )
)


def _plain(text: str) -> str:
    """Returns a phrase in lower case, without hyphens and without the punctuation around it."""
    return _GAPS.sub(" ", _EDGES.sub("", text.lower().replace("-", " ")))


def _is_part_of_word(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LN"


@dataclass(eq=False)
class _Turn:
    """The fragments of one speaker. `may_drop` allows that it is left out of the segments."""

    id: str
    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int
    previous_id: str | None = None
    may_drop: bool = True

    def add(self, fragment: Fragment, *, apart: bool = False) -> None:
        """Appends a fragment; with `apart`, two words do not become one."""
        gap = apart and _is_part_of_word(self.text[-1]) and _is_part_of_word(fragment.text[0])
        self.text += f" {fragment.text}" if gap else fragment.text
        self.end_ms = max(self.end_ms, fragment.end_ms)

    def segment(self) -> TranscriptSegment:
        return TranscriptSegment(self.id, self.previous_id, self.speaker, self.text, self.start_ms, self.end_ms)


class Turns:
    """The open turn, and an assistant's turn that waits behind it.

    An assistant's turn waits while the user speaks: it may be an acknowledgement ("mhm"), which makes no segment.
    """

    def __init__(self, rules: GroupingRules, prefix: str) -> None:
        self._rules = rules
        self._prefix = prefix
        self._phrases: frozenset[str] = _ACKNOWLEDGMENTS.union(map(_plain, rules.acknowledgments)) - {""}
        self._open: _Turn | None = None
        self._waiting: _Turn | None = None
        self._made = 0
        self._last_id: str | None = None
        self._assistant_ended: int | None = None

    @property
    def speaker(self) -> Speaker | None:
        """The speaker of the open turn."""
        return None if self._open is None else self._open.speaker

    def add(self, fragments: list[Fragment]) -> list[TranscriptUpdate]:
        """Adds fragments of the same time."""
        first_speaker = self.speaker or "user"
        ordered = sorted(fragments, key=lambda fragment: fragment.speaker != first_speaker)
        now = ordered[0].start_ms
        updates: list[TranscriptUpdate] = []
        while (due := self.due()) is not None and due < now:
            updates += self.advance(due)
        speakers = {fragment.speaker for fragment in ordered}
        if self._open is not None and self._open.speaker not in speakers:
            updates += self.advance(now, user_speaks="user" in speakers)
        for fragment in ordered:
            updates += self._add(fragment)
        return updates

    def due(self) -> float | None:
        """Returns the time at which a turn ends if no fragment arrives before."""
        turn, waiting, rules = self._open, self._waiting, self._rules
        if turn is None:
            return None
        if waiting is not None:
            separated = turn.end_ms + rules.separation
            return max(separated, waiting.end_ms + rules.isolation) if self._is_undecided(turn, waiting) else separated
        return turn.end_ms + rules.silence if turn.speaker == "assistant" else None

    def advance(self, now: float, *, user_speaks: bool = False) -> list[TranscriptUpdate]:
        """Ends the turn that is due at a time."""
        turn, waiting, rules = self._open, self._waiting, self._rules
        if turn is None:
            return []
        if waiting is not None:
            held = self._is_undecided(turn, waiting) and now < waiting.end_ms + rules.isolation
            # The same sum as in `due`: a difference would round otherwise.
            if now < turn.end_ms + rules.separation or held:
                return []
            if not self._drops(turn, waiting, now):
                return [*self._end("speaker_change"), *self._begin(waiting)]
            self._waiting = None
        elif turn.speaker == "assistant" and not user_speaks and now >= turn.end_ms + rules.silence:
            return self._end("inactivity")
        return []

    def close(self, now: float, reason: TranscriptSegmentCloseReason) -> list[TranscriptUpdate]:
        """Ends all turns. After a reset of the times, later ones are not compared with earlier ones."""
        turn, waiting = self._open, self._waiting
        updates = self._end(reason)
        if turn is not None and waiting is not None and not self._drops(turn, waiting, now):
            updates += self._begin(waiting)
            updates += self._end(reason)
        self._waiting = None
        if reason == "timestamp_reset":
            self._assistant_ended = None
        return updates

    def _add(self, fragment: Fragment) -> Iterable[TranscriptUpdate]:
        turn, waiting = self._open, self._waiting
        if turn is None:
            return self._begin(self._turn(fragment))
        if fragment.speaker == turn.speaker:
            turn.add(fragment, apart=waiting is not None)
            return [turn.segment()]
        if turn.speaker == "assistant":
            # A user who interrupts is heard at once.
            return [*self._end("speaker_change"), *self._begin(self._turn(fragment))]
        if waiting is not None and self._is_overtaken(turn, waiting):
            self._waiting = waiting = None
        if fragment.start_ms - turn.end_ms < self._rules.separation:
            self._wait(fragment, may_drop=self._acknowledges(fragment, partly=True))
            return []
        if self._acknowledges(fragment):
            self._wait(fragment, may_drop=waiting is not None)
            return []
        if waiting is None or self._drops(turn, waiting, fragment.start_ms):
            following = self._turn(fragment)
        else:
            following = waiting
            following.add(fragment)
        return [*self._end("speaker_change"), *self._begin(following)]

    def _turn(self, fragment: Fragment) -> _Turn:
        made = f"{self._prefix}_{self._made}"
        self._made += 1
        return _Turn(made, fragment.speaker, fragment.text, fragment.start_ms, fragment.end_ms)

    def _wait(self, fragment: Fragment, *, may_drop: bool) -> None:
        if self._waiting is None:
            self._waiting = self._turn(fragment)
        else:
            self._waiting.add(fragment)
        self._waiting.may_drop = may_drop

    def _begin(self, turn: _Turn) -> list[TranscriptUpdate]:
        """Makes a turn the open one, and none waits."""
        turn.previous_id, self._last_id = self._last_id, turn.id
        self._open, self._waiting = turn, None
        return [turn.segment()]

    def _end(self, reason: TranscriptSegmentCloseReason) -> list[TranscriptUpdate]:
        turn, self._open = self._open, None
        if turn is None:
            return []
        if turn.speaker == "assistant":
            self._assistant_ended = turn.end_ms
        return [TranscriptSegmentClosedEvent(turn.segment(), reason)]

    # Acknowledgements

    def _acknowledges(self, fragment: Fragment, *, partly: bool = False) -> bool:
        """Returns whether the waiting turn with a fragment is a short acknowledgement, or with `partly` begins one."""
        begin = self._waiting or fragment
        if fragment.end_ms - begin.start_ms >= self._rules.longest_acknowledgment:
            return False
        text = _plain(fragment.text if self._waiting is None else self._waiting.text + fragment.text)
        if partly:
            return bool(text) and any(phrase.startswith(text) for phrase in self._phrases)
        return text in self._phrases

    def _is_short(self, waiting: _Turn) -> bool:
        """Returns whether a waiting turn is short enough, and may be left out."""
        return waiting.may_drop and waiting.end_ms - waiting.start_ms < self._rules.longest_acknowledgment

    def _is_overtaken(self, turn: _Turn, waiting: _Turn) -> bool:
        """Returns whether the user went on speaking after an acknowledgement."""
        return self._is_short(waiting) and turn.end_ms > waiting.end_ms

    def _follows_assistant(self, turn: _Turn, waiting: _Turn) -> bool:
        """Returns whether a waiting turn continues a turn of the assistant that the user interrupted."""
        ended = self._assistant_ended
        recent = ended is not None and waiting.start_ms - ended < self._rules.isolation
        return recent and waiting.start_ms <= turn.start_ms

    def _is_undecided(self, turn: _Turn, waiting: _Turn) -> bool:
        """Returns whether a waiting turn may turn out to be an acknowledgement."""
        return (
            self._is_short(waiting)
            and not self._is_overtaken(turn, waiting)
            and not self._follows_assistant(turn, waiting)
        )

    def _drops(self, turn: _Turn, waiting: _Turn, now: float) -> bool:
        """Returns whether a waiting turn is an acknowledgement, if the assistant said no more until a time."""
        if not self._is_short(waiting):
            return False
        if self._is_overtaken(turn, waiting):
            return True
        return not self._follows_assistant(turn, waiting) and now >= waiting.end_ms + self._rules.isolation
