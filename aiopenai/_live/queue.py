"""Messages that wait to be sent, bounded by their bytes."""

from __future__ import annotations

from collections import deque

from aiopenai.errors import WebSocketQueueFullError

__all__ = ["SendQueue", "Waiting"]


class Waiting:
    """One message that waits. `error` is that of its attempt, `done` whether it was attempted."""

    __slots__ = ("done", "error", "raw", "text")

    def __init__(self, raw: bytes, *, text: bool) -> None:
        self.raw = raw
        self.text = text
        self.done = False
        self.error: BaseException | None = None


class SendQueue:
    """Messages in the order of their sends. A message counts against the bound until it is written.

    It belongs to one thread at a time: before a connection is open to the program's, from then on to that of the loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.entries: deque[Waiting] = deque()
        """The messages that wait. A send looks here: `len` of the queue is a call of Python."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, raw: bytes, *, text: bool) -> Waiting:
        """Appends a message. Raises WebSocketQueueFullError if it is too much; the others stay."""
        entry = Waiting(raw, text=text)
        if self._bytes + len(raw) > self._max_bytes:
            raise WebSocketQueueFullError(
                f"The send queue holds {self._bytes} bytes and takes no more than max_queue_size={self._max_bytes}: "
                f"a message of {len(raw)} bytes was not queued."
            )
        self._bytes += len(raw)
        self.entries.append(entry)
        return entry

    @property
    def first(self) -> Waiting:
        """The message that is sent next."""
        return self.entries[0]

    def attempted(self, entry: Waiting, error: BaseException | None = None) -> None:
        """Removes a message that was handed to a socket: it is never sent again."""
        entry.done = True
        entry.error = error
        if self.entries and self.entries[0] is entry:
            self.entries.popleft()
            self._bytes -= len(entry.raw)

    def drain(self) -> list[str | bytes]:
        """Removes all messages and returns them, in order: text as str."""
        frames = [entry.raw.decode() if entry.text else entry.raw for entry in self.entries]
        self.entries.clear()
        self._bytes = 0
        return frames
