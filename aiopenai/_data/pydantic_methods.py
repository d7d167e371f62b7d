"""The methods of pydantic models on reply objects: dumps, validation, construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from typing_extensions import Self

from aiopenai._data.decoder import Decoder
from aiopenai._data.fields import state_of
from aiopenai._data.metaclass import built
from aiopenai._data.older_methods import OlderMethods
from aiopenai._data.provenance import Node

if TYPE_CHECKING:
    from aiopenai._data.dumping import IncEx

__all__ = ["PydanticMethods"]


class PydanticMethods(OlderMethods):
    """The methods that programs know from pydantic; a base of `Model`."""

    __slots__ = ()

    @property
    def model_fields_set(self) -> set[str]:
        """The names that were received (or given, or set since), unknown ones included: with null, but not missing."""
        state = state_of(cast("Node", self))
        return state.given | state.extra.keys()

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that were received beyond those of the type, as plain values."""
        return state_of(cast("Node", self)).extra

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
        """Returns the object as received, as plain values; `use_api_names=False` uses the names of the attributes."""
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
        """Returns the object as received, as JSON; `indent=None` is the compact form."""
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
        """Returns the object as plain values, by pydantic's rules.

        `include` and `exclude` take names, or dicts of names (positions in lists, or "__all__") for lower levels.
        Other keyword arguments of pydantic are accepted and have no effect.
        """
        from aiopenai._data.dumping import Dump

        dump = Dump(mode == "json", bool(by_alias), exclude_unset, exclude_defaults, exclude_none)
        return dump.node(cast("Node", self), include, exclude)

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
        """Returns `model_dump` as JSON."""
        from aiopenai._data.dumping import Dump, as_json

        dump = Dump(True, bool(by_alias), exclude_unset, exclude_defaults, exclude_none)
        return as_json(dump.node(cast("Node", self), include, exclude), indent)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Returns an object with these values: no field is required, and wrong types are kept as they are."""
        node = built(cls, values)
        if _fields_set is not None:
            state_of(node).given = set(_fields_set)
        return cast("Self", node)

    construct = model_construct

    @classmethod
    def model_validate(cls, obj: Any, **_: Any) -> Self:
        """Returns an object made of a dict, with the names of the API, or of another reply object.

        Raises ValueError if a field is missing or of a wrong type.
        """
        from aiopenai._data.dumping import as_sent

        if isinstance(obj, cls):
            return obj
        try:
            raw = msgspec.json.encode(as_sent(obj))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"not a {cls.__name__}: {error}") from error
        return cls.model_validate_json(raw)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **_: Any) -> Self:
        """Returns an object made of JSON.

        Raises ValueError if a field is missing or of a wrong type, and for input that is not JSON.
        """
        raw = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
        try:
            return cast("Self", Decoder.of(cls).validate(raw))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"not a {cls.__name__}: {error}") from error

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Returns pydantic's schema of the type, which makes it a field type of pydantic models."""
        # Imports pydantic's core, which the caller has imported.
        from aiopenai._data.pydantic_schema import schema_of

        return schema_of(cls)
