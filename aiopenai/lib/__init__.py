"""Helpers made of several calls, or of none. Each module is imported on first use, and so are the names below."""

from __future__ import annotations

from typing import TYPE_CHECKING

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.

    def __getattr__(name: str) -> object:
        from aiopenai._data.leaves import named

        globals()[name] = value = named(__name__, name)
        return value
