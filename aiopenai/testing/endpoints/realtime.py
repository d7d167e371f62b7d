"""The websocket `/realtime`: sessions that answer text and speech.

The answer to speech is that to `N seconds of speech`, because the server does not understand sounds. With the header
`OpenAI-Beta: realtime=v1` events and settings have the names of the older service.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from typing_extensions import override

from aiopenai.testing.content.realtime_events import RealtimeLimits, SpokenItem, realtime_usage
from aiopenai.testing.content.realtime_old import new_settings, old_event
from aiopenai.testing.content.text import count_tokens, tokenize
from aiopenai.testing.content.tools import named_tools
from aiopenai.testing.content.voice import AudioFormat, VoiceActivity, audio_format, spoken_pieces
from aiopenai.testing.endpoints.realtime_answers import answer_items, words_of
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import check_model, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_array, is_object, section
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
        self._item: SpokenItem | None = None
        # The items that the answer in progress reads.
        self._read: list[Object] = []
        self._output_form = _format(self._session, "output")
        self._limits = RealtimeLimits()

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
        if self._old:
            given = new_settings(given)
        named_tools(given.get("tools"), nested=False, hosted=True, where="session.tools")
        # The model of a session is fixed.
        session = {**merged(self._session, given), "model": self._session["model"]}
        for direction in ("input", "output"):
            _format(session, direction)
        if _voice(session) != _voice(self._session) and self._has_spoken():
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise ApiError(400, message, param="session.audio.output.voice", code="cannot_update_voice")
        self._session = session
        old = event["type"] == "transcription_session.update"
        self._emit("transcription_session.updated" if old else "session.updated", session=session)

    def _has_spoken(self) -> bool:
        return any(item.get("role") == "assistant" and item["id"] in self._talk.audio_ms for item in self._talk.items)

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
        for turn in self._activity.feed(audio, _format(self._session, "input"), detection):
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
        form = _format(self._session, "input")
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
        if self._old:
            options = new_settings(options)
        settings = merged(self._session, {name: value for name, value in options.items() if value is not None})
        form = _format(settings, "output", "response")
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
        output, complete = answer_items(self.state, self._talk, settings, items)
        self._read, self._output_form = items, form
        self._answering = self._answer(output, complete, form)

    def _referred(self, item: Object) -> Object:
        """Returns an input item of a response, which may be a reference to one of the conversation."""
        if item.get("type") != "item_reference":
            return item
        return self._found({"item_id": item.get("id")}, "item_not_found")

    def _answer(self, output: list[Object], complete: bool, form: AudioFormat) -> Iterator[Object]:
        response = self._response
        yield {"type": "response.created", "response": {**response}}
        inside = response["conversation_id"] is not None
        for index, item in enumerate(output):
            part: Object = item["content"][0] if item["type"] == "message" else {}
            audio = spoken_pieces(part["transcript"], form) if "transcript" in part else None
            self._item = current = SpokenItem(response["id"], index, item, audio)
            before = self._talk.last_id
            if inside:
                self._talk.items.append(item)
                if audio is not None:
                    self._talk.audio_ms[item["id"]] = form.milliseconds(b"".join(audio))
            for event in current.events():
                if event["type"].startswith("conversation."):
                    if not inside:
                        continue
                    event["previous_item_id"] = before
                yield event
            self._item = None
            response["output"].append(item)
        status = "completed" if complete else "incomplete"
        yield self._ended(status, None if complete else {"type": "incomplete", "reason": "max_output_tokens"})
        yield {"type": "rate_limits.updated", "rate_limits": self._limits.after(response["usage"]["total_tokens"])}

    def _ended(self, status: str, details: Object | None) -> Object:
        response = self._response
        made = sum(count_tokens(words_of(item) or item.get("arguments", "")) for item in response["output"])
        read = sum(3 + count_tokens(words_of(item)) for item in self._read)
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
        response, current = self._response, self._item
        if current is not None:
            self._item = None
            item = current.item
            for event in current.cut():
                if not event["type"].startswith("conversation."):
                    self.outbox.append(event)
                elif response["conversation_id"] is not None:
                    before = self._talk.items.index(item) - 1
                    event["previous_item_id"] = self._talk.items[before]["id"] if before >= 0 else None
                    self.outbox.append(event)
            if item["id"] in self._talk.audio_ms:
                self._talk.audio_ms[item["id"]] = self._output_form.milliseconds(current.played)
            response["output"].append(item)
        self.outbox.append(self._ended("cancelled", {"type": "cancelled", "reason": reason}))

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


def _format(settings: Object, direction: str, where: str = "session") -> AudioFormat:
    """Returns the audio format of a direction. Raises `ApiError` for one that the service does not know."""
    found = audio_format(section(settings["audio"], direction).get("format"))
    if found is None:
        raise ApiError(400, "Unknown audio format.", param=f"{where}.audio.{direction}.format", code="invalid_value")
    return found


def _voice(session: Object) -> object:
    return section(session["audio"], "output").get("voice")
