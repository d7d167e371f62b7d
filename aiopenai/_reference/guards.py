"""The small functions of `openai._utils` about values and types: guards, coercions, parts of annotations."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import typing_extensions

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import Omit, is_left_out
from aiopenai._reference.aliases import CallableT

__all__ = [
    "coerce_boolean",
    "coerce_float",
    "coerce_integer",
    "extract_type_arg",
    "extract_type_var_from_base",
    "flatten_lists",
    "get_async_library",
    "get_required_header",
    "human_join",
    "is_annotated_type",
    "is_dict",
    "is_given",
    "is_iterable",
    "is_iterable_type",
    "is_list_type",
    "is_literal_type",
    "is_not_required_type",
    "is_required_type",
    "is_sequence",
    "is_sequence_type",
    "is_tuple",
    "is_type_alias_type",
    "is_typevar",
    "is_union",
    "is_union_type",
    "lru_cache",
    "maybe_coerce_boolean",
    "maybe_coerce_float",
    "maybe_coerce_integer",
    "quote",
    "removeprefix",
    "removesuffix",
    "required_args",
    "strip_annotated_type",
    "strip_not_given",
]

_ALIAS_TYPES: tuple[Any, ...] = (typing_extensions.TypeAliasType,)
if sys.version_info >= (3, 12):
    _ALIAS_TYPES = (*_ALIAS_TYPES, typing.TypeAliasType)


# ---- values


def is_given(value: object) -> bool:
    """Returns whether a value is neither `omit` nor `not_given`."""
    return not is_left_out(value)


def is_tuple(value: object) -> bool:
    """Returns whether a value is a tuple."""
    return isinstance(value, tuple)


def is_sequence(value: object) -> bool:
    """Returns whether a value is a sequence."""
    return isinstance(value, Sequence)


def is_dict(value: object) -> bool:
    """Returns whether a value is a dict."""
    return isinstance(value, dict)


def is_iterable(value: object) -> bool:
    """Returns whether a value can be iterated."""
    return isinstance(value, Iterable)


def flatten_lists(lists: Iterable[Iterable[Any]]) -> list[Any]:
    """Returns the items of all lists in one list."""
    return [item for each in lists for item in each]


def strip_not_given(value: Any) -> Any:
    """Returns a mapping without the names whose value is `not_given`; other values are returned as they are."""
    if not is_mapping(value):
        return value
    return {name: each for name, each in value.items() if not is_left_out(each) or isinstance(each, Omit)}


def coerce_integer(text: str) -> int:
    """Returns a decimal number."""
    return int(text, base=10)


def coerce_float(text: str) -> float:
    """Returns a number."""
    return float(text)


def coerce_boolean(text: str) -> bool:
    """Returns whether a text is `true`, `1` or `on`."""
    return text in ("true", "1", "on")


def maybe_coerce_integer(text: str | None) -> int | None:
    """Returns a decimal number; None for None."""
    return None if text is None else coerce_integer(text)


def maybe_coerce_float(text: str | None) -> float | None:
    """Returns a number; None for None."""
    return None if text is None else coerce_float(text)


def maybe_coerce_boolean(text: str | None) -> bool | None:
    """Returns whether a text is `true`, `1` or `on`; None for None."""
    return None if text is None else coerce_boolean(text)


def removeprefix(text: str, prefix: str) -> str:
    """Returns a text without a prefix."""
    return text.removeprefix(prefix)


def removesuffix(text: str, suffix: str) -> str:
    """Returns a text without a suffix."""
    return text.removesuffix(suffix)


def quote(text: str) -> str:
    """Returns a text in single quotation marks."""
    return f"'{text}'"


def human_join(parts: Sequence[str], *, delim: str = ", ", final: str = "or") -> str:
    """Returns the parts as an enumeration: `a, b or c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{delim.join(parts[:-1])} {final} {parts[-1]}"


def get_required_header(headers: Any, header: str) -> str:
    """Returns the value of a header, by its name in any case. Raises ValueError without it."""
    if is_mapping(headers):
        for name, value in headers.items():
            if name.lower() == header.lower() and isinstance(value, str):
                return value
    words = re.sub(r"([^\w])(\w)", lambda found: found[1] + found[2].upper(), header.capitalize())
    for name in (header, header.lower(), header.upper(), words):
        found: Any = headers.get(name)
        if found:
            return cast("str", found)
    raise ValueError(f"Could not find {header} header")


def get_async_library() -> str:
    """Returns the name of the running event loop's library; `false` without a running loop."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "false"
    return "asyncio"


def lru_cache(*, maxsize: int | None = 128) -> Callable[[CallableT], CallableT]:
    """Returns the decorator `functools.lru_cache`."""
    return cast("Callable[[CallableT], CallableT]", functools.lru_cache(maxsize=maxsize))


def required_args(*variants: Sequence[str]) -> Callable[[CallableT], CallableT]:
    """Returns a decorator of functions that need the arguments of one of the variants.

    The function raises TypeError if no variant is complete.
    """

    def decorate(function: CallableT) -> CallableT:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(function).parameters.values()
        positional = [parameter.name for parameter in parameters if parameter.kind in kinds]

        @functools.wraps(function)
        def checked(*args: Any, **given: Any) -> Any:
            if len(args) > len(positional):
                name = getattr(function, "__name__", "function")
                raise TypeError(f"{name}() takes {len(positional)} argument(s) but {len(args)} were given")
            names = {*positional[: len(args)], *given}
            if not any(names.issuperset(variant) for variant in variants):
                raise TypeError(_missing(variants, names))
            return function(*args, **given)

        return cast("CallableT", checked)

    return decorate


def _missing(variants: Sequence[Sequence[str]], given: set[str]) -> str:
    if len(variants) > 1:
        sets = [f"({human_join([quote(name) for name in variant], final='and')})" for variant in variants]
        return f"Missing required arguments; Expected either {human_join(sets)} arguments to be given"
    names = [quote(name) for name in variants[0] if name not in given]
    return f"Missing required argument{'s' if len(names) > 1 else ''}: {human_join(names)}"


# ---- annotations


def is_annotated_type(kind: Any) -> bool:
    """Returns whether a type is `Annotated[...]`."""
    return get_origin(kind) is Annotated


def is_list_type(kind: Any) -> bool:
    """Returns whether a type is a list."""
    return (get_origin(kind) or kind) is list


def is_sequence_type(kind: Any) -> bool:
    """Returns whether a type is a `Sequence`."""
    return (get_origin(kind) or kind) in (Sequence, typing.Sequence)


def is_iterable_type(kind: Any) -> bool:
    """Returns whether a type is an `Iterable`."""
    return (get_origin(kind) or kind) in (Iterable, typing.Iterable)


def is_union(origin: Any) -> bool:
    """Returns whether the origin of a type is that of a union."""
    return origin is Union or origin is types.UnionType


def is_union_type(kind: Any) -> bool:
    """Returns whether a type is a union."""
    return is_union(get_origin(kind))


def is_literal_type(kind: Any) -> bool:
    """Returns whether a type is a `Literal`."""
    return get_origin(kind) in (Literal, typing_extensions.Literal)


def is_required_type(kind: Any) -> bool:
    """Returns whether a type is `Required[...]`."""
    return get_origin(kind) is typing_extensions.Required


def is_not_required_type(kind: Any) -> bool:
    """Returns whether a type is `NotRequired[...]`."""
    return get_origin(kind) is typing_extensions.NotRequired


def is_typevar(kind: Any) -> bool:
    """Returns whether a type is a type variable."""
    return isinstance(kind, (TypeVar, typing_extensions.TypeVar))  # type: ignore[arg-type,unused-ignore]


def is_type_alias_type(kind: Any, /) -> bool:
    """Returns whether a type was made by a `type` statement or by `TypeAliasType`."""
    return isinstance(kind, _ALIAS_TYPES)


def strip_annotated_type(kind: Any) -> Any:
    """Returns a type without `Annotated`, `Required` and `NotRequired`."""
    while is_annotated_type(kind) or is_required_type(kind) or is_not_required_type(kind):
        kind = get_args(kind)[0]
    return kind


def extract_type_arg(kind: Any, index: int) -> Any:
    """Returns one of the arguments of a generic type. Raises RuntimeError without it."""
    args = get_args(kind)
    if index >= len(args):
        raise RuntimeError(f"Expected type {kind} to have a type argument at index {index} but it did not")
    return args[index]


def extract_type_var_from_base(
    kind: Any, *, generic_bases: tuple[type, ...], index: int, failure_message: str | None = None
) -> Any:
    """Returns the argument of a generic base: of `Base[T]` itself, or of a class below it. Raises RuntimeError."""
    cls = get_origin(kind) or kind
    if cls in generic_bases:
        return extract_type_arg(kind, index)
    for base in getattr(cls, "__orig_bases__", ()):
        if (get_origin(base) or base) in generic_bases:
            found = extract_type_arg(base, index)
            return extract_type_arg(kind, index) if is_typevar(found) else found
    raise RuntimeError(failure_message or f"Could not resolve inner type variable at index {index} for {kind}")
