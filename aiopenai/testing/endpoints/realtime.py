"""The websocket `/realtime`: sessions that answer text and speech.

The answer to speech is that to `N seconds of speech`, because the server does not understand sounds. With the header
`OpenAI-Beta: realtime=v1` the events have the names of the older service.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from typing_extensions import override

from aiopenai.testing.content.realtime_events import (
    item_events,
    old_event,
    realtime_limits,
    realtime_usage,
    with_status,
)
from aiopenai.testing.content.text import count_tokens, cut, tokenize
from aiopenai.testing.content.tools import choose_tools, named_tools
from aiopenai.testing.content.voice import AudioFormat, VoiceActivity, audio_format, spoken_pieces
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import check_model, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_array, is_object, section, text_of
from aiopenai.testing.memory.talk import Talk

__all__ = ["RealtimeSession", "connect", "decoded_audio", "merged", "session_error"]

_SESSION_SECONDS = 3600
_TOKENS_PER_SECOND = 10
_DETECTION: Object = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
}


def connect(call: Call) -> SocketReply:
    """The handshake of `/realtime`: with a `model`, or the `call_id` of a phone call."""
    query = call.request.query
    model = query.get("model") or query.get("deployment")
    if not model and not query.get("call_id") and query.get("intent") != "transcription":
        message = "You must provide a model or a call_id in the query."
        raise ApiError(400, message, param="model", code="missing_required_parameter")
    if model:
        check_model(model, call.state)
    return SocketReply(RealtimeSession(call, model or "gpt-realtime"))


def merged(old: Object, new: Object) -> Object:
    """Returns an object with the fields of another one over it; objects inside are merged too."""
    both = {**old, **new}
    for name, value in new.items():
        before = old.get(name)
        if is_object(value) and is_object(before):
            both[name] = merged(before, value)
    return both


def decoded_audio(event: Object) -> bytes:
    """Returns the audio of an event. Raises `ApiError` for text that is not base64."""
    audio = event.get("audio")
    if type(audio) is not str:
        raise missing("audio")
    try:
        return b64decode(audio, validate=True)
    except binascii.Error:
        message = "Invalid 'audio'. Expected base64-encoded audio bytes."
        raise ApiError(400, message, param="audio", code="invalid_value") from None


def session_error(error: ApiError, cause: Object) -> Object:
    """Returns an error as realtime sessions report it; `event_id` is that of the event that caused it."""
    return {
        "message": error.message,
        "type": error.type,
        "code": error.code,
        "param": error.param,
        "event_id": cause.get("event_id"),
    }


class RealtimeSession(SocketSession):
    """A conversation by text and audio."""

    def __init__(self, call: Call, model: str) -> None:
        super().__init__(call.state)
        self._talk = Talk()
        self._old = "realtime=v1" in call.request.headers.get("openai-beta", "")
        self._conversation_id = self.state.new_id("conv_")
        kind = "transcription" if call.request.query.get("intent") == "transcription" else "realtime"
        self._session: Object = {
            "type": kind,
            "object": "realtime.session",
            "id": self.state.new_id("sess_"),
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "expires_at": call.now() + _SESSION_SECONDS,
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": dict(_DETECTION),
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
            },
        }
        self._heard = bytearray()
        self._heard_item = self.state.new_id("item_")
        self._activity = VoiceActivity()
        self._answering: Iterator[Object] | None = None
        self._response: Object = {}
        self._item: Object | None = None

    @override
    def opening(self) -> list[Object]:
        return [{"type": "session.created", "session": self._session}]

    @override
    def step(self) -> Object | None:
        while (event := super().step()) is not None:
            if self._old:
                event = old_event(event)
            if event is not None:
                return {"event_id": self.state.new_id("event_"), **event}
        return None

    @override
    def advance(self) -> Object | None:
        if self._answering is None:
            return None
        event = next(self._answering, None)
        if event is None:
            self._answering = None
        return event

    @override
    def error_event(self, error: ApiError, cause: Object) -> Object:
        return {"type": "error", "error": session_error(error, cause)}

    @override
    def take(self, event: Object) -> None:
        handler = self._handlers.get(event["type"])
        if handler is None:
            known = ", ".join(f"'{name}'" for name in sorted(self._handlers))
            message = f"Invalid value: '{event['type']}'. Supported values are: {known}."
            raise ApiError(400, message, param="type", code="invalid_value")
        handler(self, event)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.outbox.append({"type": kind, **fields})

    # ---- the session

    def _update(self, event: Object) -> None:
        given = event.get("session")
        if not is_object(given):
            raise missing("session")
        named_tools(given.get("tools"), nested=False, hosted=True, where="session.tools")
        session = merged(self._session, given)
        for direction in ("input", "output"):
            if audio_format(section(session["audio"], direction).get("format")) is None:
                raise ApiError(
                    400, "Unknown audio format.", param=f"session.audio.{direction}.format", code="invalid_value"
                )
        self._session = session
        self._emit("session.updated", session=session)

    def _format(self, direction: str) -> AudioFormat:
        found = audio_format(section(self._session["audio"], direction).get("format"))
        assert found is not None
        return found

    # ---- items

    def _create_item(self, event: Object) -> None:
        given = event.get("item")
        if not is_object(given) or type(given.get("type")) is not str:
            raise missing("item.type")
        if given["type"] == "message" and given.get("role") not in ("user", "assistant", "system"):
            raise ApiError(400, f"Invalid value: '{given.get('role')}'.", param="item.role", code="invalid_value")
        item: Object = {"object": "realtime.item", "status": "completed", **given}
        item.setdefault("id", self.state.new_id("item_"))
        if self._talk.find(item["id"]) is not None:
            message = f"Item with id '{item['id']}' already exists."
            raise ApiError(400, message, param="item.id", code="item_create_duplicate_item_id")
        self._add(item, event.get("previous_item_id"))

    def _add(self, item: Object, after: object = None) -> None:
        try:
            before = self._talk.insert(item, after)
        except KeyError:
            message = f"Previous item with id '{after}' not found."
            raise ApiError(
                400, message, param="previous_item_id", code="item_create_invalid_previous_item_id"
            ) from None
        self._emit("conversation.item.added", previous_item_id=before, item=item)
        self._emit("conversation.item.done", previous_item_id=before, item=item)

    def _found(self, event: Object, code: str) -> Object:
        item = self._talk.find(event.get("item_id"))
        if item is None:
            raise ApiError(400, f"Item with id '{event.get('item_id')}' not found.", param="item_id", code=code)
        return item

    def _delete_item(self, event: Object) -> None:
        item = self._found(event, "item_delete_invalid_item_id")
        self._talk.items.remove(item)
        self._emit("conversation.item.deleted", item_id=item["id"])

    def _retrieve_item(self, event: Object) -> None:
        self._emit("conversation.item.retrieved", item=self._found(event, "item_retrieve_invalid_item_id"))

    def _truncate_item(self, event: Object) -> None:
        item = self._found(event, "item_truncate_invalid_item_id")
        length = self._talk.audio_ms.get(item["id"])
        if item.get("role") != "assistant" or length is None:
            raise ApiError(
                400, "Only spoken messages of the assistant can be truncated.", param="item_id", code="invalid_value"
            )
        end = event.get("audio_end_ms")
        if type(end) is not int or end < 0:
            raise ApiError(400, "Invalid 'audio_end_ms'.", param="audio_end_ms", code="invalid_value")
        if end > length:
            message = f"Audio content of {length}ms is already shorter than {end}ms"
            raise ApiError(400, message, param="audio_end_ms", code="invalid_value")
        self._talk.audio_ms[item["id"]] = end
        # The server cannot tell which words were heard, so the model forgets all of them.
        item["content"] = [{**part, "transcript": ""} for part in item["content"]]
        index = event.get("content_index") or 0
        self._emit("conversation.item.truncated", item_id=item["id"], content_index=index, audio_end_ms=end)

    # ---- input audio

    def _append(self, event: Object) -> None:
        audio = decoded_audio(event)
        self._heard += audio
        detection = self._session["audio"]["input"].get("turn_detection")
        if not is_object(detection):
            return
        for turn in self._activity.feed(audio, self._format("input"), detection):
            if turn.started:
                self._emit("input_audio_buffer.speech_started", audio_start_ms=turn.at_ms, item_id=self._heard_item)
                if detection.get("interrupt_response") is not False:
                    self._cancel_answer("turn_detected")
                continue
            self._emit("input_audio_buffer.speech_stopped", audio_end_ms=turn.at_ms, item_id=self._heard_item)
            self._commit({})
            answers = detection.get("create_response") is not False and self._session["type"] == "realtime"
            if answers and self._answering is None:
                self._begin_answer({})

    def _commit(self, event: Object) -> None:
        form = self._format("input")
        length = form.milliseconds(bytes(self._heard))
        if length < 100:
            message = f"Error committing input audio buffer: expected at least 100ms of audio, got {length}ms."
            raise ApiError(400, message, code="input_audio_buffer_commit_empty")
        identity, self._heard_item = self._heard_item, self.state.new_id("item_")
        self._heard.clear()
        transcript = f"{length / 1000:.1f} seconds of speech"
        transcribed = is_object(self._session["audio"]["input"].get("transcription"))
        self._emit("input_audio_buffer.committed", previous_item_id=self._talk.last_id, item_id=identity)
        self._talk.audio_ms[identity] = length
        part = {"type": "input_audio", "transcript": transcript if transcribed else None}
        message_item: Object = {"id": identity, "object": "realtime.item", "type": "message", "status": "completed"}
        self._add({**message_item, "role": "user", "content": [part]})
        if transcribed:
            here: Object = {"item_id": identity, "content_index": 0}
            kind = "conversation.item.input_audio_transcription"
            for token in tokenize(transcript):
                self._emit(f"{kind}.delta", **here, delta=token)
            usage = {"type": "duration", "seconds": length / 1000}
            self._emit(f"{kind}.completed", **here, transcript=transcript, usage=usage)

    def _clear_input(self, event: Object) -> None:
        self._heard.clear()
        self._emit("input_audio_buffer.cleared")

    def _clear_output(self, event: Object) -> None:
        self._emit("output_audio_buffer.cleared", response_id=self._response.get("id") or "")

    # ---- answers

    def _create_response(self, event: Object) -> None:
        if self._answering is not None:
            message = f"Conversation already has an active response in progress: {self._response['id']}."
            raise ApiError(400, message, code="conversation_already_has_active_response")
        self._begin_answer(section(event, "response"))

    def _begin_answer(self, options: Object) -> None:
        settings = {**self._session, **{name: value for name, value in options.items() if value is not None}}
        inside = options.get("conversation") != "none"
        self._response = {
            "id": self.state.new_id("resp_"),
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": self._conversation_id if inside else None,
            "output_modalities": settings["output_modalities"],
            "max_output_tokens": settings["max_output_tokens"],
            "metadata": options.get("metadata"),
            "usage": None,
        }
        given = options.get("input")
        items = [self._referred(item) for item in given] if is_array(given) else [*self._talk.items]
        output, complete = self._output(settings, items)
        self._answering = self._answer(output, complete, items, inside)

    def _referred(self, item: Object) -> Object:
        """Returns an input item of a response, which may be a reference to one of the conversation."""
        if item.get("type") != "item_reference":
            return item
        return self._found({"item_id": item.get("id")}, "item_not_found")

    def _output(self, settings: Object, items: list[Object]) -> tuple[list[Object], bool]:
        """Returns the output items of an answer, and whether it fits in `max_output_tokens`."""
        prompt = next((_words(item) for item in reversed(items) if item.get("role") == "user"), "")
        if not prompt and items and (length := self._talk.audio_ms.get(items[-1].get("id", ""))):
            prompt = f"{length / 1000:.1f} seconds of speech"
        uses = choose_tools(
            named_tools(settings.get("tools"), nested=False, hosted=True),
            settings.get("tool_choice"),
            text=prompt,
            after_result=bool(items) and items[-1].get("type") == "function_call_output",
            parallel=True,
        )
        base: Object = {"object": "realtime.item", "status": "completed"}
        if uses:
            calls = [{"id": self.state.new_id("item_"), "type": "function_call", **base} for _ in uses]
            named = zip(calls, uses, strict=True)
            new_id = self.state.new_id
            return [
                {**each, "call_id": new_id("call_"), "name": use.name, "arguments": use.payload} for each, use in named
            ], True
        limit = settings["max_output_tokens"]
        tokens, reason = cut(self.state.reply_text(prompt), None, limit if type(limit) is int else None)
        text = "".join(tokens)
        spoken = "audio" in settings["output_modalities"]
        part: Object = {"type": "output_audio", "transcript": text} if spoken else {"type": "output_text", "text": text}
        item: Object = {
            "id": self.state.new_id("item_"),
            "type": "message",
            "role": "assistant",
            **base,
            "content": [part],
        }
        return [item], reason != "length"

    def _answer(self, output: list[Object], complete: bool, items: list[Object], inside: bool) -> Iterator[Object]:
        response = self._response
        yield {"type": "response.created", "response": {**response}}
        made = 0
        for index, item in enumerate(output):
            self._item = item
            part: Object = item["content"][0] if item["type"] == "message" else {}
            audio = spoken_pieces(part["transcript"], self._format("output")) if "transcript" in part else None
            before = self._talk.last_id
            if inside:
                self._talk.items.append(item)
                if audio is not None:
                    self._talk.audio_ms[item["id"]] = self._format("output").milliseconds(b"".join(audio))
            for event in item_events(response["id"], index, item, audio):
                if event["type"].startswith("conversation."):
                    if not inside:
                        continue
                    event["previous_item_id"] = before
                yield event
            self._item = None
            response["output"].append(item)
            made += count_tokens(_words(item) or item.get("arguments", ""))
        status = "completed" if complete else "incomplete"
        details = None if complete else {"type": "incomplete", "reason": "max_output_tokens"}
        yield self._ended(status, details, items, made)
        yield {"type": "rate_limits.updated", "rate_limits": realtime_limits(response["usage"]["total_tokens"])}

    def _ended(self, status: str, details: Object | None, items: list[Object], made: int) -> Object:
        read = sum(3 + count_tokens(_words(item)) for item in items)
        response = self._response
        response.update(status=status, status_details=details, usage=realtime_usage(read, made))
        return {"type": "response.done", "response": {**response}}

    def _cancel_response(self, event: Object) -> None:
        wanted = event.get("response_id")
        if self._answering is None or wanted not in (None, self._response["id"]):
            raise ApiError(400, "Cancellation failed: no active response found", code="response_cancel_not_active")
        self._cancel_answer("client_cancelled")

    def _cancel_answer(self, reason: str) -> None:
        """Ends the answer in progress, if there is one. Its item stays as far as it was sent."""
        if self._answering is None:
            return
        self._answering = None
        response, item = self._response, self._item
        if item is not None:
            self._item = None
            unfinished = with_status(item, "incomplete")
            item["status"] = "incomplete"
            index = len(response["output"])
            self._emit("response.output_item.done", response_id=response["id"], output_index=index, item=unfinished)
            response["output"].append(unfinished)
        self.outbox.append(self._ended("cancelled", {"type": "cancelled", "reason": reason}, self._talk.items, 0))

    _handlers: ClassVar[dict[str, Callable[[RealtimeSession, Object], None]]] = {
        "session.update": _update,
        "transcription_session.update": _update,
        "conversation.item.create": _create_item,
        "conversation.item.delete": _delete_item,
        "conversation.item.retrieve": _retrieve_item,
        "conversation.item.truncate": _truncate_item,
        "input_audio_buffer.append": _append,
        "input_audio_buffer.commit": _commit,
        "input_audio_buffer.clear": _clear_input,
        "output_audio_buffer.clear": _clear_output,
        "response.create": _create_response,
        "response.cancel": _cancel_response,
    }


def _words(item: Object) -> str:
    """Returns the text of an item: of its texts, and of the transcripts of its audio."""
    content: Any = item.get("content")
    if not is_array(content):
        return ""
    spoken = [part["transcript"] for part in content if is_object(part) and part.get("transcript")]
    return "\n".join(filter(None, [text_of(content), *spoken]))
