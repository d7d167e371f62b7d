"""The fields of a reply class, and the knowledge of one reply object: given names and unknown fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.provenance import Node, received

__all__ = ["Field", "Fields", "State", "check_complete", "fields_of", "restored", "state_of"]


class Field(NamedTuple):
    """One field: its name in Python, its name in the API, its default, and whether the API always sends it."""

    name: str
    wire: str
    default: Any
    required: bool


class Fields:
    """The fields of a class in the order in which they were written, and its tag."""

    def __init__(self, cls: Any) -> None:
        config = cls.__struct_config__
        self.tag_field: str | None = config.tag_field
        self.tag: Any = config.tag
        self.all = [
            Field(
                info.name,
                info.encode_name,
                None if info.default is msgspec.NODEFAULT else info.default,
                info.name in cls.__required__,
            )
            for info in msgspec.structs.fields(cls)
        ]
        if self.tag_field is not None:
            self.all.insert(cls.__tag_position__, Field(self.tag_field, self.tag_field, self.tag, True))
        self.by_wire = {field.wire: field.name for field in self.all}
        self.names = set(self.by_wire.values())


def fields_of(cls: Any) -> Fields:
    """Returns the fields of a reply class."""
    # The class keeps them, so that they go when the class goes, however many classes a program makes.
    fields: Fields | None = cls.__dict__.get("__fields__")
    if fields is None:
        cls.__fields__ = fields = Fields(cls)
    return fields


class State:
    """The knowledge of one reply object: the names of its fields that were given, and its fields beyond its type."""

    __slots__ = ("extra", "filled", "given")

    def __init__(self, given: set[str], extra: dict[str, Any], filled: frozenset[str] = frozenset()) -> None:
        self.given = given
        self.extra = extra
        # Fields of `given` that the package filled in with None. They are not sent back.
        self.filled = filled


def state_of(node: Node) -> State:
    """Returns the state of a reply object, worked out at its first use."""
    source: Any = getattr(node, "_source", None)
    if type(source) is State:
        return source
    if type(source) is tuple:
        source = received(cast("Any", source))
    fields = fields_of(type(node))
    if source is None:
        # The document was not kept: an array of numbers without nulls and unknown fields (decoder.py), or an object
        # that msgspec made directly.
        given = {field.name for field in fields.all if field.required or getattr(node, field.name) != field.default}
        state = State(given, {})
    else:
        names = fields.by_wire
        given = {names[wire] for wire in source if wire in names}
        state = State(given, {key: value for key, value in source.items() if key not in names})
        if fields.tag_field is not None and fields.tag_field in source and source[fields.tag_field] != fields.tag:
            # The other fields chose the class (null in place of the tag): dumps give the tag as received.
            given.discard(fields.tag_field)
            state.extra[fields.tag_field] = source[fields.tag_field]
    opened = getattr(type(node), "__opened__", None)
    if opened is not None:
        state.extra = {name: opened(value) for name, value in state.extra.items()}
    object.__setattr__(node, "_source", state)
    return state


def restored(
    cls: Any,
    values: list[Any],
    given: set[str],
    extra: dict[str, Any],
    request_id: Any,
    filled: frozenset[str] = frozenset(),
) -> Any:
    """Returns an object of `cls` with these values and this state: the inverse of pickling."""
    node = cls.__new__(cls)
    for name, value in zip(cls.__struct_fields__, values, strict=True):
        getattr(cls, name).__set__(node, value)
    object.__setattr__(node, "_source", State(set(given), dict(extra), filled))
    if request_id is not None:
        object.__setattr__(node, "_request_id", request_id)
    return node


def check_complete(value: Any) -> None:
    """Raises `msgspec.ValidationError` that names the first required field that is missing in a tree."""
    todo: list[tuple[Any, str]] = [(value, "$")]
    while todo:
        value, path = todo.pop()
        for part, where in _parts(value, path):
            if part.__class__ not in _ATOMS:
                todo.append((part, where))


_ATOMS = frozenset({str, int, float, bool, type(None)})


def _parts(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, Node):
        given: set[str] | None = None
        for field in fields_of(type(value)).all:
            part = getattr(value, field.name)
            if part is None and field.required:
                given = state_of(value).given if given is None else given
                if field.name not in given:
                    raise msgspec.ValidationError(f"Object missing required field `{field.wire}` - at `{path}`")
            yield part, f"{path}.{field.wire}"
    elif is_list(value):
        yield from ((item, f"{path}[{index}]") for index, item in enumerate(value))
    elif is_mapping(value):
        yield from ((item, f"{path}[{key!r}]") for key, item in value.items())
