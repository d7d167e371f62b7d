"""`OPENAI_LOG=info` or `debug`: the package's log on standard error.

The logger is `aiopenai`. It gets verbs, paths, statuses, times and request ids: neither headers nor bodies, so that no
level of it can show a key or a conversation.
"""

from __future__ import annotations

import logging

__all__ = ["setup"]


def setup(level: str) -> None:
    """Sets the level of the package's logger, and adds a handler if the program has none."""
    number = {"debug": logging.DEBUG, "info": logging.INFO}.get(level.lower())
    if number is None:
        return
    logging.basicConfig(format="[%(asctime)s - %(name)s:%(lineno)d - %(levelname)s] %(message)s")
    logging.getLogger("aiopenai").setLevel(number)
