"""Streams for the tests of the helpers: recorded ones, the document's, and blocking ones without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aiopenai._data.codec import Decoder
from tests.parity.document import examples

RECORDINGS = sorted((Path(__file__).parents[3] / "shared" / "recordings").glob("chat_*.sse"))


def lines_of(file: Path) -> list[str]:
    """The events of a recording, as JSON."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]


def document_streams(*paths: str) -> dict[str, str]:
    """The streams that the OpenAPI document shows for these paths, by title."""
    return {each.label: each.events() for each in examples() if each.streams and each.path.startswith(paths)}


def data_of(stream: str) -> list[Any]:
    """The data of the events of a stream."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def named_of(stream: str) -> list[dict[str, Any]]:
    """The events of a stream with their names, as assistants have them."""
    events: list[dict[str, Any]] = []
    name = ""
    for line in stream.splitlines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: {"):
            events.append({"event": name, "data": json.loads(line.removeprefix("data: "))})
    return events


def decoded(kind: Any, events: Sequence[Any], together: int = 64) -> Iterator[Any]:
    """The events as a stream would hand them over, so many at a time."""
    raws = [event.encode() if isinstance(event, str) else json.dumps(event).encode() for event in events]
    for start in range(0, len(raws), together):
        batch, failure = Decoder.of(kind).many(raws[start : start + together])
        assert failure is None
        yield from batch


class Blocking:
    """A blocking stream: an iterator that can be closed."""

    response = "the response"

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self.closed = False

    def __iter__(self) -> Blocking:
        return self

    def __next__(self) -> Any:
        return next(self._events)

    def close(self) -> None:
        self.closed = True


class BlockingResource:
    """A resource of a blocking client, as far as the managers look at it: the methods are another resource's."""

    _blocking = True

    def __init__(self, resource: Any, stream: Any) -> None:
        self._resource = resource
        self._stream = stream
        self.requests: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resource, name)

    def _call(self, request: Any) -> Any:
        self.requests.append(request)
        return self._stream
