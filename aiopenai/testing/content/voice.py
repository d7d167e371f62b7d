"""Voices: which parts of PCM audio are speech, and the audio of spoken answers.

A window of 20 ms is speech if one of its samples is loud. Turns end after a length of silence in the audio itself, so
the speed at which a client sends has no influence.
"""

from __future__ import annotations

import sys
from array import array
from typing import NamedTuple

from aiopenai.testing.content.sounds import sound, spoken_seconds
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["AudioFormat", "SpeechTurn", "VoiceActivity", "audio_format", "spoken_pieces"]

_WINDOW_MS = 20
# The loudest sample of a quiet window, of 32,767, at a threshold of 0.5.
_QUIET = 400
_PIECE_MS = 200


class AudioFormat(NamedTuple):
    """An audio format of realtime sessions: its name, bytes a millisecond, and the byte of silence."""

    name: str
    bytes_per_ms: int
    silence: bytes

    def milliseconds(self, audio: bytes) -> int:
        """Returns the length of a piece of audio."""
        return len(audio) // self.bytes_per_ms


_FORMATS = {
    "audio/pcm": AudioFormat("audio/pcm", 48, b"\0"),
    "audio/pcmu": AudioFormat("audio/pcmu", 8, b"\xff"),
    "audio/pcma": AudioFormat("audio/pcma", 8, b"\xd5"),
}
_OLD_NAMES = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


def audio_format(given: object) -> AudioFormat | None:
    """Returns the format that a session names; PCM if it names none, None for an unknown one."""
    name = given.get("type") if is_object(given) else given
    if name is None:
        return _FORMATS["audio/pcm"]
    return _FORMATS.get(_OLD_NAMES.get(name, name)) if isinstance(name, str) else None


class SpeechTurn(NamedTuple):
    """The beginning or the end of speech, at a number of milliseconds from the beginning of the session's audio."""

    started: bool
    at_ms: int


class VoiceActivity:
    """Finds the turns of a speaker in the audio of one session."""

    def __init__(self) -> None:
        self.speaking = False
        self._position_ms = 0
        self._silence_ms = 0
        self._rest = b""

    def feed(self, audio: bytes, form: AudioFormat, detection: Object) -> list[SpeechTurn]:
        """Takes more audio, and returns the turns that begin and end in it. `detection` is `turn_detection`."""
        threshold: float = detection.get("threshold") or 0.5
        padding: int = detection.get("prefix_padding_ms") or 0
        needed: int = detection.get("silence_duration_ms") or 500
        size = form.bytes_per_ms * _WINDOW_MS
        data = self._rest + audio
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        turns: list[SpeechTurn] = []
        for start in range(0, whole, size):
            loud = _is_loud(data[start : start + size], form, threshold)
            self._position_ms += _WINDOW_MS
            self._silence_ms = 0 if loud else self._silence_ms + _WINDOW_MS
            if loud and not self.speaking:
                self.speaking = True
                turns.append(SpeechTurn(True, max(0, self._position_ms - _WINDOW_MS - padding)))
            elif self.speaking and self._silence_ms >= needed:
                self.speaking = False
                turns.append(SpeechTurn(False, self._position_ms))
        return turns


def _is_loud(window: bytes, form: AudioFormat, threshold: float) -> bool:
    if form.name != "audio/pcm":
        # The codes of G.711 that lie next to silence.
        quiet = {form.silence[0] ^ low for low in (0, 1, 0x80, 0x81)}
        return any(byte not in quiet for byte in window)
    samples = array("h")
    samples.frombytes(window)
    if sys.byteorder == "big":
        samples.byteswap()
    return max(*samples, -min(samples)) > _QUIET * threshold * 2


def spoken_pieces(text: str, form: AudioFormat) -> list[bytes]:
    """Returns a spoken text in pieces of 200 ms: a tone in PCM, silence in other formats."""
    audio = sound(text, "pcm") if form.name == "audio/pcm" else form.silence * int(spoken_seconds(text) * 8000)
    size = form.bytes_per_ms * _PIECE_MS
    return [audio[start : start + size] for start in range(0, len(audio), size)]
