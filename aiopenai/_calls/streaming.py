"""Streams: iterators over server-sent events, asynchronous and blocking.

Events are parsed and decoded in the batch in which their bytes arrived, and handed over from a list without touching
the event loop until more bytes are needed. While nobody asks for more, nothing is read, and the connection's flow
control holds the server back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, Literal, TypeVar

import msgspec
from typing_extensions import Self

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.deadlines import within
from aiopenai._base.lease import Lease
from aiopenai._base.timeouts import Timeout
from aiopenai._calls.watching import Watch
from aiopenai._data.codec import Decoder, decode_json
from aiopenai._data.sse import MAX_EVENT_BYTES, SSEError, SSEParser
from aiopenai._http.messages import Headers, HTTPResponse, Reply, request_of
from aiopenai.errors import APIConnectionError, APIError, APIResponseValidationError, APITimeoutError, error_from_body

__all__ = ["AsyncStream", "Events", "Partial", "Stream"]

T = TypeVar("T")

_DONE = b"[DONE]"
_ERROR = b'"error"'
# How long the end of a finished stream may take before the connection is given up; what was asked for is here.
_DRAIN_SECONDS = 0.05
# How many events are decoded at a time.
_TOGETHER = 64
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


class Events(Generic[T]):
    """What both kinds of streams do: take in bytes, make events ready, and know how the stream ended."""

    watch: Watch | None = None
    """The hooks of the call, if its client has some."""

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
        # Decoded and not handed over yet; received and not decoded yet; what is to be raised after them.
        self._ready: Iterator[T] = iter(())
        self._pending: list[bytes] = []
        # No event of those is longer: only the first can have begun in an earlier piece.
        self._longest = 0
        self._failure: APIError | None = None
        self._finished = False
        self._count = 0
        self._texts: dict[int, list[str]] = {}
        self._has_choices = "choices" in getattr(decoder.kind, "__struct_fields__", ())
        # The last two events tell whether a stream without [DONE] had come to its end: the finish, and the usage.
        self._last: T | None = None
        self._before_last: T | None = None

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`. Its content is this stream."""
        reply = self._reply
        return HTTPResponse(
            reply.status, Headers(reply.items()), b"", request_of(reply), reason=reply.reason, elapsed=reply.elapsed
        )

    def _drop(self) -> None:
        """End it here: the connection is dropped unless the stream had come to its end."""
        self._finished = True
        self._ready = iter(())
        self._pending = []
        self._failure = None
        self._reply.close()
        if self.watch is not None:
            self.watch.ended()

    def __del__(self) -> None:
        # A loop left with `break` drops the iterator: its connection must not wait for anybody else to close it.
        with contextlib.suppress(Exception):
            self._reply.close()
            if self.watch is not None:
                self.watch.ended()

    def _next_failure(self) -> APIError:
        """What is to be raised after the events that were handed over."""
        failure, self._failure = self._failure, None
        assert failure is not None
        failure.partial = self._partial()
        if self.watch is not None:
            self.watch.failed(failure)
        return failure

    async def _fill(self) -> None:
        """Read until events are here, or the end or a failure is known."""
        limit = self._idle_limit if self._count else self._first_limit
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        try:
            while not (self._pending or self._finished):
                if deadline is None:
                    piece = await self._reply.read_some()
                else:
                    piece = await self._read_until(deadline, limit)
                if piece:
                    self._take(piece)
                else:
                    self._end()
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
        except BaseException as error:
            # Cancelled while waiting: whoever cancels does not want the rest.
            self._finished = True
            self._reply.close()
            if self.watch is not None:
                self.watch.failed(error)
            raise

    async def _read_until(self, deadline: float, limit: float | None) -> bytes:
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await within(max(left, 0), self._reply.read_some())
        except asyncio.TimeoutError as error:
            self._reply.close()
            which = "idle" if self._count else "first_event"
            message = f"Request timed out: no event within the {which} limit of {limit} s."
            raise APITimeoutError(request_of(self._reply), message=message) from error

    def _take(self, piece: bytes) -> None:
        """Take in what a piece completes."""
        try:
            data = self._parser.feed_data(piece)
        except SSEError as error:
            self._fail(self._invalid(str(error), None), error)
            return
        if not data:
            return
        self._longest = max(len(piece), len(data[0]))
        names = self._parser.event_names
        if data[-1] == _DONE or _DONE in data:
            self._finished = True
            del data[data.index(_DONE) :]
        failed = len(data)
        if self._events != "bare":
            if names is not None and b"error" in names:
                failed = min(failed, names.index(b"error"))
            # The word may stand in this piece, or in the first event, which may have begun in an earlier one.
            # Searched backwards, which takes CPython half as long.
            if data and (data[0].rfind(_ERROR) >= 0 or (len(data) > 1 and piece.rfind(_ERROR) >= 0)):
                failed = next((at for at in range(failed) if _ERROR in data[at] and _is_error(data[at])), failed)
        taken = data if failed == len(data) else data[:failed]
        self._pending = taken if self._events != "named" else _named(taken, names)
        if taken is not data:
            self._carried(data[failed])

    def _decode(self) -> None:
        """Make the next few events ready: few, so that they are still in the processor's cache when they are used."""
        data = self._pending
        if len(data) <= _TOGETHER:
            self._pending = []
        else:
            self._pending = data[_TOGETHER:]
            data = data[:_TOGETHER]
        events: list[T]
        failure: Exception | None = None
        if len(data) == 1 and data[0]:
            # As they come at a model's own pace.
            try:
                events = [self._decoder(data[0])]
            except msgspec.DecodeError as error:
                events, failure = [], error
        else:
            events, failure = self._decoder.many(data, self._longest)
        self._ready = iter(events)
        if events:
            self._count += len(events)
            self._before_last = self._last if len(events) == 1 else events[-2]
            self._last = events[-1]
            self._note(events)
            if self.watch is not None:
                self.watch.events(events)
        if failure is not None:
            bad = next((event for event in data if not _is_json(event)), b"")
            self._pending = []
            self._fail(self._invalid("An event of the stream is not JSON.", bad), failure)

    def _note(self, events: list[Any]) -> None:
        """Keep the text for `partial`, joined per batch: under 0.2 us an event.

        Attributes are looked for on the types: asking an event for a field that it does not have is dear.
        """
        if not self._has_choices:
            for event in events:
                if getattr(event.__class__, "type", None) == "response.output_text.delta":
                    self._keep(0, event.delta)
            return
        try:
            choices: list[Any] = (
                events[0].choices if len(events) == 1 else [choice for event in events for choice in event.choices]
            )
            if len(choices) == 1:
                choice = choices[0]
                if "delta" in choice.__struct_fields__:
                    self._keep(choice.index, choice.delta.content)
                    return
            elif "delta" in choices[0].__struct_fields__:
                texts = [choice.delta.content or "" for choice in choices if not choice.index]
                if len(texts) == len(choices):
                    self._keep(0, "".join(texts))
                    return
        except (AttributeError, LookupError, TypeError):
            pass
        for event in events:
            several = getattr(event, "choices", None)
            for choice in several if is_list(several) else ():
                delta = getattr(choice, "delta", choice)
                text = getattr(delta, "content", None) if delta is not choice else getattr(choice, "text", None)
                self._keep(getattr(choice, "index", None), text)

    def _keep(self, index: Any, text: Any) -> None:
        if text and text.__class__ is str:
            self._texts.setdefault(index if isinstance(index, int) else 0, []).append(text)

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
            last_two = (self._before_last, self._last)[-self._count :] if self._count else ()
            if self._events == "bare" or any(map(_ends, last_two)):
                return
        elif unfinished.data == _DONE:
            return
        self._fail(
            APIConnectionError(
                message="Connection error: the stream broke off before its end.", request=request_of(self._reply)
            )
        )

    def _fail(self, error: APIError, cause: BaseException | None = None) -> None:
        """Have an error raised after what was received before it."""
        if cause is not None:
            error.__cause__ = cause
        self._failure = error
        self._finished = True
        self._reply.close()

    def _partial(self) -> Partial:
        return Partial(
            texts={index: "".join(pieces) for index, pieces in self._texts.items()},
            events=self._count,
            last=self._last,
        )

    def _invalid(self, message: str, data: bytes | None) -> APIResponseValidationError:
        reply = self._reply
        response = HTTPResponse(reply.status, Headers(reply.items()), data or b"", request_of(reply))
        shown = (data or b"")[:200].decode("utf-8", "replace")
        if shown:
            message += f" It begins: {shown!r}"
        return APIResponseValidationError(response, shown or None, message=message)


class AsyncStream(Events[T]):
    """An async iterator over the events of a reply. `async with` or `close()` drop the connection early.

    Raises APIError for an error that the stream carries, APITimeoutError and APIConnectionError when it stalls or
    breaks off; `partial` of each tells what had come. A stream that ends without its own end mark is broken off too.
    """

    async def __aiter__(self) -> AsyncIterator[T]:
        # A generator costs half of what a coroutine for each event does.
        while True:
            for event in self._ready:
                yield event
            if not await self._go_on():
                return

    async def __anext__(self) -> T:
        while True:
            # The first turn of a `for` is the quickest way to ask an iterator for what it has.
            for event in self._ready:
                return event
            if not await self._go_on():
                raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop: the connection is dropped at once unless the stream had come to its end."""
        self._drop()

    aclose = close

    async def _go_on(self) -> bool:
        """Whether there is more, now that those that were ready are handed over: then some may be ready again."""
        if not self._pending:
            if self._failure is not None:
                raise self._next_failure()
            if self._finished:
                # The last event is out. The end of the body has nearly always come with it.
                await self._reply.drain(_DRAIN_SECONDS)
                if self.watch is not None:
                    self.watch.ended()
                return False
            await self._fill()
        if self._pending:
            self._decode()
        return True


class Stream(Events[T]):
    """The same for programs without an event loop: an iterator. `with` or `close()` drop the connection early.

    All events that one read has completed are handed over before the next one.
    """

    lease: Lease
    """The loop on which the reply is read, until the stream ends."""

    def __iter__(self) -> Iterator[T]:
        while True:
            # Without a call of ours for each event.
            yield from self._ready
            if not self._go_on():
                return

    def __next__(self) -> T:
        while True:
            for event in self._ready:
                return event
            if not self._go_on():
                raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection, unless the stream had come to its end."""
        self._drop()
        self.lease.release()

    def _go_on(self) -> bool:
        """As in `AsyncStream`."""
        if not self._pending:
            if self._failure is not None:
                self.lease.release()
                raise self._next_failure()
            if self._finished:
                if not self._reply.closed:
                    self.lease.run(self._reply.drain(_DRAIN_SECONDS))
                self.lease.release()
                if self.watch is not None:
                    self.watch.ended()
                return False
            self.lease.run(self._fill())
        if self._pending:
            self._decode()
        return True


def _named(data: list[bytes], names: list[bytes] | None) -> list[bytes]:
    """The events with their names in them, where the type of the events has both."""
    return [
        b'{"event":%b,"data":%b}' % (msgspec.json.encode(name.decode("utf-8", "replace")), event or b"null")
        for name, event in zip(names or [b""] * len(data), data, strict=False)
    ]


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
