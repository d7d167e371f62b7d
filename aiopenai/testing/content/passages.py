"""The words and paragraphs of searchable files, and the filters of a search."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from aiopenai.testing.engine.params import invalid_value
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object

__all__ = ["paragraphs", "passes_filter", "words_of"]

_words = re.compile(r"\w+").findall
_paragraphs = re.compile(r"\n\s*\n").split


def words_of(text: str) -> set[str]:
    """Returns the words of a text in lower case."""
    return set(_words(text.lower()))


def paragraphs(text: str) -> list[str]:
    """Returns the paragraphs of a text: the parts between empty lines."""
    return [chunk.strip() for chunk in _paragraphs(text) if chunk.strip()]


def _within(value: Any, choices: Any) -> bool:
    return is_array(choices) and value in choices


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": _within,
    "nin": lambda value, choices: not _within(value, choices),
}


def passes_filter(wanted: Any, attributes: Object) -> bool:
    """Returns whether the attributes of a file pass a filter: a comparison, or `and` and `or` of several.

    Raises `ApiError` 400 for an unknown filter, and for one that compares different types.
    """
    if wanted is None:
        return True
    kind: Any = wanted.get("type") if is_object(wanted) else None
    if is_object(wanted) and kind in ("and", "or"):
        results = [passes_filter(part, attributes) for part in wanted.get("filters") or ()]
        return all(results) if kind == "and" else any(results)
    if not is_object(wanted) or kind not in _COMPARE:
        raise invalid_value("filters.type", kind, (*_COMPARE, "and", "or"))
    value = attributes.get(wanted.get("key", ""))
    if value is None:
        return kind in ("ne", "nin")
    try:
        return _COMPARE[kind](value, wanted.get("value"))
    except TypeError:
        message = "A filter compares numbers with numbers and texts with texts."
        raise ApiError(400, message, param="filters", code="invalid_type") from None
