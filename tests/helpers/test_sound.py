"""The microphone and the loudspeaker with a sound card that is none."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, OpenAIError
from aiopenai.helpers import LocalAudioPlayer, Microphone
from aiopenai.testing import Server

numpy = pytest.importorskip("numpy")

from .sound_card import SoundCard  # noqa: E402


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SoundCard:
    card = SoundCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    return card


def counting(blocks: int) -> Any:
    """A function that is True for a number of calls."""
    calls = iter(range(blocks))
    return lambda: next(calls, None) is not None


async def test_a_recording_is_a_file_for_transcriptions(card: SoundCard, server: Server, client: AsyncOpenAI) -> None:
    card.spoken = numpy.arange(480, dtype=numpy.int16).reshape(-1, 1)
    name, buffer, kind = await Microphone(should_record=counting(2)).record()  # type: ignore[misc]
    assert (name, kind) == ("audio.wav", "audio/wav")
    with wave.open(buffer) as file:  # type: ignore[arg-type]
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.readframes(1_000) == card.spoken.tobytes()
    assert (card.options[0]["samplerate"], card.options[0]["channels"], card.running) == (24_000, 1, 0)
    card.spoken[:] = 7
    file = await Microphone(should_record=counting(2)).record()  # type: ignore[assignment]
    assert (await client.audio.transcriptions.create(file=file, model="whisper-1")).text  # type: ignore[arg-type]


async def test_a_recording_as_an_array(card: SoundCard) -> None:
    card.spoken = numpy.linspace(-2, 2, 480, dtype=numpy.float32).reshape(-1, 2)
    found = await Microphone(2, numpy.float32, counting(1)).record(return_ndarray=True)
    assert found.dtype == numpy.float32
    assert found.tolist() == card.spoken.tolist()
    card.spoken = None
    nothing = await Microphone(should_record=lambda: False).record(return_ndarray=True)
    assert (nothing.shape, nothing.dtype) == ((0,), numpy.int16)


@pytest.mark.parametrize(
    ("dtype", "samples", "expected"),
    [
        ("float32", [-2.0, -1.0, 0.0, 0.5, 2.0], [-32767, -32767, 0, 16383, 32767]),
        ("int8", [-128, 0, 127], [0, 128, 255]),
        ("uint8", [0, 128, 255], [0, 128, 255]),
        ("int32", [-(2**31), 5], [-(2**31), 5]),
    ],
)
async def test_sample_types_of_files(card: SoundCard, dtype: str, samples: list[Any], expected: list[int]) -> None:
    card.spoken = numpy.array(samples, dtype=dtype).reshape(-1, 1)
    card.block = len(samples)
    _, buffer, _ = await Microphone(dtype=numpy.dtype(dtype), should_record=counting(1)).record()  # type: ignore[misc]
    with wave.open(buffer) as file:  # type: ignore[arg-type]
        width = file.getsampwidth()
        written = {1: numpy.uint8, 2: numpy.int16, 4: numpy.int32}[width]
        assert numpy.frombuffer(file.readframes(100), written).tolist() == expected


async def test_a_recording_ends_after_its_timeout(card: SoundCard) -> None:
    card.before = lambda: time.sleep(0.005)
    found = await Microphone(timeout=0.03).record(return_ndarray=True)
    assert len(found) <= 6 * card.block


async def test_an_exception_of_the_program_ends_a_recording(card: SoundCard) -> None:
    def fails() -> bool:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await Microphone(should_record=fails).record()
    with pytest.raises(LookupError, match="mine"):
        await LocalAudioPlayer(should_stop=fails).play(numpy.zeros(9, numpy.int16))
    assert card.running == 0


async def test_arrays_are_played(card: SoundCard) -> None:
    mono = numpy.arange(500, dtype=numpy.int16)
    await LocalAudioPlayer().play(mono)
    assert card.heard[:500, 0] == pytest.approx(mono / 32767, abs=1e-6)
    assert not card.heard[500:].any()
    assert (card.heard.dtype, card.options[0]["samplerate"]) == (numpy.float32, 24_000)
    card.played.clear()
    stereo = numpy.linspace(-1, 1, 100, dtype=numpy.float32).reshape(-1, 2)
    await LocalAudioPlayer().play(stereo)
    assert card.heard[:50].tolist() == stereo.tolist()
    card.played.clear()
    await LocalAudioPlayer().play(numpy.array([], numpy.float32))
    assert card.played == []
    for wrong in ("int8", "float64"):
        with pytest.raises(ValueError, match=f"must be int16 or float32, not {wrong}"):
            await LocalAudioPlayer().play(numpy.zeros(3, wrong))


async def test_playing_stops_when_the_program_says_so(card: SoundCard) -> None:
    goes_on = counting(2)
    await LocalAudioPlayer(should_stop=lambda: not goes_on()).play(numpy.ones(9_000, numpy.float32))
    assert len(card.played) == 2

    async def endless() -> AsyncIterator[Any]:
        while True:
            yield numpy.ones(240, numpy.float32)

    card.played.clear()
    goes_on = counting(3)
    await LocalAudioPlayer(should_stop=lambda: not goes_on()).play_stream(endless())
    assert len(card.played) == 3


@pytest.mark.parametrize("form", ["whole", "streamed", "blocking", "blocking streamed"])
async def test_speech_is_played(card: SoundCard, server: Server, client: AsyncOpenAI, form: str) -> None:
    given: Any = {"model": "tts-1", "voice": "alloy", "input": "Hi", "response_format": "pcm"}
    player = LocalAudioPlayer()
    spoken = (await client.audio.speech.create(**given)).content
    if form == "whole":
        await player.play(await client.audio.speech.create(**given))
    elif form == "streamed":
        async with client.audio.speech.with_streaming_response.create(**given) as reply:
            await player.play(reply)
    else:
        blocking = OpenAI(api_key="k", base_url=server.base_url)
        if form == "blocking":
            await player.play(await asyncio.to_thread(blocking.audio.speech.create, **given))
        else:
            manager = blocking.audio.speech.with_streaming_response.create(**given)
            reply = await asyncio.to_thread(manager.__enter__)
            await player.play(reply)
            await asyncio.to_thread(manager.__exit__, None, None, None)
        await asyncio.to_thread(blocking.close)
    samples = numpy.frombuffer(spoken[: len(spoken) // 2 * 2], "<i2")
    assert card.heard[: len(samples), 0] == pytest.approx(samples / 32767, abs=1e-6)


async def test_what_cannot_be_played(card: SoundCard, server: Server, client: AsyncOpenAI) -> None:
    given: Any = {"model": "tts-1", "voice": "alloy", "input": "Hi", "response_format": "wav"}
    with pytest.raises(ValueError, match=r'is a file \(WAV\), not samples: ask for response_format="pcm"'):
        await LocalAudioPlayer().play(await client.audio.speech.create(**given))
    with pytest.raises(TypeError, match="must be an array of numpy or a binary reply, not str"):
        await LocalAudioPlayer().play("x.wav")


async def test_a_stream_is_played_as_it_comes(card: SoundCard) -> None:
    go_on = asyncio.Event()

    async def buffers() -> AsyncIterator[Any]:
        yield numpy.full(300, 16_384, numpy.int16)
        await go_on.wait()
        yield numpy.full((100, 1), 0.25, numpy.float32)
        yield None
        raise AssertionError("None ends the stream")

    playing = asyncio.create_task(LocalAudioPlayer().play_stream(buffers()))
    await asyncio.to_thread(card.third.wait, 30)
    # A gap is silence, after the wait for a buffer.
    assert not card.played[2].any()
    go_on.set()
    await playing
    heard = card.heard[:, 0]
    assert heard[:300] == pytest.approx(numpy.full(300, 0.5), abs=1e-3)
    assert heard[heard == 0.25].size == 100
    assert heard[-1] == 0


async def test_a_fast_producer_waits(card: SoundCard) -> None:
    made = 0
    held = threading.Event()
    card.before = lambda: held.wait(30)

    async def buffers() -> AsyncIterator[Any]:
        nonlocal made
        for _ in range(80):
            made += 1
            yield numpy.ones(240, numpy.float32)

    playing = asyncio.create_task(LocalAudioPlayer().play_stream(buffers()))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert made == 51
    held.set()
    await playing
    assert int(card.heard.sum()) == 80 * 240


async def test_a_stream_that_fails_or_is_cancelled_ends_at_once(card: SoundCard) -> None:
    closed = asyncio.Event()

    async def fails() -> AsyncIterator[Any]:
        yield numpy.ones(10, numpy.float32)
        raise LookupError("mine")

    async def waits() -> AsyncIterator[Any]:
        try:
            yield numpy.ones(10, numpy.float32)
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def ends() -> AsyncIterator[Any]:
        yield numpy.ones(10, numpy.float32)
        # As of a task that makes the audio.
        raise asyncio.CancelledError

    with pytest.raises(LookupError, match="mine"):
        await LocalAudioPlayer().play_stream(fails())
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(LocalAudioPlayer().play_stream(ends()), 30)
    playing = asyncio.create_task(LocalAudioPlayer().play_stream(waits()))
    await asyncio.to_thread(card.third.wait, 30)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert (card.running, closed.is_set()) == (0, True)
    with pytest.raises(ValueError, match="must be int16 or float32"):
        await LocalAudioPlayer().play_stream(_one(numpy.zeros(3, numpy.int64)))


async def _one(buffer: Any) -> AsyncIterator[Any]:
    yield buffer


async def test_missing_packages_and_devices(card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    card.missing = True
    for use in (Microphone().record(), LocalAudioPlayer().play(numpy.zeros(3, numpy.int16))):
        with pytest.raises(OpenAIError, match="sound card cannot be used: Error querying device"):
            await use
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    for use in (Microphone().record(), LocalAudioPlayer().play(numpy.zeros(3, numpy.int16))):
        with pytest.raises(OpenAIError, match=r"needs the package sounddevice: pip install 'aiopenai\[voice\]'"):
            await use
    monkeypatch.setitem(sys.modules, "numpy", None)
    for made in (Microphone, LocalAudioPlayer):
        with pytest.raises(OpenAIError, match="needs the package numpy"):
            made()
