"""What helpers that make several calls have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiopenai._calls.arguments import OPTIONS

__all__ = ["further", "note", "take_options"]


def take_options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the call options out of a helper's arguments."""
    return {name: arguments.pop(name) for name in OPTIONS & arguments.keys()}


def further(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for the calls that come before and after the one that was asked for.

    Headers, query, limits and retries are those of all of them; a body and an idempotency key are of one request.
    """
    return {name: value for name, value in options.items() if name not in ("extra_body", "idempotency_key")}


def note(error: BaseException, text: str) -> None:
    """Add a line that a traceback shows below the error."""
    # As `add_note` does, which Python 3.10 does not have.
    noted: Any = error
    noted.__notes__ = [*getattr(error, "__notes__", ()), text]
