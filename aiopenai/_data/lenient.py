"""The lenient path: fit plain JSON values into types as far as they go.

msgspec is strict and servers are not. When the strict decoder refuses a reply, `fit` builds the same types from the
plain values. Values that fit become typed, others stay the plain values that were received, and nothing raises.
The work for a type is determined once and kept as a function from value to value.

A reply class (model.py) offers a `_source` slot for the JSON object that an object was built from, `__required__`, the
names of its required fields, and `__open_type__`, the class of objects with an unknown tag.
"""

from __future__ import annotations

import types
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import msgspec

from aiopenai._base.aliases import is_list
from aiopenai._data.unions import OneOf

__all__ = ["fit", "fitter"]

Fitter = Callable[[Any], Any]

# The Python types of each JSON type; bool before int, because bool is an int.
_SCALARS: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    type(None): (type(None),),
}


# Integers up to here become floats without loss.
_EXACT = 2**53


def fit(value: Any, kind: Any) -> Any:
    """Builds `kind` from the plain JSON `value` as far as it fits; never raises for JSON values and reply types."""
    return fitter(kind)(value)


def fitter(kind: Any) -> Fitter:
    """Returns the function that fits plain values into `kind`.

    Classes keep their functions, so that these go when the classes go, however many a program makes.
    """
    if not _is(kind, OneOf):
        return _make(kind)
    found: Fitter | None = kind.__dict__.get("__fitter__")
    if found is None:
        kind.__fitter__ = found = _make(kind)
    return found


def _make(kind: Any) -> Fitter:
    origin = get_origin(kind)
    if origin is Annotated:
        return fitter(get_args(kind)[0])
    if origin is Union or origin is types.UnionType:
        # `X | None` has the discriminator of X.
        discriminators = {arg.discriminator for arg in get_args(kind) if _is(arg, OneOf)}
        return _union(get_args(kind), discriminators.pop() if len(discriminators) == 1 else None)
    if _is(kind, OneOf):
        return _union(kind.variants, kind.discriminator)
    struct = origin if origin is not None else kind
    if _is(struct, msgspec.Struct):
        return _node(kind).build if hasattr(struct, "_source") else _strictly(kind)
    if hasattr(struct, "__dataclass_fields__"):
        return _strictly(kind)
    if struct is list:
        return _sequence(get_args(kind))
    if struct is dict:
        return _mapping(get_args(kind))
    if kind is float:
        return _number
    if kind is bytes:
        return _decoded
    return _keep


def _is(kind: Any, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def _keep(value: Any) -> Any:
    return value


def _strictly(kind: Any) -> Fitter:
    """Makes classes of the user, whole or not at all; the function raises `msgspec.ValidationError`."""
    return lambda value: msgspec.convert(value, kind)


def _number(value: Any) -> Any:
    # JSON has one kind of number: 1 in place of a float becomes 1.0, unless that would lose digits.
    if type(value) is int and -_EXACT <= value <= _EXACT:
        return float(value)
    return value


def _decoded(value: Any) -> Any:
    """Returns the bytes of a base64 string, or the value itself.

    Base64 with line breaks, without padding or with the URL-safe alphabet becomes bytes only if these can be 32-bit
    floats (vectors.py): short words are base64 in this wide sense too, and are given back as received.
    """
    if type(value) is not str:
        return value
    try:
        return b64decode(value, validate=True)
    except ValueError:
        pass
    packed = "".join(value.split()).rstrip("=").translate(_STANDARD_ALPHABET)
    try:
        raw = b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return value
    return raw if raw and len(raw) % 4 == 0 else value


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _sequence(args: tuple[Any, ...]) -> Fitter:
    item = fitter(args[0]) if args else _keep
    if item is _keep:
        return _keep

    def build(value: Any) -> Any:
        # The same list if nothing has to change: the floats of an embedding are not copied.
        if not is_list(value) or (item is _number and int not in map(type, value)):
            return value
        return [item(entry) for entry in value]

    return build


def _mapping(args: tuple[Any, ...]) -> Fitter:
    item = fitter(args[1]) if args else _keep
    if item is _keep:
        return _keep

    def build(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item(entry) for key, entry in cast("dict[str, Any]", value).items()}

    return build


class _Known(NamedTuple):
    wire: str
    kind: Any
    required: bool


# Of one field: its name, setter, fitter (None keeps the value), default, and the factory of the default.
_Step = tuple[str, Callable[[Any, Any], None], Fitter | None, Any, Callable[[], Any] | None]


class _Builder:
    """Builds objects of one Struct class from JSON objects."""

    def __init__(self, kind: Any) -> None:
        cls: Any = get_origin(kind) or kind
        config = cls.__struct_config__
        self.cls = cls
        self.tag_field: str | None = config.tag_field
        self.tag: Any = config.tag
        self.make: Callable[[Any], Any] = cls.__new__
        self.remember: Callable[[Any, Any], None] = cls._source.__set__
        self.infos = msgspec.structs.fields(kind)
        required: frozenset[str] = cls.__required__
        self.fields = [_Known(info.encode_name, info.type, info.name in required) for info in self.infos]
        # Made when the first object is built: a class may contain itself.
        self.steps: list[_Step] | None = None

    def _prepare(self) -> list[_Step]:
        steps: list[_Step] = []
        for info in self.infos:
            fit_field = fitter(info.type)
            default = None if info.default is msgspec.NODEFAULT else info.default
            factory = None if info.default_factory is msgspec.NODEFAULT else info.default_factory
            setter = getattr(self.cls, info.name).__set__
            steps.append((info.encode_name, setter, None if fit_field is _keep else fit_field, default, factory))
        self.steps = steps
        return steps

    def build(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        plain = cast("dict[str, Any]", value)
        if self.tag_field is not None:
            tag = plain.get(self.tag_field)
            if tag is not None and tag != self.tag:
                # Not this class: its constant would hide the tag that was received.
                return _Builder.open(self.cls, plain)
        node: Any = self.make(self.cls)
        for name, assign, fit_field, default, factory in self.steps or self._prepare():
            if name in plain:
                received = plain[name]
                assign(node, received if received is None or fit_field is None else fit_field(received))
            else:
                assign(node, default if factory is None else factory())
        self.remember(node, plain)
        return node

    @staticmethod
    def open(like: Any, plain: dict[str, Any]) -> Any:
        """Builds an object of no known class: every received field is readable as an attribute."""
        return _node(like.__open_type__).build(plain)

    def tags(self, discriminator: str | None) -> tuple[str, ...]:
        """Returns the values of the discriminator that mean this class."""
        if discriminator is None or discriminator == self.tag_field:
            return (self.tag,) if self.tag is not None else ()
        for field in self.fields:
            if field.wire == discriminator:
                return tuple(value for value in _literals(field.kind) if isinstance(value, str))
        return ()

    def score(self, plain: dict[str, Any]) -> tuple[int, int, int]:
        """Rates an untagged object: required fields present, possible values, names in common."""
        missing = wrong = known = 0
        if self.tag_field is not None and plain.get(self.tag_field, self.tag) != self.tag:
            wrong += 1
        for field in self.fields:
            if field.wire in plain:
                known += 1
                wrong += not _possible(plain[field.wire], field.kind)
            else:
                missing += field.required and not _literals(field.kind)
        return (-missing, -wrong, known)


def _node(kind: Any) -> _Builder:
    if not isinstance(kind, type):
        return _Builder(kind)  # a class with parameters
    cls: Any = kind
    found: _Builder | None = cls.__dict__.get("__node__")
    if found is None:
        cls.__node__ = found = _Builder(cls)
    return found


def _union(args: Iterable[Any], discriminator: str | None) -> Fitter:
    nodes: list[_Builder] = []
    lists: list[tuple[Any, Fitter]] = []
    mapping: Fitter | None = None
    number = encoded = False
    for arg in _flatten(args):
        origin = get_origin(arg) or arg
        if _is(origin, msgspec.Struct) and hasattr(origin, "_source"):
            nodes.append(_node(arg))
        elif origin is list:
            lists.append((arg, fitter(arg)))
        elif origin is dict:
            mapping = fitter(arg)
        elif arg is float:
            number = True
        elif arg is bytes:
            encoded = True
    field = discriminator or next((node.tag_field for node in nodes if node.tag_field), None)
    by_tag: dict[str, list[_Builder]] = {}
    for node in nodes:
        for tag in node.tags(field):
            by_tag.setdefault(tag, []).append(node)
    # A class that has the field without naming its values (or lacks it) fits any tag.
    rest = [node for node in nodes if not node.tags(field)]

    def build_object(plain: dict[str, Any]) -> Any:
        if not nodes:
            return (mapping or _keep)(plain)
        candidates = nodes
        untagged = False
        if field is not None:
            tag = plain.get(field)
            known = by_tag.get(tag) if isinstance(tag, str) else None
            if known is not None:
                candidates = known
            elif tag is not None:
                candidates = rest
            else:
                untagged = True
        if len(candidates) == 1 and not untagged:
            best: _Builder | None = candidates[0]
        else:
            best = _best(candidates, plain, untagged)
        if best is None or (mapping is not None and best.score(plain)[0] < 0):
            return mapping(plain) if mapping is not None else _Builder.open(nodes[0].cls, plain)
        return best.build(plain)

    def build(value: Any) -> Any:
        if isinstance(value, dict):
            return build_object(cast("dict[str, Any]", value))
        if is_list(value) and lists:
            return next((fit_list for kind, fit_list in lists if _possible(value, kind)), lists[0][1])(value)
        if encoded:
            return _decoded(value)
        return _number(value) if number and int not in args else value

    return build


def _best(nodes: list[_Builder], plain: dict[str, Any], untagged: bool) -> _Builder | None:
    """Returns the class that fits an object best; for one without its tag, None unless a class is clearly best."""
    scores = [node.score(plain) for node in nodes]
    if not scores:
        return None
    best = max(scores)
    if untagged and (not best[2] or scores.count(best) > 1):
        return None
    return nodes[scores.index(best)]


def _flatten(args: Iterable[Any]) -> Iterable[Any]:
    for arg in args:
        origin = get_origin(arg)
        if origin is Annotated:
            yield from _flatten(get_args(arg)[:1])
        elif origin is Union or origin is types.UnionType:
            yield from _flatten(get_args(arg))
        elif _is(arg, OneOf):
            yield from _flatten(arg.variants)
        else:
            yield arg


def _literals(kind: Any) -> tuple[Any, ...]:
    return tuple(value for arg in _flatten((kind,)) if get_origin(arg) is Literal for value in get_args(arg))


def _possible(value: Any, kind: Any) -> bool:
    """Returns whether `value` could be of `kind`, judged by its JSON type and, for lists, by its first item."""
    for arg in _flatten((kind,)):
        origin = get_origin(arg)
        struct = origin or arg
        # A type variable without an argument is any type.
        if arg is Any or arg is object or isinstance(arg, TypeVar):
            return True
        if origin is Literal:
            if value in get_args(arg):
                return True
        elif struct is list:
            items = get_args(arg)
            if isinstance(value, list) and (not value or not items or _possible(value[0], items[0])):
                return True
        elif struct is dict or _is(struct, msgspec.Struct):
            if isinstance(value, dict):
                return True
        elif isinstance(value, _SCALARS.get(arg, ())) and (arg is bool or not isinstance(value, bool)):
            return True
    return False
