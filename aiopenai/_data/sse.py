"""Server-sent events: bytes in, events out. No I/O, no tasks, no clock.

The grammar is section 9.2.6 of the WHATWG HTML standard, "Interpreting an event stream". There are two ways to read:

- `SSEParser.feed` returns whole events (name, data, id, retry).
- `SSEParser.feed_data` returns the data alone, as a list of `bytes` ready for a JSON decoder. It is the hot path of
  every stream: with the API's own framing a batch costs a few C calls, however many events it holds.

Both return the same events, wherever the stream is split.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aiopenai._data.sizes import MAX_EVENT_BYTES

__all__ = ["SSEError", "SSEParser", "ServerSentEvent", "begins_with_events", "with_names"]

_BOM: Final = b"\xef\xbb\xbf"

# Reconnection times are milliseconds. Longer values are noise, and int() refuses very long digit strings.
_MAX_RETRY_DIGITS: Final = 18


class SSEError(ValueError):
    """An event stream that cannot be read: an event beyond the parser's limit, or data that is not JSON."""


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event."""

    event: str = ""
    """The event's name; empty without an `event` field (browsers call such an event "message")."""

    data: bytes = b""
    """The `data` lines joined by LF, as received: invalid UTF-8 is left to the decoder. May be empty."""

    id: str | None = None
    """The last event id at the time of this event. An earlier event may have set it."""

    retry: int | None = None
    """The reconnection time in milliseconds, if this event has one."""

    def json(self) -> Any:
        """Returns the data decoded as JSON. Raises SSEError for other data."""
        try:
            return msgspec.json.decode(self.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SSEError(f"the event's data is not JSON: {error}") from error


class SSEParser:
    """An incremental parser of one event stream.

    `max_event_bytes` limits one event without its closing blank line, and with it the memory that a server can make
    the parser hold. A longer event raises SSEError from the call that fed it, and the events that the same chunk
    completed are lost.

    Line ends are made LF as chunks arrive, so that an event ends exactly where LF LF appears. The rest after the last
    LF LF waits in one growing buffer and is never scanned again, which keeps long events linear in time.
    """

    __slots__ = (
        "_at_start",
        "_last_event_id",
        "_max",
        "_odd_line",
        "_plain",
        "_retry",
        "_skip_lf",
        "_tail",
        "event_names",
        "stray",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._tail = bytearray()
        # At the start of the stream, where a BOM may be; and after a CR, whose LF may begin the next chunk.
        self._at_start = True
        self._skip_lf = False
        # Neither of the two: chunks without CR need no preparation.
        self._plain = False
        self._last_event_id: str | None = None
        self._retry: int | None = None
        self._odd_line: tuple[bytes, bytes] | None = None
        self.event_names: list[bytes] | None = None
        """The names of the events that the last `feed_data` returned, in the same order; b"" for no name.

        None if none of them has a name, which makes the usual question cheap:
        `if parser.event_names is not None and b"error" in parser.event_names`.
        """
        self.stray: tuple[int, bytes, bytes] | None = None
        """The first line of the last `feed_data` or `end` that looks like an error outside of any event, or None.

        The standard ignores such lines, and servers report errors in them: a field named `error`, or bare JSON. The
        items are the number of events before the line, the field's name (b"" for bare JSON), and the text.
        """

    @property
    def last_event_id(self) -> str | None:
        """The last `id` received, to resume a stream with; None without one."""
        return self._last_event_id

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds that the server sent last; None without one."""
        return self._retry

    @property
    def pending(self) -> bool:
        """Whether an event has begun and not ended. At the end of the stream that means a cut event.

        Blank lines and comments (keep-alives) are not part of any event.
        """
        return any(line and not line.startswith(b":") for line in bytes(self._tail).split(b"\n"))

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Returns the events that this chunk completes, in order. Raises SSEError."""
        block = self._take(chunk)
        if block is None:
            return []
        return [event for part in block.split(b"\n\n") if (event := self._parse(part)) is not None]

    def feed_data(self, chunk: bytes) -> list[bytes]:
        """Returns the data of the events that this chunk completes, in order. Their names are in `event_names`.

        An event with empty data gives b"". Raises SSEError.
        """
        self.event_names = self.stray = None
        block = self._take(chunk)
        if block is None:
            return []
        # Fast paths. If the block is nothing but "data: ..." lines, each with its blank line, the split itself gives
        # the data. It is nothing else if no LF is left in them. To join them and search takes a fifth of counting LFs.
        if block.startswith(b"data: "):
            found = block[6:].split(b"\n\ndata: ")
            if b"\n" not in b"".join(found):
                return found
        # The same for pairs of an "event: " and a "data: " line.
        elif block.startswith(b"event: "):
            split = [pair.partition(b"\ndata: ") for pair in block[7:].split(b"\n\nevent: ")]
            found_names = [name for name, separator, _ in split if separator]
            values = [value for _, _, value in split]
            if len(found_names) == len(values) and b"\n" not in b"".join(found_names + values):
                self.event_names = found_names if any(found_names) else None
                return values
        data: list[bytes] = []
        names: list[bytes] = []
        for part in block.split(b"\n\n"):
            if part.startswith(b"data: ") and b"\n" not in part:
                data.append(part[6:])
                names.append(b"")
                continue
            fields = self._fields(part)
            if self._odd_line is not None and self.stray is None:
                self.stray = (len(data), *self._odd_line)
            if fields is not None:
                data.append(fields[1])
                names.append(fields[0])
        if any(names):
            self.event_names = names
        return data

    def end(self) -> ServerSentEvent | None:
        """Ends the stream, and returns the data of an unfinished event, or None. The parser is ready for a new stream.

        The standard discards such an event. It is returned so that the caller can report a cut, or recognise an end
        mark without its blank line. Its last line may be half a line.
        """
        before = self._last_event_id, self._retry
        self.stray = None
        unfinished = self._parse(bytes(self._tail))
        if self._odd_line is not None:
            self.stray = (0, *self._odd_line)
        # Half a line of digits is a wrong number: an event that was never dispatched changes nothing.
        self._last_event_id, self._retry = before
        self._tail = bytearray()
        self._at_start = True
        self._skip_lf = self._plain = False
        return unfinished

    def _take(self, chunk: bytes) -> bytes | None:
        """Returns all complete events up to and with this chunk, without the last LF LF; None without any."""
        if not self._plain or b"\r" in chunk:
            chunk = self._prepare(chunk)
        tail = self._tail
        if not tail and chunk.endswith(b"\n\n") and len(chunk) <= self._max:
            # The usual case at a model's own pace.
            return chunk[:-2]
        end = chunk.rfind(b"\n\n")
        if end >= 0:
            if tail:
                tail += memoryview(chunk)[:end]
                block = bytes(tail)
                self._tail = bytearray(memoryview(chunk)[end + 2 :])
            else:
                block = chunk[:end]
                if end + 2 != len(chunk):
                    self._tail += memoryview(chunk)[end + 2 :]
        elif tail and chunk.startswith(b"\n") and tail.endswith(b"\n"):
            # The blank line was split between two chunks.
            block = bytes(memoryview(tail)[:-1])
            self._tail = bytearray(memoryview(chunk)[1:])
        else:
            tail += chunk
            block = None
        # One LF may stand before the event (an extra blank line) and one behind it (half of its own). They do not
        # count, so that the result does not depend on how the stream is split.
        if len(self._tail) > self._max + 2 or (
            block is not None
            and len(block) > self._max
            and any(len(part.strip(b"\n")) > self._max for part in block.split(b"\n\n"))
        ):
            self._tail = bytearray()
            raise SSEError(f"an event of the stream is longer than max_event_bytes={self._max}")
        return block

    def _prepare(self, chunk: bytes) -> bytes:
        """Returns the chunk with all its line ends made LF, and without the stream's BOM."""
        if self._at_start:
            chunk = bytes(self._tail) + chunk
            self._tail.clear()
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._tail += chunk
                return b""
            chunk = chunk.removeprefix(_BOM)
            self._at_start = False
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._plain = not self._skip_lf
        return chunk

    def _parse(self, part: bytes) -> ServerSentEvent | None:
        fields = self._fields(part)
        if fields is None:
            return None
        name, data, retry = fields
        return ServerSentEvent(name.decode("utf-8", "replace"), data, self._last_event_id, retry)

    def _fields(self, part: bytes) -> tuple[bytes, bytes, int | None] | None:
        """Returns the name, data and retry of one event's lines; None if they hold no data: it is not dispatched."""
        self._odd_line = None
        name = b""
        lines: list[bytes] = []
        retry: int | None = None
        for line in part.split(b"\n"):
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                lines.append(value)
            elif field == b"event":
                name = value
            elif field == b"id":
                if b"\0" not in value:
                    self._last_event_id = value.decode("utf-8", "replace")
            elif field == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self._retry = retry = int(value)
            elif self._odd_line is None and value and (field == b"error" or line.startswith(b"{")):
                self._odd_line = (field, value) if field == b"error" else (b"", line)
            # Anything else is a comment (an empty field name), a blank line or an unknown field: ignored.
        if not lines:
            return None
        return name, lines[0] if len(lines) == 1 else b"\n".join(lines), retry


def with_names(data: list[bytes], names: list[bytes] | None) -> list[bytes]:
    """Returns the events with their names inside, for types that have both."""
    return [
        b'{"event":%b,"data":%b}' % (msgspec.json.encode(name.decode("utf-8", "replace")), event or b"null")
        for name, event in zip(names or [b""] * len(data), data, strict=False)
    ]


def begins_with_events(body: bytes) -> bool:
    """Whether a body without a whole event begins with a field or a comment of an event stream."""
    first = body.lstrip(b"\xef\xbb\xbf").partition(b"\n")[0]
    return first.partition(b":")[0].strip() in (b"", b"data", b"event", b"id", b"retry")
