"""The decoder of `openai._streaming`: server-sent events from lines, or from pieces of a body."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, runtime_checkable

from typing_extensions import override

from aiopenai._data.sse import ServerSentEvent, SSEParser

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


def _as_text(event: ServerSentEvent) -> TextEvent:
    return TextEvent(event=event.event or None, data=event.data.decode(), id=event.id, retry=event.retry)


class SSEDecoder:
    """Makes events from the lines or the bytes of a stream.

    A block without data is an event too, as in the reference, if it has a name, an id or a time to wait.
    """

    def __init__(self) -> None:
        self._event: str | None = None
        self._data: list[str] = []
        self._id: str | None = None
        self._retry: int | None = None

    def iter_bytes(self, iterator: Iterator[bytes]) -> Iterator[TextEvent]:
        """Yields the events of a body that arrives in pieces, split anywhere."""
        parser = SSEParser()
        for piece in iterator:
            yield from map(_as_text, parser.feed(piece))

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[TextEvent]:
        """Yields the events of a body that arrives in pieces, split anywhere."""
        parser = SSEParser()
        async for piece in iterator:
            for event in parser.feed(piece):
                yield _as_text(event)

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
