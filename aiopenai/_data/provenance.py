"""The provenance of reply objects: the JSON object that each of them was decoded from.

Unknown fields, and null as opposed to missing, are in the JSON only. Knowing them must cost a decode next to nothing:

- msgspec calls `__post_init__` of each object that it makes. Ours appends the object to a list in C, so that a decode
  leaves its objects in the order of their making: 0.1 us for a chunk of three, where a Python function takes 0.5 us.
- Each object keeps a pair: the document, and its number in that order. Nothing refers to the objects from there, so
  there are no reference cycles, which Structs without garbage collection must not have.
- The first question decodes the document again, to plain values and to objects. The same number leads to the object's
  twin, and a walk over both trees leads from the twin to its JSON object. Repeated keys and unions need no extra care.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import msgspec
from msgspec.structs import force_setattr

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.collector import undisturbed
from aiopenai._data.plain import decode_json, with_whole_stack

__all__ = ["Node", "all_decoded", "batch_of", "decoded", "node_made", "received"]

T = TypeVar("T")

# One list per decode, shared by its objects: the documents, the strict decoder, and later the JSON object of each
# object (then the documents are dropped). A list is made in a tenth of the time of an object with slots.
Shared: TypeAlias = list[Any]
Source: TypeAlias = tuple[Shared, int]
# The target of a `partial`: function, arguments, keyword arguments, attributes.
_Switched: TypeAlias = tuple[Callable[[Any], object], tuple[()], dict[str, Any], None]

# From here on a map is faster than a loop: by a sixth for hundreds.
_MANY_NODES = 32


class Node:
    """The slots of every reply object beside its fields: its provenance, and the id of its request."""

    __slots__ = ("_request_id", "_source")

    if TYPE_CHECKING:
        # At run time msgspec would evaluate these once for each class that it decodes: 60 us.
        _request_id: str | None
        _source: Any


# The recorder is one for the process, because msgspec reads `__post_init__` when a class is made. It is on during a
# decode only, so that objects that a program makes with msgspec itself are not kept.
_made: list[Any] = []
node_made: partial[Any] = partial(id)


class _Recorder:
    """Switches the recorder by an operator: unlike a call, an operator does not let other threads run after it."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __lshift__(self, state: _Switched) -> None: ...
    else:
        __lshift__ = node_made.__setstate__


_recorder = _Recorder()
_ON: _Switched = (_made.append, (), {}, None)
_OFF: _Switched = (id, (), {}, None)

# Before Python 3.12 the collector can run inside a decode, and with it finalizers and other threads.
_disturbed = False
if sys.version_info < (3, 12):

    def _note(phase: str, info: dict[str, int]) -> None:
        del phase, info
        global _disturbed  # noqa: PLW0603
        _disturbed = True

    gc.callbacks.append(_note)


def decoded(strict: Callable[[bytes], T], raw: bytes, keep: bool = True) -> tuple[T, list[Any]]:
    """Returns the value of a document, and the reply objects in it, which know their provenance if `keep`.

    `strict` runs no Python code, so other threads stand still meanwhile, and decodes need no lock. Raises the errors
    of `strict`: `msgspec.DecodeError`, UnicodeDecodeError, RecursionError.
    """
    global _disturbed  # noqa: PLW0603
    raws = (raw,)
    todo = map(strict, raws)
    _disturbed = False
    # Threads switch after calls only. From the switch to the end of `finally` there is no call.
    try:
        _ = _recorder << _ON
        (value,) = todo
    finally:
        _ = _recorder << _OFF
        nodes = _made[:]
        del _made[:]
    if _disturbed:
        return undisturbed(decoded, strict, raw, keep)
    if keep:
        _attach(nodes, raws, strict)
    return value, nodes


def all_decoded(strict: Callable[[bytes], T], raws: Sequence[bytes], keep: bool = True) -> tuple[list[T], list[Any]]:
    """Does the same for several documents at once: a quarter less time than one by one."""
    global _disturbed  # noqa: PLW0603
    todo = map(strict, raws)
    _disturbed = False
    try:
        _ = _recorder << _ON
        values = [*todo]
    finally:
        _ = _recorder << _OFF
        nodes = _made[:]
        del _made[:]
    if _disturbed:
        return undisturbed(all_decoded, strict, raws, keep)
    if keep:
        _attach(nodes, raws, strict)
    return values, nodes


def _attach(nodes: list[Any], raws: Sequence[bytes], strict: Callable[[bytes], Any]) -> None:
    """Tells each object of a decode where it came from.

    The function of msgspec takes half of the time of the slot's own setter, which Python calls through a wrapper.
    """
    shared: Shared = [raws, strict, None]
    if len(nodes) > _MANY_NODES:
        # `any` runs the map to its end: the function returns None.
        any(map(force_setattr, nodes, repeat("_source"), zip(repeat(shared), count())))
    else:
        index = 0
        for node in nodes:
            force_setattr(node, "_source", (shared, index))
            index += 1  # noqa: SIM113 - `enumerate` takes longer


def batch_of(node: Node) -> Shared | None:
    """Returns the list that a reply object shares with all others of its decode; None if it was not decoded.

    Its first item are the documents, or None if they are not kept any more.
    """
    source = getattr(node, "_source", None)
    return cast("Source", source)[0] if source.__class__ is tuple else None


def received(source: Source) -> dict[str, Any] | None:
    """Returns the JSON object that a reply object was decoded from, or None if that is not known.

    Raises ValueError for a document nested so deeply that it cannot be read again.
    """
    shared, index = source
    raws, strict, table = shared
    if table is None:
        try:
            table = with_whole_stack(_objects, raws, strict)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the reply cannot be read again here: {error}") from error
        shared[:] = None, strict, table
    return table[index] if index < len(table) else None


def _objects(raws: Sequence[bytes], strict: Callable[[bytes], Any]) -> list[dict[str, Any] | None]:
    twins, made = all_decoded(strict, raws, False)
    number = {id(node): index for index, node in enumerate(made)}
    table: list[dict[str, Any] | None] = [None] * len(made)
    pairs: Iterable[tuple[Any, Any]] = ((twin, decode_json(raw)) for twin, raw in zip(twins, raws, strict=True))
    todo = [*pairs]
    while todo:
        node, plain = todo.pop()
        if is_list(node):
            todo += zip(node, plain, strict=False)
        elif is_mapping(node):
            todo += ((value, plain[key]) for key, value in node.items())
        elif (index := number.get(id(node))) is not None:
            table[index] = plain
            for name, wire in zip(node.__struct_fields__, node.__struct_encode_fields__, strict=True):
                value = getattr(node, name)
                if value is not None and wire in plain:
                    todo.append((value, plain[wire]))
    return table
