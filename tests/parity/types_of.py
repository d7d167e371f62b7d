"""Whether two types of parameters allow the same: the reference's and ours, whatever their classes are called."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal

from typing_extensions import get_type_hints, is_typeddict

from .arguments import is_array, is_mapping, is_type, keys_of, members


def parameters(method: Callable[..., Any]) -> dict[str, Any]:
    """The types of a method's parameters; where there are overloads, of the signature behind them, which allows all."""
    return get_type_hints(inspect.unwrap(getattr(method, "__func__", method)), include_extras=True)


class Comparison:
    """Compares types and collects what is `different`; each pair of objects once."""

    def __init__(self) -> None:
        self.seen: set[tuple[Any, Any]] = set()
        self.keys = 0
        self.different: list[str] = []

    def compare(self, theirs: Any, ours: Any, where: str) -> None:
        """Note what one of the two allows and the other does not."""
        left, right = members(theirs), members(ours)
        if (due := {*_plain(left)}) != (own := {*_plain(right)}):
            self.different.append(f"{where}: lacks {due - own}, invents {own - due}")
        for kind in (is_array, is_mapping, is_typeddict):
            pairs = [[part for part in parts if kind(part)] for parts in (left, right)]
            if len(pairs[0]) != len(pairs[1]):
                self.different.append(f"{where}: {pairs[1]} where the reference has {pairs[0]}")
                continue
            for one, other in zip(*pairs, strict=True):
                if is_typeddict(one):
                    self._objects(one, other)
                else:
                    self.compare(_item(one), _item(other), f"{where}[]")

    def _objects(self, theirs: Any, ours: Any) -> None:
        if (theirs, ours) in self.seen:
            return
        self.seen.add((theirs, ours))
        where = f"{theirs.__module__}.{theirs.__name__}"
        due, own = keys_of(theirs), keys_of(ours)
        if list(due) != list(own):
            self.different.append(f"{where}: {list(own)} where the reference has {list(due)}")
        for key in due.keys() & own.keys():
            self.keys += 1
            if due[key][1] != own[key][1]:
                self.different.append(f"{where}.{key}: required is {own[key][1]}")
            self.compare(due[key][0], own[key][0], f"{where}.{key}")


def _plain(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        if typing.get_origin(part) is Literal:
            yield from map(repr, typing.get_args(part))
        elif is_type(part):
            # Of which the reference says more in its overloads than in the signature behind them.
            yield "a class"
        elif isinstance(part, typing.TypeVar):
            yield part.__name__
        elif not (is_array(part) or is_mapping(part) or is_typeddict(part)):
            yield part


def _item(kind: Any) -> Any:
    return (typing.get_args(kind) or (object,))[-1]
