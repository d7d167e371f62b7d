"""The endpoints `/audio`: speech, transcriptions, translations, voices.

Speech writes its text into the comment of the file, and a transcription reads it from there. The transcription of any
other file is the answer of a model to its name.
"""

from __future__ import annotations

import io
import wave
from base64 import b64encode
from collections.abc import Iterator

from aiopenai.testing.content.sounds import CONTENT_TYPES, said, sound, spoken_seconds
from aiopenai.testing.content.text import count_tokens, token_logprobs, tokenize
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import Form, read_form
from aiopenai.testing.engine.multipart import Part
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import ARRAY, BOOLEAN, NUMBER, OBJECT, STRING, check, check_model, stored
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply, data_event
from aiopenai.testing.engine.values import Object, strings

__all__ = [
    "create_consent",
    "create_voice",
    "delete_consent",
    "delete_voice",
    "list_consents",
    "retrieve_consent",
    "speech",
    "transcribe",
    "translate",
    "update_consent",
]

_SPEECH = {
    "input": STRING,
    "instructions": STRING,
    "model": STRING,
    "response_format": STRING.one_of(*CONTENT_TYPES),
    "speed": NUMBER.within(0.25, 4),
    "stream_format": STRING.one_of("sse", "audio"),
    "voice": STRING | OBJECT,
}
_TRANSCRIPT_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_TRANSCRIPTION = {
    "chunking_strategy": STRING | OBJECT,
    "include": ARRAY,
    "language": STRING,
    "model": STRING,
    "prompt": STRING,
    "response_format": STRING.one_of(*_TRANSCRIPT_FORMATS),
    "stream": BOOLEAN,
    "temperature": NUMBER.within(0, 1),
    "timestamp_granularities": ARRAY,
}
_TRANSLATION = {
    "model": STRING,
    "prompt": STRING,
    "response_format": STRING.one_of(*_TRANSCRIPT_FORMATS[:-1]),
    "temperature": NUMBER.within(0, 1),
}
_VOICE = {"consent": STRING, "name": STRING, "prompt": STRING, "type": STRING}
_MAX_INPUT = 4096
_PIECE = 4096
_TOKENS_A_SECOND = 10
_WORDS_A_SEGMENT = 8


def speech(call: Call) -> Outcome:
    """POST /audio/speech: a sound in pieces, or events with the pieces (`stream_format: sse`)."""
    body = call.body()
    check(body, _SPEECH, ("input", "model", "voice"))
    check_model(body["model"], call.state)
    text: str = body["input"]
    if not text or len(text) > _MAX_INPUT:
        message = f"Invalid 'input': expected a text of 1 to {_MAX_INPUT} characters, but it has {len(text)}."
        raise ApiError(400, message, param="input", code="string_above_max_length" if text else "empty_string")
    kind: str = body.get("response_format") or "mp3"
    data = sound(text, kind)
    read, made = count_tokens(text), int(spoken_seconds(text) * _TOKENS_A_SECOND)
    if body.get("stream_format") == "sse":
        usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
        return EventReply(_speech_events(data, usage), tokens=read + made)
    return WholeReply(data, content_type=CONTENT_TYPES[kind], chunk_size=_PIECE, tokens=read + made)


def transcribe(call: Call) -> Outcome:
    """POST /audio/transcriptions: multipart with `file` and `model`; streamed unless the model is `whisper-1`."""
    form = read_form(call, _TRANSCRIPTION, ("model",))
    model: str = form.fields["model"]
    kind = _format(call, form)
    diarizes = model.endswith("-diarize")
    allowed = (
        _TRANSCRIPT_FORMATS[:-1]
        if model == "whisper-1"
        else ("json", "text", *(("diarized_json",) if diarizes else ()))
    )
    if kind not in allowed:
        message = f"response_format '{kind}' is not compatible with model '{model}'."
        raise ApiError(400, message, param="response_format", code="unsupported_value")
    heard = _heard(call, form)
    # As documented by the API, `whisper-1` accepts `stream` and does not stream.
    if form.fields.get("stream") and model != "whisper-1":
        return EventReply(
            map(data_event, _transcript_events(heard, form, diarized=kind == "diarized_json")), tokens=heard.tokens
        )
    granularities = strings(form.fields.get("timestamp_granularities")) or ["segment"]
    if kind == "json":
        value: Object = {"text": heard.text, "usage": heard.usage}
        if "logprobs" in strings(form.fields.get("include")):
            value["logprobs"] = _logprobs(heard.text)
    elif kind == "verbose_json":
        value = {
            **heard.verbose(form.fields.get("language")),
            "usage": {"type": "duration", "seconds": heard.seconds},
        }
        if "word" in granularities:
            value["words"] = heard.words()
        if "segment" not in granularities:
            del value["segments"]
    elif kind == "diarized_json":
        value = {
            "task": "transcribe",
            "duration": heard.seconds,
            "text": heard.text,
            "segments": list(heard.speeches()),
            "usage": heard.usage,
        }
    else:
        return heard.plain(kind)
    return WholeReply.json(value, tokens=heard.tokens)


def translate(call: Call) -> WholeReply:
    """POST /audio/translations: as transcriptions. The text is returned untranslated."""
    form = read_form(call, _TRANSLATION, ("model",))
    kind = _format(call, form)
    heard = _heard(call, form)
    if kind == "json":
        return WholeReply.json({"text": heard.text}, tokens=heard.tokens)
    if kind == "verbose_json":
        return WholeReply.json(heard.verbose("english"), tokens=heard.tokens)
    return heard.plain(kind)


def create_voice(call: Call) -> WholeReply:
    """POST /audio/voices: multipart with a name, and a sample with consent or a prompt."""
    form = read_form(call, _VOICE, ("name",))
    prompt = form.fields.get("prompt")
    if prompt is None:
        form.file("audio_sample")
    voice: Object = {
        "id": call.state.new_id("voice_"),
        "object": "audio.voice",
        "created_at": call.now(),
        "name": form.fields["name"],
        "type": "audio_sample" if prompt is None else "prompt",
        "prompt": prompt,
    }
    call.state.voices.put(voice["id"], voice)
    return WholeReply.json(voice)


def delete_voice(call: Call) -> WholeReply:
    """DELETE /audio/voices/{voice_id}."""
    stored(call.state.voices, call.ids[0], "voice")
    call.state.voices.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "audio.voice.deleted", "deleted": True})


def create_consent(call: Call) -> WholeReply:
    """POST /audio/voice_consents: multipart with `recording`, `name` and `language`."""
    form = read_form(call, {"name": STRING, "language": STRING}, ("name", "language"))
    form.file("recording")
    consent: Object = {
        "id": call.state.new_id("cons_"),
        "object": "audio.voice_consent",
        "created_at": call.now(),
        "name": form.fields["name"],
        "language": form.fields["language"],
    }
    call.state.consents.put(consent["id"], consent)
    return WholeReply.json(consent)


def retrieve_consent(call: Call) -> WholeReply:
    """GET /audio/voice_consents/{consent_id}."""
    return WholeReply.json(stored(call.state.consents, call.ids[0], "voice consent"))


def update_consent(call: Call) -> WholeReply:
    """POST /audio/voice_consents/{consent_id}: only the name can be changed."""
    consent = stored(call.state.consents, call.ids[0], "voice consent")
    body = call.body()
    check(body, {"name": STRING}, ("name",))
    consent["name"] = body["name"]
    return WholeReply.json(consent)


def list_consents(call: Call) -> WholeReply:
    """GET /audio/voice_consents: the newest first."""
    return page(call.state.consents.values(), call.request.query, order="desc")


def delete_consent(call: Call) -> WholeReply:
    """DELETE /audio/voice_consents/{consent_id}."""
    stored(call.state.consents, call.ids[0], "voice consent")
    call.state.consents.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "audio.voice_consent", "deleted": True})


class _Transcript:
    """The transcript of a sound: its text, seconds and usage."""

    def __init__(self, text: str, seconds: float) -> None:
        self.text = text
        self.seconds = round(seconds, 2)
        read, made = int(seconds * _TOKENS_A_SECOND), count_tokens(text)
        self.tokens = read + made
        self.usage: Object = {
            "type": "tokens",
            "input_tokens": read,
            "input_token_details": {"text_tokens": 0, "audio_tokens": read},
            "output_tokens": made,
            "total_tokens": read + made,
        }

    def words(self) -> list[Object]:
        """Returns the words, evenly spaced."""
        words = self.text.split()
        step = self.seconds / (len(words) or 1)
        return [
            {"word": word, "start": round(number * step, 2), "end": round((number + 1) * step, 2)}
            for number, word in enumerate(words)
        ]

    def parts(self) -> Iterator[tuple[float, float, str]]:
        """Yields a few words at a time: start, end, text."""
        words = self.words()
        for start in range(0, len(words), _WORDS_A_SEGMENT):
            some = words[start : start + _WORDS_A_SEGMENT]
            yield some[0]["start"], some[-1]["end"], " ".join(word["word"] for word in some)

    def speeches(self) -> Iterator[Object]:
        """Yields the parts as diarization lists them, all of one speaker."""
        for number, (start, end, text) in enumerate(self.parts()):
            head = {"type": "transcript.text.segment", "id": f"seg_{number:03}"}
            yield {**head, "start": start, "end": end, "speaker": "A", "text": text}

    def verbose(self, language: str | None) -> Object:
        """Returns the fields of `verbose_json` that transcriptions and translations share."""
        segments = [
            {
                "id": number,
                "seek": 0,
                "start": start,
                "end": end,
                "text": " " + text,
                "tokens": [len(token) for token in tokenize(text)],
                "temperature": 0.0,
                "avg_logprob": -0.25,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.01,
            }
            for number, (start, end, text) in enumerate(self.parts())
        ]
        return {"language": language or "english", "duration": self.seconds, "text": self.text, "segments": segments}

    def plain(self, kind: str) -> WholeReply:
        """Returns a reply with plain text or subtitles."""
        if kind == "text":
            text = self.text + "\n"
        else:
            mark = "," if kind == "srt" else "."
            cues = [
                f"{_cue_time(start, mark)} --> {_cue_time(end, mark)}\n{words}\n\n"
                for start, end, words in self.parts()
            ]
            if kind == "srt":
                text = "".join(f"{number}\n{cue}" for number, cue in enumerate(cues, 1))
            else:
                text = "WEBVTT\n\n" + "".join(cues)
        return WholeReply(text.encode(), content_type="text/plain; charset=utf-8", tokens=self.tokens)


def _format(call: Call, form: Form) -> str:
    check_model(form.fields["model"], call.state)
    kind: str = form.fields.get("response_format") or "json"
    return kind


def _heard(call: Call, form: Form) -> _Transcript:
    file = form.file("file")
    if not file.data:
        raise ApiError(400, "Audio file is too short. Minimum audio length is 0.1 seconds.", param="file")
    text = said(file.data)
    if text is None or call.state.answer is not None:
        text = call.state.reply_text(text or file.filename or "")
    return _Transcript(text, _sound_seconds(file, text))


def _sound_seconds(file: Part, text: str) -> float:
    try:
        with wave.open(io.BytesIO(file.data)) as reader:
            frames, rate = reader.getnframes(), reader.getframerate()
            return float(frames / rate)
    except (wave.Error, EOFError, ZeroDivisionError):
        return spoken_seconds(text)


def _cue_time(seconds: float, mark: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{thousandths:03}"


def _logprobs(text: str) -> list[Object]:
    return [
        {name: entry[name] for name in ("token", "logprob", "bytes")} for entry in token_logprobs(tokenize(text), 0)
    ]


def _transcript_events(heard: _Transcript, form: Form, *, diarized: bool) -> Iterator[Object]:
    logprobs = _logprobs(heard.text) if "logprobs" in strings(form.fields.get("include")) else None
    if diarized:
        yield from heard.speeches()
    else:
        for number, token in enumerate(tokenize(heard.text)):
            scores: Object = {} if logprobs is None else {"logprobs": logprobs[number : number + 1]}
            yield {"type": "transcript.text.delta", "delta": token, **scores}
    scores = {} if logprobs is None else {"logprobs": logprobs}
    yield {"type": "transcript.text.done", "text": heard.text, **scores, "usage": heard.usage}


def _speech_events(data: bytes, usage: Object) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data_event({"type": "speech.audio.delta", "audio": b64encode(data[start : start + _PIECE]).decode()})
    yield data_event({"type": "speech.audio.done", "usage": usage})
