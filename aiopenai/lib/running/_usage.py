"""The usage of several replies in one."""

# Tools are callable dicts and values of any type, which the type system does not have.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai.lib.running._records import plain

__all__ = ["total_usage"]


def total_usage(total: Any, usage: Any) -> Any:
    """Returns the sum of two usages, number by number, in the type of the second. None counts as nothing."""
    if usage is None or total is None:
        return total if usage is None else usage
    summed = _sum(plain(total), plain(usage))
    build: Any = getattr(type(usage), "model_construct", None)
    return build(**summed) if callable(build) else summed


def _sum(first: Any, second: Any) -> Any:
    if is_mapping(first) and is_mapping(second):
        return {key: _sum(first.get(key), second.get(key)) for key in {**first, **second}}
    if _is_number(first) and _is_number(second):
        return first + second
    return first if second is None else second


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
