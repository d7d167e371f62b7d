"""The streams of drop-in mode, whose iterators tracers replace or wrap."""

# Frameworks call and replace members that are not public.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from typing_extensions import override

from aiopenai._calls.partial import StreamRecord
from aiopenai._calls.streaming import AsyncStream as NativeAsyncStream
from aiopenai._calls.streaming import Stream as NativeStream
from aiopenai._dropin.builders import decoder_of
from aiopenai._reference.events import SSEDecoder, TextEvent

__all__ = ["AsyncStream", "Stream"]

T = TypeVar("T")


class TwinRecord(StreamRecord):
    """The record of a stream of pydantic objects.

    Their fields are looked up in `__dict__`: such an object takes microseconds to deny a field that it does not have.
    """

    __slots__ = ()

    @override
    def _note_plain(self, events: list[Any], made: Sequence[Any]) -> bool:
        return self._note_typed(events)

    @override
    def _note_typed(self, events: list[Any]) -> bool:
        # JSON values in place of objects are left to the base.
        if not all(hasattr(event, "__pydantic_fields_set__") for event in events):
            return False
        for event in events:
            values = event.__dict__
            if (choices := values.get("choices")) is not None:
                self._note_choices(choices)
                continue
            kind = values.get("type") or values.get("event")
            if isinstance(kind, str):
                self.end.note_type(kind)
            if kind == "response.output_text.delta" and isinstance(text := values.get("delta"), str):
                self._keep(0, text)
        return True

    def _note_choices(self, choices: Any) -> None:
        self.end.marked = True
        for choice in choices if isinstance(choices, list) else ():
            values = getattr(choice, "__dict__", {})
            index = values.get("index")
            self.end.note_choice(index, values.get("finish_reason"))
            delta = getattr(values.get("delta"), "__dict__", None)
            text = values.get("text") if delta is None else delta.get("content")
            if isinstance(text, str) and text:
                self._keep(index if isinstance(index, int) else 0, text)


class AsyncStream(NativeAsyncStream[T], Generic[T]):
    """The async client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    yields_structs = False
    _decoder_of: ClassVar[Any] = staticmethod(decoder_of)
    _record_type = TwinRecord

    def __init__(self, *, cast_to: Any, response: Any, client: Any, options: Any = None) -> None:
        super().__init__(cast_to=cast_to, response=response, client=client, options=options)
        self._iterator: AsyncIterator[Any] = self.__stream__()

    def __stream__(self) -> AsyncIterator[Any]:
        return NativeAsyncStream.__aiter__(self)

    def _iter_events(self) -> AsyncIterator[TextEvent]:
        """Yields the events as they were sent, in place of the stream's own items."""
        return SSEDecoder().aiter_bytes(self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await self._reply.read_some():
            yield piece

    @override
    def __aiter__(self) -> Any:
        return self._iterator.__aiter__()

    @override
    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()


class Stream(NativeStream[T], Generic[T]):
    """The blocking client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    yields_structs = False
    _decoder_of: ClassVar[Any] = staticmethod(decoder_of)
    _record_type = TwinRecord

    def __init__(self, *, cast_to: Any, response: Any, client: Any, options: Any = None) -> None:
        super().__init__(cast_to=cast_to, response=response, client=client, options=options)
        self._iterator: Iterator[Any] = self.__stream__()

    def __stream__(self) -> Iterator[Any]:
        return NativeStream.__iter__(self)

    def _iter_events(self) -> Iterator[TextEvent]:
        """Yields the events as they were sent, in place of the stream's own items."""
        return SSEDecoder().iter_bytes(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        while piece := self.lease.run(self._reply.read_some()):
            yield piece

    @override
    def __iter__(self) -> Any:
        return iter(self._iterator)

    @override
    def __next__(self) -> Any:
        return next(self._iterator)
