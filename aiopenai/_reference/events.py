"""The decoder of `openai._streaming`: server-sent events from lines, or from pieces of a body."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from typing_extensions import override

__all__ = ["SSEBytesDecoder", "SSEDecoder", "TextEvent"]


class TextEvent:
    """The reference's `ServerSentEvent`: an event whose data is text, with None for fields that it does not have."""

    def __init__(
        self, *, event: str | None = None, data: str | None = None, id: str | None = None, retry: int | None = None
    ) -> None:
        self.event = event
        self.data = data or ""
        self.id = id
        self.retry = retry

    def json(self) -> Any:
        """Returns the data decoded as JSON. Raises ValueError for other data."""
        return json.loads(self.data)

    @override
    def __repr__(self) -> str:
        return f"ServerSentEvent(event={self.event}, data={self.data}, id={self.id}, retry={self.retry})"


class _Lines:
    """The lines of a body that arrives in pieces."""

    def __init__(self) -> None:
        # Line ends become LF, and a BOM is dropped.
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
        self._begun: list[str] = []

    def ended_by(self, piece: bytes, *, final: bool = False) -> list[str]:
        """Returns the lines that a piece completes, without their ends."""
        text = self._decoder.decode(piece, final=final)
        self._begun.append(text)
        if "\n" not in text:
            # Joined only once, because a long line may arrive in many pieces.
            return []
        *lines, rest = "".join(self._begun).split("\n")
        self._begun = [rest]
        return lines


class SSEDecoder:
    """Makes events from the lines or the bytes of a stream.

    A block without data is an event too, as in the reference, if it has a name, an id or a time to wait.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._event: str | None = None
        self._data: list[str] = []
        self._id: str | None = None
        self._retry: int | None = None

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[TextEvent]:
        """Yields the events of a body that arrives in pieces, split anywhere."""
        lines = _Lines()
        try:
            for piece in iterator:
                yield from self._events(lines.ended_by(piece))
            yield from self._events(lines.ended_by(b"", final=True))
        finally:
            self._reset()

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[TextEvent]:
        """Yields the events of a body that arrives in pieces, split anywhere."""
        lines = _Lines()
        try:
            async for piece in iterator:
                for event in self._events(lines.ended_by(piece)):
                    yield event
            for event in self._events(lines.ended_by(b"", final=True)):
                yield event
        finally:
            self._reset()

    def _events(self, lines: Iterable[str]) -> Iterator[TextEvent]:
        return (event for line in lines if (event := self.decode(line)) is not None)

    def decode(self, line: str) -> TextEvent | None:
        """Takes one line without its end. Returns an event for the empty line that ends one."""
        if not line:
            return self._finished()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self._retry = int(value)
        return None

    def _finished(self) -> TextEvent | None:
        if not self._event and not self._data and not self._id and self._retry is None:
            return None
        made = TextEvent(event=self._event, data="\n".join(self._data), id=self._id, retry=self._retry)
        # The id stays for the events that follow.
        self._event, self._data, self._retry = None, [], None
        return made


@runtime_checkable
class SSEBytesDecoder(Protocol):
    """A decoder of the bytes of a stream."""

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[TextEvent]:
        """Yields the events of a body that arrives in pieces."""
        ...

    def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[TextEvent]:
        """Yields the events of a body that arrives in pieces."""
        ...
