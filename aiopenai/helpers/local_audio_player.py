"""`LocalAudioPlayer`: the loudspeaker, for whole recordings and for audio that is still being received."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterable, Callable
from typing import Any

from aiopenai.helpers._sound import SAMPLE_RATE, SoundEnd, arrays, devices, sound_stream

__all__ = ["LocalAudioPlayer"]

# The buffers of a stream that wait for the loudspeaker at most.
_MAX_BUFFERS = 50
# The time after which the loudspeaker gets silence if no buffer has come.
_WAIT_SECONDS = 0.1
# The first bytes of files that would be noise if they were played as PCM.
_FILES = {b"RIFF": "WAV", b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC"}


class LocalAudioPlayer:
    """Plays audio at 24,000 Hz until its end, or until `should_stop()` returns True.

    `should_stop` is called with each block of the sound card, in a thread of it. Raises OpenAIError if numpy is not
    installed.
    """

    def __init__(self, should_stop: Callable[[], bool] | None = None) -> None:
        self.channels = 1
        self.dtype = arrays().float32
        self.should_stop = should_stop

    async def play(self, input: Any) -> None:
        """Plays an array of int16 or float32, or a reply of `audio.speech.create(..., response_format="pcm")`.

        Raises ValueError for other arrays and for files, TypeError for other objects, OpenAIError if sounddevice or a
        sound card is missing, and the exception of `should_stop`.
        """
        samples = self._samples_of(input if isinstance(input, arrays().ndarray) else await _pcm_of(input))
        ended = SoundEnd()
        position = 0

        def fill(block: Any, size: int, *_: Any) -> None:
            nonlocal position
            piece = samples[position : position + size]
            if not len(piece) or ended.asks(self.should_stop, default=False):
                raise ended.reach()
            block[: len(piece)] = piece
            block[len(piece) :] = 0
            position += len(piece)

        await self._run(fill, samples.shape[1], ended)

    async def play_stream(self, buffer_stream: AsyncIterable[Any]) -> None:
        """Plays mono arrays of int16 or float32 as they come. None ends it, and silence fills the gaps.

        Raises the exceptions of `buffer_stream` and of `should_stop`, and those of `play`.
        """
        loop, ended = asyncio.get_running_loop(), SoundEnd()
        room = asyncio.Semaphore(_MAX_BUFFERS)
        buffers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        rest = arrays().empty((0, self.channels), self.dtype)

        async def produce() -> None:
            try:
                async for buffer in buffer_stream:
                    if buffer is None:
                        break
                    await room.acquire()
                    buffers.put(self._samples_of(buffer))
                buffers.put(None)
            except (Exception, asyncio.CancelledError) as error:
                # The stream's own cancellation ends the sound, too.
                ended.reach(error)

        def fill(block: Any, size: int, *_: Any) -> None:
            nonlocal rest
            if ended.asks(self.should_stop, default=False):
                raise ended.reach()
            filled = 0
            while filled < size:
                if not len(rest):
                    try:
                        found = buffers.get(timeout=_WAIT_SECONDS)
                    except queue.Empty:
                        break
                    if found is None:
                        # This block is played to its end.
                        block[filled:] = 0
                        raise ended.reach()
                    rest = found
                    loop.call_soon_threadsafe(room.release)
                piece, rest = rest[: size - filled], rest[size - filled :]
                block[filled : filled + len(piece)] = piece
                filled += len(piece)
            block[filled:] = 0

        producing = asyncio.create_task(produce())
        try:
            await self._run(fill, self.channels, ended)
        finally:
            producing.cancel()
            await asyncio.wait([producing])

    async def _run(self, fill: Callable[..., None], channels: int, ended: SoundEnd) -> None:
        options = {"samplerate": SAMPLE_RATE, "channels": channels, "dtype": self.dtype}
        with sound_stream(devices().OutputStream, callback=fill, **options):
            await ended.wait()

    def _samples_of(self, array: Any) -> Any:
        """Returns an array as frames and channels of float32. Raises ValueError for other samples."""
        numpy = arrays()
        if array.dtype == numpy.int16:
            array = array.astype(numpy.float32) / 32_767
        elif array.dtype != numpy.float32:
            raise ValueError(f"the samples must be int16 or float32, not {array.dtype}")
        return array if array.ndim == 2 else array.reshape(-1, self.channels)


async def _pcm_of(reply: Any) -> Any:
    """Returns the samples of a binary reply. Raises TypeError for other objects, and ValueError for files."""
    if not hasattr(reply, "iter_bytes"):
        raise TypeError(f"input must be an array of numpy or a binary reply, not {type(reply).__name__}")
    pieces: Any = reply.iter_bytes(chunk_size=1024)
    if hasattr(pieces, "__aiter__"):
        audio = b"".join([piece async for piece in pieces])
    else:
        # A reply of the blocking client may still be arriving.
        audio = await asyncio.to_thread(b"".join, pieces)
    for begin, name in _FILES.items():
        if audio.startswith(begin):
            raise ValueError(f'the reply is a file ({name}), not samples: ask for response_format="pcm"')
    # A stream that was cut may end with half a sample.
    return arrays().frombuffer(audio[: len(audio) // 2 * 2], dtype="<i2")
