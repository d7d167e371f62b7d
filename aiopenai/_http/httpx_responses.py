"""Replies as responses of httpx and httpx2, for `cast_to=httpx.Response` of the low-level verbs.

Neither library is imported here: a program that has the class has imported it.
"""

# The libraries are optional, so type checkers know nothing about their objects.
# pyright: basic

from __future__ import annotations

import sys
from typing import Any

from aiopenai._http.messages import HTTPResponse

__all__ = ["httpx_response", "is_httpx_response"]

# Headers about the form in which the body was sent. The body here is decoded.
_OF_THE_FORM = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def _library_name(kind: type[Any]) -> str:
    return kind.__module__.partition(".")[0]


def is_httpx_response(kind: Any) -> bool:
    """Returns whether a type is the response class of httpx or httpx2."""
    return isinstance(kind, type) and kind.__name__ == "Response" and _library_name(kind) in ("httpx", "httpx2")


def httpx_response(kind: Any, reply: HTTPResponse) -> Any:
    """Returns a reply as a response of such a class, with its request."""
    library: Any = sys.modules[_library_name(kind)]
    headers = [(name, value) for name, value in reply.headers.multi_items() if name not in _OF_THE_FORM]
    sent = reply.request
    request = library.Request(sent.method, sent.url, headers=sent.headers.multi_items())
    made = kind(reply.status_code, headers=headers, content=reply.content, request=request)
    made.elapsed = reply.elapsed
    return made
