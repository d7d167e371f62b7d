"""The common parts of helpers that make several calls."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from aiopenai._calls.arguments import OPTIONS

__all__ = ["awaited", "check_count", "further", "note", "take_options"]


def take_options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Removes the call options from the arguments of a helper, and returns them."""
    return {name: arguments.pop(name) for name in OPTIONS & arguments.keys()}


def further(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options for the calls before and after the main one of a helper.

    Headers, query, timeouts and retries apply to all calls. A body and an idempotency key belong to one request.
    """
    return {name: value for name, value in options.items() if name not in ("extra_body", "idempotency_key")}


def check_count(name: str, value: Any) -> None:
    """Raises ValueError for an argument that is no integer of 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` is an integer of 1 or more, not {value!r}")


async def awaited(value: Any) -> Any:
    """Returns the result of an awaitable, and any other value unchanged."""
    return await value if inspect.isawaitable(value) else value


def note(error: BaseException, text: str) -> None:
    """Adds a note that a traceback shows below the error."""
    # Python 3.10 has no `add_note`.
    noted: Any = error
    noted.__notes__ = [*getattr(error, "__notes__", ()), text]
