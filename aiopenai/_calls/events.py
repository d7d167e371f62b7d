"""The events of a stream: bytes in, decoded events out, and the error that ends them if one does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._base.deadlines import within
from aiopenai._base.secret import without_frames
from aiopenai._calls.endings import DONE, is_done
from aiopenai._calls.partial import StreamRecord
from aiopenai._calls.stream_sources import StreamSource
from aiopenai._calls.unexpected import ERROR_WORD, event_error_of, json_of, unexpected_reply
from aiopenai._data.codec import Decoder
from aiopenai._data.sse import SSEError, SSEParser, begins_with_events, with_names
from aiopenai._http.interface import Reply, interrupted
from aiopenai._http.messages import Headers, HTTPResponse
from aiopenai.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
    error_from_body,
)

if TYPE_CHECKING:
    from aiopenai._calls.resuming import Resumption
    from aiopenai._calls.watching import Watch

__all__ = ["Events"]

T = TypeVar("T")

# The number of events decoded at a time: few, so that they are still in the processor's cache when they are used.
_BATCH = 64
# The beginning of a reply without events is kept up to this size, for the error message.
_MAX_BEGINNING = 1024 * 1024


class Events(Generic[T]):
    """The part that both kinds of streams share: bytes in, decoded events out, and the end of the stream."""

    watch: Watch | None = None
    """The hooks of the call, if its client has some."""
    resumption: Resumption | None = None
    """The continuation of the stream after its connection broke off, for responses in the background."""
    yields_structs = True
    """Whether the events are Structs of this package; drop-in mode hands out pydantic objects."""

    # The maker of the decoder of a type, for a response of the program.
    _decoder_of: ClassVar[Any] = staticmethod(Decoder.of)
    _blocking: ClassVar[bool] = False
    _record_type: ClassVar[type[StreamRecord]] = StreamRecord
    # Whether nothing is left to close. True until `__init__` has run, for the finaliser of a half-made object.
    _over = True

    def __init__(self, *, cast_to: Any, response: Any, client: Any, options: Any = None) -> None:
        """Reads events of the type `cast_to` from an open response, such as one of httpx."""
        source: StreamSource = response
        if type(response) is not StreamSource:
            source = self._source_of(cast_to, response, options)
        self._reply = source.reply
        self._given = source.given
        self._decoder: Decoder[T] = source.decoder
        self._parser = SSEParser(max_event_bytes=source.max_event_bytes)
        self._reopen = source.reopen
        self._max_event_bytes = source.max_event_bytes
        self._events = source.events
        self._first_limit, self._idle_limit = source.timeout.first_event, source.timeout.idle
        # Decoded and not handed out yet; received and not decoded yet; the error to raise after both.
        self._ready: Iterator[T] = iter(())
        self._pending: list[bytes] = []
        self._failure: APIError | None = None
        # An error beside the events. It is raised at the end: a later error event says more.
        self._stray: bytes | None = None
        # An upper bound of the length of the pending events: only the first can have begun in an earlier piece.
        self._longest = 0
        self._record = self._record_type(self._decoder.kind)
        # The pieces before the first event: they tell which kind of reply came in place of a stream.
        self._beginning: list[bytes] | None = []
        # Whether no more is read, and whether the body ended without its blank line.
        self._finished = False
        self._judge_later = False
        self._over = False

    def _source_of(self, cast_to: Any, response: Any, options: Any) -> StreamSource:
        """Returns the source for a response of the program."""
        from aiopenai._calls.given_responses import source_of

        return source_of(self._decoder_of, cast_to, response, options, blocking=self._blocking)

    @property
    def ended(self) -> bool:
        """Whether the stream has come to its end, has failed or was closed."""
        return self._over

    @property
    def response(self) -> HTTPResponse:
        """The reply's head: `headers`, `status_code`, `request`. Its content is this stream."""
        if self._given is not None:
            return self._given  # type: ignore[no-any-return]
        return self._reply_with(b"")

    def _reply_with(self, content: bytes) -> HTTPResponse:
        reply = self._reply
        head: dict[str, Any] = {"reason": reply.reason, "elapsed": reply.elapsed, "is_closed": reply.closed}
        return HTTPResponse(reply.status, Headers(reply.items()), content, reply.request, **head)

    def __del__(self) -> None:
        # A loop left with `break` drops the iterator, and the connection has to be closed soon. The garbage collector
        # runs finalisers in any thread and at any moment, so the closing is left to the connection's own loop.
        if self._over:
            return
        try:
            self._abandon()
        except KeyboardInterrupt:
            interrupted(self._abandon)

    def _abandon(self) -> None:
        reply, watch = self._reply, self.watch
        if watch is None and reply.closed:
            return
        # AttributeError: a reply that is in memory has no loop. RuntimeError: the loop is closed, and all with it.
        with contextlib.suppress(AttributeError, RuntimeError):
            loop = reply.loop
            if watch is not None and (asyncio._get_running_loop() is loop or not loop.is_running()):
                watch.ended()
                watch = None
            loop.call_soon_threadsafe(_close, reply, watch)

    def _drop(self) -> None:
        """Ends the stream here. The connection is dropped unless the body has been read to its end."""
        self._over = self._finished = True
        self._ready = iter(())
        self._pending = []
        self._failure = self._stray = None
        self._reply.close()
        if self.watch is not None:
            self.watch.ended()

    def _told(self, failure: APIError) -> APIError:
        """Completes an error that is about to be raised."""
        self._over = True
        failure.partial = self._record.partial()
        if self.watch is not None:
            self.watch.failed(failure)
        return failure

    def _raise_failure(self) -> None:
        """Raises the error that is due now that all events are handed out, if there is one."""
        failure, self._failure = self._failure, None
        if failure is None and self._stray is not None:
            self._stop()
            failure = self._carried(self._stray)
        self._stray = None
        if failure is None:
            return
        try:
            raise self._told(failure)
        finally:
            # The traceback refers to this frame, and the frame would refer to the error.
            del failure

    async def _fill(self) -> None:
        """Reads until there are events, or until the end or an error is known.

        An error of the connection is raised from here: kept in the stream, its traceback would hold the stream in a
        reference cycle, and with it the connection, until the garbage collector runs.
        """
        limit = self._idle_limit if self._record.count else self._first_limit
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
            if self._stray is not None:
                self._stop()
                return
            if self._record.count or self._reopen is None:
                if self.resumption is not None and await self._continued(error):
                    return
                self._stop()
                raise self._told(error)  # noqa: B904 - the same error
            # Nothing has been handed out yet, so the request may be sent again while retries are left.
            try:
                self._reply = await self._reopen(error)
            except APIError as final:
                self._stop()
                raise self._told(final)  # noqa: B904 - the same error
            self._begin_anew()
        except BaseException as error:
            # Cancelled while waiting.
            self._over = True
            self._stop()
            if self.watch is not None:
                self.watch.failed(error)
            raise

    @property
    def _may_continue(self) -> bool:
        """Whether the stream has broken off at the end of a body, and is of a kind that can be continued."""
        return self.resumption is not None and isinstance(self._failure, APIConnectionError)

    async def _continue(self) -> bool:
        """Continues a stream that `_may_continue`, and returns whether that succeeded."""
        failure = self._failure
        assert failure is not None
        try:
            return await self._continued(failure)
        finally:
            # The traceback refers to this frame, and the frame would refer to the error.
            del failure

    async def _continued(self, error: APIError) -> bool:
        """Continues the stream with a new reply after an error. Returns False if there is none."""
        assert self.resumption is not None
        self._reply.close()
        try:
            reply = await self.resumption.reply_after(error)
        except BaseException as stopped:
            # Cancelled while waiting.
            self._over = True
            self._stop()
            self._failure = None
            if self.watch is not None:
                self.watch.failed(stopped)
            raise
        finally:
            del error
        if reply is None:
            return False
        self._reply = reply
        self._failure = None
        self._finished = self._judge_later = False
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        """Prepares for the body of another reply."""
        self._parser = SSEParser(max_event_bytes=self._max_event_bytes)
        self._beginning = []

    async def _read_until(self, deadline: float, limit: float | None) -> bytes:
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await within(max(left, 0), self._reply.read_some())
        except asyncio.TimeoutError as error:
            self._reply.close()
            which = "idle" if self._record.count else "first_event"
            message = f"Request timed out: no event within the {which} limit of {limit} s."
            raise APITimeoutError(self._reply.request, message=message) from error

    def _take(self, piece: bytes) -> None:
        """Takes in the events that a piece completes."""
        parser = self._parser
        try:
            data = parser.feed_data(piece)
        except SSEError as error:
            self._fail(self._invalid(str(error), None), error)
            return
        if not data:
            if self._beginning is not None:
                self._note_beginning(piece)
            if parser.stray is not None:
                self._accept(data, 0, None)
            return
        self._beginning = None
        self._longest = max(len(piece), len(data[0]))
        names = parser.event_names
        if data[-1] == DONE or DONE in data:
            self._finished = self._record.end.done = True
            del data[data.index(DONE) :]
        # The word may stand in this piece, or in the first event, which may have begun in an earlier one.
        # Searched backwards, which takes CPython half as long.
        if (
            self._events != ""
            or parser.stray is not None
            or (names is not None and b"error" in names)
            or (data and (data[0].rfind(ERROR_WORD) >= 0 or (len(data) > 1 and piece.rfind(ERROR_WORD) >= 0)))
        ):
            self._accept(data, self._first_end(data, names), names)
        else:
            self._pending = data

    def _note_beginning(self, piece: bytes) -> None:
        assert self._beginning is not None
        if sum(map(len, self._beginning)) < _MAX_BEGINNING:
            self._beginning.append(piece)

    def _first_end(self, data: list[bytes], names: list[bytes] | None) -> int:
        """Returns the number of the events before the first error or end mark."""
        bare = self._events == "bare"
        for at, event in enumerate(data):
            if is_done(event):
                self._finished = self._record.end.done = True
                return at
            if not bare and (
                (names is not None and names[at] == b"error") or (ERROR_WORD in event and _is_error(event))
            ):
                return at
        return len(data)

    def _accept(self, data: list[bytes], upto: int, names: list[bytes] | None) -> None:
        """Takes the events before the end mark or error that follows them, if one does."""
        self._note_stray(upto)
        failure = data[upto] if upto < len(data) and not is_done(data[upto]) else None
        del data[upto:]
        self._pending = data if self._events != "named" else with_names(data, names)
        if failure is not None:
            self._fail(self._carried(failure))

    def _note_stray(self, upto: int) -> None:
        """Keeps an error that the server sent beside its events, unless it follows the end of the stream."""
        stray = self._parser.stray
        if stray is None or self._stray is not None or self._events == "bare":
            return
        at, field, text = stray
        if at <= upto and (field or _is_error(text)):
            self._stray = text

    def _decode(self) -> None:
        """Decodes the next few events."""
        data = self._pending
        self._pending = data[_BATCH:]
        if self._pending:
            data = data[:_BATCH]
        events: list[T]
        made: list[Any] = []
        if len(data) == 1 and data[0]:
            # The usual case at a model's own pace.
            try:
                events = [self._decoder(data[0])]
            except msgspec.DecodeError:
                events = self._decode_singly(data)
        else:
            events, failure = self._decoder.many(data, self._longest, made)
            if failure is not None:
                # Its traceback refers to this frame, which would refer to it.
                del failure
                events = self._decode_singly(data)
        if events:
            if self.resumption is not None:
                events, made = self.resumption.note(events), []
            events = self._record.note(events, made)
            self._ready = iter(events)
            if self._record.refusal is not None:
                self._pending = []
                self._fail(error_from_body(self._record.refusal, self._reply.request))
            if self.watch is not None and events:
                self.watch.events(events)
        if self._judge_later and not self._pending:
            self._judge_later = False
            self._judge()

    def _decode_singly(self, data: list[bytes]) -> list[T]:
        """Decodes a batch that holds something else than JSON: white space, an odd end mark, or an error."""
        events: list[T] = []
        for event in data:
            if is_done(event):
                self._finished = self._record.end.done = True
                self._pending = []
                # An error that follows the end is not the stream's.
                self._failure = None
                break
            if event and not event.isspace():
                try:
                    events.append(self._decoder(event))
                except msgspec.DecodeError as error:
                    self._pending = []
                    self._fail(self._invalid("An event of the stream is not JSON.", event), error)
                    break
        return events

    def _end(self) -> None:
        """Handles the end of the body."""
        unfinished = self._parser.end()
        self._finished = True
        self._note_stray(0)
        if unfinished is None:
            self._judge()
        elif is_done(unfinished.data):
            self._record.end.done = True
        elif is_mapping(json_of(unfinished.data)):
            # The event is whole, only its blank line is missing.
            data, names = [unfinished.data], [unfinished.event.encode()]
            self._longest = len(unfinished.data)
            self._judge_later = True
            self._accept(data, self._first_end(data, names), names if names[0] else None)
        else:
            self._judge()

    def _judge(self) -> None:
        """Decides whether the stream was complete when its body ended."""
        record = self._record
        if self._failure is not None or self._stray is not None:
            return
        if self._beginning and (body := b"".join(self._beginning).strip()) and not begins_with_events(body):
            self._fail(unexpected_reply(self._reply_with(body), wanted="an event stream"))
            return
        if self._events == "bare" or self._given is not None or record.end.is_complete(record.count):
            return
        message = "Connection error: the stream broke off before its end."
        self._fail(APIConnectionError(message=message, request=self._reply.request))

    def _carried(self, event: bytes) -> APIError:
        """Returns the error that the stream itself reports."""
        body: Any = json_of(event) or event.decode("utf-8", "replace")
        return error_from_body(event_error_of(body) or body, self._reply.request)

    def _fail(self, error: APIError, cause: BaseException | None = None) -> None:
        """Keeps an error that is raised after the events before it, its cause without frames: they refer to this."""
        error.__cause__ = cause and without_frames(cause)
        self._failure = error
        self._stop()

    def _stop(self) -> None:
        self._finished = True
        self._reply.close()

    def _invalid(self, message: str, data: bytes | None) -> APIResponseValidationError:
        shown = (data or b"")[:200].decode("utf-8", "replace")
        if shown:
            message += f" It begins: {shown!r}"
        return APIResponseValidationError(self._reply_with(data or b""), shown or None, message=message)


def _close(reply: Reply, watch: Watch | None) -> None:
    """Closes the reply of a stream that was garbage collected, on the reply's own loop."""
    reply.close()
    if watch is not None:
        watch.ended()


def _is_error(event: bytes) -> bool:
    body = json_of(event)
    return event_error_of(body) is not None or (is_mapping(body) and body.get("type") == "error")
