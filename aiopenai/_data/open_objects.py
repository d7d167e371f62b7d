"""Objects of a kind that this version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from aiopenai._base.aliases import is_list
from aiopenai._data.fields import state_of
from aiopenai._data.model import Model

__all__ = ["OpenObject"]


class OpenObject(Model):
    """An object of a kind that this version does not know, by its tag. Every field of it is readable as an attribute.

    Objects inside of it, in lists too, are open objects. An open object equals the dict that it was received as, and
    has its fields as items too (`call.function["name"]`), for programs written for dicts.
    """

    @staticmethod
    def __opened__(value: Any) -> Any:
        """Returns a plain value with open objects in place of dicts; these open theirs at their first use."""
        if isinstance(value, dict):
            made = OpenObject.__new__(OpenObject)
            object.__setattr__(made, "_source", value)
            return made
        if is_list(value):
            return [OpenObject.__opened__(item) for item in value]
        return value

    def __getitem__(self, name: str) -> Any:
        return state_of(self).extra[name]

    @property
    @override
    def model_extra(self) -> dict[str, Any]:
        """The fields of the object, as plain values: a copy."""
        from aiopenai._data.dumping import as_received

        return as_received(self)

    @override
    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return state_of(self).extra == other
        return Model.__eq__(self, other)

    __hash__ = None


Model.__open_type__ = OpenObject
