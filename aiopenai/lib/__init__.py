"""Helpers made of several calls, or of none. Each module is imported on first use, and so are the names below."""

from __future__ import annotations

from typing import TYPE_CHECKING

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.

    def __getattr__(name: str) -> object:
        from aiopenai._data.leaves import offered

        look_up = None if name.startswith("__") else offered(__name__)
        if look_up is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = look_up(name)
        return value
