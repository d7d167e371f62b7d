"""The checks of the parts that the direct transport uses."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any, cast

import aiohttp
from aiohttp import http_parser

from aiopenai._http.private.connector import UnfitError
from aiopenai._http.private.parser import READ_BUFFER, Body, parser_for

__all__ = ["examine"]


class _Trial:
    """A protocol to try a parser with."""

    _reading_paused = False

    def pause_reading(self) -> None: ...

    def resume_reading(self, resume_parser: bool = True) -> None: ...


def examine(connector: Any) -> None:
    """Tries the parts that the direct transport uses. Raises UnfitError, or any error, where one differs."""
    if http_parser.HttpResponseParser is http_parser.HttpResponseParserPy:
        raise UnfitError("aiohttp's C parser is not installed")
    for name in ("_acquired", "_waiters", "_conns", "_closed"):
        getattr(connector, name)
    for name, arguments in {
        "connect": ("req", "traces", "timeout"),
        "_available_connections": ("key",),
        "_release": ("key", "protocol", "should_close"),
        "_create_connection": ("req", "traces", "timeout"),
        "_wait_for_available_connection": ("key", "traces"),
    }.items():
        found = tuple(inspect.signature(getattr(aiohttp.TCPConnector, name)).parameters)[1:]
        if found != arguments:
            raise UnfitError(f"TCPConnector.{name} takes {found}")
    connection: Any = aiohttp.connector.Connection(connector, cast("Any", None), cast("Any", None), connector._loop)
    if "_protocol" not in vars(connection):
        raise UnfitError("Connection has no protocol")
    _examine_parser()


@functools.cache
def _examine_parser() -> None:
    """Tries one parser with three replies: in one read, in two reads, and without a body."""
    parser = parser_for(_Trial(), asyncio.get_running_loop())
    ((message, body),), upgraded, _ = parser.feed_data(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok")
    first = (message.code, message.reason, message.headers["a"], message.should_close, message.chunked)
    if upgraded or first != (200, "OK", "b", False, False) or message.compression is not None:
        raise UnfitError("the parser reads heads differently")
    if not body.is_eof() or body.total_raw_bytes != 2 or body.read_nowait() != b"ok":
        raise UnfitError("the parser makes other bodies")
    ((message, body),), _, _ = parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    body.__class__ = Body
    if parser.feed_data(b"2\r\nyo\r\n1\r\n!\r\n0\r\n\r\n")[0] or not message.chunked or not body.is_eof():
        raise UnfitError("the parser reads chunks differently")
    seen = (body.ended, body.failure, body.size, body.high_water >= READ_BUFFER, body.take(), body.size)
    if seen != (True, None, 5, True, b"okyo!", 0):
        raise UnfitError("the parser's bodies keep their content differently")
    ((message, body),), _, _ = parser.feed_data(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    if not body.is_eof() or not message.should_close:
        raise UnfitError("the parser reads empty replies differently")
