"""Streams: async iterators over server-sent events.

Events are parsed and decoded in the batch in which their bytes arrived, and handed over from a list without touching
the event loop until more bytes are needed. While nobody asks for more, nothing is read, and the connection's flow
control holds the server back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, Literal, TypeVar

import msgspec
from typing_extensions import Self

from aiopenai.codec import Decoder, decode_json
from aiopenai.errors import APIConnectionError, APIError, APIResponseValidationError, APITimeoutError, error_from_body
from aiopenai.response import Headers, HTTPResponse, Reply, request_of
from aiopenai.sse import MAX_EVENT_BYTES, SSEError, SSEParser
from aiopenai.values import Timeout, is_list, is_mapping

__all__ = ["AsyncStream", "Partial"]

T = TypeVar("T")

_DONE = b"[DONE]"
# How long the end of a finished stream may take before the connection is given up; what was asked for is here.
_DRAIN_SECONDS = 0.05
# The last word of the types of events that end a stream.
_ENDINGS = frozenset({"completed", "done", "failed", "incomplete", "cancelled", "expired"})

Reopen = Callable[[APIError], Awaitable[Reply]]


class Partial(msgspec.Struct, kw_only=True):
    """What a stream had delivered when it failed; an error's `partial`."""

    texts: dict[int, str]
    """The text so far, by choice (by output item and content part, in order, for responses)."""
    events: int
    """How many events had arrived."""
    last: Any
    """The last of them, or None."""

    @property
    def text(self) -> str:
        """The text of the first choice, or of the whole response."""
        return self.texts.get(0, "")


class AsyncStream(Generic[T]):
    """An async iterator over the events of a reply. `async with` or `close()` drop the connection early.

    Raises APIError for an error that the stream carries, APITimeoutError and APIConnectionError when it stalls or
    breaks off; `partial` of each tells what had come. A stream that ends without its own end mark is broken off too.
    """

    def __init__(
        self,
        reply: Reply,
        decoder: Decoder[T],
        *,
        timeout: Timeout,
        reopen: Reopen | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        events: Literal["", "bare", "named"] = "",
    ) -> None:
        self._reply = reply
        self._decoder = decoder
        self._parser = SSEParser(max_event_bytes=max_event_bytes)
        self._reopen = reopen
        self._max_event_bytes = max_event_bytes
        # What becomes of the events' names and errors: see `request.Endpoint`.
        self._events = events
        self._first_limit = timeout.first_event
        self._idle_limit = timeout.idle
        # Decoded and not handed over yet; what is to be raised after them.
        self._ready: Iterator[T] = iter(())
        self._failure: APIError | None = None
        self._finished = False
        self._count = 0
        self._texts: dict[int, list[str | None]] = {}
        # The last two events tell whether a stream without [DONE] had come to its end: the finish, and the usage.
        self._last: list[T] = []

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`. Its content is this stream."""
        reply = self._reply
        return HTTPResponse(
            reply.status, Headers(reply.items()), b"", request_of(reply), reason=reply.reason, elapsed=reply.elapsed
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        # The first turn of a `for` is the quickest way to ask an iterator for what it has.
        for event in self._ready:
            return event
        return await self._more()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        self._finished = True
        self._ready = iter(())
        self._failure = None
        self._reply.close()

    aclose = close

    def __del__(self) -> None:
        # A loop left with `break` drops the iterator: its connection must not wait for the garbage collector's loop.
        if not self._finished:
            with contextlib.suppress(Exception):
                self._reply.close()

    async def _more(self) -> T:
        """Read until there is an event to hand over, or the stream is over."""
        while True:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._finished:
                raise StopAsyncIteration
            await self._fill()
            for event in self._ready:
                return event

    async def _fill(self) -> None:
        """Read until events are ready, or the end or a failure is known."""
        limit = self._idle_limit if self._count else self._first_limit
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        before = self._count
        try:
            while self._count == before and self._failure is None and not self._finished:
                piece = await self._read(deadline, limit)
                if piece:
                    self._take(piece)
                else:
                    self._end()
            if self._finished and self._failure is None:
                await self._reply.drain(_DRAIN_SECONDS)
        except APIConnectionError as error:
            if self._count or self._reopen is None:
                self._fail(error)
            else:
                # Nothing has been handed over yet: the request may be sent again, as often as retries are left.
                try:
                    self._reply = await self._reopen(error)
                    self._parser = SSEParser(max_event_bytes=self._max_event_bytes)
                except APIError as final:
                    self._fail(final)
        except BaseException:
            # Cancelled while waiting: whoever cancels does not want the rest.
            self._finished = True
            self._reply.close()
            raise
        if self._failure is not None:
            self._reply.close()

    async def _read(self, deadline: float | None, limit: float | None) -> bytes:
        if deadline is None:
            return await self._reply.read_some()
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(self._reply.read_some(), max(left, 0))
        except asyncio.TimeoutError as error:
            self._reply.close()
            which = "idle" if self._count else "first_event"
            message = f"Request timed out: no event within the {which} limit of {limit} s."
            raise APITimeoutError(request_of(self._reply), message=message) from error

    def _take(self, piece: bytes) -> None:
        """Decode what a piece completes."""
        try:
            data = self._parser.feed_data(piece)
        except SSEError as error:
            self._fail(self._invalid(str(error), None), error)
            return
        if not data:
            return
        names = self._parser.event_names
        if data[-1] == _DONE:
            self._finished = True
            data.pop()
        if self._events == "bare":
            self._decode(data)
            return
        if names is not None and b"error" in names and names.index(b"error") < len(data):
            at = names.index(b"error")
            self._decode(self._named(data[:at], names))
            self._carried(data[at])
            return
        # The word may stand in this piece, or in an event that began in an earlier one and is the first to end now.
        if b'"error"' in piece or (data and b'"error"' in data[0]):
            for at, event in enumerate(data):
                if b'"error"' in event and _is_error(event):
                    self._decode(self._named(data[:at], names))
                    self._carried(event)
                    return
        self._decode(self._named(data, names))

    def _named(self, data: list[bytes], names: list[bytes] | None) -> list[bytes]:
        """The events with their names in them, where the type of the events has both."""
        if self._events != "named":
            return data
        return [
            b'{"event":%b,"data":%b}' % (msgspec.json.encode(name.decode("utf-8", "replace")), event or b"null")
            for name, event in zip(names or [b""] * len(data), data, strict=False)
        ]

    def _decode(self, data: list[bytes]) -> None:
        events, failure = self._decoder.many(data)
        if events:
            self._ready = iter(events)
            self._count += len(events)
            self._last = events[-2:] if len(events) > 1 else [*self._last[-1:], *events]
            self._note(events)
        if failure is not None:
            if _DONE in data:  # with more behind it, which is not for us
                self._finished = True
                return
            bad = next((event for event in data if not _is_json(event)), b"")
            self._fail(self._invalid("An event of the stream is not JSON.", bad), failure)

    def _note(self, events: list[Any]) -> None:
        """Keep the text, for `partial`: strings that exist already, and next to no time per event."""
        texts = self._texts
        try:
            chosen = [event.choices for event in events]
            firsts = [choices[0] for choices in chosen]
            if sum(map(len, chosen)) == len(events) and not any([choice.index for choice in firsts]):  # noqa: C419 - a generator takes three times as long
                texts.setdefault(0, []).extend([choice.delta.content for choice in firsts])
                return
        except (AttributeError, LookupError, TypeError):
            pass
        for event in events:
            if is_list(choices := getattr(event, "choices", None)):
                for choice in choices:
                    delta = getattr(choice, "delta", None)
                    text = getattr(choice, "text", None) if delta is None else getattr(delta, "content", None)
                    index = getattr(choice, "index", None)
                    texts.setdefault(index if isinstance(index, int) else 0, []).append(text)
            elif getattr(event, "type", None) == "response.output_text.delta":
                texts.setdefault(0, []).append(getattr(event, "delta", None))

    def _carried(self, event: bytes) -> None:
        """The stream itself says that it failed."""
        body: Any = _json(event) or event.decode("utf-8", "replace")
        if is_mapping(body):
            body = body.get("error") or body
        self._fail(error_from_body(body, request_of(self._reply)))

    def _end(self) -> None:
        """The body is over."""
        unfinished = self._parser.end()
        self._finished = True
        if unfinished is None:
            if self._events == "bare" or any(_ends(event) for event in self._last):
                return
        elif unfinished.data == _DONE:
            return
        self._fail(
            APIConnectionError(
                message="Connection error: the stream broke off before its end.", request=request_of(self._reply)
            )
        )

    def _fail(self, error: APIError, cause: BaseException | None = None) -> None:
        if cause is not None:
            error.__cause__ = cause
        error.partial = Partial(
            texts={
                index: "".join([text for text in pieces if isinstance(text, str)])
                for index, pieces in self._texts.items()
            },
            events=self._count,
            last=self._last[-1] if self._last else None,
        )
        self._failure = error
        self._finished = True

    def _invalid(self, message: str, data: bytes | None) -> APIResponseValidationError:
        reply = self._reply
        response = HTTPResponse(reply.status, Headers(reply.items()), data or b"", request_of(reply))
        shown = (data or b"")[:200].decode("utf-8", "replace")
        if shown:
            message += f" It begins: {shown!r}"
        return APIResponseValidationError(response, shown or None, message=message)


def _ends(event: Any) -> bool:
    """Whether a stream may end with this event."""
    choices: Any = getattr(event, "choices", None)
    if choices is not None:
        return is_list(choices) and any(getattr(choice, "finish_reason", None) for choice in choices)
    kind: Any = getattr(event, "type", None) or getattr(event, "event", None)
    # Events of a kind without an end mark that we know: their end is their end.
    return not isinstance(kind, str) or kind.rpartition(".")[2] in _ENDINGS


def _json(event: bytes) -> Any:
    try:
        return decode_json(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_json(event: bytes) -> bool:
    return not event or _json(event) is not None or event == b"null"


def _is_error(event: bytes) -> bool:
    body = _json(event)
    return is_mapping(body) and bool(body.get("error"))
