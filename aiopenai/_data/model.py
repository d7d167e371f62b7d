"""The base of all reply types.

A reply is a msgspec Struct, so that decoding and attribute access run at C speed. Its unknown fields are readable, and
null is told from missing. Both are worked out at the first question only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec
from typing_extensions import Self, dataclass_transform, override

from aiopenai._data.fields import fields_of, restored, state_of
from aiopenai._data.metaclass import ModelMeta
from aiopenai._data.provenance import Node, node_made
from aiopenai._data.pydantic_methods import PydanticMethods

__all__ = ["Model", "fill_in", "let_go", "recast"]

ModelT = TypeVar("ModelT", bound="Model")

# Names that Python or this package looks up by itself: only a whole reply has a `_request_id`, as in the reference.
_NOT_EXTRA = ("_source", "_request_id")


# Stated here too: mypy prefers a base class to the decorator of the metaclass.
@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Model(PydanticMethods, Node, msgspec.Struct, metaclass=ModelMeta):
    """The base of reply types. Attributes are the fields of the API; None stands for null and for missing.

    Unknown fields are readable as attributes too, and are in `model_extra`. `model_fields_set` tells null from
    missing. `to_dict()` and `to_json()` give back the reply as received, with the changes made since.
    """

    # A function in C: see provenance.py.
    __post_init__: ClassVar[Any] = node_made  # type: ignore[misc]
    __open_type__: ClassVar[Any] = None
    __bulk__: ClassVar[bool] = False
    __required__: ClassVar[frozenset[str]] = frozenset()
    __tag_position__: ClassVar[int] = 0

    if not TYPE_CHECKING:
        # Hidden from type checkers, so that they find misspelt names.

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("__") and name not in _NOT_EXTRA:
                extra = state_of(self).extra
                if name in extra:
                    return extra[name]
                own = fields_of(type(self)).by_wire.get(name, name)
                if own != name:
                    return getattr(self, own)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __getitem__(self, key: Any) -> Any:
            # Replies of the API before 1.0 were dicts.
            cure = f"write `.{key}`" if isinstance(key, str) else "its fields are attributes"
            if "data" in self.__struct_fields__ and not isinstance(key, str):
                cure = f"write `.data[{key!r}]`"
            raise TypeError(f"{type(self).__name__!r} object is not subscriptable: {cure}; `to_dict()` returns a dict")

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        state = state_of(self)
        name = fields_of(type(self)).by_wire.get(name, name)
        if name in self.__struct_fields__:
            getattr(type(self), name).__set__(self, value)
            state.given.add(name)
        elif name == self.__struct_config__.tag_field:
            # The class implies the tag, so that another value could not be read back.
            if value != getattr(self, name):
                raise AttributeError(f"{name!r} of {type(self).__name__!r} object is always {getattr(self, name)!r}")
        else:
            state.extra[name] = value

    @override
    def __delattr__(self, name: str) -> None:
        extra = state_of(self).extra
        if name not in extra:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r} that can be deleted")
        del extra[name]

    @override
    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        if not all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__):
            return False
        twin: Any = other
        return state_of(self).extra == state_of(twin).extra

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        for field in fields_of(type(self)).all:
            yield field.name, getattr(self, field.name)
        yield from state_of(self).extra.items()

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(Model.__iter__(self))

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in Model.__iter__(self))})"

    def _repr_html_(self) -> str:
        """Returns the reply for the output of a notebook's cell."""
        from aiopenai._data.notebook import reply_html

        return reply_html(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a copy, with copies of its contents if `deep`; `update` sets attributes of the copy."""
        twin = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(twin, name, value)
        return twin

    def __replace__(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    def __copy__(self) -> Self:
        twin: Self = restored(*self.__reduce__()[1])
        return twin

    @override
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        state = state_of(self)
        values = [getattr(self, name) for name in self.__struct_fields__]
        request_id = getattr(self, "_request_id", None)
        return restored, (type(self), values, set(state.given), dict(state.extra), request_id, state.filled)


# msgspec has read them. It would evaluate them again for each class that it decodes: 150 us.
Model.__annotations__.clear()


def let_go(node: Model) -> None:
    """Drops the JSON object that a reply object was built from, except the part that tells given and unknown fields."""
    if type(getattr(node, "_source", None)) is dict:
        state_of(node)


def recast(node: Model, cls: type[ModelT]) -> ModelT:
    """Returns `node` as an object of `cls`, which has the same fields and more. The contents are shared."""
    state = state_of(node)
    names = set(cls.__struct_fields__)
    values = [getattr(node, name, None) for name in cls.__struct_fields__]
    extra = {name: value for name, value in state.extra.items() if name not in names}
    given = state.given | (state.extra.keys() & names)
    twin: ModelT = restored(cls, values, given, extra, getattr(node, "_request_id", None), state.filled)
    return twin


def fill_in(node: Model, names: Iterable[str]) -> None:
    """Counts fields as given with None, as the reference's stream helper does. They are not sent back."""
    state = state_of(node)
    state.filled = frozenset(name for name in names if name not in state.given)
    state.given |= state.filled
