"""The base of all reply types.

A reply is a msgspec Struct, so that decoding and attribute access run at C speed, with the interface that programs
know from pydantic models: what was received can be told from what was not, fields that the type does not know stay
readable, and everything can be given back as it came. All of that is worked out only when somebody asks.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeAlias, TypeVar, cast
from uuid import UUID

import msgspec
from typing_extensions import Self, dataclass_transform, override

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.codec import Decoder, Node, node_made, received
from aiopenai._data.lenient import fitter, one_of

__all__ = ["BaseModel", "Model", "OpenObject", "OutputParsed", "OutputText", "fill_in", "let_go", "one_of", "recast"]

ContentType = TypeVar("ContentType")
ModelT = TypeVar("ModelT", bound="Model")
IncEx: TypeAlias = set[int] | set[str] | Mapping[int, Any] | Mapping[str, Any]


class _Field(NamedTuple):
    name: str
    wire: str
    default: Any
    required: bool


class _Plan:
    """What a class's nodes have in common, in the order in which the fields were written."""

    def __init__(self, cls: Any) -> None:
        config = cls.__struct_config__
        self.tag_field: str | None = config.tag_field
        self.tag: Any = config.tag
        infos = msgspec.structs.fields(cls)
        self.fields = [
            _Field(
                info.name,
                info.encode_name,
                None if info.default is msgspec.NODEFAULT else info.default,
                info.required,
            )
            for info in infos
        ]
        if self.tag_field is not None:
            self.fields.insert(cls.__tag_position__, _Field(self.tag_field, self.tag_field, self.tag, True))
        self.names = {field.wire: field.name for field in self.fields}
        self.known = set(self.names.values())


class _State:
    """What is known of one node: the names of its fields that were given, and what it has beyond its type."""

    __slots__ = ("extra", "filled", "given")

    def __init__(self, given: set[str], extra: dict[str, Any], filled: frozenset[str] = frozenset()) -> None:
        self.given = given
        self.extra = extra
        # Fields of `given` that the package filled in with None. They are not sent back.
        self.filled = filled


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class ModelMeta(msgspec.StructMeta):
    """Makes the reply types, and objects of them where a program does so itself."""

    def __new__(
        mcls: type[Any],
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        bulk: bool = False,
        **config: Any,
    ) -> Any:
        tag_field = config.get("tag_field")
        if tag_field is not None:
            # msgspec keeps the tag itself and allows no field of that name: it becomes a constant of the class.
            annotations = _annotations(namespace)
            if tag_field in annotations:
                inherited = sum(len(getattr(base, "__struct_fields__", ())) for base in bases)
                namespace["__tag_position__"] = inherited + list(annotations).index(tag_field)
                del annotations[tag_field]
            namespace[tag_field] = config["tag"]
        config.setdefault("kw_only", True)
        # Replies are trees, so reference counting frees them; decoding is a fifth cheaper without the collector.
        # Pages are not: they have attributes that lead to their client.
        open_ended = config.get("dict") or any(getattr(base, "__dictoffset__", 0) for base in bases)
        config.setdefault("gc", bool(open_ended))
        # For those who encode a reply with msgspec itself: leave out what was not there.
        config.setdefault("omit_defaults", True)
        if bulk:
            config["forbid_unknown_fields"] = True
            namespace["__bulk__"] = True
        return cast("Any", msgspec.StructMeta).__new__(mcls, name, bases, namespace, **config)

    def __call__(cls, **values: Any) -> Any:
        """An object from its fields, by name. Nested objects may be given as dicts; unknown names are kept.

        Raises TypeError for missing fields.
        """
        plan = _plan(cls)
        missing = [field.name for field in plan.fields if field.required and field.name not in values]
        if missing:
            # The tag need not be repeated: the class says it.
            missing = [name for name in missing if name != plan.tag_field]
        if missing:
            raise TypeError(f"{cls.__name__}() is missing: {', '.join(missing)}")
        return _build(cls, values)


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    """The annotations in a class body's namespace, to be changed there."""
    if sys.version_info >= (3, 14) and "__annotations__" not in namespace:
        # They are a function there, which makes them when they are asked for.
        from annotationlib import Format, call_annotate_function

        annotate = namespace.pop("__annotate_func__", None) or namespace.pop("__annotate__", None)
        made = {} if annotate is None else call_annotate_function(annotate, Format.FORWARDREF)
        namespace["__annotations__"] = dict(made)
    return cast("dict[str, Any]", namespace.setdefault("__annotations__", {}))


def _build(cls: Any, values: Mapping[str, Any]) -> Any:
    plan = _plan(cls)
    plain: dict[str, Any] = {field.wire: values[field.name] for field in plan.fields if field.name in values}
    if plan.tag_field is not None:
        plain.setdefault(plan.tag_field, plan.tag)
    for name, value in values.items():
        if name not in plan.known:
            plain.setdefault(name, value)
    return fitter(cls)(plain)


def _plan(cls: Any) -> _Plan:
    # Kept by the class itself: it goes when the class goes, however many of them a program makes.
    plan: _Plan | None = cls.__dict__.get("__plan__")
    if plan is None:
        cls.__plan__ = plan = _Plan(cls)
    return plan


# Said here too, because mypy takes what it finds on a base class before what the metaclass says.
@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Model(Node, msgspec.Struct, metaclass=ModelMeta):
    """The base of reply types. Attributes are the fields of the API; None stands for null and for missing.

    What the type does not know can be read as an attribute too, and is in `model_extra`. `model_fields_set` tells
    null from missing. `to_dict()` and `to_json()` give back what was received, with what was changed since.
    """

    # A C function: see codec.py.
    __post_init__: ClassVar[Any] = node_made  # type: ignore[misc]
    __open_type__: ClassVar[Any] = None
    __bulk__: ClassVar[bool] = False
    __tag_position__: ClassVar[int] = 0

    def __getattr__(self, name: str) -> Any:
        # Not for the names that Python looks up by itself (copying, pickling, printing), nor for the empty slots: only
        # a whole reply has a `_request_id`, as in the reference.
        if not name.startswith("__") and name not in ("_source", "_request_id"):
            extra = _state(self).extra
            if name in extra:
                return extra[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        state = _state(self)
        if name in self.__struct_fields__:
            getattr(type(self), name).__set__(self, value)
            state.given.add(name)
        elif name == self.__struct_config__.tag_field:
            # The class says it, so that the attribute could not be read back.
            if value != getattr(self, name):
                raise AttributeError(f"{name!r} of {type(self).__name__!r} object is always {getattr(self, name)!r}")
        else:
            state.extra[name] = value

    @override
    def __delattr__(self, name: str) -> None:
        extra = _state(self).extra
        if name not in extra:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r} that can be deleted")
        del extra[name]

    @property
    def model_fields_set(self) -> set[str]:
        """The names that were received (or given, or set since), unknown ones included: null ones yes, missing no."""
        state = _state(self)
        return state.given | state.extra.keys()

    @property
    def model_extra(self) -> dict[str, Any]:
        """What was received beyond the fields of the type, as plain values."""
        return _state(self).extra

    def to_dict(
        self,
        *,
        mode: Literal["json", "python"] = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> dict[str, object]:
        """The object as received, as plain values; `use_api_names=False` has the attributes' names instead."""
        return self.model_dump(
            mode=mode,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )

    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> str:
        """The object as received, as JSON; `indent=None` is the compact form."""
        return self.model_dump_json(
            indent=indent,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )

    def model_dump(
        self,
        *,
        mode: Literal["json", "python"] | str = "python",
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        """The object as plain values, by pydantic's rules.

        `include` and `exclude` take names, or dicts of names (positions in lists, or "__all__") for what lies below.
        Other keyword arguments of pydantic's are accepted and have no meaning here.
        """
        dump = _Dump(mode == "json", bool(by_alias), exclude_unset, exclude_defaults, exclude_none)
        return dump.node(self, include, exclude)

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        **_: Any,
    ) -> str:
        """`model_dump`, as JSON."""
        dump = _Dump(True, bool(by_alias), exclude_unset, exclude_defaults, exclude_none)
        values = dump.node(self, include, exclude)
        try:
            encoded = msgspec.json.encode(values)
        except UnicodeEncodeError:
            # Half a surrogate pair, from a string that the server cut by length: JSON can have it, UTF-8 cannot.
            import json

            return json.dumps(values, indent=indent, separators=(",", ":" if indent is None else ": "))
        return (msgspec.json.format(encoded, indent=indent) if indent is not None else encoded).decode()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with what it contains if `deep`; `update` sets attributes of the copy."""
        twin = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(twin, name, value)
        return twin

    def __to_sent__(self) -> dict[str, Any]:
        """The object as it goes back to the API: as received, without what it was parsed into here."""
        return _Dump(json=True, by_alias=True, exclude_unset=True, parsed=False).node(self, None, None)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """An object from whatever is given: nothing is required, and wrong types are kept as they are."""
        node = cast("Self", _build(cls, values))
        if _fields_set is not None:
            _state(node).given = set(_fields_set)
        return node

    construct = model_construct

    @classmethod
    def model_validate(cls, obj: Any, **_: Any) -> Self:
        """An object from a dict or another object of the class; keys are the API's names.

        Raises ValueError where a field is missing or of a wrong type.
        """
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, Model):
            obj = obj.to_dict()
        return cls.model_validate_json(msgspec.json.encode(obj))

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **_: Any) -> Self:
        """An object from JSON. Raises ValueError where a field is missing or of a wrong type, or that is not JSON."""
        raw = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
        try:
            return cast("Self", Decoder.of(cls).validate(raw))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"not a {cls.__name__}: {error}") from error

    @override
    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        if not all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__):
            return False
        return _state(self).extra == _state(cast("Any", other)).extra

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        for field in _plan(type(self)).fields:
            yield field.name, getattr(self, field.name)
        yield from _state(self).extra.items()

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(Model.__iter__(self))

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in Model.__iter__(self))})"

    def __replace__(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    def __copy__(self) -> Self:
        twin: Self = _restore(*self.__reduce__()[1])
        return twin

    @override
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        state = _state(self)
        values = [getattr(self, name) for name in self.__struct_fields__]
        request_id = getattr(self, "_request_id", None)
        return _restore, (type(self), values, set(state.given), dict(state.extra), request_id, state.filled)


# Its name in the reference.
BaseModel = Model


class OpenObject(Model):
    """An object whose tag says that it is of a kind that this version does not know: all of it can be read."""


Model.__open_type__ = OpenObject


class OutputText(Model):
    """A reply with output items, whose text can be had in one piece."""

    @property
    def output_text(self) -> str:
        """All `output_text` content of the output's messages, joined; empty if there is none."""
        texts: list[str] = []
        for item in _items(self, "output"):
            if getattr(item, "type", None) == "message":
                for part in _items(item, "content"):
                    text = getattr(part, "text", None)
                    if getattr(part, "type", None) == "output_text" and isinstance(text, str):
                        texts.append(text)
        return "".join(texts)


class OutputParsed(Generic[ContentType]):
    """What a reply with output items was parsed into: beside the base of its fields, it adds none."""

    __slots__ = ()

    @property
    def output_parsed(self) -> ContentType | None:
        """The first content of the output's messages that was parsed; None if there is none."""
        for item in _items(self, "output"):
            if getattr(item, "type", None) == "message":
                for part in _items(item, "content"):
                    parsed: ContentType | None = getattr(part, "parsed", None)
                    if getattr(part, "type", None) == "output_text" and parsed is not None:
                        return parsed
        return None


def _items(node: Any, name: str) -> list[Any]:
    value: Any = getattr(node, name, None)
    return value if is_list(value) else []


def _state(node: Model) -> _State:
    try:
        source: Any = Node._source.__get__(node)  # type: ignore[attr-defined]
    except AttributeError:
        source = None
    if type(source) is _State:
        return source
    if type(source) is tuple:
        source = received(cast("Any", source))
    plan = _plan(type(node))
    if source is None:
        # Nobody kept what came: an array of numbers without nulls and unknown fields (codec.py), or an object that
        # was made by msgspec directly.
        given = {field.name for field in plan.fields if field.required or getattr(node, field.name) != field.default}
        state = _State(given, {})
    else:
        names = plan.names
        given = {names[wire] for wire in source if wire in names}
        state = _State(given, {key: value for key, value in source.items() if key not in names})
        if plan.tag_field is not None and plan.tag_field in source and source[plan.tag_field] != plan.tag:
            # The class was chosen by the other fields (null in place of the tag): what came is told by the dumps.
            given.discard(plan.tag_field)
            state.extra[plan.tag_field] = source[plan.tag_field]
    object.__setattr__(node, "_source", state)
    return state


def let_go(node: Model) -> None:
    """Of what a node was received as, keep no more than it takes to tell that, where this is a dict of it all."""
    if type(getattr(node, "_source", None)) is dict:
        _state(node)


def recast(node: Model, cls: type[ModelT]) -> ModelT:
    """A copy of `node` as an object of `cls`, which has the same fields and more. What it contains is shared."""
    state = _state(node)
    names = set(cls.__struct_fields__)
    values = [getattr(node, name, None) for name in cls.__struct_fields__]
    extra = {name: value for name, value in state.extra.items() if name not in names}
    given = state.given | (state.extra.keys() & names)
    twin: ModelT = _restore(cls, values, given, extra, getattr(node, "_request_id", None), state.filled)
    return twin


def fill_in(node: Model, names: Iterable[str]) -> None:
    """Counts fields as given with None, as the reference's stream helper does. They are not sent back."""
    state = _state(node)
    state.filled = frozenset(name for name in names if name not in state.given)
    state.given |= state.filled


def _restore(
    cls: Any,
    values: list[Any],
    given: set[str],
    extra: dict[str, Any],
    request_id: Any,
    filled: frozenset[str] = frozenset(),
) -> Any:
    node = cls.__new__(cls)
    for name, value in zip(cls.__struct_fields__, values, strict=True):
        getattr(cls, name).__set__(node, value)
    object.__setattr__(node, "_source", _State(set(given), dict(extra), filled))
    if request_id is not None:
        object.__setattr__(node, "_request_id", request_id)
    return node


# Fields that only the types of parsed replies have: they are filled here, and the API knows nothing of them.
_PARSED = frozenset({"parsed", "parsed_arguments"})

# What a dump for Python leaves as it is.
_PYTHON_TYPES = (bytes, bytearray, date, datetime, time, timedelta, Decimal, UUID)

_ATOMS = frozenset({str, int, float, bool, type(None)})


class _Dump:
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

    def node(self, node: Model, include: Any, exclude: Any) -> dict[str, Any]:
        state = _state(node)
        out: dict[str, Any] = {}
        for field in _plan(type(node)).fields:
            name = field.name
            value = getattr(node, name)
            if (
                (self.exclude_unset and name not in state.given)
                or (self.exclude_none and value is None)
                or (self.exclude_defaults and not field.required and value == field.default)
                or (not self.parsed and (name in _PARSED or (value is None and name in state.filled)))
            ):
                continue
            self._put(out, name, field.wire if self.by_alias else name, value, include, exclude)
        for name, value in state.extra.items():
            if value is not None or not self.exclude_none:
                self._put(out, name, name, value, include, exclude)
        return out

    def _put(self, out: dict[str, Any], name: str, key: str, value: Any, include: Any, exclude: Any) -> None:
        if include is None and exclude is None:
            out[key] = value if value.__class__ in _ATOMS else self.value(value, None, None)
            return
        wanted, below_in = _select(include, (name, "__all__"), True)
        unwanted, below_ex = _select(exclude, (name, "__all__"), False)
        if wanted and not unwanted:
            out[key] = self.value(value, below_in, below_ex)

    def value(self, value: Any, include: Any, exclude: Any) -> Any:
        if isinstance(value, Model):
            return self.node(value, include, exclude)
        if isinstance(value, (list, tuple)):
            entries = cast("Sequence[Any]", value)
            if include is None and exclude is None:
                return [item if item.__class__ in _ATOMS else self.value(item, None, None) for item in entries]
            items: list[Any] = []
            for index, item in enumerate(entries):
                keys = (index, index - len(entries), "__all__")
                wanted, below_in = _select(include, keys, True)
                unwanted, below_ex = _select(exclude, keys, False)
                if wanted and not unwanted:
                    items.append(self.value(item, below_in, below_ex))
            return items
        if is_mapping(value):
            out: dict[str, Any] = {}
            for name, item in value.items():
                self._put(out, name, name, item, include, exclude)
            return out
        if value is None or isinstance(value, (str, int, float)):
            return value
        # What content was parsed into: an object of the user's own.
        if callable(getattr(value, "model_dump", None)):
            return self._foreign(value, include=include, exclude=exclude)
        if self.json or isinstance(value, msgspec.Struct) or hasattr(value, "__dataclass_fields__"):
            kept = () if self.json else _PYTHON_TYPES
            plain: Any = msgspec.to_builtins(value, enc_hook=self._foreign, builtin_types=kept)
            return plain
        return value

    def _foreign(self, value: Any, **which: Any) -> Any:
        """The plain values of an object that msgspec does not know: a pydantic model, or a text."""
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


def _select(rule: Any, keys: tuple[int | str, ...], default: bool) -> tuple[bool, Any]:
    """What a rule of include or exclude says of something that has any of `keys`.

    Whether it is named whole (`default` if it is named in part: a way down, not to be excluded), and the rule below.
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
