from __future__ import annotations

import base64
import io
import struct
import wave
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from aiopenai.testing import Server
from tests.testing.http import Api
from tests.testing.strict import collect, strict

TEXT = "The river; it was there, vor dem Städtchen: 100% sure. Ten words and two more."
WHISPER: Any = "whisper-1"
NEW: Any = "gpt-4o-transcribe"


async def speak(client: AsyncOpenAI, text: str = TEXT, kind: Any = "wav") -> bytes:
    reply = await client.audio.speech.create(input=text, model="tts-1", voice="alloy", response_format=kind)
    return reply.content


async def hear(client: AsyncOpenAI, data: bytes, model: Any = NEW, **options: Any) -> Any:
    return await client.audio.transcriptions.create(file=("x.wav", data), model=model, **options)


@pytest.mark.parametrize(
    ("kind", "start", "content_type"),
    [
        ("mp3", b"ID3", "audio/mpeg"),
        ("wav", b"RIFF", "audio/wav"),
        ("flac", b"fLaC", "audio/flac"),
        ("aac", b"ID3", "audio/aac"),
        ("opus", b"OggS", "audio/opus"),
    ],
)
async def test_speech_is_heard_again(client: AsyncOpenAI, kind: str, start: bytes, content_type: str) -> None:
    raw = await client.audio.speech.with_raw_response.create(
        input=TEXT, model="tts-1", voice="alloy", response_format=kind
    )
    assert raw.headers["content-type"] == content_type
    data = raw.content
    assert data.startswith(start)
    assert strict(await hear(client, data)).text == TEXT


async def test_the_sound_is_a_sound(client: AsyncOpenAI) -> None:
    data = await speak(client)
    with wave.open(io.BytesIO(data)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (1, 2, 24_000)
        assert reader.getnframes() == pytest.approx(24_000 * len(TEXT.split()) / 3, abs=1)
        assert reader.readframes(100) != bytes(200)
    assert data == await speak(client)
    assert len(data) == 8 + struct.unpack("<I", data[4:8])[0]
    pcm = await speak(client, kind="pcm")
    assert pcm in data
    assert pcm != await speak(client, TEXT + "!", "pcm")


async def test_the_longest_text(client: AsyncOpenAI) -> None:
    text = "\U0001f30a" * 4096
    for kind in ("opus", "mp3"):
        assert (await hear(client, await speak(client, text, kind))).text == text


async def test_an_ogg_page_has_its_checksum(client: AsyncOpenAI) -> None:
    data = await speak(client, "x", "opus")
    (found,) = struct.unpack("<I", data[22:26])
    page = data[: data.index(b"OggS", 4)]
    page = page[:22] + bytes(4) + page[26:]
    value = 0
    # Bit by bit, as the format's description has it (RFC 3533, 6).
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    assert value == found


async def test_speech_comes_in_pieces(api: Api) -> None:
    body = {"input": TEXT, "model": "tts-1", "voice": "alloy"}
    got = await api("POST", "/audio/speech", body)
    assert got.headers["transfer-encoding"] == "chunked"
    events = (await api("POST", "/audio/speech", {**body, "stream_format": "sse"})).events()
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == got.body
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["total_tokens"] > 0


async def test_formats(client: AsyncOpenAI) -> None:
    data = await speak(client)
    assert await hear(client, data, response_format="text") == TEXT + "\n"
    verbose = strict(await hear(client, data, WHISPER, response_format="verbose_json", language="en"))
    assert (verbose.language, verbose.duration, len(verbose.segments)) == ("en", 5.0, 2)
    assert "".join(segment.text for segment in verbose.segments).strip() == TEXT
    assert verbose.words is None
    words = strict(await hear(client, data, WHISPER, response_format="verbose_json", timestamp_granularities=["word"]))
    assert [word.word for word in words.words] == TEXT.split()
    assert words.segments is None
    srt = await hear(client, data, WHISPER, response_format="srt")
    assert srt.startswith("1\n00:00:00,000 --> 00:00:02,670\nThe river; it was there, vor dem Städtchen:\n\n2\n")
    vtt = await hear(client, data, WHISPER, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> ")


async def test_speakers(client: AsyncOpenAI) -> None:
    data = await speak(client)
    options: Any = {"model": "gpt-4o-transcribe-diarize", "response_format": "diarized_json"}
    whole = strict(await hear(client, data, **options))
    assert " ".join(segment.text for segment in whole.segments) == TEXT
    events = await collect(hear(client, data, stream=True, **options))
    assert [event.type for event in events] == ["transcript.text.segment"] * 2 + ["transcript.text.done"]


async def test_streams(client: AsyncOpenAI) -> None:
    data = await speak(client)
    events = await collect(hear(client, data, stream=True, include=["logprobs"]))
    assert "".join(event.delta for event in events[:-1]) == TEXT
    assert all(event.logprobs[0].token == event.delta for event in events[:-1])
    whole = strict(await hear(client, data, include=["logprobs"]))
    assert (events[-1].text, events[-1].usage) == (TEXT, whole.usage)
    assert [entry.token for entry in whole.logprobs] == [event.delta for event in events[:-1]]


async def test_whisper_does_not_stream(api: Api, client: AsyncOpenAI) -> None:
    import aiohttp

    form = aiohttp.FormData({"model": "whisper-1", "stream": "true"})
    form.add_field("file", await speak(client), filename="x.wav")
    got = await api("POST", "/audio/transcriptions", data=form)
    assert got.json()["text"] == TEXT


async def test_other_files_and_answers(client: AsyncOpenAI, server: Server) -> None:
    assert (await hear(client, b"noise")).text == "You said: x.wav"
    server.answer = "Silence."
    assert (await hear(client, await speak(client))).text == "Silence."
    server.answer = str.upper
    assert (await hear(client, await speak(client, "hm"))).text == "HM"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_translations(client: AsyncOpenAI) -> None:
    translate: Any = client.audio.translations.create
    file = ("x.wav", await speak(client))
    assert strict(await translate(file=file, model=WHISPER)).text == TEXT
    verbose = strict(await translate(file=file, model=WHISPER, response_format="verbose_json"))
    assert verbose.language == "english"
    assert await translate(file=file, model=WHISPER, response_format="text") == TEXT + "\n"


async def test_voices(client: AsyncOpenAI) -> None:
    consents = client.audio.voice_consents
    consent = strict(await consents.create(name="me", language="en", recording=b"x"))
    assert strict(await consents.update(consent.id, name="you")).name == "you"
    assert strict(await consents.retrieve(consent.id)).name == "you"
    assert [one.id for one in await collect(consents.list())] == [consent.id]
    voice = strict(await client.audio.voices.create(name="mine", audio_sample=b"x", consent=consent.id))
    assert voice.type == "audio_sample"
    assert strict(await client.audio.voices.delete(voice.id)).deleted
    assert strict(await consents.delete(consent.id)).deleted
    with pytest.raises(NotFoundError):
        await consents.retrieve(consent.id)


async def test_bad_calls(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="input"):
        await speak(client, "")
    with pytest.raises(BadRequestError, match="input"):
        await speak(client, "x" * 4097)
    with pytest.raises(BadRequestError, match="ogg"):
        await speak(client, "x", "ogg")
    with pytest.raises(NotFoundError, match="gpt-none"):
        await hear(client, b"x", "gpt-none")
    with pytest.raises(BadRequestError, match="too short"):
        await hear(client, b"")
    with pytest.raises(BadRequestError, match="not compatible"):
        await hear(client, b"x", NEW, response_format="srt")
    for temperature in (2, "warm"):
        with pytest.raises(BadRequestError, match="temperature"):
            await hear(client, b"x", NEW, temperature=temperature)
