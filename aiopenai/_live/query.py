"""The query parameters of a websocket's URL, which come from four places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from aiopenai._base.querystring import flatten
from aiopenai._base.sentinels import is_left_out

__all__ = ["joined_query", "pairs_of"]

Pairs = list[tuple[str, str]]


def pairs_of(given: Any) -> Pairs:
    """Returns `extra_query` as names and values: None is blank, a list repeats its name, `omit` is left out."""
    if hasattr(given, "multi_items"):
        return [(str(name), str(value)) for name, value in given.multi_items()]
    pairs: Pairs = []
    for name, value in given.items():
        if is_left_out(value):
            continue
        listed: list[Any] = [*value] if isinstance(value, (list, tuple)) else [value]
        for each in listed:
            pairs += [(name, "")] if each is None else flatten({name: each})
    return pairs


def joined_query(defaults: Mapping[str, Any], of_url: str, own: Mapping[str, Any], extra: Any, fixed: Any) -> str:
    """Returns the query string. Of one name, the last of these places counts, with all its values.

    `own` are the method's parameters, `extra` is `extra_query`, and `fixed` are parameters above that.
    """
    places: list[Pairs] = [
        _given(defaults),
        parse_qsl(of_url, keep_blank_values=True),
        _given(own),
        pairs_of(extra),
        _given(fixed),
    ]
    # The empty names of `omit` and of empty lists replace inherited ones, too.
    named = [{_stem(name) for name, _ in pairs} for pairs in places]
    if isinstance(extra, Mapping):
        named[3] |= {_stem(name) for name in cast("Mapping[str, Any]", extra)}
    pairs = [
        pair
        for at, place in enumerate(places)
        for pair in place
        if not any(_stem(pair[0]) in later for later in named[at + 1 :])
    ]
    return urlencode(pairs)


def _given(parameters: Mapping[str, Any]) -> Pairs:
    return flatten({name: value for name, value in parameters.items() if not is_left_out(value)})


def _stem(name: str) -> str:
    return str(name).partition("[")[0]
