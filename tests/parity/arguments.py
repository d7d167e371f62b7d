"""Arguments made from types: for each parameter a value that its annotation allows."""

from __future__ import annotations

import collections.abc
import functools
import itertools
import os
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, Union

import typing_extensions
from typing_extensions import get_type_hints, is_typeddict

from .reference import is_model
from .surface import Method

# (name of the parameter or key, the TypedDict that has it or None) -> a value, or nothing
Known: TypeAlias = Callable[[str, Any], Any]
NOTHING: Any = object()

_QUALIFIERS = (
    typing.Annotated,
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)
_SEQUENCES = (list, collections.abc.Iterable, collections.abc.Sequence, tuple)
# What may be anything is an object in the API: a schema, the arguments of a call.
_SCALARS: dict[Any, Any] = {str: "text", int: 1, float: 0.5, bool: True, object: {"key": "text"}}
_FILES = (os.PathLike, typing.IO, bytes, tuple)
# Ours, and the reference's where its types are compared.
_SENTINELS = ("Omit", "NotGiven")
FILE: Any = ("notes.jsonl", b'{"a": 1}\n', "application/jsonl")


def required(method: Method, known: Known | None = None) -> dict[str, Any]:
    """The arguments without which there is no call."""
    maker = _Maker(0, known, full=False)
    return {
        parameter.name: maker.value(parameter.kind, parameter.name, None)
        for parameter in method.parameters
        if parameter.needed
    }


def everything(method: Method, known: Known | None = None) -> Iterator[dict[str, Any]]:
    """All arguments at once, in as many calls as it takes to give each member of each union its turn.

    Objects have all their keys; arrays have an item of each kind. `stream` is not among the arguments.
    """
    for turn in itertools.count():
        maker = _Maker(turn, known, full=True)
        yield {
            parameter.name: maker.value(parameter.kind, parameter.name, None)
            for parameter in method.parameters
            if parameter.name != "stream"
        }
        if turn + 1 >= maker.widest:
            return


class _Maker:
    def __init__(self, turn: int, known: Known | None, *, full: bool) -> None:
        self.turn = turn
        self.known = known
        self.full = full
        self.widest = 1
        self.open: list[Any] = []

    def value(self, kind: Any, name: str, owner: Any) -> Any:
        if self.known is not None and (found := self.known(name, owner)) is not NOTHING:
            return found
        options = members(kind)
        # A type inside itself ends with its required keys, and with a member that is not in progress already.
        if len(options) > 1:
            closed = [member for member in options if member not in self.open]
            options = closed or options
        if len(options) == 1:
            return self.one(options[0], name, owner)
        self.widest = max(self.widest, len(options)) if self.full else 1
        return self.one(options[self.turn % len(options)], name, owner)

    def one(self, kind: Any, name: str, owner: Any) -> Any:
        origin = typing.get_origin(kind)
        if kind is type(None):
            return None
        if kind is os.PathLike:
            return FILE
        if is_typeddict(kind) or is_model(kind):
            return self.object(kind)
        if origin is Literal:
            return typing.get_args(kind)[self.turn % len(typing.get_args(kind))]
        if is_array(kind):
            return self.array(typing.get_args(kind), name, owner)
        if is_mapping(kind):
            return {"key": self.value((typing.get_args(kind) or (str, str))[1], "", None)}
        if kind in _SCALARS:
            return _SCALARS[kind]
        if is_type(kind):
            return answer_type()
        if isinstance(kind, typing.TypeVar):
            return _SCALARS[object]
        raise AssertionError(f"no value is known for {name}: {kind}")

    def array(self, args: tuple[Any, ...], name: str, owner: Any) -> list[Any]:
        kinds = [member for member in members(args[0] if args else str) if member not in self.open]
        return [self.one(kind, name, owner) for kind in (kinds if self.full else kinds[:1])]

    def object(self, kind: Any) -> dict[str, Any]:
        again = kind in self.open
        self.open.append(kind)
        try:
            return {
                key: self.value(hint, key, kind)
                for key, (hint, due) in keys_of(kind).items()
                if due or (self.full and not again)
            }
        finally:
            self.open.pop()


def keys_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """A TypedDict's keys, or a reply type's of the reference, with their types and whether they are required."""
    found = _keys.get(kind)
    if found is None and is_model(kind):
        fields = kind.model_fields.items()
        found = _keys[kind] = {field.alias or name: (field.annotation, field.is_required()) for name, field in fields}
    if found is None:
        # `__required_keys__` does not see a `Required` in annotations that are strings.
        hints = get_type_hints(kind, localns={"PathLike": os.PathLike}, include_extras=True)
        found = _keys[kind] = {
            name: (hint, typing.get_origin(hint) is typing_extensions.Required or name in kind.__required_keys__)
            for name, hint in hints.items()
        }
    return found


def values(kind: Any) -> Iterator[Any]:
    """Values of a type, as JSON has them: as many as it takes to give each member of each union its turn."""
    for turn in itertools.count():
        maker = _Maker(turn, None, full=True)
        yield maker.value(kind, "", None)
        if turn + 1 >= maker.widest:
            return


def is_array(kind: Any) -> bool:
    return (typing.get_origin(kind) or kind) in _SEQUENCES


def is_mapping(kind: Any) -> bool:
    return (typing.get_origin(kind) or kind) in (dict, collections.abc.Mapping)


def is_type(kind: Any) -> bool:
    """Whether a class is meant, one to parse answers into."""
    return (typing.get_origin(kind) or kind) is type


@functools.cache
def answer_type() -> Any:
    """A class that the reference can make a schema of, too."""
    import pydantic

    class Place(pydantic.BaseModel):
        street: str
        number: int | None = None

    class Answer(pydantic.BaseModel):
        """Where something is."""

        places: list[Place]
        best: Place = pydantic.Field(description="The best of them.")

    # Named here, as annotations in a function cannot be looked up by name.
    Answer.model_rebuild(_types_namespace={"Place": Place})
    return Answer


_keys: dict[Any, dict[str, tuple[Any, bool]]] = {}


def members(kind: Any) -> list[Any]:
    """What a union consists of, flat; sentinels are not values, and all that can be a file is one: `os.PathLike`."""
    found: list[Any] = []
    for member in _flat(kind):
        if member not in found and getattr(member, "__name__", "") not in _SENTINELS:
            found.append(member)
    if any((typing.get_origin(member) or member) is os.PathLike for member in found):
        return [os.PathLike, *(member for member in found if (typing.get_origin(member) or member) not in _FILES)]
    return found


def _flat(kind: Any) -> Iterator[Any]:
    origin = typing.get_origin(kind)
    if origin in _QUALIFIERS:
        yield from _flat(typing.get_args(kind)[0])
    elif origin is Union or origin is types.UnionType:
        for argument in typing.get_args(kind):
            yield from _flat(argument)
    else:
        yield kind
