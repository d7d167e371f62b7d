"""`OPENAI_LOG=debug`, `info`, `warning`, `error` or `critical`: the package's log on standard error.

The logger is `aiopenai`. It gets verbs, paths, statuses, times and request ids: neither headers nor bodies, so that no
level of it can show a key or a conversation.
"""

from __future__ import annotations

import logging

__all__ = ["setup"]

_LEVELS = ("debug", "info", "warning", "error", "critical")


def setup(level: str) -> None:
    """Sets the level of the package's logger, and adds a handler if the program has none."""
    if level.lower() not in _LEVELS:
        return
    logging.basicConfig(format="[%(asctime)s - %(name)s:%(lineno)d - %(levelname)s] %(message)s")
    logging.getLogger("aiopenai").setLevel(level.upper())
