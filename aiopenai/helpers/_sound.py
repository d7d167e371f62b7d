"""The libraries of sound, imported at first use, and the end of a stream that a sound card drives."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Generator
from typing import Any

from aiopenai.errors import OpenAIError

__all__ = ["SAMPLE_RATE", "SoundEnd", "arrays", "devices", "sound_stream"]

SAMPLE_RATE = 24_000
"""The samples per second that the API's PCM audio has."""


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    # OSError: sounddevice is installed, and the library PortAudio below it is not.
    except (ImportError, OSError) as error:
        raise OpenAIError(f"Sound needs the package {name}: pip install 'aiopenai[voice]' ({error}).") from error


def arrays() -> Any:
    """Returns numpy. Raises OpenAIError if it is missing."""
    return _imported("numpy")


def devices() -> Any:
    """Returns sounddevice. Raises OpenAIError if it is missing."""
    return _imported("sounddevice")


@contextlib.contextmanager
def sound_stream(kind: Callable[..., Any], **options: Any) -> Generator[None]:
    """Runs a stream of a sound card. Raises OpenAIError if no sound card takes the options."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(kind(**options))
        except devices().PortAudioError as error:
            raise OpenAIError(f"The sound card cannot be used: {error}") from error
        yield


class SoundEnd:
    """The end of a stream: its callback runs in a thread of the sound card, and notes the end here."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._error: BaseException | None = None
        self._stop: type[BaseException] = devices().CallbackStop

    def reach(self, error: BaseException | None = None) -> BaseException:
        """Ends the stream, with the error that `wait` raises. Returns the exception for the callback to raise."""
        self._error = self._error or error
        self._loop.call_soon_threadsafe(self._event.set)
        return self._stop()

    def asks(self, question: Callable[[], bool] | None, *, default: bool) -> bool:
        """Returns the answer of the program's function. Its exception ends the stream."""
        try:
            return default if question is None else bool(question())
        except Exception as error:
            # The thread of the sound card would only print it.
            raise self.reach(error) from error

    async def wait(self) -> None:
        """Waits for the end. Raises the error of a callback."""
        await self._event.wait()
        if self._error is not None:
            raise self._error
