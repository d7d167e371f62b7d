"""The older realtime service, which clients ask for with the header `OpenAI-Beta: realtime=v1`.

It has other names of events, and its sessions are flat.
"""

from __future__ import annotations

from typing import Any

from aiopenai.testing.engine.values import Object, is_array, is_object

__all__ = ["new_settings", "old_event"]

_PREFIXES = {
    "response.output_text.": "response.text.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_audio.": "response.audio.",
}
# The place of a setting in the sessions of today.
_PLACES = {
    "input_audio_format": ("input", "format"),
    "input_audio_noise_reduction": ("input", "noise_reduction"),
    "input_audio_transcription": ("input", "transcription"),
    "turn_detection": ("input", "turn_detection"),
    "output_audio_format": ("output", "format"),
    "voice": ("output", "voice"),
    "speed": ("output", "speed"),
}
_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def new_settings(old: Object) -> Object:
    """Returns the settings of a session or a response under their names of today."""
    found = {name: value for name, value in old.items() if name not in _PLACES}
    audio: dict[str, Object] = {}
    for name, (direction, setting) in _PLACES.items():
        if name in old:
            audio.setdefault(direction, {})[setting] = old[name]
    if audio:
        found["audio"] = audio
    if is_array(modalities := found.pop("modalities", None)):
        found["output_modalities"] = ["audio"] if "audio" in modalities else ["text"]
    if "max_response_output_tokens" in found:
        found["max_output_tokens"] = found.pop("max_response_output_tokens")
    return found


def _old_settings(new: Object) -> Object:
    """Returns the settings of a session or a response under their older names."""
    found = {name: value for name, value in new.items() if name not in ("audio", "output_modalities")}
    if "output_modalities" in new:
        found["modalities"] = ["text", "audio"] if "audio" in new["output_modalities"] else ["text"]
    if new.get("object") != "realtime.session":
        return found
    found["max_response_output_tokens"] = found.pop("max_output_tokens")
    for name, (direction, setting) in _PLACES.items():
        value = new["audio"][direction].get(setting)
        found[name] = _FORMATS[value["type"]] if name.endswith("_format") and is_object(value) else value
    return found


def old_event(event: Object) -> Object | None:
    """Returns an event as the older service sends it; None for one that the older service lacks."""
    kind: str = event["type"]
    if kind == "conversation.item.done":
        return None
    if kind == "conversation.item.added":
        return {**event, "type": "conversation.item.created"}
    for new, old in _PREFIXES.items():
        if kind.startswith(new):
            return {**event, "type": old + kind[len(new) :]}
    for name in ("response", "session"):
        held: Any = event.get(name)
        if is_object(held):
            return {**event, name: _old_settings(held)}
    return event
