"""The names of `openai._qs`: query strings with a choice of formats for arrays and objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, get_args
from urllib.parse import parse_qs, urlencode

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import NotGiven, not_given
from aiopenai._reference.aliases import ArrayFormat, NestedFormat

__all__ = [
    "Data",
    "Options",
    "Params",
    "PrimitiveData",
    "Querystring",
    "array_suffix",
    "parse",
    "stringify",
    "stringify_items",
]

# `{}` stands for the index of an item.
_SUFFIXES = {"comma": "", "repeat": "", "indices": "[{}]", "brackets": "[]"}

PrimitiveData: TypeAlias = str | int | float | bool | None
Data: TypeAlias = PrimitiveData | list[Any] | tuple[Any, ...] | Mapping[str, Any]
Params: TypeAlias = Mapping[str, Data]


class Querystring:
    """The conversion between parameters and a query string, in chosen formats."""

    def __init__(self, *, array_format: ArrayFormat = "repeat", nested_format: NestedFormat = "brackets") -> None:
        self.array_format: ArrayFormat = array_format
        self.nested_format: NestedFormat = nested_format

    def parse(self, query: str) -> Mapping[str, object]:
        """Returns the values of each name of a query string."""
        return parse_qs(query)

    def stringify(
        self,
        params: Params,
        *,
        array_format: ArrayFormat | NotGiven = not_given,
        nested_format: NestedFormat | NotGiven = not_given,
    ) -> str:
        """Returns parameters as a query string. Raises NotImplementedError for an unknown format."""
        return urlencode(self.stringify_items(params, array_format=array_format, nested_format=nested_format))

    def stringify_items(
        self,
        params: Params,
        *,
        array_format: ArrayFormat | NotGiven = not_given,
        nested_format: NestedFormat | NotGiven = not_given,
    ) -> list[tuple[str, str]]:
        """Returns parameters as names and values. Raises NotImplementedError for an unknown format."""
        options = Options(self, array_format=array_format, nested_format=nested_format)
        return [item for name, value in params.items() for item in _items(name, value, options)]


class Options:
    """The formats of one conversion: those given, else those of the `Querystring`."""

    def __init__(
        self,
        qs: Querystring | None = None,
        *,
        array_format: ArrayFormat | NotGiven = not_given,
        nested_format: NestedFormat | NotGiven = not_given,
    ) -> None:
        qs = qs or _usual
        self.array_format = qs.array_format if isinstance(array_format, NotGiven) else array_format
        self.nested_format = qs.nested_format if isinstance(nested_format, NotGiven) else nested_format


def array_suffix(array_format: str) -> str:
    """Returns the part that follows an array's name: a template for `str.format` with the index of an item.

    Raises NotImplementedError for an unknown format.
    """
    if array_format not in _SUFFIXES:
        raise NotImplementedError(
            f"Unknown array_format value: {array_format}, choose from {', '.join(get_args(ArrayFormat))}"
        )
    return _SUFFIXES[array_format]


def _items(name: str, value: Any, options: Options) -> Iterator[tuple[str, str]]:
    if is_mapping(value):
        dots = options.nested_format == "dots"
        for key, item in value.items():
            yield from _items(f"{name}.{key}" if dots else f"{name}[{key}]", item, options)
    elif isinstance(value, (list, tuple)):
        yield from _array(name, value, options)
    elif value is not None:
        yield name, _text(value)


def _array(name: str, values: Any, options: Options) -> Iterator[tuple[str, str]]:
    suffix = array_suffix(options.array_format)
    if options.array_format == "comma":
        yield name, ",".join(_text(item) for item in values if item is not None)
        return
    for index, item in enumerate(values):
        yield from _items(name + suffix.format(index), item, options)


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


_usual = Querystring()
parse = _usual.parse
stringify = _usual.stringify
stringify_items = _usual.stringify_items
