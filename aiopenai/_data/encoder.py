"""Request bodies to JSON bytes: the one place that decides which values may be sent.

One encode by msgspec does nearly all of it. It takes the exact types of JSON, dataclasses, Structs and enums itself,
and gives other objects to a hook. Three values pass msgspec without the hook, and are found after the encode: reply
objects of earlier calls, which have to be sent as received, and NaN and infinities, which JSON does not have. The
search looks at classes in C and stops at once for bodies of plain values.
"""

from __future__ import annotations

import io
from collections import UserString
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from gc import get_referents
from math import isfinite
from typing import Any, cast

import msgspec

from aiopenai._base.aliases import is_mapping, python_value
from aiopenai._base.sentinels import is_left_out
from aiopenai._data.provenance import Node

__all__ = ["encode", "encode_event"]

_SCALARS: frozenset[type] = frozenset({str, int, bool, type(None), float})
_CONTAINERS: frozenset[type] = frozenset({dict, list, tuple})
_PLAIN = _SCALARS | _CONTAINERS
# Types of which an encoded value needs no further look.
_EXACT = _PLAIN - {float}
_SIMPLE = _SCALARS - {float}
_DICT: frozenset[type] = frozenset({dict})


# From more messages on, their classes are looked at in C.
_FEW_MESSAGES = 8

# A search of a longer document takes longer than a look at its parameters.
_LONG = 4096


class _UnsettledError(Exception):
    """The body contains `omit`, or an iterator, which can be read only once."""


def _encode_hook(value: Any) -> Any:
    """Returns a value that msgspec knows in place of one that it does not. Raises TypeError if there is none."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, UserString):
        return str(value)
    if isinstance(value, bool) or value is None:
        # As keys only: elsewhere msgspec writes these itself.
        return "null" if value is None else str(value).lower()
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if is_left_out(value):
        raise _UnsettledError
    kind: Any = value.__class__
    if isinstance(value, (list, tuple, dict)):
        raise TypeError(f"the keys of a JSON object are strings, and not of type {kind.__name__}")
    if not isinstance(value, (type, io.IOBase)):
        if (plain := python_value(value)) is not value:
            return plain
        if callable(dump := getattr(value, "model_dump", None)):  # a pydantic model
            return dump(mode="json", by_alias=True, exclude_unset=True)
        if is_mapping(value):
            return dict(value)
        if isinstance(value, Iterator):
            raise _UnsettledError
        if isinstance(value, Iterable):
            return list(cast("Any", value))
    shown = f"the class {value.__name__}" if isinstance(value, type) else f"an object of type {kind.__name__}"
    raise TypeError(f"{shown} cannot be sent as JSON")


_encode: Callable[[Any], bytes] = msgspec.json.Encoder(enc_hook=_encode_hook).encode


def encode(body: Any, replay: Sequence[str] = ()) -> bytes:
    """Returns a body as JSON.

    `replay` names the parameters that can hold objects of earlier replies (messages, input items). Those are sent as
    received, without the values they were parsed into. `omit` is left out at any depth, iterators are read. Raises
    TypeError for an object that JSON cannot hold and ValueError for NaN and infinities; both name the parameter.
    """
    try:
        raw = _encode(body)
    except (_UnsettledError, TypeError, ValueError, RecursionError):
        return _encode_slowly(body, replay)
    if replay and _is_flat(body):
        return raw
    exact = bool(replay)
    for name in replay:
        value = body.get(name)
        kinds = _kinds(value)
        if not kinds <= _EXACT:
            if not kinds <= _PLAIN and _holds_reply(value):
                return _encode_slowly(body, replay)
            exact = False
    if exact and len(raw) > _LONG:
        # The rest is a few parameters, quicker to look at than megabytes of JSON.
        _check_finite({name: value for name, value in body.items() if name not in replay})
    # msgspec writes null for NaN and infinities. `rfind` takes half the time of `in`.
    elif raw.rfind(b"null") >= 0:
        _check_finite({name: value for name, value in body.items() if name not in replay} if exact else body)
    return raw


def _is_flat(body: Mapping[str, Any]) -> bool:
    """Returns whether a body has nothing but simple values, and lists of messages like {"role": "user", ...}.

    Nearly all bodies of messages have: they need no search. It takes a fifth of the time of the searches.
    """
    for value in body.values():
        kind = value.__class__
        if kind is str or kind in _SIMPLE or (kind is float and isfinite(value)):
            continue
        if kind is not list:
            return False
        if len(value) > _FEW_MESSAGES:
            # In C: a quarter less time per message.
            if not _DICT.issuperset(map(type, value)) or not _SIMPLE.issuperset(map(type, get_referents(*value))):
                return False
            continue
        for message in value:
            if message.__class__ is not dict:
                return False
            for part in message.values():
                if part.__class__ is not str and part.__class__ not in _SIMPLE:
                    return False
    return True


def encode_event(fields: dict[str, Any], replay: Sequence[str] = ()) -> bytes:
    """Returns a message of a websocket as JSON, by the rules of `encode`. Most are pieces of audio: text alone."""
    for value in fields.values():
        # A loop, and no set of the types: it takes a third of the time for two fields.
        if type(value) is not str:
            return encode(fields, () if fields.keys().isdisjoint(replay) else replay)
    try:
        # There is nothing to look for, and a search of 20 ms of audio takes a fifth of the encode.
        return _encode(fields)
    except (TypeError, ValueError):
        return _encode_slowly(fields, ())


def _encode_slowly(body: Any, replay: Sequence[str]) -> bytes:
    """Encodes a body with iterators, `omit` or reply objects in it, or raises the error that names the parameter."""
    from aiopenai._data.dumping import as_sent

    try:
        body = _settled(body)
        for name in replay:
            if _holds_reply(value := body.get(name)):
                body = {**body, name: as_sent(value)}
        raw = _encode(body)
    except _UnsettledError:
        raise TypeError("`omit` can stand in dicts and lists only") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(_with_place(body, error)) from error
    if b"null" in raw:
        _check_finite(body)
    return raw


def _kinds(value: Any) -> set[type]:
    """Returns the classes in a tree, down to the first level with one that is not a plain type of JSON.

    The search runs in C, 20 ns per value. It ends, because msgspec has encoded the tree before.
    """
    level: Sequence[Any] = value if value.__class__ is list else (value,)
    found = new = {*map(type, level)}
    while not new <= _SCALARS and new <= _PLAIN:
        level = get_referents(*level)
        new = {*map(type, level)}
        found |= new
    return found


def _is_listed(value: Any) -> bool:
    """Returns whether a value becomes an array: a list, a deque, a set, a view of a dict."""
    return isinstance(value, Collection) and not isinstance(value, _NOT_LISTED)


_NOT_LISTED = (str, UserString, bytes, bytearray, memoryview, Mapping, type)


def _holds_reply(value: Any) -> bool:
    """Returns whether a reply object is in a tree."""
    if isinstance(value, Node):
        return True
    if is_mapping(value):
        return any(map(_holds_reply, value.values()))
    return _is_listed(value) and any(map(_holds_reply, value))


def _settled(value: Any) -> Any:
    """Returns the body without values that are `omit`, with lists in place of other iterables, at any depth."""
    if is_mapping(value):
        return {key: _settled(item) for key, item in value.items() if not is_left_out(item)}
    if _is_listed(value) or (isinstance(value, Iterator) and not isinstance(value, io.IOBase)):
        entries = cast("Iterable[Any]", value)
        return [_settled(item) for item in entries if not is_left_out(item)]
    return value


def _check_finite(body: Any) -> None:
    """Raises ValueError that names the parameter for a NaN or an infinity."""
    if not _kinds(body) <= _EXACT:
        for place, number in _not_finite(body, []):
            raise ValueError(f"parameter {_named(place)}: {number} cannot be sent, as JSON has finite numbers only")


def _not_finite(value: Any, place: list[Any]) -> Iterator[tuple[list[Any], float]]:
    """Yields the places of NaN and infinities in a body."""
    kind = value.__class__
    if kind in _SIMPLE:
        return
    if isinstance(value, float):
        if not isfinite(value):
            yield place, float(value)
    elif kind in _CONTAINERS or is_mapping(value) or isinstance(value, (list, tuple)):
        for key, item in _children(value):
            yield from _not_finite(item, [*place, key])
    else:
        plain = msgspec.to_builtins(value, enc_hook=_encode_hook)
        if plain.__class__ is not kind:
            yield from _not_finite(plain, place)


def _children(value: Any) -> Iterable[tuple[Any, Any]]:
    if is_mapping(value):
        return value.items()
    return enumerate(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else ()


def _with_place(body: Any, error: Exception) -> str:
    """Returns the message of an error, with the place of the value that causes it."""
    place: list[Any] = []
    value, reason = body, error
    while not (place and isinstance(reason, RecursionError)):
        for key, item in _children(value):
            try:
                _encode(item)
            except _UnsettledError:
                continue
            except (TypeError, ValueError, RecursionError) as cause:
                place.append(key)
                value, reason = item, cause
                break
        else:
            break
    if not place:
        return str(error)
    hint = "; `parse` and `stream` take classes" if place[0] == "response_format" else ""
    return f"parameter {_named(place)}: {reason}{hint}"


def _named(place: list[Any]) -> str:
    """Returns a place in a body for people: `'messages' (at messages[0].content)`."""
    name, *below = place
    if not below:
        return repr(name)
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in below)
    return f"{name!r} (at {name}{path})"
