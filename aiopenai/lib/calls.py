"""The common parts of helpers that make several calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiopenai._calls.arguments import OPTIONS

__all__ = ["further", "note", "take_options"]


def take_options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Removes the call options from the arguments of a helper, and returns them."""
    return {name: arguments.pop(name) for name in OPTIONS & arguments.keys()}


def further(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options for the calls before and after the main one of a helper.

    Headers, query, timeouts and retries apply to all calls. A body and an idempotency key belong to one request.
    """
    return {name: value for name, value in options.items() if name not in ("extra_body", "idempotency_key")}


def note(error: BaseException, text: str) -> None:
    """Adds a note that a traceback shows below the error."""
    # Python 3.10 has no `add_note`.
    noted: Any = error
    noted.__notes__ = [*getattr(error, "__notes__", ()), text]
