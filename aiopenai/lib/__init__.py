"""Helpers made of several calls, or of none. Each module is imported on first use, and so are the names below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiopenai._data.leaves import importing

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)
