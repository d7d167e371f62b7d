"""URLs: origins, the targets of redirects, and the form that may be shown."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit, urlunsplit

from aiopenai._base.redaction import redacted_url

__all__ = ["origin", "redirected", "same_origin", "shown", "websocket_url"]


def redirected(url: str, location: str) -> str | None:
    """Returns the target of a redirect; None if it is no http URL."""
    try:
        target = urljoin(url, location)
        scheme, host, _ = origin(target)
    except ValueError:
        return None
    return target if scheme in ("http", "https") and host else None


def same_origin(one: str, other: str) -> bool:
    """Returns whether two URLs have the same scheme, host and port: credentials of one may go to the other."""
    return origin(one) == origin(other)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port. Raises ValueError for a port that is no number."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def shown(url: str) -> str:
    """Returns a URL as it may be shown: without user, password, query and fragment."""
    return redacted_url(url).partition("?")[0].partition("#")[0]


def websocket_url(base: str, path: str) -> str:
    """Returns the URL of a websocket below a base URL: with its path, its query, and ws for http, wss for https."""
    parts = urlsplit(base)
    scheme = "ws" if parts.scheme in ("http", "ws") else "wss"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, parts.query, ""))
