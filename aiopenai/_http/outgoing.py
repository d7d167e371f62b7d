"""Requests on their way out: header blocks, URLs and bodies in the form in which they are written."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from aiohttp import hdrs
from multidict import CIMultiDict
from typing_extensions import override
from yarl import URL

from aiopenai._base.aliases import own_text
from aiopenai._base.headers import REDACTED, SECRET_HEADERS
from aiopenai._base.redaction import redacted_url
from aiopenai._http.failures import UnsendableError
from aiopenai._http.form import Form
from aiopenai._http.private.connector import DEFAULT_HEADERS

__all__ = ["WRITE_BYTES", "Block", "Written", "header_block", "http_url", "lines_of", "pieces_of", "written"]

# A longer body is written in pieces, each within the write limit. The socket takes a shorter one at once.
WRITE_BYTES = 256 * 1024
# Without a body these announce no length: RFC 9110, section 8.6.
BODILESS = frozenset({"GET", "OPTIONS"})
# Headers that change the framing of a message, or its host.
UNUSUAL = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.1
_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# RFC 3986, section 2: all that a URI holds only percent-encoded.
_NOT_IN_A_URI = re.compile(r'[^\x21-\x7e]|["<>\\^`{|}]')


class Block(CIMultiDict[str]):
    """Headers in the form that aiohttp takes without converting it, with room for the bytes that they become."""

    lines: bytes | None = None

    @override
    def __repr__(self) -> str:
        shown = {name: REDACTED if name.lower() in SECRET_HEADERS else value for name, value in self.items()}
        return f"<Block({shown})>"


def header_block(headers: Mapping[str, str]) -> Block:
    """Returns headers that can be sent any number of times. Subclasses of str are sent as their text.

    Raises TypeError and ValueError for impossible headers. Neither shows the value, which may be a key.
    """
    for name, value in headers.items():
        if not isinstance(cast("object", value), str):
            raise TypeError(f"the header {name!r} must be a str, not {type(value).__name__}")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"the header {name!r} has a line break or a NUL in its value{_cure_of_header(name)}")
    return Block([(own_text(name), own_text(value)) for name, value in headers.items()])


def lines_of(headers: Mapping[str, str]) -> bytes | None:
    """Returns the header lines, rendered once per block; None for headers that need the general transport."""
    if not isinstance(headers, Block):
        return _rendered(headers)
    if headers.lines is None:
        headers.lines = _rendered(headers)
    return headers.lines


def _rendered(headers: Mapping[str, str]) -> bytes | None:
    given = {name.lower() for name in headers}
    if given & UNUSUAL:
        return None
    lines = list(headers.items())
    lines += [(name, value) for name, value in DEFAULT_HEADERS if name.lower() not in given]
    for name, value in lines:
        if not TOKEN.fullmatch(name) or _NOT_IN_A_HEADER.search(value):
            raise UnsendableError(f"the header {name!r} has a character that no header can have: remove it")
    return "".join([f"{name}: {value}\r\n" for name, value in lines]).encode()


def http_url(url: str) -> URL:
    """Returns a URL with an ASCII host and a percent-encoded path. Encoded characters stay as they are.

    Raises UnsendableError for a URL that no server can be asked for.
    """
    try:
        parsed = URL(_quoted(url) if _NOT_IN_A_URI.search(url) else url, encoded=True)
        if parsed.scheme in ("http", "https") and parsed.raw_host and parsed.port:
            return parsed
    except UnsendableError:
        raise
    except ValueError:
        pass
    # The text of the ValueError may hold a password.
    raise UnsendableError(f"the URL {redacted_url(url)!r} is not valid: give one such as https://host:port/path")


def _quoted(url: str) -> str:
    url = url.strip(" ")
    if _CONTROL.search(url):
        raise UnsendableError(f"the URL {redacted_url(url)!r} has a control character in it: remove it")
    scheme, separator, rest = url.partition("://")
    end = min((at for sign in "/?#" if (at := rest.find(sign)) >= 0), default=len(rest))
    authority = rest[:end]
    if "\\" in authority:
        raise ValueError("a backslash before the path")
    if not authority.isascii():
        # The internationalised form of the host (RFC 5891).
        authority = URL(f"{scheme}://{authority}").raw_authority
    path = _NOT_IN_A_URI.sub(lambda found: quote(found[0], safe=""), rest[end:])
    return f"{scheme}{separator}{authority}{path}"


async def pieces_of(body: Any) -> AsyncGenerator[bytes, None]:
    """Yields a body in pieces. Closing this early closes its source."""
    try:
        if isinstance(body, (bytes, bytearray)):
            view = memoryview(body)
            for start in range(0, len(view), WRITE_BYTES):
                yield cast("bytes", view[start : start + WRITE_BYTES])
        else:
            async for piece in body:
                yield piece
    finally:
        aclose: Any = getattr(body, "aclose", None)
        if aclose is not None:
            await aclose()


class Written(NamedTuple):
    """A request in the form in which it is written to a connection."""

    data: bytes
    """The head, and the body if it is short."""
    pieces: AsyncGenerator[bytes, None] | None
    """The rest of the body."""
    chunked: bool
    """Whether the rest is written in chunks, because its length is unknown."""

    @override
    def __repr__(self) -> str:
        # The head holds the key.
        return f"<Written {len(self.data)} bytes>"


async def written(method: str, line: bytes, headers: Mapping[str, str], body: Any) -> Written:
    """Returns a request with any body but short bytes, which are rendered in place.

    Raises the OSError of a file that cannot be read, RuntimeError for a body that was read before.
    """
    lines = lines_of(headers) or b""
    length: int | None = None
    if isinstance(body, Form):
        own = CIMultiDict(headers)
        own[hdrs.CONTENT_TYPE] = body.content_type
        lines = _rendered(own) or b""
        ready = body.as_bytes(WRITE_BYTES)
        if ready is None:
            body, length = await body.open()
        else:
            body = ready
    if not body and not hasattr(body, "__aiter__"):
        return Written(line + lines + (b"\r\n" if method in BODILESS else b"Content-Length: 0\r\n\r\n"), None, False)
    if isinstance(body, (bytes, bytearray)):
        length = len(body)
    if length is None:
        return Written(line + lines + b"Transfer-Encoding: chunked\r\n\r\n", pieces_of(body), True)
    head = b"%b%bContent-Length: %d\r\n\r\n" % (line, lines, length)
    if isinstance(body, (bytes, bytearray)) and length <= WRITE_BYTES:
        return Written(head + body, None, False)
    return Written(head, pieces_of(body), False)


def _cure_of_header(name: str) -> str:
    """Returns the cure of a bad header: keys that are read from a file end with a line break."""
    if name.lower() in SECRET_HEADERS:
        return ": the key has it, often at its end; `strip()` it where it is read"
    return ""
