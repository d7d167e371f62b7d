"""A strict reader of `multipart/form-data` bodies (RFC 7578), whole bodies in memory."""

from __future__ import annotations

from email.message import Message
from typing import NamedTuple

__all__ = ["Part", "media_type", "parse_multipart"]


class Part(NamedTuple):
    """One part. `filename` and `content_type` are None where the part does not name them."""

    name: str
    data: bytes
    filename: str | None
    content_type: str | None
    headers: dict[str, str]

    @property
    def text(self) -> str:
        """The data as text, decoded from UTF-8."""
        return self.data.decode()


def media_type(content_type: str) -> str:
    """Returns a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parse_multipart(content_type: str, body: bytes) -> list[Part]:
    """Splits a body into its parts, in order.

    content_type: the header of the request, with the boundary.
    Raises `ValueError` for another content type, a missing boundary or a body that breaks the framing.
    """
    header = Message()
    header["content-type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        raise ValueError(f"not multipart/form-data: {content_type!r}")
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise ValueError("the content type names no boundary")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    # The first delimiter may open the body without a line break before it (RFC 2046, 5.1.1).
    start = len(delimiter) - 2 if body.startswith(delimiter[2:]) else -1
    if start < 0:
        found = body.find(delimiter)
        if found < 0:
            raise ValueError("the boundary does not occur in the body")
        start = found + len(delimiter)
    parts: list[Part] = []
    while not body.startswith(b"--", start):
        if not body.startswith(b"\r\n", start):
            raise ValueError("garbage after a boundary")
        head_end = body.find(b"\r\n\r\n", start)
        end = body.find(delimiter, start)
        if head_end < 0 or end < 0 or end < head_end + 4:
            raise ValueError("a part is not closed")
        parts.append(_part(body[start + 2 : head_end], body[head_end + 4 : end]))
        start = end + len(delimiter)
    return parts


def _part(head: bytes, data: bytes) -> Part:
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a part has a malformed header")
        headers[name.decode("latin-1").strip().lower()] = value.decode("utf-8", "surrogateescape").strip()
    fields = _parameters(headers.get("content-disposition", ""))
    if "name" not in fields:
        raise ValueError("a part has no name")
    return Part(fields["name"], data, fields.get("filename"), headers.get("content-type"), headers)


def _parameters(value: str) -> dict[str, str]:
    """Returns the parameters of a Content-Disposition header without their quotes.

    Browsers and clients percent-encode the quote and line breaks in names (WHATWG HTML, multipart/form-data encoding).
    Older ones escape the quote by a backslash. Both are decoded here.
    """
    found: dict[str, str] = {}
    position = value.find(";")
    while position >= 0:
        equals = value.find("=", position)
        if equals < 0:
            break
        name = value[position + 1 : equals].strip().lower()
        start = equals + 1
        if value.startswith('"', start):
            end = start + 1
            while end < len(value) and value[end] != '"':
                end += 2 if value[end] == "\\" and value[end + 1 : end + 2] == '"' else 1
            raw = value[start + 1 : end]
            position = value.find(";", end)
        else:
            position = value.find(";", start)
            raw = value[start : position if position >= 0 else None].strip()
        raw = raw.replace('\\"', '"').replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        found.setdefault(name, raw)
    return found
