"""The reference's identity in drop-in mode: the module and text of errors, and the name of the logger."""

from __future__ import annotations

import logging

from aiopenai import errors

__all__ = ["restore", "take"]

_logger = logging.getLogger("aiopenai")
_usual_parent = _logger.parent


def take() -> None:
    """Errors come from `openai`, and log records go to the logger `openai`: tracers and handlers look there."""
    _place_errors("openai", shows_request_id=False)
    reference = logging.getLogger("openai")
    if _logger.level and not reference.level:
        reference.setLevel(_logger.level)
    # The level is that of the parent from now on. Setting it also empties the cache of enabled levels.
    _name_logger("openai", reference)
    _logger.setLevel(logging.NOTSET)


def restore() -> None:
    """Undoes `take`; the level that the program has set stays."""
    _place_errors(errors.__name__, shows_request_id=True)
    _name_logger("aiopenai", _usual_parent)
    _logger.setLevel(logging.getLogger("openai").level)


def _name_logger(name: str, parent: logging.Logger | None) -> None:
    _logger.name = name
    _logger.parent = parent


def _place_errors(module: str, *, shows_request_id: bool) -> None:
    errors.APIStatusError.shows_request_id = shows_request_id
    for name in errors.__all__:
        if isinstance(found := getattr(errors, name), type):
            found.__module__ = module
