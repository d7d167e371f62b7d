"""The reference's classes of HTTP clients, on httpx2 or httpx, whichever is installed."""

# pyright: basic

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

__all__ = ["default_client", "library"]

_LIMITS = {"max_connections": 1000, "max_keepalive_connections": 100}


@lru_cache(maxsize=1)
def library() -> Any:
    """Returns the module httpx2, or else httpx. Raises ImportError that names both."""
    for name in ("httpx2", "httpx"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError("this name needs an HTTP library: pip install httpx")


@lru_cache(maxsize=8)
def default_client(name: str, blocking: bool) -> Any:
    """Returns a client class with the reference's defaults: 600 s, 5 s to connect, 1,000 connections, redirects."""
    base = library().Client if blocking else library().AsyncClient

    def start(self: Any, **given: Any) -> None:
        given.setdefault("timeout", library().Timeout(600.0, connect=5.0))
        given.setdefault("limits", library().Limits(**_LIMITS))
        given.setdefault("follow_redirects", True)
        base.__init__(self, **given)

    return type(name, (base,), {"__init__": start, "__module__": "openai", "__doc__": default_client.__doc__})


@lru_cache(maxsize=1)
def connection_limits() -> Any:
    """Returns the reference's limits of connections."""
    return library().Limits(**_LIMITS)
