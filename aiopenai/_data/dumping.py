"""Reply objects to plain values, by pydantic's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, TypeAlias, cast
from uuid import UUID

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.fields import fields_of, state_of
from aiopenai._data.plain import with_whole_stack
from aiopenai._data.provenance import Node

__all__ = ["Dump", "IncEx", "as_json", "as_received", "as_sent"]

IncEx: TypeAlias = set[int] | set[str] | Mapping[int, Any] | Mapping[str, Any]

# Fields of the types of parsed replies only: they are filled here, and the API does not know them.
_PARSED = frozenset({"parsed", "parsed_arguments"})

# Values that a dump for Python leaves as they are.
_PYTHON_TYPES = (bytes, bytearray, date, datetime, time, timedelta, Decimal, UUID)

_ATOMS = frozenset({str, int, float, bool, type(None)})

# A tree of more levels contains itself: no document that the interpreter can read has as many.
_MOST_LEVELS = 50_000


class Dump:
    """One way of dumping, applied to a tree."""

    def __init__(
        self,
        json: bool,
        by_alias: bool,
        exclude_unset: bool,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        parsed: bool = True,
    ) -> None:
        self.parsed = parsed
        self.json = json
        self.by_alias = by_alias
        self.exclude_unset = exclude_unset
        self.exclude_defaults = exclude_defaults
        self.exclude_none = exclude_none

    def node(self, node: Node, include: IncEx | None = None, exclude: IncEx | None = None) -> dict[str, Any]:
        """Returns a reply object as plain values."""
        plain: dict[str, Any] = (
            self.whole(node) if include is None and exclude is None else self._chosen(node, include, exclude)
        )
        return plain

    def whole(self, value: Any) -> Any:
        """Returns any value as plain values.

        Works without recursion: a reply can be nested as deeply as the decoder in C allows, which is deeper than
        Python functions can call each other.
        """
        todo: list[tuple[Any, Any, int]] = []

        def begin(value: Any, level: int) -> Any:
            made: Any
            if isinstance(value, Node) or is_mapping(value):
                made = {}
            elif isinstance(value, (list, tuple)):
                value = cast("Any", value)
                made = []
            else:
                return self._leaf(value)
            if level > _MOST_LEVELS:
                raise ValueError("the object contains itself and cannot be dumped")
            todo.append((value, made, level + 1))
            return made

        top = begin(value, 0)
        while todo:
            part, made, level = todo.pop()
            if is_list(made):
                made += [item if item.__class__ in _ATOMS else begin(item, level) for item in part]
                continue
            for _, key, item in self._entries(part):
                made[key] = item if item.__class__ in _ATOMS else begin(item, level)
        return top

    def _entries(self, value: Any) -> list[tuple[Any, Any, Any]]:
        """Returns the dumped entries of an object or a mapping: name for include and exclude, key, value."""
        if not isinstance(value, Node):
            return [(name, name, item) for name, item in value.items()]
        state = state_of(value)
        entries: list[tuple[Any, Any, Any]] = []
        for field in fields_of(type(value)).all:
            name = field.name
            item = getattr(value, name)
            if (
                (self.exclude_unset and name not in state.given)
                or (self.exclude_none and item is None)
                or (self.exclude_defaults and not field.required and item == field.default)
                or (not self.parsed and (name in _PARSED or (item is None and name in state.filled)))
            ):
                continue
            entries.append((name, field.wire if self.by_alias else name, item))
        entries += [
            (name, name, item) for name, item in state.extra.items() if item is not None or not self.exclude_none
        ]
        return entries

    def _chosen(self, value: Any, include: Any, exclude: Any) -> Any:
        """Returns the parts of a value that rules of include and exclude leave."""
        if include is None and exclude is None:
            return self.whole(value)
        if isinstance(value, Node) or is_mapping(value):
            out: dict[Any, Any] = {}
            for name, key, item in self._entries(value):
                wanted, below_in = _select(include, (name, "__all__"), True)
                unwanted, below_ex = _select(exclude, (name, "__all__"), False)
                if wanted and not unwanted:
                    out[key] = self._chosen(item, below_in, below_ex)
            return out
        if isinstance(value, (list, tuple)):
            entries = cast("Sequence[Any]", value)
            items: list[Any] = []
            for index, item in enumerate(entries):
                keys = (index, index - len(entries), "__all__")
                wanted, below_in = _select(include, keys, True)
                unwanted, below_ex = _select(exclude, keys, False)
                if wanted and not unwanted:
                    items.append(self._chosen(item, below_in, below_ex))
            return items
        return self._leaf(value, include=include, exclude=exclude)

    def _leaf(self, value: Any, **which: Any) -> Any:
        if value is None or isinstance(value, (str, int, float)):
            return value
        # An object of a class of the user, into which content was parsed.
        if callable(getattr(value, "model_dump", None)):
            return self._foreign(value, **which)
        if self.json or isinstance(value, msgspec.Struct) or hasattr(value, "__dataclass_fields__"):
            kept = () if self.json else _PYTHON_TYPES
            plain: Any = msgspec.to_builtins(value, enc_hook=self._foreign, builtin_types=kept)
            return plain
        return value

    def _foreign(self, value: Any, **which: Any) -> Any:
        """Returns the plain values of an object that msgspec does not know: a pydantic model, or its text."""
        if not callable(dump := getattr(value, "model_dump", None)):
            return str(value)
        return dump(
            mode="json" if self.json else "python",
            by_alias=self.by_alias,
            exclude_unset=self.exclude_unset,
            exclude_defaults=self.exclude_defaults,
            exclude_none=self.exclude_none,
            **which,
        )


def as_sent(value: Any) -> Any:
    """Returns reply objects as they go back to the API: as received, without the values they were parsed into here."""
    return _SENT.whole(value)


def as_received(node: Node) -> dict[str, Any]:
    """Returns a reply object as plain values, with the names of the API."""
    return _RECEIVED.node(node)


_RECEIVED = Dump(json=False, by_alias=True, exclude_unset=True)
_SENT = Dump(json=True, by_alias=True, exclude_unset=True, parsed=False)


def as_json(values: Any, indent: int | None) -> str:
    """Returns plain values as JSON text, with NaN and lone surrogates as servers send them.

    Raises ValueError for values nested more deeply than the encoder in C can follow.
    """
    try:
        return with_whole_stack(_text, values, indent)
    except RecursionError as error:
        raise ValueError(f"the object is nested too deeply to be written as JSON: {error}") from error


def _text(values: Any, indent: int | None) -> str:
    try:
        encoded = msgspec.json.encode(values)
    except UnicodeEncodeError:
        # A lone surrogate, from a string that the server cut by length: JSON can hold it, UTF-8 cannot.
        encoded = None
    # msgspec writes null for NaN and infinities.
    if encoded is None or (b"null" in encoded and not _all_finite(values)):
        import json

        return json.dumps(values, indent=indent, separators=(",", ":" if indent is None else ": "))
    return (msgspec.json.format(encoded, indent=indent) if indent is not None else encoded).decode()


def _all_finite(values: Any) -> bool:
    todo = [values]
    while todo:
        value = todo.pop()
        if isinstance(value, float):
            if not isfinite(value):
                return False
        elif is_list(value):
            todo += value
        elif is_mapping(value):
            todo += value.values()
    return True


def _select(rule: Any, keys: tuple[int | str, ...], default: bool) -> tuple[bool, Any]:
    """Applies a rule of include or exclude to an item that has any of `keys`.

    Returns whether the item is named whole (`default` if in part: a way down, not to be excluded), and the rule below.
    """
    if rule is None:
        return default, None
    if not is_mapping(rule):
        return any(key in rule for key in keys), None
    rules: Mapping[Any, Any] = rule
    below: list[Any] = [found for key in keys if (found := rules.get(key, False)) not in (False, None)]
    if not below:
        return False, None
    if any(found is True or found is ... for found in below):
        return True, None
    if len(below) == 1:
        return default, below[0]
    merged: dict[Any, Any] = {}
    for found in below:
        merged.update(found if is_mapping(found) else dict.fromkeys(found, True))
    return default, merged
