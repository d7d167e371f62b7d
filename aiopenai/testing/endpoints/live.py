"""The websockets of live sessions and of translations. Audio that comes in is answered with audio and transcripts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, ClassVar

from typing_extensions import override

from aiopenai.testing.content.text import tokenize
from aiopenai.testing.content.voice import VoiceActivity, audio_format, spoken_pieces
from aiopenai.testing.endpoints.realtime import decoded_audio, merged, session_error
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import check_model, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["attach", "connect", "translations"]

_SESSION_SECONDS = 3600
_DETECTION: Object = {"silence_duration_ms": 500}
_DTMF = frozenset("0123456789*#ABCD")


def connect(call: Call) -> SocketReply:
    """The handshake of `/live/sessions`, and of `/live/sessions/{session_id}/fork`: both begin a session."""
    return SocketReply(LiveSession(call, call.state.new_id("live_")))


def attach(call: Call) -> SocketReply:
    """The handshake of `/live/sessions/{session_id}/attach`: the session goes on already."""
    return SocketReply(LiveSession(call, call.ids[0], started=True))


def translations(call: Call) -> SocketReply:
    """The handshake of `/realtime/translations`."""
    model = call.request.query.get("model")
    if not model:
        raise ApiError(400, "You must provide a model in the query.", param="model", code="missing_required_parameter")
    check_model(model, call.state)
    return SocketReply(TranslationSession(call, model))


class _Spoken(SocketSession):
    """A session that is told of its input by audio."""

    _handlers: ClassVar[dict[str, Callable[[Any, Object], None]]]

    def __init__(self, call: Call) -> None:
        super().__init__(call.state)
        form = audio_format(None)
        assert form is not None
        self._form = form
        self._activity = VoiceActivity()
        self._heard_ms = 0
        self._turn_ms = 0
        self._said_ms = 0

    @override
    def step(self) -> Object | None:
        event = super().step()
        return None if event is None else {"event_id": self.state.new_id("event_"), **event}

    @override
    def take(self, event: Object) -> None:
        handler = self._handlers.get(event["type"])
        if handler is None:
            raise ApiError(400, f"Unknown event type '{event['type']}'.", param="type", code="invalid_value")
        handler(self, event)

    def _emit(self, kind: str, cause: Object | None = None, **fields: Any) -> None:
        if cause is not None and cause.get("event_id") is not None:
            fields["client_event_id"] = cause["event_id"]
        self.outbox.append({"type": kind, **fields})

    def _heard(self, audio: bytes) -> list[str]:
        """Takes more audio, and returns the texts of the turns that end in it."""
        self._heard_ms += self._form.milliseconds(audio)
        texts: list[str] = []
        for turn in self._activity.feed(audio, self._form, _DETECTION):
            if turn.started:
                self._turn_ms = turn.at_ms
            else:
                texts.append(f"{(turn.at_ms - self._turn_ms) / 1000:.1f} seconds of speech")
        return texts


class TranslationSession(_Spoken):
    """Speech in another language: it ends after `session.close`."""

    def __init__(self, call: Call, model: str) -> None:
        super().__init__(call)
        self._session: Object = {
            "id": self.state.new_id("sess_"),
            "type": "translation",
            "model": model,
            "expires_at": call.now() + _SESSION_SECONDS,
            "audio": {"input": {}, "output": {"language": "en"}},
        }

    @override
    def opening(self) -> list[Object]:
        return [{"type": "session.created", "session": self._session}]

    @override
    def error_event(self, error: ApiError, cause: Object) -> Object:
        return {"type": "error", "error": session_error(error, cause)}

    def _update(self, event: Object) -> None:
        given = event.get("session")
        if not is_object(given):
            raise missing("session")
        self._session = merged(self._session, given)
        self._emit("session.updated", session=self._session)

    def _append(self, event: Object) -> None:
        for text in self._heard(decoded_audio(event)):
            for token in tokenize(text):
                self._emit("session.input_transcript.delta", delta=token, elapsed_ms=self._heard_ms)
            answer = self.state.reply_text(text)
            for token in tokenize(answer):
                self._emit("session.output_transcript.delta", delta=token, elapsed_ms=self._heard_ms)
            for piece in spoken_pieces(answer, self._form):
                self._emit(
                    "session.output_audio.delta",
                    delta=b64encode(piece).decode(),
                    channels=1,
                    sample_rate=24_000,
                    format="pcm16",
                    elapsed_ms=self._heard_ms,
                )

    def _close(self, event: Object) -> None:
        self._emit("session.closed")
        self.close_code = 1000

    _handlers: ClassVar[dict[str, Callable[[Any, Object], None]]] = {
        "session.update": _update,
        "session.input_audio_buffer.append": _append,
        "session.close": _close,
    }


class LiveSession(_Spoken):
    """A live session, one that is forked from another, or the side of one that controls it."""

    def __init__(self, call: Call, identity: str, *, started: bool = False) -> None:
        super().__init__(call)
        self._session: Object = {
            "id": identity,
            "expires_at": call.now() + _SESSION_SECONDS,
            "model": "gpt-live-1",
            "status": "active",
        }
        self._started = started
        self._muted = False

    @override
    def opening(self) -> list[Object]:
        return [{"type": "session.started", "session": self._session}] if self._started else []

    @override
    def error_event(self, error: ApiError, cause: Object) -> Object:
        body: Object = {"code": error.code or "invalid_request", "message": error.message, "type": error.type}
        event: Object = {"type": "error", "error": {**body, "param": error.param}}
        return {**event, "client_event_id": cause["event_id"]} if cause.get("event_id") is not None else event

    @override
    def take(self, event: Object) -> None:
        if not self._started and event["type"] != "session.start":
            raise ApiError(400, "The session has not been started.", param="type", code="session_not_started")
        super().take(event)

    def _start(self, event: Object) -> None:
        if self._started:
            raise ApiError(400, "The session has been started already.", param="type", code="session_already_started")
        given = event.get("session")
        if not is_object(given):
            raise missing("session")
        self._started = True
        self._session = merged(self._session, given)
        self._emit("session.started", event, session=self._session)

    def _update(self, event: Object) -> None:
        given = event.get("session")
        self._session = merged(self._session, given if is_object(given) else {})
        self._emit("session.updated", event, session=self._session)

    def _append(self, event: Object) -> None:
        audio = decoded_audio(event)
        if self._muted:
            return
        for text in self._heard(audio):
            here: Object = {"start_ms": self._turn_ms, "end_ms": self._heard_ms}
            for token in tokenize(text):
                self._emit("session.input_transcript.delta", delta=token, **here)
            self._say(self.state.reply_text(text))

    def _say(self, text: str) -> None:
        pieces = spoken_pieces(text, self._form)
        length = self._form.milliseconds(b"".join(pieces))
        start = max(self._said_ms, self._heard_ms)
        here: Object = {"start_ms": start, "end_ms": start + length}
        for token in tokenize(text):
            self._emit("session.output_transcript.delta", delta=token, **here)
        at = start
        for piece in pieces:
            end = at + self._form.milliseconds(piece)
            self._emit("session.output_audio.delta", delta=b64encode(piece).decode(), start_ms=at, end_ms=end)
            at = end
        self._said_ms = start + length
        self._emit("session.usage.updated", usage=self._usage())

    def _usage(self) -> Object:
        return {"type": "duration", "seconds": max(self._said_ms, self._heard_ms) / 1000}

    def _mute(self, event: Object) -> None:
        self._muted = event["type"].endswith(".mute")
        self._emit(f"{event['type']}d", event)

    def _content(self, event: Object) -> None:
        if type(event.get("content")) not in (str, list):
            raise missing("content")
        at = max(self._said_ms, self._heard_ms)
        self._emit(f"{event['type']}ed", event, start_ms=at, end_ms=at)

    def _play(self, event: Object) -> None:
        audio = decoded_audio(event)
        self._emit("session.output_audio.fixture.playing", event)
        at = max(self._said_ms, self._heard_ms)
        self._said_ms = at + self._form.milliseconds(audio)
        self._emit("session.output_audio.delta", delta=event["audio"], start_ms=at, end_ms=self._said_ms)
        self._emit("session.output_audio.fixture.played", event)

    def _dtmf(self, event: Object) -> None:
        key = event.get("event")
        if key not in _DTMF:
            raise ApiError(400, f"'{key}' is not a key of a phone.", param="event", code="invalid_value")
        self._emit("transport.dtmf.sent", event, event=key)

    def _respond(self, event: Object) -> None:
        self._say(self.state.reply_text(""))

    def _add_item(self, event: Object) -> None:
        if not is_object(event.get("item")):
            raise missing("item")
        if event["type"].startswith("decision."):
            self._emit("decision.item.created", event, item={"id": self.state.new_id("item_"), **event["item"]})

    def _delete_item(self, event: Object) -> None:
        self._emit("decision.item.deleted", event, item_id=event.get("item_id"))

    def _decide(self, event: Object) -> None:
        used: Object = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        used["input_tokens_details"] = {"cache_write_tokens": 0, "cached_tokens": 0}
        used["output_tokens_details"] = {"reasoning_tokens": 0}
        decision: Object = {"answers": [], "model": "gpt-4o", "usage": used}
        decided = {"type": "decision.completed", "decision": decision}
        self._emit("decision.event", event=decided, source_event_id=event.get("event_id"))

    def _close(self, event: Object) -> None:
        self._emit("session.closed", event, reason="close_requested", session=self._session, usage=self._usage())
        self.close_code = 1000

    _handlers: ClassVar[dict[str, Callable[[Any, Object], None]]] = {
        "session.start": _start,
        "session.update": _update,
        "session.close": _close,
        "session.input_audio.append": _append,
        "session.input_audio.mute": _mute,
        "session.input_audio.unmute": _mute,
        "session.instructions.append": _content,
        "session.thinking.append": _content,
        "session.commentary.append": _content,
        "session.output_audio.fixture.play": _play,
        "transport.dtmf.send": _dtmf,
        "decision.create": _decide,
        "decision.item.create": _add_item,
        "decision.item.delete": _delete_item,
        "response.create": _respond,
        "response.item.create": _add_item,
    }
