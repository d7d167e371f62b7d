"""JSON documents to plain values, and back to documents that every reader takes."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar, cast

import msgspec

from aiopenai._base.aliases import is_list

__all__ = ["TooDeepError", "decode_json", "portable_json", "with_whole_stack"]

T = TypeVar("T")

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
            raise TooDeepError from None
    except RecursionError:
        raise TooDeepError from None


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
        # The UTF-8 codec would put "?" in place of a lone surrogate.
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if isfinite(value) else None
    if is_list(value):
        return [_portable(item) for item in value]
    if isinstance(value, dict):
        return {_portable(key): _portable(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


class TooDeepError(msgspec.DecodeError):
    """A document is nested deeper than the stack allows here."""

    def __init__(self) -> None:
        super().__init__("JSON is nested too deeply")


def with_whole_stack(function: Callable[..., T], *args: Any) -> T:
    """Calls a function that recurses in C, in a new thread if the stack of this one has too few levels left.

    A document that was decoded can be written again this way, wherever the caller stands. Raises RecursionError or
    TooDeepError for values that no thread can follow.
    """
    try:
        return function(*args)
    except (RecursionError, TooDeepError):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as executor:
            return executor.submit(function, *args).result()
