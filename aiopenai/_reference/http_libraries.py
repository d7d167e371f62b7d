"""The names of the reference that belong to its HTTP library: httpx2, or else httpx, whichever is installed.

Neither is imported before one of these names is used.
"""

# pyright: basic

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

__all__ = [
    "default_client",
    "http_response_types",
    "is_httpx2_async_client",
    "is_httpx2_sync_client",
    "is_legacy_httpx_async_client",
    "is_legacy_httpx_sync_client",
    "library",
    "normalize_httpx2_auth",
    "normalize_httpx2_timeout",
    "normalize_httpx_timeout",
    "normalize_httpx_url",
    "normalize_legacy_httpx_auth",
    "normalize_legacy_httpx_timeout",
    "request_exceptions",
    "request_not_read_exceptions",
    "status_exceptions",
    "stream_consumed_exceptions",
    "timeout_exceptions",
]

# The reference's classes of clients; True for blocking ones.
_CLIENTS = {
    "DefaultHttpxClient": True,
    "DefaultHttpx2Client": True,
    "SyncHttpxClientWrapper": True,
    "DefaultAsyncHttpxClient": False,
    "DefaultAsyncHttpx2Client": False,
    "DefaultAioHttpClient": False,
    "AsyncHttpxClientWrapper": False,
}
# Names of the reference, and those of the library.
_SAME = {
    "Transport": "BaseTransport",
    "BaseTransport": "BaseTransport",
    "AsyncTransport": "AsyncBaseTransport",
    "AsyncBaseTransport": "AsyncBaseTransport",
    "Response": "Response",
    "Proxy": "Proxy",
    "URL": "URL",
}


@lru_cache(maxsize=1)
def library() -> Any:
    """Returns the module httpx2, or else httpx. Raises ImportError that names both."""
    for name in ("httpx2", "httpx"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise ImportError("this name needs an HTTP library: pip install httpx2, or httpx")


@lru_cache(maxsize=len(_CLIENTS))
def default_client(name: str) -> Any:
    """Returns a client class with the reference's defaults: 600 s, 5 s to connect, 1,000 connections, redirects."""
    try:
        base = library().Client if _CLIENTS[name] else library().AsyncClient
    except ImportError as missing:
        # Programs import the name without a use for it: only its call needs the library.
        return _unusable(name, str(missing))

    def start(self: Any, **given: Any) -> None:
        given.setdefault("timeout", library().Timeout(600.0, connect=5.0))
        given.setdefault("limits", _limits())
        given.setdefault("follow_redirects", True)
        base.__init__(self, **given)

    return type(name, (base,), {"__init__": start, "__module__": "openai", "__doc__": default_client.__doc__})


def _unusable(name: str, why: str) -> Any:
    def start(self: Any, **_: Any) -> None:
        raise ImportError(f"{name}: {why}")

    return type(name, (), {"__init__": start, "__module__": "openai", "__doc__": why})


def _limits() -> Any:
    return library().Limits(max_connections=1000, max_keepalive_connections=100)


def _proxies() -> Any:
    address: Any = str | library().Proxy
    return address | _mapping_of(address)


def _mapping_of(kind: Any) -> Any:
    # Subscribed by hand, because type checkers take a subscription with a variable for an annotation.
    return dict.__class_getitem__((str, kind | None))


# The other names, each made when it is asked for.
_MADE: dict[str, Callable[[], Any]] = {
    "DEFAULT_CONNECTION_LIMITS": _limits,
    "HTTPX_DEFAULT_TIMEOUT": lambda: library().Timeout(5.0),
    "ProxiesTypes": _proxies,
    "ProxiesDict": lambda: _mapping_of(str | library().Proxy),
}


def __getattr__(name: str) -> Any:
    try:
        if name in _CLIENTS:
            value = default_client(name)
        elif name in _SAME:
            value = getattr(library(), _SAME[name])
        elif name in _MADE:
            value = _MADE[name]()
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    except ImportError as missing:
        # `hasattr` and tools that list a module expect this error.
        raise AttributeError(f"{name}: {missing}") from missing
    globals()[name] = value
    return value


def _loaded() -> list[Any]:
    """Returns the HTTP libraries that the program has imported, the newer one first."""
    return [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]


def _is_of(name: str, cls: str, value: object) -> bool:
    module = sys.modules.get(name)
    return module is not None and isinstance(value, getattr(module, cls))


def is_httpx2_sync_client(value: object) -> bool:
    """Returns whether a value is a blocking client of httpx2."""
    return _is_of("httpx2", "Client", value)


def is_httpx2_async_client(value: object) -> bool:
    """Returns whether a value is an asynchronous client of httpx2."""
    return _is_of("httpx2", "AsyncClient", value)


def is_legacy_httpx_sync_client(value: object) -> bool:
    """Returns whether a value is a blocking client of httpx."""
    return _is_of("httpx", "Client", value)


def is_legacy_httpx_async_client(value: object) -> bool:
    """Returns whether a value is an asynchronous client of httpx."""
    return _is_of("httpx", "AsyncClient", value)


def normalize_httpx_url(value: Any) -> Any:
    """Returns a URL of the HTTP library from a text, or from a URL of either library."""
    return value if isinstance(value, library().URL) else library().URL(str(value))


def _as_timeout(cls: Any, value: Any) -> Any:
    """Returns a timeout as a class of an HTTP library; numbers and None unchanged."""
    parts = ("connect", "read", "write", "pool")
    if isinstance(value, cls) or not all(hasattr(value, part) for part in parts):
        return value
    return cls(**{part: getattr(value, part) for part in parts})


def normalize_httpx_timeout(value: Any) -> Any:
    """Returns a timeout of either library as one of the installed library; numbers and None unchanged."""
    return _as_timeout(library().Timeout, value)


normalize_httpx2_timeout = normalize_httpx_timeout


def normalize_legacy_httpx_timeout(value: Any) -> Any:
    """Returns a timeout as one of httpx, if the program has imported it; numbers and None unchanged."""
    legacy = sys.modules.get("httpx")
    return value if legacy is None else _as_timeout(legacy.Timeout, value)


def _as_auth(cls: Any, value: Any) -> Any:
    if isinstance(value, cls) or not hasattr(value, "auth_flow"):
        return value
    # The flows of both libraries are generators of requests.
    return type("Auth", (cls,), {"auth_flow": lambda _, request: value.auth_flow(request)})()


def normalize_httpx2_auth(value: Any) -> Any:
    """Returns an authentication of either library as one of the installed library."""
    return _as_auth(library().Auth, value)


def normalize_legacy_httpx_auth(value: Any) -> Any:
    """Returns an authentication as one of httpx, if the program has imported it."""
    legacy = sys.modules.get("httpx")
    return value if legacy is None else _as_auth(legacy.Auth, value)


def http_response_types() -> tuple[Any, ...]:
    """Returns the response classes of the imported libraries."""
    return tuple(module.Response for module in _loaded())


def timeout_exceptions() -> tuple[Any, ...]:
    """Returns the exceptions of the imported libraries for timeouts."""
    return tuple(module.TimeoutException for module in _loaded())


def request_exceptions() -> tuple[Any, ...]:
    """Returns the exceptions of the imported libraries for requests that failed."""
    return tuple(module.RequestError for module in _loaded())


def status_exceptions() -> tuple[Any, ...]:
    """Returns the exceptions of the imported libraries for statuses of errors."""
    return tuple(module.HTTPStatusError for module in _loaded())


def stream_consumed_exceptions() -> tuple[Any, ...]:
    """Returns the exceptions of the imported libraries for bodies that were read before."""
    return tuple(module.StreamConsumed for module in _loaded())


def request_not_read_exceptions() -> tuple[Any, ...]:
    """Returns the exceptions of the imported libraries for requests whose body was not read."""
    return tuple(module.RequestNotRead for module in _loaded())
