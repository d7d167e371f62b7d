"""Unions that msgspec cannot express, such as objects told apart by a field that is no tag.

msgspec decodes such a value to plain values, in C. `union_steps` finds the fields of a type's classes that hold one,
so that the decoder can fit their values afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ForwardRef, cast, get_args, get_origin

import msgspec

__all__ = ["OneOf", "class_of", "has_union", "one_of", "plain_hook", "union_classes"]

# A decoding hook that returns its second argument, the value, without running Python code (provenance.py).
_NOTHING: dict[Any, Any] = {}
plain_hook: Any = _NOTHING.get


class _OneOfMeta(type):
    """Makes any value an instance: msgspec checks the result of a decoding hook with isinstance."""

    # A true value for any argument, in C.
    __instancecheck__: Any = id


class OneOf(metaclass=_OneOfMeta):
    """The run-time stand-in for a union."""

    variants: tuple[Any, ...] = ()
    discriminator: str | None = None


def one_of(name: str, variants: tuple[Any, ...], discriminator: str | None = None) -> type[OneOf]:
    """Makes the run-time stand-in for the union `variants`.

    With `discriminator`, the class with the received value in its Literal is chosen; without, the class that fits best.
    """
    made: Any = _OneOfMeta(name, (OneOf,), {"variants": variants, "discriminator": discriminator})
    return cast("type[OneOf]", made)


def class_of(kind: Any) -> Any:
    """Returns the class of a type that may have parameters."""
    return get_origin(kind) or kind


def has_union(kind: Any) -> bool:
    """Returns whether a value of a type can be such a union, in a list or dict too, but not in a field of a class."""
    if isinstance(kind, type) and issubclass(kind, OneOf):
        return True
    struct = class_of(kind)
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
        return False
    return any(map(has_union, get_args(kind)))


def union_classes(kind: Any) -> dict[Any, tuple[str, ...]]:
    """Returns the classes of a type with fields that hold such unions, and the names of these fields."""
    found: dict[Any, tuple[str, ...]] = {}
    seen: set[Any] = set()
    todo: list[Any] = [kind]
    while todo:
        kind = todo.pop()
        struct = class_of(kind)
        if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
            todo += get_args(kind)
            continue
        if kind in seen:
            continue
        seen.add(kind)
        fields = dict(_field_types(kind))
        names = tuple(name for name, annotation in fields.items() if has_union(annotation))
        if names:
            found[kind] = names
        todo += fields.values()
    return found


def _field_types(kind: Any) -> Iterable[tuple[str, Any]]:
    if get_origin(kind) is None:
        # The annotations as they stand, where they are types: `structs.fields` evaluates all and takes far longer.
        fields: dict[str, Any] = {}
        for base in reversed(kind.__mro__):
            if isinstance(base, msgspec.StructMeta):
                fields |= base.__annotations__
        fields = {name: fields[name] for name in kind.__struct_fields__ if name in fields}
        if not any(map(_is_open, fields.values())):
            return fields.items()
    return ((info.name, info.type) for info in msgspec.structs.fields(kind))


def _is_open(annotation: Any) -> bool:
    """Returns whether a type contains references that are not evaluated yet."""
    return isinstance(annotation, (str, ForwardRef)) or any(map(_is_open, get_args(annotation)))
