"""Requests and responses as plain values, for errors and raw replies. They pickle, and hold no credentials."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from encodings.aliases import aliases
from typing import Any

import msgspec
from typing_extensions import override

from aiopenai._base.headers import REDACTED, SECRET_HEADERS
from aiopenai._base.redaction import redacted_url
from aiopenai._data.codec import decode_json

__all__ = ["HTTPRequest", "HTTPResponse", "Headers", "as_utf8", "charset_of", "parse_json"]


class Headers(Mapping[str, str]):
    """Headers by name, in any case. Values of a repeated name are joined; `get_list` returns them one by one."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, list[str]] = {}
        for name, value in items:
            self._items.setdefault(name.lower(), []).append(value)

    @override
    def __getitem__(self, name: str) -> str:
        return ", ".join(self._items[name.lower()])

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    @override
    def __len__(self) -> int:
        return len(self._items)

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def get_list(self, name: str) -> list[str]:
        """Returns all values of one name."""
        return list(self._items.get(name.lower(), ()))

    def multi_items(self) -> list[tuple[str, str]]:
        """Returns all names and values, repeated ones repeated."""
        return [(name, value) for name, values in self._items.items() for value in values]

    @override
    def __repr__(self) -> str:
        shown = {name: REDACTED if name in SECRET_HEADERS else self[name] for name in self}
        return f"Headers({shown})"


class HTTPRequest:
    """A request as sent: verb, URL and headers, credentials redacted."""

    __slots__ = ("headers", "method", "url")

    def __init__(self, method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.method = method
        self.url = redacted_url(url) if "@" in url or "?" in url else url
        self.headers = Headers((name, REDACTED if name.lower() in SECRET_HEADERS else value) for name, value in headers)

    @override
    def __repr__(self) -> str:
        return f"<HTTPRequest {self.method} {self.url}>"


class HTTPResponse:
    """A reply with its body: status, headers and content."""

    def __init__(
        self,
        status_code: int,
        headers: Headers,
        content: bytes,
        request: HTTPRequest,
        *,
        reason: str = "",
        elapsed: float = 0.0,
        retries_taken: int = 0,
        is_closed: bool = True,
    ) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content
        self.request = request
        self.reason_phrase = reason
        self.elapsed = timedelta(seconds=elapsed)
        self.retries_taken = retries_taken
        self.is_closed = is_closed
        """Whether no more of the body could be read when this value was made."""

    @property
    def url(self) -> str:
        """The URL of the request."""
        return self.request.url

    @property
    def text(self) -> str:
        """The body as text in the declared charset, else UTF-8. Bytes that cannot be decoded are replaced."""
        return self.content.decode(charset_of(self.headers), "replace")

    def json(self) -> Any:
        """Returns the value of the body as JSON. Raises ValueError if it is none."""
        return parse_json(as_utf8(self.headers, self.content))

    def read(self) -> bytes:
        """Returns the body."""
        return self.content

    async def aread(self) -> bytes:
        """Returns the body."""
        return self.content

    def close(self) -> None:
        """Does nothing: the body was read, and the connection is free."""

    async def aclose(self) -> None:
        """Does nothing: the body was read, and the connection is free."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return self.status_code >= 400

    @override
    def __repr__(self) -> str:
        return f"<HTTPResponse [{self.status_code} {self.reason_phrase}]>"


def parse_json(content: bytes) -> Any:
    """Returns the value of a JSON text. Raises ValueError if it is none."""
    try:
        return decode_json(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error


# The text encodings of Python that occur on the web, by their module names. A server may name any codec: some are no
# text encodings (hex, zlib), some take quadratic time (punycode), and each unknown name stays in a table of Python's.
_CHINESE = ("big5", "big5hkscs", "gb18030", "gb2312", "gbk")
_JAPANESE = ("cp932", "euc_jis_2004", "euc_jp", "iso2022_jp", "shift_jis", "shift_jis_2004", "shift_jisx0213")
_KOREAN = ("cp949", "euc_kr", "johab")
_WESTERN = ("cp437", "cp850", "cp852", "cp866", "cp874", "koi8_r", "koi8_u", "latin_1", "mac_cyrillic", "mac_roman")
_UNICODE = ("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_8_sig")
_WINDOWS = tuple(f"cp125{number}" for number in range(9))
_ISO = ("tis_620", *(f"iso8859_{number}" for number in range(2, 17) if number != 12))
_ENCODINGS = frozenset((*_CHINESE, *_JAPANESE, *_KOREAN, *_WESTERN, *_UNICODE, *_WINDOWS, *_ISO))


def charset_of(headers: Mapping[str, str]) -> str:
    """Returns the name of the text encoding that a Content-Type declares; utf-8 if it declares none that is known."""
    _, _, rest = headers.get("content-type", "").lower().partition("charset=")
    name = rest.partition(";")[0].strip(" \t\"'").replace("-", "_").replace(" ", "_")
    found = aliases.get(name, name)
    return codecs.lookup(found).name if found in _ENCODINGS else "utf-8"


def as_utf8(headers: Mapping[str, str], content: bytes) -> bytes:
    """Returns a JSON body in UTF-8, in which JSON is due (RFC 8259, section 8.1).

    The declared charset counts only for a body that is not UTF-8: servers declare others for bodies that are.
    """
    charset = charset_of(headers)
    if charset == "utf-8":
        return content
    try:
        if not charset.startswith(("utf-16", "utf-32")):
            content.decode()
            return content
    except UnicodeDecodeError:
        pass
    return content.decode(charset, "replace").encode("utf-8", "surrogatepass")
