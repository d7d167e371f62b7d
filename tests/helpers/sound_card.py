"""A sound card without sound: streams whose callbacks run in a thread, as those of sounddevice do."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy


class CallbackStop(Exception):
    """Raised by a callback to end its stream."""


class PortAudioError(Exception):
    """Raised for a device that cannot be used."""


class SoundCard:
    """Stands where the module `sounddevice` does. It records `spoken` and keeps the blocks that it plays."""

    CallbackStop = CallbackStop
    PortAudioError = PortAudioError
    block = 240

    def __init__(self) -> None:
        self.spoken: Any = None
        self.played: list[Any] = []
        self.options: list[dict[str, Any]] = []
        self.missing = False
        self.third = threading.Event()
        """Whether three blocks were played."""
        self.running = 0
        self.on_spoken: Any = lambda: None
        # Something to do before each block, such as a wait.
        self.before: Any = lambda: None

    @property
    def heard(self) -> Any:
        """All that was played."""
        return numpy.concatenate(self.played)

    def InputStream(self, **options: Any) -> _Stream:
        return _Stream(self, options, self._record)

    def OutputStream(self, **options: Any) -> _Stream:
        return _Stream(self, options, self._play)

    def _record(self, options: dict[str, Any], number: int) -> None:
        begin = number * self.block
        if self.spoken is not None and begin >= len(self.spoken):
            if begin == len(self.spoken):
                self.on_spoken()
            # Silence takes its time.
            time.sleep(0.01)
        block = numpy.zeros((self.block, options["channels"]), options["dtype"])
        found = block[:0] if self.spoken is None else self.spoken[begin : begin + self.block]
        block[: len(found)] = found
        options["callback"](block, self.block, None, None)
        # As a sound card does.
        block.fill(0)

    def _play(self, options: dict[str, Any], number: int) -> None:
        block = numpy.full((self.block, options["channels"]), 9, options["dtype"])
        try:
            options["callback"](block, self.block, None, None)
        except CallbackStop:
            # A block that the callback has filled before the end.
            if not (block == 9).all():
                self.played.append(block)
            raise
        self.played.append(block)
        if len(self.played) == 3:
            self.third.set()


class _Stream:
    def __init__(self, card: SoundCard, options: dict[str, Any], step: Any) -> None:
        if card.missing:
            raise PortAudioError("Error querying device -1")
        self._card = card
        self._options = options
        self._step = step
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        card.options.append(options)

    def _run(self) -> None:
        number = 0
        while not self._over:
            self._card.before()
            try:
                self._step(self._options, number)
            except CallbackStop:
                return
            number += 1

    def __enter__(self) -> _Stream:
        self._card.running += 1
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        self._card.running -= 1
