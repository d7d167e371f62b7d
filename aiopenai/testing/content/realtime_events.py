"""The events of a realtime response, made from its output items."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from aiopenai.testing.content.text import tokenize
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["item_events", "old_event", "realtime_limits", "realtime_usage", "with_status"]

# The names of the older service, which clients ask for with the header `OpenAI-Beta: realtime=v1`.
_OLD_PREFIXES = {
    "response.output_text.": "response.text.",
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_audio.": "response.audio.",
}


def item_events(response_id: str, index: int, item: Object, audio: list[bytes] | None) -> Iterator[Object]:
    """Yields the events of one output item. A message has its text, or with `audio` its pieces and the transcript."""
    at: Object = {"response_id": response_id, "output_index": index}
    here: Object = {**at, "item_id": item["id"]}
    added = with_status(item, "in_progress")
    yield {"type": "response.output_item.added", **at, "item": added}
    yield {"type": "conversation.item.added", "previous_item_id": None, "item": added}
    if item["type"] == "function_call":
        call: Object = {**here, "call_id": item["call_id"]}
        for token in tokenize(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **call, "delta": token}
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **call, **done}
    else:
        yield from _message_events(item["content"][0], {**here, "content_index": 0}, audio)
    yield {"type": "conversation.item.done", "previous_item_id": None, "item": item}
    yield {"type": "response.output_item.done", **at, "item": item}


def _message_events(part: Object, here: Object, audio: list[bytes] | None) -> Iterator[Object]:
    if audio is None:
        text: str = part["text"]
        yield {"type": "response.content_part.added", **here, "part": {"type": "text", "text": ""}}
        for token in tokenize(text):
            yield {"type": "response.output_text.delta", **here, "delta": token}
        yield {"type": "response.output_text.done", **here, "text": text}
        yield {"type": "response.content_part.done", **here, "part": {"type": "text", "text": text}}
        return
    transcript: str = part["transcript"]
    yield {"type": "response.content_part.added", **here, "part": {"type": "audio", "transcript": ""}}
    # The transcript runs ahead of the audio, as that of the service does.
    for token, piece in zip_longest(tokenize(transcript), audio):
        if token is not None:
            yield {"type": "response.output_audio_transcript.delta", **here, "delta": token}
        if piece is not None:
            yield {"type": "response.output_audio.delta", **here, "delta": b64encode(piece).decode()}
    yield {"type": "response.output_audio.done", **here}
    yield {"type": "response.output_audio_transcript.done", **here, "transcript": transcript}
    yield {"type": "response.content_part.done", **here, "part": {"type": "audio", "transcript": transcript}}


def with_status(item: Object, status: str) -> Object:
    """Returns an item that is not complete: without content or arguments."""
    empty: Object = {"content": []} if item["type"] == "message" else {"arguments": ""}
    return {**item, **empty, "status": status}


def old_event(event: Object) -> Object | None:
    """Returns an event under its name in the older service; None for one that the older service lacks."""
    kind: str = event["type"]
    if kind == "conversation.item.done":
        return None
    if kind == "conversation.item.added":
        return {**event, "type": "conversation.item.created"}
    for new, old in _OLD_PREFIXES.items():
        if kind.startswith(new):
            return {**event, "type": old + kind[len(new) :]}
    response: Any = event.get("response")
    if is_object(response) and "output_modalities" in response:
        modalities = response["output_modalities"]
        return {
            **event,
            "response": {**response, "modalities": ["text", "audio"] if "audio" in modalities else ["text"]},
        }
    return event


def realtime_usage(read: int, made: int) -> Object:
    """Returns the usage of a response."""
    return {
        "total_tokens": read + made,
        "input_tokens": read,
        "output_tokens": made,
        "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": 0, "image_tokens": 0},
        "output_token_details": {"text_tokens": made, "audio_tokens": 0},
    }


def realtime_limits(tokens: int) -> list[Object]:
    """Returns the rate limits after a response of so many tokens."""
    return [
        {"name": "requests", "limit": 10_000, "remaining": 9_999, "reset_seconds": 0.006},
        {"name": "tokens", "limit": 2_000_000, "remaining": 2_000_000 - tokens, "reset_seconds": tokens / 33_333},
    ]
