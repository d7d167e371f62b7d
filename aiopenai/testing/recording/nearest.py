"""The comparison of requests: the parts that count, the nearest recorded request, and its differences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from aiopenai.testing.engine.values import Object, is_array, is_object
from aiopenai.testing.recording.bodies import canonical, without
from aiopenai.testing.recording.folder import Exchange, grouped

__all__ = ["comparable", "differences", "not_recorded", "shown"]

_MOST_DIFFERENCES = 5
_LONGEST_VALUE = 80


def comparable(exchange: Exchange, ignored: frozenset[str]) -> Object:
    """Returns the parts of a request that count: verb, path, sorted query, and body without the ignored keys."""
    query = grouped(sorted((name, value) for name, value in exchange.query if name not in ignored))
    return {
        "method": exchange.method,
        "path": exchange.path,
        "websocket": exchange.websocket,
        **({"query": query} if query else {}),
        **{kind: without(value, ignored) for kind, value in exchange.content.items()},
    }


def not_recorded(sent: Exchange, recorded: list[Exchange], used: set[str], ignored: frozenset[str]) -> str:
    """Returns the message about a request without a recorded reply: the nearest recorded one, and how it differs."""
    wanted = comparable(sent, ignored)
    message = f"no recorded reply for {sent.method} {sent.path}"
    if not recorded:
        return f"{message}: nothing is recorded"

    # Not by ==, for which true and 1 are equal.
    key = canonical(wanted)
    equal = [each.name for each in recorded if canonical(comparable(each, ignored)) == key]
    if equal:
        return f"{message}: all recorded replies to it are used, the last one is {equal[-1]}"

    def distance(each: Exchange) -> tuple[bool, float, int, bool]:
        paths = SequenceMatcher(None, sent.path, each.path).ratio()
        found = sum(1 for _ in differences(wanted, comparable(each, ignored)))
        return each.method != sent.method, -paths, found, each.name in used

    near = min(recorded, key=distance)
    found = list(differences(wanted, comparable(near, ignored)))
    lines = found[:_MOST_DIFFERENCES]
    more = [f"and {len(found) - len(lines)} more differences"] if len(found) > len(lines) else []
    return "\n  ".join(
        [f"{message}; the nearest recorded request is {near.name}, {near.method} {near.path}:", *lines, *more]
    )


def differences(sent: Any, recorded: Any, where: str = "") -> Iterator[str]:
    """Yields a line for each place in which two JSON values differ."""
    if is_object(sent) and is_object(recorded):
        for name in [*sent, *(name for name in recorded if name not in sent)]:
            here = f"{where}.{name}" if where else name
            if name not in recorded:
                yield f"{here} is {shown(sent[name])}, and is not in the recording"
            elif name not in sent:
                yield f"{here} is missing, and is {shown(recorded[name])} in the recording"
            else:
                yield from differences(sent[name], recorded[name], here)
    elif is_array(sent) and is_array(recorded) and len(sent) == len(recorded):
        for number, (one, other) in enumerate(zip(sent, recorded, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif sent != recorded or isinstance(sent, bool) != isinstance(recorded, bool):
        yield f"{where} is {shown(sent)}, and is {shown(recorded)} in the recording"


def shown(value: Any) -> str:
    """Returns a value as JSON, shortened in the middle."""
    text = json.dumps(value, ensure_ascii=False)
    half = _LONGEST_VALUE // 2
    return text if len(text) <= _LONGEST_VALUE else f"{text[:half]} ... {text[-half:]}"
