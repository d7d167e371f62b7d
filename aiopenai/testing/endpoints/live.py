"""The websockets of live sessions and of translations. Audio that comes in is answered with audio and transcripts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, ClassVar

from typing_extensions import override

from aiopenai.testing.content.response_events import response_events
from aiopenai.testing.content.text import tokenize
from aiopenai.testing.content.voice import VoiceActivity, audio_format, spoken_pieces
from aiopenai.testing.endpoints.realtime import decoded_audio, merged, session_error
from aiopenai.testing.endpoints.responses import begin_response_on
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import check_model, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["attach", "connect", "translations"]

_SESSION_SECONDS = 3600
_DETECTION: Object = {"silence_duration_ms": 500}
_DTMF = frozenset("0123456789*#ABCD")
_TARGETS = frozenset({"client", "responses", "decisions"})
# The settings of a backend that its requests have under the same names.
_OF_BACKEND = ("model", "instructions", "tools", "tool_choice", "reasoning", "text", "max_output_tokens")


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
        self._call = call
        self._started = started
        self._muted = False
        # The tasks that the application was given, by their ids.
        self._delegated: set[str] = set()
        # The last response of a backend, the task that it belongs to, and the items for the next one.
        self._response_id: str | None = None
        self._task: str | None = None
        self._items: list[Any] = []

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
            self._answer(text)

    @property
    def _delegation(self) -> Object:
        given = self._session.get("delegation")
        return given if is_object(given) else {}

    def _answer(self, text: str) -> None:
        """Answers a turn, or gives the task to the application or the backend that the session names."""
        target = self._delegation.get("type")
        if target not in _TARGETS:
            self._say(self.state.reply_text(text))
            return
        task = self.state.new_id("delegation_")
        created: Object = {"id": task, "target": target, "type": "delegation"}
        if target == "responses":
            self._task, self._response_id = task, None
            response = self._backend_response([{"role": "user", "content": text}])
            created["response_id"] = response["id"]
            self._emit("session.delegation.created", delegation=created, offset_ms=self._heard_ms)
            self._report(response)
            return
        self._emit("session.delegation.created", delegation=created, offset_ms=self._heard_ms)
        if target == "client":
            self._delegated.add(task)
        else:
            self._emit("decision.event", delegation_id=task, event=_decided())

    def _backend_response(self, items: list[Any]) -> Object:
        """Returns the next response of the backend. Its tools are those of the session."""
        settings = self._delegation.get("responses")
        known: Object = settings if is_object(settings) else {}
        body = {name: known[name] for name in _OF_BACKEND if known.get(name) is not None}
        body |= {"input": items, "previous_response_id": self._response_id}
        response = begin_response_on(self._call, {"model": "gpt-4o", **body}).response
        self._response_id = response["id"]
        return response

    def _report(self, response: Object, cause: Object | None = None) -> None:
        """Passes the events of a backend's response on, and says its text."""
        for event in response_events(response):
            short: Object = dict(event)
            if is_object(snapshot := event.get("response")):
                short["response"] = {**snapshot, "instructions": None, "tools": [], "output": []}
            self._emit("response.event", cause, delegation_id=self._task, event=short)
        parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
        text = "".join(part.get("text", "") for part in parts)
        if text:
            self._say(text)

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
        task = event.get("delegation_id")
        if task is not None and task not in self._delegated:
            message = f"The application was given no delegation '{task}'."
            raise ApiError(400, message, param="delegation_id", code="delegation_not_found")
        at = max(self._said_ms, self._heard_ms)
        self._emit(f"{event['type']}ed", event, start_ms=at, end_ms=at)
        if task is not None and event["type"] == "session.commentary.append":
            # The result of the task.
            self._say(str(event["content"]))

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
        if self._delegation.get("type") == "responses":
            items, self._items = self._items, []
            self._report(self._backend_response(items), event)
        else:
            self._say(self.state.reply_text(""))

    def _add_item(self, event: Object) -> None:
        if not is_object(event.get("item")):
            raise missing("item")
        if event["type"].startswith("decision."):
            self._emit("decision.item.created", event, item={"id": self.state.new_id("item_"), **event["item"]})
        else:
            self._items.append(event["item"])

    def _delete_item(self, event: Object) -> None:
        self._emit("decision.item.deleted", event, item_id=event.get("item_id"))

    def _decide(self, event: Object) -> None:
        self._emit("decision.event", event=_decided(), source_event_id=event.get("event_id"))

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


def _decided() -> Object:
    used: Object = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    used["input_tokens_details"] = {"cache_write_tokens": 0, "cached_tokens": 0}
    used["output_tokens_details"] = {"reasoning_tokens": 0}
    return {"type": "decision.completed", "decision": {"answers": [], "model": "gpt-4o", "usage": used}}
