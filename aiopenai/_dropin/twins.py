"""Pydantic twins of the reply types: real pydantic classes with the same fields, made at their first use.

Frameworks subclass the reference's reply types, use them as fields of pydantic models, and ask isinstance. pydantic has
no virtual subclasses since 2.13, so Structs cannot stand in for its models.
"""

# The classes are made at run time, so type checkers know nothing about them.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

import sys
import types
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    ForwardRef,
    Generic,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import pydantic

from aiopenai._calls.paging import LINKS, BasePage
from aiopenai._data.fields import fields_of
from aiopenai._data.leaves import table
from aiopenai._data.pydantic_methods import PydanticMethods
from aiopenai._data.structs import Model, OpenObject
from aiopenai._data.unions import OneOf

__all__ = ["BaseModel", "export", "is_page", "is_struct", "struct_of", "twin"]

# Forward references of recursive types are resolved in this module.
_names: Any = types.ModuleType("openai._twins")
_twins: dict[Any, Any] = {}
_making: set[Any] = set()
_Meta: Any = type(pydantic.BaseModel)
# Classes without fields that reply types have methods from.
_MIXINS = frozenset({"OutputText", "OutputParsed", "BaseAsyncPage", "BaseSyncPage"})


class _TwinMeta(_Meta):  # type: ignore[misc]
    """Makes a Struct an instance of its twin: events of stream helpers and sockets stay Structs."""

    def __instancecheck__(cls, instance: Any) -> bool:
        # Not by the base, which is an abstract class: it takes ten times as long. By `__class__`, which mocks set.
        if cls in getattr(instance.__class__, "__mro__", ()):
            return True
        if not isinstance(instance, Model):
            return False
        struct = cls.__dict__.get("__struct__")
        return cls is BaseModel if struct is None else isinstance(instance, struct)


class BaseModel(pydantic.BaseModel, metaclass=_TwinMeta):
    """The base of reply types in drop-in mode: a pydantic model that keeps unknown fields."""

    model_config = pydantic.ConfigDict(
        extra="allow", defer_build=True, protected_namespaces=(), arbitrary_types_allowed=True
    )
    __struct__: ClassVar[Any] = None

    def __str__(self) -> str:
        shown: Any = self
        return f"{shown.__repr_name__()}({shown.__repr_str__(', ')})"

    # They call the methods below.
    to_dict: ClassVar[Any] = PydanticMethods.to_dict
    to_json: ClassVar[Any] = PydanticMethods.to_json

    def model_dump(self, **given: Any) -> dict[str, Any]:
        """Returns the object as plain values. Values that do not fit their type cause no warning by default."""
        given.setdefault("warnings", False)
        return super().model_dump(**given)

    def model_dump_json(self, **given: Any) -> str:
        """Returns the object as JSON. Values that do not fit their type cause no warning by default."""
        given.setdefault("warnings", False)
        return super().model_dump_json(**given)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Any:
        """Returns an object with these values, without validation; dicts become objects of the fields' types."""
        from aiopenai._dropin.builders import builder

        made = builder(cls)(values)
        if _fields_set is not None:
            object.__setattr__(made, "__pydantic_fields_set__", set(_fields_set))
        return made

    construct = model_construct

    def __native__(self) -> Any:
        """Returns the Struct with the same contents."""
        struct = next((found for each in type(self).__mro__ if (found := each.__dict__.get("__struct__"))), OpenObject)
        from aiopenai._data.lenient import fitter

        return fitter(struct)(self.to_dict(mode="json"))


BaseModel.__module__ = "openai"


def is_struct(kind: Any) -> bool:
    """Returns whether a type is a reply type of the package."""
    return isinstance(kind, type) and issubclass(kind, Model)


def twin(cls: Any) -> Any:
    """Returns the pydantic class of a reply type, made at its first use."""
    if cls is Model or cls is OpenObject:
        return BaseModel
    found = _twins.get(cls)
    return _make(cls) if found is None else found


def struct_of(kind: Any) -> Any:
    """Returns the reply type behind a twin, also as an argument of a generic type; other types unchanged."""
    if isinstance(kind, type) and (struct := kind.__dict__.get("__struct__")) is not None:
        return struct
    if isinstance(kind, _TwinMeta) and (generic := cast("Any", kind).__pydantic_generic_metadata__)["origin"]:
        # A page of twins, such as `SyncPage[Model]`, is a class of its own.
        return struct_of(generic["origin"])[tuple(map(struct_of, generic["args"]))]
    origin, args = get_origin(kind), get_args(kind)
    if origin is None or not args or origin is Literal or origin is Annotated:
        return kind
    own = tuple(map(struct_of, args))
    if origin is Union or origin is types.UnionType:
        return Union[own]  # noqa: UP007 - of a tuple
    return struct_of(origin)[own] if own != args or struct_of(origin) is not origin else kind


def export(value: Any) -> Any:
    """Returns a name of the package as `openai` has it: twins for reply types, in unions and lists too."""
    if is_struct(value):
        return twin(value)
    if isinstance(value, type):
        return _converted(value) if issubclass(value, OneOf) else value
    if get_origin(value) in (Union, types.UnionType, Annotated, list, dict) or is_page(get_origin(value)):
        return _converted(value)
    return value


def is_page(kind: Any) -> bool:
    """Returns whether a type is a page of a list."""
    return is_struct(kind) and issubclass(kind, BasePage)


def _key(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}".replace(".", "_")


def _converted(kind: Any) -> Any:
    """Returns a type with twins in place of the reply types in it."""
    if is_struct(kind):
        return ForwardRef(_key(kind), module="openai._twins") if kind in _making else twin(kind)
    if isinstance(kind, type) and issubclass(kind, OneOf):
        return Union[tuple(map(_converted, kind.variants))]  # noqa: UP007 - of a tuple
    origin, args = get_origin(kind), get_args(kind)
    if is_page(origin):
        return twin(origin)[tuple(map(_converted, args))]
    if is_struct(origin):
        return _converted(origin)
    if origin is Annotated:
        return _converted(args[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_converted, args))]  # noqa: UP007 - of a tuple
    if origin in (list, dict):
        return cast("Any", origin)[tuple(map(_converted, args))]
    return kind


def _make(cls: Any) -> Any:
    _making.add(cls)
    try:
        module, name = _place(cls)
        bases = [
            twin(base) if is_struct(base) else base
            for base in cls.__bases__
            if is_struct(base) or base.__name__ in _MIXINS
        ]
        if parameters := getattr(cls, "__parameters__", ()):
            bases.append(cast("Any", Generic)[parameters])
        namespace = {
            "__module__": module,
            "__qualname__": name,
            "__doc__": cls.__doc__,
            "__struct__": cls,
            **{key: value for key, value in vars(cls).items() if isinstance(value, property)},
            **(_page_members(cls) if is_page(cls) else {}),
            **_fields(cls),
        }
        made = types.new_class(name, tuple(bases) or (BaseModel,), {}, lambda body: body.update(namespace))
        _twins[cls] = made
        setattr(_names, _key(cls), made)
        return made
    finally:
        _making.discard(cls)


def _page_members(cls: Any) -> dict[str, Any]:
    """Returns the methods of a page, and the attributes of its link to the client that fetched it."""
    methods = {key: value for key, value in vars(cls).items() if isinstance(value, types.FunctionType)}
    links = {name: pydantic.PrivateAttr(default=None) for name in LINKS}
    return {**{key: value for key, value in methods.items() if not key.startswith("__")}, **links}


def _fields(cls: Any) -> dict[str, Any]:
    """Returns the annotations and defaults of a twin."""
    hints = get_type_hints(cls, include_extras=True)
    annotations: dict[str, Any] = {"__struct__": ClassVar[Any]}
    values: dict[str, Any] = {"__annotations__": annotations}
    fields = fields_of(cls)
    for field in fields.all:
        own = field.name == fields.tag_field
        annotations[field.name] = Literal[fields.tag] if own else _converted(hints[field.name])
        if field.wire != field.name:
            default = {} if field.required else {"default": field.default}
            values[field.name] = pydantic.Field(alias=field.wire, **default)
        elif not field.required:
            values[field.name] = field.default
    return values


def _place(cls: Any) -> tuple[str, str]:
    """Returns the module and the name that the reference has for a type."""
    home = cls.__module__
    if is_page(cls):
        return "openai._base_client" if cls is BasePage else "openai.pagination", cls.__name__
    if home.startswith("aiopenai.types."):
        group = home.removeprefix("aiopenai.types.").removesuffix(".replies")
        if (place := _places(group).get(cls.__name__)) is not None:
            return place
    return f"openai{home.removeprefix('aiopenai')}", cls.__name__


@lru_cache(maxsize=256)
def _places(group: str) -> dict[str, tuple[str, str]]:
    """Returns the reference's module and name of each type of a group: of several modules, the deepest one."""
    found: dict[str, tuple[str, str]] = {}
    for path, names in table("aiopenai.types", group):
        for name, (home, own) in names.items():
            if home == group and path.count(".") >= found.get(own, ("", ""))[0].count(".") - 2:
                found[own] = f"openai.types.{path}", name
    return found


sys.modules.setdefault("openai._twins", _names)
