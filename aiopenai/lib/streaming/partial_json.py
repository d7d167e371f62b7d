"""JSON that has not come to its end yet: what can be told of it already.

What is there is cut after its last complete value, the brackets that are open there are closed, and the result is
decoded by the usual decoder. One pass over the tokens, so a look costs what the text is long.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from aiopenai._data.codec import decode_json

__all__ = ["parse_partial"]

_TOKEN = re.compile(
    r'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|-?[0-9][-+.0-9eE]*|true|false|null|NaN|-?Infinity)', re.DOTALL
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CLOSING = {"{": "}", "[": "]"}


def parse_partial(text: str) -> Any:
    """The values of a JSON document as far as they are complete; an unfinished string or number is left out.

    None for what is no beginning of a JSON document, or of nothing but a string or number.
    """
    try:
        return decode_json(text)
    except msgspec.DecodeError:
        pass
    cut = _complete(text)
    if cut is None:
        return None
    end, closing = cut
    try:
        return decode_json(text[:end] + closing)
    except msgspec.DecodeError:
        return None


def _complete(text: str) -> tuple[int, str] | None:
    """Where the last complete value ends, and what closes the brackets that are open there."""
    match = _TOKEN.match
    open_brackets: list[str] = []
    best: tuple[int, int] | None = None
    # What may come next: a value, a key, the colon after a key, or what follows a value.
    due = "value"
    at = 0
    while found := match(text, at):
        token = found[1]
        at = found.end()
        first = token[0]
        if first in "{[" and due.startswith("value"):
            open_brackets.append(first)
            due = "key or end" if first == "{" else "value or end"
        elif first in "}]":
            if not open_brackets or _CLOSING[open_brackets[-1]] != first or not due.endswith("end"):
                break
            open_brackets.pop()
            due = "end"
        elif first == "," and due == "end" and open_brackets:
            due = "key" if open_brackets[-1] == "{" else "value"
            continue
        elif first == ":" and due == "colon":
            due = "value"
            continue
        elif first == '"' and due.startswith("key"):
            due = "colon"
            continue
        elif first not in ",:" and due.startswith("value"):
            if (first == "-" or first.isdigit()) and token[-1] != "y" and not _NUMBER.fullmatch(token):
                break
            due = "end"
        else:
            break
        best = at, len(open_brackets)
        if not open_brackets:
            break
    if best is None:
        return None
    # Brackets are only ever closed after a value, so those open at the best place are the first ones still.
    end, depth = best
    return end, "".join(_CLOSING[bracket] for bracket in reversed(open_brackets[:depth]))
