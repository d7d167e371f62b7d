"""`Microphone`: recordings, as files for transcriptions or as arrays."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Callable
from typing import Any, Literal, overload

from aiopenai._base.aliases import FileTypes
from aiopenai.helpers._sound import SAMPLE_RATE, SoundEnd, arrays, devices, sound_stream

__all__ = ["Microphone"]


class Microphone:
    """Records at 24,000 Hz until `should_record()` returns False, or `timeout` seconds have passed.

    `dtype` is a sample type of numpy: int16, or also float32, int8, uint8 or int32. Both limits are checked with each
    block of the sound card, in a thread of it. Raises OpenAIError if numpy is not installed.
    """

    def __init__(
        self,
        channels: int = 1,
        dtype: Any = None,
        should_record: Callable[[], bool] | None = None,
        timeout: float | None = None,
    ) -> None:
        self.channels = channels
        self.dtype = arrays().int16 if dtype is None else dtype
        self.should_record = should_record
        self.timeout = timeout

    @overload
    async def record(self, return_ndarray: Literal[True]) -> Any: ...
    @overload
    async def record(self, return_ndarray: Literal[False] | None = False) -> FileTypes: ...
    async def record(self, return_ndarray: bool | None = False) -> Any:
        """Records, and returns a WAV file for `transcriptions.create(file=...)`, or an array of frames and channels.

        Raises OpenAIError if sounddevice or a sound card is missing, and the exception of `should_record`.
        """
        numpy, ended = arrays(), SoundEnd()
        blocks: list[Any] = []
        started = time.perf_counter()

        def take(block: Any, *_: Any) -> None:
            if self.timeout is not None and time.perf_counter() - started > self.timeout:
                raise ended.reach()
            if not ended.asks(self.should_record, default=True):
                raise ended.reach()
            # The sound card uses the memory of the block again.
            blocks.append(block.copy())

        options = {"dtype": self.dtype, "samplerate": SAMPLE_RATE, "channels": self.channels}
        with sound_stream(devices().InputStream, callback=take, **options):
            await ended.wait()
        samples = numpy.concatenate(blocks) if blocks else numpy.array([], dtype=self.dtype)
        return samples if return_ndarray else self._wav_of(samples)

    def _wav_of(self, samples: Any) -> FileTypes:
        numpy = arrays()
        if samples.dtype == numpy.float32:
            samples = (numpy.clip(samples, -1, 1) * 32_767).astype(numpy.int16)
        elif samples.dtype == numpy.int8:
            # Samples of one byte have no sign in WAV files.
            samples = (samples.astype(numpy.int16) + 128).astype(numpy.uint8)
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(samples.dtype.itemsize)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.tobytes())
        buffer.seek(0)
        return "audio.wav", buffer, "audio/wav"
