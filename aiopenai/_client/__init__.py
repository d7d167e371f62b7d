"""The async client, the blocking client with its loops, the module client, and their configuration.

The names of `openai._client` are here too.
"""

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
