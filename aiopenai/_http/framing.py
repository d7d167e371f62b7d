"""HTTP/1.1 framing that the parser leaves to its caller: contradicting lengths, bytes before a reset, unseen bytes."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Collection
from typing import Any

__all__ = ["END_OF_HEAD", "INTERIM", "readable", "readable_ones", "salvaged", "without_conflict", "without_interim"]

END_OF_HEAD = b"\r\n\r\n"
INTERIM = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d ")
_READ_BYTES = 2**16
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)


def without_conflict(head: bytes) -> bytes | None:
    """Returns a head without the lengths that contradict it; None if its framing is clear.

    Transfer-Encoding overrides Content-Length, and a length may be given repeatedly (RFC 9112, section 6.3). The parser
    refuses both.
    """
    lengths: set[bytes] = {each.strip() for line in _CONTENT_LENGTH.findall(head) for each in line.split(b",")}
    if not lengths:
        return None
    if _CHUNKED.search(head):
        return _CONTENT_LENGTH.sub(b"", head)
    number = lengths.pop()
    if lengths or (len(_CONTENT_LENGTH.findall(head)) == 1 and b"," not in _CONTENT_LENGTH.findall(head)[0]):
        return None
    return _CONTENT_LENGTH.sub(b"", head)[:-4] + b"\r\nContent-Length: " + number + END_OF_HEAD


def without_interim(data: bytes) -> bytes:
    """Returns the bytes of a reply after its interim heads (1xx), which precede the final one."""
    while INTERIM.match(data) and (end := data.find(END_OF_HEAD)) >= 0:
        data = data[end + 4 :]
    return data


def readable(fileno: int) -> bool:
    """Returns whether a socket has bytes, or its end, that the loop has not seen yet."""
    return bool(readable_ones((fileno,)))


def readable_ones(filenos: Collection[int]) -> set[int]:
    """Returns those of some sockets that have bytes, or their end, that the loop has not seen yet."""
    if hasattr(select, "poll"):
        poll = select.poll()
        for fileno in filenos:
            poll.register(fileno, select.POLLIN)
        return {fileno for fileno, _ in poll.poll(0)}
    return {*select.select(filenos, [], [], 0)[0]}


def salvaged(transport: Any) -> list[bytes]:
    """Returns the bytes that arrived on a connection before it was reset.

    A server that refuses an upload answers and closes; the reset that follows overtakes its answer in the loop, which
    fails at the next write. The socket is open until `connection_lost` returns. TLS has buffers of its own.
    """
    pieces: list[bytes] = []
    # A TLS transport that was closed twice has forgotten its connection, and raises AttributeError.
    with contextlib.suppress(OSError, AttributeError):
        fileno = -1 if transport.get_extra_info("sslcontext") else transport.get_extra_info("socket").fileno()
        while fileno >= 0 and readable(fileno) and (piece := os.read(fileno, _READ_BYTES)):
            pieces.append(piece)
    return pieces
