"""URLs: what belongs to one server, and what may be shown of them."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

__all__ = ["origin", "redirected", "same_origin", "shown", "without_user"]


def redirected(url: str, location: str) -> str | None:
    """Where a redirect leads; None where that is no http URL."""
    try:
        target = urljoin(url, location)
        scheme, host, _ = origin(target)
    except ValueError:
        return None
    return target if scheme in ("http", "https") and host else None


def same_origin(one: str, other: str) -> bool:
    """Whether what is meant for the one URL's server may be sent to the other's."""
    return origin(one) == origin(other)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def without_user(url: str) -> str:
    """A URL without the user and password that may stand before its host (RFC 3986, section 3.2.1)."""
    scheme, separator, rest = url.partition("://")
    end = min((at for sign in "/?#" if (at := rest.find(sign)) >= 0), default=len(rest))
    return f"{scheme}{separator}{rest[:end].rpartition('@')[2]}{rest[end:]}"


def shown(url: str) -> str:
    """What may be shown of a URL: no user, password or query."""
    return without_user(url).partition("?")[0]
