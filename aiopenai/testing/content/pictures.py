"""Small pictures in the formats of the API, and remarks about the pictures in a request."""

from __future__ import annotations

import struct
from base64 import b64decode
from binascii import Error
from typing import Any
from zlib import compress, crc32

from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import is_array, is_object

__all__ = ["SIDE", "picture", "seen"]

SIDE = 16
"""The width and height of all pictures that the server makes."""

# A grey block of 8 x 8 (ITU T.81, annex B): quantization by 1, one component, Huffman tables of one code each for "no
# difference" and "end of block", and the two bits of these codes.
_JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    + (b"\xff\xdb\x00\x43\x00" + b"\x01" * 64)
    + b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    + (b"\xff\xc4\x00\x14\x00\x01" + bytes(16))
    + (b"\xff\xc4\x00\x14\x10\x01" + bytes(16))
    + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x3f\xff\xd9"
)
# A picture of one pixel.
_WEBP = b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
_GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = {"png": _SIGNATURE, "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}


def picture(text: str, kind: str = "png") -> bytes:
    """Returns a picture: png, jpeg, webp, gif or svg. PNG and SVG have a colour for each text."""
    number = crc32(text.encode())
    colour = bytes((number >> 16 & 255, number >> 8 & 255, number & 255))
    if kind == "svg":
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}">'
        return f'{head}<rect width="100%" height="100%" fill="#{colour.hex()}"/></svg>'.encode()
    return {"jpeg": _JPEG, "webp": _WEBP, "gif": _GIF}.get(kind) or _png(colour)


def seen(content: object, where: str) -> str:
    """Returns a remark about the images among the parts of a message, empty where there are none.

    Supports the parts of chat (`image_url`), assistants and responses (`input_image`).
    Raises `ApiError` 400 for an image that is neither at a URL nor valid base64.
    """
    remarks: list[str] = []
    for number, part in enumerate(content if is_array(content) else ()):
        if not is_object(part) or part.get("type") not in ("image_url", "input_image", "image_file"):
            continue
        source: Any = part.get("image_url")
        url = source.get("url") if is_object(source) else source
        if type(url) is str:
            remarks.append(_look(url, f"{where}[{number}].image_url"))
        else:
            remarks.append("a file")
    return f" [seen: {', '.join(remarks)}]" if remarks else ""


def _look(url: str, where: str) -> str:
    if url.startswith(("http://", "https://")):
        return "an image at " + url.partition("://")[2].partition("/")[0]
    head, comma, text = url.partition(";base64,")
    try:
        data = b64decode(text, validate=True) if comma and head.startswith("data:") else b""
    except Error:
        data = b""
    if not data:
        message = f"Invalid '{where}': expected a base64-encoded data URL with an image, or an http URL."
        raise ApiError(400, message, param=where, code="invalid_image_url")
    kind = next((kind for kind, start in _KINDS.items() if data.startswith(start)), None)
    if kind is None:
        message = "You uploaded an unsupported image. Please make sure it is one of: png, jpeg, gif, webp."
        raise ApiError(400, message, param=where, code="invalid_image_format")
    if kind == "png" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return f"png of {width} x {height}"
    return kind


def _png(colour: bytes) -> bytes:
    """Returns a square of one colour (PNG specification, 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    rows = (b"\0" + colour * SIDE) * SIDE
    return _SIGNATURE + head + chunk(b"IDAT", compress(rows)) + chunk(b"IEND", b"")
