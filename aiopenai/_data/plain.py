"""JSON documents to plain values, and back to documents that every reader takes."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, cast

import msgspec

from aiopenai._base.aliases import is_list

__all__ = ["decode_json", "portable_json", "too_deep"]

_decode: Callable[[bytes | str], Any] = msgspec.json.Decoder().decode
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def decode_json(raw: bytes | str) -> Any:
    """Returns the plain values of a JSON document. Raises `msgspec.DecodeError` for other input, and nothing else.

    Accepts the following too, which servers send and msgspec refuses: lone surrogates (`"\\ud83d"`, from strings cut
    by length), NaN and Infinity (log-probabilities), numbers beyond a float, a byte order mark. Bytes that are not
    UTF-8 become U+FFFD.
    """
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        import json

        try:
            return json.loads(raw if isinstance(raw, str) else raw.decode("utf-8-sig", "replace"))
        except ValueError:
            raise msgspec.DecodeError(str(error)) from error
        except RecursionError:
            raise too_deep() from None
    except RecursionError:
        raise too_deep() from None


def portable_json(raw: bytes) -> bytes:
    """Returns a JSON document on one line that strict readers accept: as received where it is one already.

    NaN and infinities become null, lone surrogates and bytes that are not UTF-8 become U+FFFD, a byte order mark is
    dropped. Raises `msgspec.DecodeError` for input that is not JSON.
    """
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _encode(_portable(decode_json(raw)))
    return raw if b"\n" not in raw and b"\r" not in raw else _encode(value)


def _portable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if is_list(value):
        return [_portable(item) for item in value]
    if isinstance(value, dict):
        return {_portable(key): _portable(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


def too_deep() -> msgspec.DecodeError:
    """Returns the error for a document that is nested deeper than the interpreter can follow."""
    return msgspec.DecodeError("JSON is nested too deeply")
