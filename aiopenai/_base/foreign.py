"""Errors that are instances of classes of another package too, without an import of it; how errors are unpickled."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, cast

__all__ = ["also_foreign", "rebuild"]


def rebuild(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Returns an error with its attributes, without a call of its class. Pickles name this function."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


def also_foreign(error: Exception, name: str) -> None:
    """Makes an error an instance of a class of `websockets` too, if the program has imported that package."""
    module = sys.modules.get("websockets.exceptions")
    foreign = getattr(module, name, None)
    if foreign is not None:
        error.__class__ = _joined_class(cast("Any", type(error)), foreign)


@lru_cache(maxsize=64)
def _joined_class(own: Any, foreign: Any) -> Any:
    members = {
        "__module__": own.__module__,
        "__doc__": own.__doc__,
        "__str__": own.__str__,
        "__reduce__": _reduce_as(own),
    }
    return type(own.__name__, (own, foreign), members)


def _reduce_as(own: type[Exception]) -> Any:
    """Returns `__reduce__` for a joined class: pickles know the package's class only."""

    def reduce(error: Any) -> tuple[Any, ...]:
        return rebuild, (own, error.args, dict(error.__dict__))

    return reduce
