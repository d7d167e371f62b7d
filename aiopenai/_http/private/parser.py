"""aiohttp's parser of replies, and the bodies that it fills."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import aiohttp
from aiohttp import http_parser
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from typing_extensions import override

__all__ = ["EMPTY_PAYLOAD", "NOTHING", "READ_BUFFER", "Body", "CountedBody", "HttpProcessingError", "parser_for"]

# Larger pieces leave the processor's cache before they are decoded: with 2**18 a stream costs a fifth more.
READ_BUFFER = 2**16
# The longest header, and the most headers, of a reply. aiohttp's own limits (8,190 and 128) refuse real replies:
# gateways add headers by the dozen, content security policies of 9 KB occur.
MAX_HEADER_BYTES = 2**16
MAX_HEADERS = 1_000


def parser_for(protocol: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Returns aiohttp's parser of replies, for the life of a connection."""
    return http_parser.HttpResponseParser(
        protocol,
        loop,
        READ_BUFFER,
        payload_exception=aiohttp.ClientPayloadError,
        response_with_body=True,
        read_until_eof=True,
        auto_decompress=True,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )


class Body(StreamReader):
    """A body in chunks that is not all here yet: the parser puts pieces in, a reply takes them out.

    The parser makes a `StreamReader`. Its class is changed to this one when the head is here.
    """

    __slots__ = ()

    # Public names of the slots. An alias costs as little as the slot itself, a property five times as much.
    ended: Any = getattr(StreamReader, "_eof", None)
    failure: Any = getattr(StreamReader, "_exception", None)
    high_water: Any = getattr(StreamReader, "_high_water", None)
    size: Any = getattr(StreamReader, "_size", None)

    @override
    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self._buffer.append(data)
        self._size += len(data)
        if self._size > self._high_water:
            self._protocol.pause_reading()
        return False

    @override
    def feed_eof(self) -> None:
        self._eof = True
        self._protocol.resume_reading(resume_parser=False)

    # No reader asks for the ends of chunks: a C function that does nothing is called for each.
    begin_http_chunk_receiving = end_http_chunk_receiving = cast("Any", staticmethod(bool))

    def abandon(self, error: BaseException) -> None:
        """Drops the content and fails later readers."""
        self._buffer.clear()
        self._size = 0
        if self._exception is None:
            self._exception = error

    def take(self) -> bytes:
        """Returns all that is here, and lets a server that was held back go on."""
        buffer = self._buffer
        if len(buffer) == 1:
            data = buffer.popleft()
        else:
            data = b"".join(buffer)
            buffer.clear()
        self._size = 0
        if not self._eof:
            protocol: Any = self._protocol
            if protocol._reading_paused:
                protocol.resume_reading()
        return data


class CountedBody(Body):
    """A body that is not in chunks: its length tells whether more arrived than belongs to it."""

    __slots__ = ()

    @override
    def feed_data(self, data: bytes, size: int = 0) -> bool:
        self.total_bytes += len(data)
        return super().feed_data(data, size)


def _nothing() -> Any:
    body: Any = object.__new__(Body)
    body._buffer = deque()
    body._size = body.total_bytes = body.total_compressed_bytes = 0
    body._exception = None
    body._eof = True
    return body


NOTHING = _nothing()
"""The body of all replies without one: nothing is ever put in or taken out."""
