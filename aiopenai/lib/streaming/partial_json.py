"""Incomplete JSON: the values that are complete so far.

The text is cut after its last complete value, the brackets open there are closed, and the usual decoder decodes the
result. One pass over the tokens, so the time is proportional to the length of the text.
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
    """Returns the complete values of the beginning of a JSON document, without an unfinished string or number.

    Returns None for other text, and for the beginning of a mere string or number.
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
    """Returns the end of the last complete value, and the closing brackets that are missing there."""
    match = _TOKEN.match
    open_brackets: list[str] = []
    best: tuple[int, int] | None = None
    # The token that may come next: a value, a key, the colon after a key, or one that follows a value.
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
