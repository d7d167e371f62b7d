"""Transcripts of live sessions, grouped into segments of one speaker each.

A live session sends fragments of two transcripts, which overlap. A grouper joins them into segments for display.
"""

from aiopenai.lib.live.groupers import AsyncTranscriptGrouper, TranscriptGrouper
from aiopenai.lib.live.segments import (
    TranscriptSegment,
    TranscriptSegmentClosedEvent,
    TranscriptSegmentCloseReason,
)

__all__ = [
    "AsyncTranscriptGrouper",
    "TranscriptGrouper",
    "TranscriptSegment",
    "TranscriptSegmentCloseReason",
    "TranscriptSegmentClosedEvent",
]
