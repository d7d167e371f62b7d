"""Parameters in the API's notation for query strings and forms.

Arrays are `key[]=a&key[]=b`, objects are `key[sub]=value`, both to any depth. None is left out. True and False are
`true` and `false`. Query strings and multipart forms use the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from math import isfinite
from typing import cast
from urllib.parse import quote, urlencode

from aiopenai._base.aliases import python_value

__all__ = ["encode_path_segment", "encode_query", "flatten"]

# RFC 3986, section 3.3: the characters of a segment beside the unreserved ones, which quote() always keeps.
_SEGMENT_SAFE = "!$&'()*+,;=:@"


def flatten(params: Mapping[str, object]) -> list[tuple[str, str]]:
    """Returns nested parameters as a flat list of names and values, in order. Names may repeat.

    Any iterable is an array. Raises TypeError for bytes, because they have no text form, and ValueError for NaN and
    infinities.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        _flatten(name, value, pairs)
    return pairs


def _flatten(name: str, value: object, pairs: list[tuple[str, str]]) -> None:
    if isinstance(value, Enum):
        value = value.value
    # The most frequent types come first. bool comes before int, because it is a subclass.
    if isinstance(value, str):
        # The text of a subclass, which may show itself otherwise.
        pairs.append((name, str.__str__(value)))
    elif value is None:
        return
    elif value is True:
        pairs.append((name, "true"))
    elif value is False:
        pairs.append((name, "false"))
    elif isinstance(value, int):
        pairs.append((name, int.__repr__(value)))
    elif isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"`{name}` must be a finite number, not {float.__repr__(value)}")
        pairs.append((name, float.__repr__(value)))
    elif (plain := python_value(value)) is not value:
        _flatten(name, plain, pairs)
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            _flatten(f"{name}[{key}]", item, pairs)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"`{name}` must be text, not bytes: decode it first")
    elif isinstance(value, Iterable):
        for item in cast("Iterable[object]", value):
            _flatten(f"{name}[]", item, pairs)
    else:
        # Dates, UUIDs and decimals.
        pairs.append((name, str(value)))


def encode_query(params: Mapping[str, object]) -> str:
    """Returns the parameters as a query string without `?`, percent-encoded like a form (a space is `+`).

    The string is empty without parameters. Raises TypeError and ValueError as `flatten` does.
    """
    return urlencode(flatten(params))


def encode_path_segment(value: str | int, name: str = "path argument") -> str:
    """Returns the value as exactly one segment of a URL's path, percent-encoded (RFC 3986, section 3.3).

    Raises ValueError for an empty value, and for `.` and `..`. URL libraries and proxies treat `%2E` as `.`, so no
    encoding keeps these from leading to another endpoint. Raises TypeError for values other than strings and integers.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"`{name}` must be a string, not {type(value).__name__}")
    text = value if isinstance(value, str) else str(value)
    if text in ("", ".", ".."):
        # The words of the reference: tests of programs match them.
        raise ValueError(
            f"`{name}` must not be {text!r}"
            if text
            else f"Expected a non-empty value for `{name}` but received {value!r}"
        )
    return quote(text, safe=_SEGMENT_SAFE)
