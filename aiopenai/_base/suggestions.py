"""Suggestions for misspelt names: "did you mean"."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

__all__ = ["suggesting", "suggestion"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_UNEXPECTED = r"got an unexpected keyword argument '(\w+)'"


# Names of the same thing in other methods, in the API before 1.0 and in other libraries.
_RELATED = {
    "api_base": ("base_url",),
    "base": ("base_url",),
    "deployment": ("model", "azure_deployment"),
    "deployment_id": ("model",),
    "engine": ("model",),
    "functions": ("tools",),
    "headers": ("extra_headers", "default_headers"),
    "input": ("messages", "prompt"),
    "instructions": ("messages",),
    "key": ("api_key",),
    "max_completion_tokens": ("max_output_tokens", "max_tokens"),
    "max_output_tokens": ("max_completion_tokens", "max_tokens"),
    "max_tokens": ("max_output_tokens", "max_completion_tokens"),
    "messages": ("input", "prompt"),
    "organization_id": ("organization",),
    "params": ("extra_query",),
    "prompt": ("input", "messages"),
    "proxies": ("proxy",),
    "request_timeout": ("timeout",),
    "response_format": ("text_format", "text"),
    "retries": ("max_retries",),
    "system": ("instructions", "messages"),
    "text_format": ("response_format",),
    "url": ("base_url",),
    "verify": ("ssl",),
}


def suggestion(name: str, names: Iterable[str]) -> str:
    """Returns "; did you mean 'x'?" for the nearest of some names; an empty text if none is near."""
    from difflib import get_close_matches

    known = list(names)
    near = [related for related in _RELATED.get(name, ()) if related in known] or get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_own(error: Exception) -> bool:
    """Returns whether the package raised an error itself, and not a value that the program gave it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name: str = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return name.partition(".")[0] == __name__.partition(".")[0]


def _options(owner: Any, method: str) -> list[str]:
    """Returns the options of an object's method, with those of the base classes, to which `**options` go."""
    functions = (inspect.unwrap(vars(each)[method]) for each in type(owner).__mro__ if method in vars(each))
    codes = [function.__code__ for function in functions if inspect.isfunction(function)]
    names = [name for code in codes for name in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def suggesting(function: FunctionT) -> FunctionT:
    """Adds the nearest option to the TypeError for a misspelt one, and drops frames with credentials from tracebacks.

    A call without a mistake costs one frame.
    """

    @functools.wraps(function)
    def checked(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(self, *arguments, **options)
        except Exception as error:
            found = re.search(_UNEXPECTED, str(error)) if isinstance(error, TypeError) else None
            # Only an option of this very call, not an error from deeper down.
            names: list[str] = [] if found is None else _options(self, function.__name__)
            if found is not None and found[1] in options and found[1] not in names:
                words = suggestion(found[1], names) or f"; the options are {', '.join(names)}"
                owner = type(self).__name__
                title = owner if function.__name__ == "__init__" else f"{owner}.{function.__name__}"
                refusal: Exception = TypeError(f"{title}() got an unexpected keyword argument {found[1]!r}{words}")
            elif _is_own(error):
                refusal = error
            else:
                raise
        # Tools show the local variables of tracebacks. Those of this frame, and of the frames below, are credentials.
        arguments, options = (), {}
        refusal.__context__ = refusal.__traceback__ = None
        try:
            raise refusal
        finally:
            del refusal

    # `inspect.getfullargspec` does not follow `__wrapped__`, and frameworks ask it for the options of a client.
    vars(checked)["__signature__"] = inspect.signature(function)
    return cast("FunctionT", checked)
