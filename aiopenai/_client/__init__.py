"""The async client, the blocking client with its loops, the module client, and their configuration.

The names of `openai._client` are here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiopenai._data.leaves import importing

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)
