"""The segments of a transcript, and the rules by which they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aiopenai.errors import OpenAIError

__all__ = [
    "LONGEST_MS",
    "Fragment",
    "GroupingRules",
    "Speaker",
    "TranscriptSegment",
    "TranscriptSegmentCloseReason",
    "TranscriptSegmentClosedEvent",
    "TranscriptUpdate",
]

Speaker: TypeAlias = Literal["user", "assistant"]
TranscriptSegmentCloseReason: TypeAlias = Literal[
    "speaker_change", "inactivity", "timestamp_reset", "session_closed", "manual"
]

LONGEST_MS = 2_147_483_647
"""The longest interval of a rule in milliseconds."""


@dataclass(frozen=True)
class TranscriptSegment:
    """The words of one speaker so far. A later segment with the same `id` replaces it.

    `previous_id` is that of the segment before it. The times are those of the transcript, not of the playback.
    """

    id: str
    previous_id: str | None
    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class TranscriptSegmentClosedEvent:
    """A segment in its last state, and the reason for its end."""

    segment: TranscriptSegment
    reason: TranscriptSegmentCloseReason


TranscriptUpdate: TypeAlias = TranscriptSegment | TranscriptSegmentClosedEvent


@dataclass(frozen=True)
class Fragment:
    """The words of one speaker in one event."""

    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class GroupingRules:
    """The intervals of the grouping in milliseconds. Without a value each has its default."""

    separation: float
    silence: float
    longest_acknowledgment: float
    isolation: float
    acknowledgments: tuple[str, ...]

    @classmethod
    def of(
        cls,
        min_turn_separation_ms: float | None,
        assistant_silence_ms: float | None,
        backchannel_max_duration_ms: float | None,
        backchannel_isolation_ms: float | None,
        additional_acknowledgments: Sequence[str] | None,
    ) -> GroupingRules:
        """Returns the rules of a grouper's arguments. Raises OpenAIError for impossible ones."""
        return cls(
            _interval("min_turn_separation_ms", min_turn_separation_ms, 500),
            _interval("assistant_silence_ms", assistant_silence_ms, 2000),
            _interval("backchannel_max_duration_ms", backchannel_max_duration_ms, 1000),
            _interval("backchannel_isolation_ms", backchannel_isolation_ms, 2000),
            _phrases(additional_acknowledgments),
        )


def _interval(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LONGEST_MS:
        raise OpenAIError(f"{name} must be a number of milliseconds from 0 to {LONGEST_MS}, not {value!r}")
    return value


def _phrases(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    # A bare string is a sequence, too: of letters.
    if isinstance(given, str):
        raise OpenAIError("additional_acknowledgments must be a sequence of phrases; write ['...'] for one phrase")
    phrases = tuple(given)
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise OpenAIError(f"additional_acknowledgments must be phrases, not {type(phrase).__name__}")
    return phrases
