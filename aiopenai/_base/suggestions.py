"""Suggestions for misspelt names: "did you mean"."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

__all__ = ["suggesting", "suggestion"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")


def suggestion(name: str, names: Iterable[str]) -> str:
    """Returns "; did you mean 'x'?" for the nearest of some names; an empty text if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def suggesting(function: FunctionT) -> FunctionT:
    """Adds the nearest option to the TypeError for a misspelt one. A call without a mistake costs one frame."""
    import inspect

    code = cast("Any", function).__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(function)
    def checked(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(self, *arguments, **options)
        except TypeError as error:
            found = _UNEXPECTED.search(str(error))
            # Only an option of this very call, not an error from deeper down.
            if found is None or found[1] not in options or found[1] in names:
                raise
            words = suggestion(found[1], names) or f"; the options are {', '.join(names)}"
            owner = type(self).__name__
            title = owner if function.__name__ == "__init__" else f"{owner}.{function.__name__}"
            raise TypeError(f"{title}() got an unexpected keyword argument {found[1]!r}{words}") from None

    # `inspect.getfullargspec` does not follow `__wrapped__`, and frameworks ask it for the options of a client.
    vars(checked)["__signature__"] = inspect.signature(function)
    return cast("FunctionT", checked)
