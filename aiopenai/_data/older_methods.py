"""The methods of pydantic's first release on reply objects, and the class attributes that describe fields."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from typing_extensions import Self, get_type_hints, override

from aiopenai._data.fields import fields_of

__all__ = ["FieldInfo", "OlderMethods"]


class FieldInfo:
    """One field of a reply type, with the attributes of pydantic's class of this name."""

    def __init__(self, annotation: Any, alias: str | None, required: bool, default: Any) -> None:
        self.annotation = annotation
        self.alias = self.serialization_alias = self.validation_alias = alias
        self.default = default
        self.default_factory = None
        self.description = self.title = None
        self.metadata: list[Any] = []
        self._required = required

    def is_required(self) -> bool:
        """Returns whether the API always sends the field."""
        return self._required

    def get_default(self, **_: Any) -> Any:
        """Returns the value of a field that is missing."""
        return self.default

    @override
    def __repr__(self) -> str:
        return f"FieldInfo(annotation={self.annotation!r}, required={self._required})"


class _FieldInfos:
    """The fields of a reply type by name, made for the class that is asked and kept."""

    def __init__(self) -> None:
        self._made: dict[type[Any], dict[str, FieldInfo]] = {}

    def __get__(self, _: object, owner: type[Any]) -> dict[str, FieldInfo]:
        if owner not in self._made:
            hints = get_type_hints(owner, include_extras=True)
            fields = fields_of(owner)
            if fields.tag_field is not None:
                # msgspec keeps the tag itself, so it has no annotation.
                hints.setdefault(fields.tag_field, Literal[fields.tag])
            self._made[owner] = {
                each.name: FieldInfo(
                    hints[each.name],
                    each.wire if each.wire != each.name else None,
                    each.required,
                    None if each.required else each.default,
                )
                for each in fields.all
            }
        return self._made[owner]


class OlderMethods:
    """The methods of pydantic 1; a base of `PydanticMethods`, to which they lead."""

    __slots__ = ()

    model_fields: ClassVar[Any] = _FieldInfos()
    model_config: ClassVar[Mapping[str, Any]] = {"extra": "allow"}

    @property
    def __fields_set__(self) -> builtins.set[str]:
        names: builtins.set[str] = _newer(self).model_fields_set
        return names

    def dict(self, **options: Any) -> builtins.dict[str, Any]:
        """Returns `model_dump` with the same options."""
        values: builtins.dict[str, Any] = _newer(self).model_dump(**options)
        return values

    def json(self, **options: Any) -> str:
        """Returns `model_dump_json` with the same options."""
        text: str = _newer(self).model_dump_json(**options)
        return text

    def copy(
        self: Any,
        *,
        include: Any = None,
        exclude: Any = None,
        update: Mapping[str, Any] | None = None,
        deep: bool = False,
    ) -> Any:
        """Returns a copy. `include` and `exclude` choose among the fields, `update` sets some of the copy."""
        whole = self.model_copy(update=update, deep=deep)
        if include is None and exclude is None:
            return whole
        chosen = {
            name: getattr(whole, name)
            for name in whole.model_fields_set
            if (include is None or name in include or name in (update or ())) and name not in (exclude or ())
        }
        return _newer(type(self)).model_construct(**chosen)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """Returns `model_validate` of a value."""
        validated: Self = _newer(cls).model_validate(obj)
        return validated

    @classmethod
    def parse_raw(cls, b: str | bytes, **_: Any) -> Self:
        """Returns `model_validate_json` of a text."""
        validated: Self = _newer(cls).model_validate_json(b)
        return validated

    @classmethod
    def model_json_schema(cls, by_alias: bool = True, **options: Any) -> builtins.dict[str, Any]:
        """Returns the JSON schema of the type, which pydantic makes. Raises ImportError without pydantic."""
        from pydantic import TypeAdapter

        schema: builtins.dict[str, Any] = TypeAdapter(cls).json_schema(by_alias=by_alias, **options)
        return schema

    @classmethod
    def model_rebuild(cls, **_: Any) -> None:
        """Does nothing: types are complete when they are defined."""


def _newer(object_or_class: Any) -> Any:
    """Returns the argument, which has the methods of the subclass, for type checkers."""
    return object_or_class
