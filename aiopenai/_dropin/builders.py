"""Builders: plain JSON to pydantic objects of the reply types, without validation.

A builder is made once per class from its fields. It takes 1.5 us for a chat chunk, where the reference takes 53.
Values that do not fit their type are kept as they are.
"""

# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pydantic

from aiopenai._calls.paging import LINKS
from aiopenai._data.fields import fields_of, state_of
from aiopenai._data.plain import decode_json
from aiopenai._data.provenance import Node
from aiopenai._data.structs import Model
from aiopenai._dropin.twins import BaseModel, export, is_page, struct_of, twin
from aiopenai.types.chat import ParsedChatCompletionMessage

__all__ = ["as_twin", "builder", "converter", "decoder_of"]

_Build = Callable[[Any], Any]

_builders: dict[Any, _Build] = {}
_set = object.__setattr__
_UNSET: Any = pydantic.PrivateAttr().get_default()
# Fields that tell the variants of unions apart, the API's usual one first.
_TAGS = ("type", "role", "object", "event", "status")


def builder(cls: Any) -> _Build:
    """Returns the function that makes objects of a pydantic class from dicts."""
    found = _builders.get(cls)
    if found is None:
        found = _builders[cls] = _make_builder(cls)
    return found


def converter(kind: Any) -> _Build | None:
    """Returns the function that converts a value to a type; None where values stay as they are."""
    kind = export(kind)
    origin, args = get_origin(kind), get_args(kind)
    for cls in (kind, origin):
        if isinstance(cls, type) and issubclass(cls, pydantic.BaseModel):
            return _of_model(cls)
    if origin is Annotated:
        return converter(args[0])
    if origin is list and args:
        return _of_list(converter(args[0]))
    if origin is dict and args:
        return _of_dict(converter(args[1]))
    if origin in (Union, types.UnionType):
        return _of_union(list(_variants(args)))
    if kind is float:
        return _to_float
    return _to_time if kind is datetime.datetime else None


def _of_model(cls: Any) -> _Build:
    build: _Build | None = None

    def convert(value: Any) -> Any:
        nonlocal build
        if type(value) is not dict:
            return value
        if build is None:
            # At the first use, because types can contain themselves.
            build = builder(cls)
        return build(value)

    return convert


def _of_list(item: _Build | None) -> _Build | None:
    if item is None:
        return None
    return lambda value: [item(each) for each in value] if type(value) is list else value


def _of_dict(item: _Build | None) -> _Build | None:
    if item is None:
        return None
    return lambda value: {key: item(each) for key, each in value.items()} if type(value) is dict else value


def _to_float(value: Any) -> Any:
    return float(value) if type(value) is int and abs(value) <= 2**53 else value


def _to_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return value


def _variants(kinds: Any) -> Iterator[Any]:
    for kind in kinds:
        if get_origin(kind) is Annotated:
            yield from _variants(get_args(kind)[:1])
        elif get_origin(kind) in (Union, types.UnionType):
            yield from _variants(get_args(kind))
        else:
            yield kind


def _of_union(kinds: list[Any]) -> _Build | None:
    models = [kind for kind in kinds if isinstance(get_origin(kind) or kind, type) and _is_model(kind)]
    lists = [found for kind in kinds if get_origin(kind) is list and (found := converter(kind)) is not None]
    if not models and not lists:
        return _to_float if float in kinds and int not in kinds else None
    tag, tagged = _tags(models)
    by_tag = {given: _of_nearest(candidates) for given, candidates in tagged.items()}
    # A kind that this version does not know.
    of_unknown = _of_model(BaseModel)
    of_any = _of_nearest(models)

    def convert(value: Any) -> Any:
        if type(value) is dict and models:
            given = value.get(tag)
            return (by_tag.get(given, of_unknown) if isinstance(given, str) else of_any)(value)
        return lists[0](value) if type(value) is list and lists else value

    return convert


def _of_nearest(models: list[Any]) -> _Build:
    """Returns the function that makes an object of the class that has most of a dict's names."""
    if len(models) == 1:
        return _of_model(models[0])
    return lambda value: builder(_nearest(models, value))(value)


def _is_model(kind: Any) -> bool:
    return issubclass(get_origin(kind) or kind, pydantic.BaseModel)


def _tags(models: list[Any]) -> tuple[str, dict[str, list[Any]]]:
    """Returns the field that tells the variants apart, and the variants by its values."""
    for name in _TAGS:
        found: dict[str, list[Any]] = {}
        for model in models:
            for value in _literals(model, name):
                found.setdefault(value, []).append(model)
        if found and len(models) > 1:
            return name, found
    # Without a tag the names of the fields decide.
    return "", {}


def _literals(model: Any, name: str) -> Iterator[str]:
    field = model.model_fields.get(name)
    if field is not None:
        for kind in _variants([field.annotation]):
            if get_origin(kind) is Literal:
                yield from get_args(kind)


def _nearest(models: list[Any], value: dict[str, Any]) -> Any:
    return max(models, key=lambda model: sum(name in value for name in model.model_fields))


def _make_builder(cls: Any) -> _Build:
    if not cls.__pydantic_fields_complete__:
        cls.model_rebuild()
    fields = cls.model_fields
    aliases = {field.alias: name for name, field in fields.items() if field.alias and field.alias != name}
    defaults = {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in fields.items()
    }
    steps = [(name, found) for name, field in fields.items() if (found := converter(field.annotation)) is not None]
    has_private = bool(cls.__private_attributes__)
    count, known = len(defaults), frozenset(defaults)
    new = cls.__new__
    # Subclasses of programs, and pages, have private attributes. Those without a default raise AttributeError.
    private = {name: each for name, each in cls.__private_attributes__.items() if each.get_default() is not _UNSET}

    def build(given: Any) -> Any:
        if aliases:
            # The reference keeps a value under its name and, as an unknown field, under its alias too.
            given = {**given, **{own: given[name] for name, own in aliases.items() if name in given}}
        values = {**defaults, **given}
        for name, convert in steps:
            value = values[name]
            if value is not None:
                values[name] = convert(value)
        given_names = set(given)
        extra = {}
        if len(values) != count:
            extra = {name: values.pop(name) for name in given if name not in known}
            given_names.difference_update(extra)
        made = new(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", given_names)
        _set(made, "__pydantic_extra__", extra)
        own = {name: each.get_default() for name, each in private.items()} if has_private else None
        _set(made, "__pydantic_private__", own)
        return made

    return build


def as_twin(value: Any, kind: Any = None) -> Any:
    """Returns a reply as pydantic objects: Structs, and those in lists and dicts. `kind` is the type of a page."""
    if isinstance(value, Node):
        return _twin_object(value, kind)
    if type(value) is list:
        return [as_twin(each) for each in value]
    if type(value) is dict:
        return {key: as_twin(each) for key, each in value.items()}
    return value


def _twin_object(node: Any, kind: Any) -> Any:
    paged = is_page(type(node))
    cls = _page_class(kind) if paged and kind is not None else twin(type(node))
    state = state_of(node)
    made = cls.__new__(cls)
    values = {field.name: as_twin(getattr(node, field.name)) for field in fields_of(type(node)).all}
    _set(made, "__dict__", values)
    given = set(state.given)
    if isinstance(node, ParsedChatCompletionMessage):
        # The reference sets it in each parsed message.
        given.add("tool_calls")
    _set(made, "__pydantic_fields_set__", given)
    _set(made, "__pydantic_extra__", {name: _plain(each) for name, each in state.extra.items()})
    # As in the reference, no field and no private attribute: objects are equal without it, and their parts have none.
    if (request_id := getattr(node, "_request_id", None)) is not None:
        values["_request_id"] = request_id
    _set(made, "__pydantic_private__", {name: getattr(node, name, None) for name in LINKS} if paged else None)
    return made


# Pydantic takes milliseconds to make such a class.
_page_class = lru_cache(maxsize=1024)(export)


def _plain(value: Any) -> Any:
    return as_twin(value) if isinstance(value, (Model, list)) else value


class TwinDecoder:
    """Decodes JSON bytes to pydantic objects; in the place of a `Decoder` in streams."""

    __slots__ = ("_convert", "kind")

    def __init__(self, kind: Any) -> None:
        self.kind = struct_of(kind)
        self._convert = converter(kind)

    def __call__(self, raw: bytes) -> Any:
        """Decodes one JSON document. Raises `msgspec.DecodeError` for input that is not JSON."""
        value = decode_json(raw)
        return value if self._convert is None else self._convert(value)

    def many(
        self, raws: Sequence[bytes], longest: int | None = None, made: list[Any] | None = None
    ) -> tuple[list[Any], Exception | None]:
        """Decodes a batch, skipping empty documents. Returns the values, and the error that stopped it, if any."""
        values: list[Any] = []
        convert = self._convert
        try:
            for raw in raws:
                if raw:
                    value = decode_json(raw)
                    values.append(value if convert is None else convert(value))
        except msgspec.DecodeError as error:
            return values, error
        return values, None


decoder_of = lru_cache(maxsize=256)(TwinDecoder)
