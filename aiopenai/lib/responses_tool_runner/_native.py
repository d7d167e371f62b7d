"""Plain JSON values: the checks of values that are saved, measured or sent again."""

from __future__ import annotations

import math
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping

__all__ = ["MAX_NUMBER", "copied", "is_text", "is_text_or_none", "plain_json", "tool_names"]

# The largest integer that each JSON parser keeps exactly.
MAX_NUMBER = 2**53 - 1


def plain_json(value: Any) -> Any:
    """Returns a copy of a JSON value. Raises ValueError for others, subclasses of dict, list and str included."""
    kind: type[Any] = value.__class__
    if value is None or kind in (str, bool, int) or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return [plain_json(item) for item in value]
    if kind is dict and all(type(key) is str for key in value):
        return {key: plain_json(item) for key, item in value.items()}
    raise ValueError(f"The values of saved or measured runs are plain JSON values, not {kind.__name__}")


def is_text(value: object) -> bool:
    """Returns whether a value is a str."""
    return isinstance(value, str)


def is_text_or_none(value: object) -> bool:
    """Returns whether a value is a str, or None."""
    return value is None or isinstance(value, str)


def tool_names(given: Any) -> list[Any] | None:
    """Returns the names of a filter of tools: a list, or an object with `tool_names`; None without names."""
    names: Any = given.get("tool_names") if is_mapping(given) else given
    return names if is_list(names) else None


def copied(value: Any) -> Any:
    """Returns a copy of a reply object, which the program may change without an effect on the run."""
    copy: Any = getattr(value, "model_copy", None)
    return copy(deep=True) if callable(copy) else value
