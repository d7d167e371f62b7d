"""JSON values: their types, their encoding, and safe access to the values of a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, TypeGuard

import msgspec

__all__ = ["Object", "encode", "error_body", "is_array", "is_object", "json_lines", "section", "strings", "text_of"]

Object: TypeAlias = "dict[str, Any]"


encode = msgspec.json.encode


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Returns whether a decoded JSON value is an object."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Returns whether a decoded JSON value is an array."""
    return type(value) is list


def json_lines(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yields the number and the value of each line that is not empty; the value is None for a line that is no JSON."""
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield number, None


def section(body: Object, name: str) -> Object:
    """Returns an object inside the body of a request, empty when it is absent or null."""
    return body.get(name) or {}


def strings(value: object) -> list[str]:
    """Returns the strings of an array; none for other values."""
    return [item for item in value if type(item) is str] if is_array(value) else []


def text_of(content: object) -> str:
    """Returns the content of a message as text: a string, or the texts of its parts joined by newlines."""
    if type(content) is str:
        return content
    if not is_array(content):
        return ""
    texts: list[str] = []
    for part in content:
        if is_object(part):
            text = part.get("text")
            if type(text) is str:
                texts.append(text)
    return "\n".join(texts)


def error_body(message: str, *, type: str, param: str | None = None, code: str | None = None) -> bytes:
    """Returns the error envelope of the API: `{"error": {"message", "type", "param", "code"}}`."""
    return encode({"error": {"message": message, "type": type, "param": param, "code": code}})
