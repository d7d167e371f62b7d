"""The events of a realtime response, made from its output items."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from itertools import zip_longest

from aiopenai.testing.content.text import tokenize
from aiopenai.testing.engine.values import Object

__all__ = ["RealtimeLimits", "SpokenItem", "realtime_usage"]


class SpokenItem:
    """An output item and its events. A message has its text, or with `audio` the pieces of it and the transcript."""

    def __init__(self, response_id: str, index: int, item: Object, audio: list[bytes] | None) -> None:
        self.item = item
        self.audio = audio
        self._at: Object = {"response_id": response_id, "output_index": index}
        self._here: Object = {**self._at, "item_id": item["id"]}
        self._is_call = item["type"] == "function_call"
        # Text and audio as far as they were sent; None before the content begins.
        self._said: str | None = None
        self.played = b""
        """The audio that was sent."""

    def events(self) -> Iterator[Object]:
        """Yields the events of the whole item."""
        item, at = self.item, self._at
        added: Object = {**item, "status": "in_progress"}
        if self._is_call:
            added["arguments"] = ""
        else:
            added["content"] = []
        yield {"type": "response.output_item.added", **at, "item": added}
        yield {"type": "conversation.item.added", "previous_item_id": None, "item": added}
        if self._is_call:
            call: Object = {**self._here, "call_id": item["call_id"]}
            self._said = ""
            for token in tokenize(item["arguments"]):
                self._said += token
                yield {"type": "response.function_call_arguments.delta", **call, "delta": token}
        else:
            yield from self._message(item["content"][0])
        yield from self._end()

    def _message(self, part: Object) -> Iterator[Object]:
        here = {**self._here, "content_index": 0}
        self._said = ""
        if self.audio is None:
            yield {"type": "response.content_part.added", **here, "part": {"type": "text", "text": ""}}
            for token in tokenize(part["text"]):
                self._said += token
                yield {"type": "response.output_text.delta", **here, "delta": token}
            return
        yield {"type": "response.content_part.added", **here, "part": {"type": "audio", "transcript": ""}}
        # The transcript runs ahead of the audio, as that of the service does.
        for token, piece in zip_longest(tokenize(part["transcript"]), self.audio):
            if token is not None:
                self._said += token
                yield {"type": "response.output_audio_transcript.delta", **here, "delta": token}
            if piece is not None:
                self.played += piece
                yield {"type": "response.output_audio.delta", **here, "delta": b64encode(piece).decode()}

    def _end(self) -> Iterator[Object]:
        item, here = self.item, {**self._here, "content_index": 0}
        if self._is_call:
            call: Object = {**self._here, "call_id": item["call_id"], "name": item["name"]}
            yield {"type": "response.function_call_arguments.done", **call, "arguments": item["arguments"]}
        elif self._said is not None and self.audio is None:
            text = item["content"][0]["text"]
            yield {"type": "response.output_text.done", **here, "text": text}
            yield {"type": "response.content_part.done", **here, "part": {"type": "text", "text": text}}
        elif self._said is not None:
            transcript = item["content"][0]["transcript"]
            yield {"type": "response.output_audio.done", **here}
            yield {"type": "response.output_audio_transcript.done", **here, "transcript": transcript}
            yield {"type": "response.content_part.done", **here, "part": {"type": "audio", "transcript": transcript}}
        yield {"type": "conversation.item.done", "previous_item_id": None, "item": item}
        yield {"type": "response.output_item.done", **self._at, "item": item}

    def cut(self) -> Iterator[Object]:
        """Yields the events that end the item after the content that was sent. The item keeps no more than that."""
        item = self.item
        item["status"] = "incomplete"
        if self._is_call:
            item["arguments"] = self._said or ""
        elif self._said is None:
            item["content"] = []
        else:
            text = "text" if self.audio is None else "transcript"
            item["content"] = [{**item["content"][0], text: self._said}]
        yield from self._end()


class RealtimeLimits:
    """The rate limits of one session, which its responses use up."""

    def __init__(self) -> None:
        self._requests = self._tokens = 0

    def after(self, tokens: int) -> list[Object]:
        """Returns the limits after a response of so many tokens."""
        self._requests += 1
        self._tokens += tokens
        left = {"requests": (10_000, self._requests), "tokens": (2_000_000, self._tokens)}
        return [
            # Each limit is that of a minute, and fills up steadily.
            {"name": name, "limit": limit, "remaining": max(0, limit - used), "reset_seconds": used * 60 / limit}
            for name, (limit, used) in left.items()
        ]


def realtime_usage(read: int, made: int) -> Object:
    """Returns the usage of a response."""
    return {
        "total_tokens": read + made,
        "input_tokens": read,
        "output_tokens": made,
        "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": 0, "image_tokens": 0},
        "output_token_details": {"text_tokens": made, "audio_tokens": 0},
    }
