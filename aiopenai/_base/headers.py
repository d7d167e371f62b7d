"""Headers as dicts: names match in any case, `omit` removes a header, and secret headers are listed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aiopenai._base.sentinels import is_left_out

__all__ = ["OWN_HEADERS", "REDACTED", "SECRET_HEADERS", "drop", "from_environment", "has", "merged"]

# The values of these headers never appear in a log, an exception or a pickle.
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie", "set-cookie", "x-amz-security-token"}
)
# Secrets, and headers that identify the account. They are never sent to another origin.
OWN_HEADERS = SECRET_HEADERS | {"openai-organization", "openai-project", "idempotency-key"}
REDACTED = "<redacted>"


def from_environment() -> dict[str, str]:
    """Returns the headers of `OPENAI_CUSTOM_HEADERS`, one per line."""
    headers: dict[str, str] = {}
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip()] = value.strip()
    return headers


def merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Adds `more` to `base`; names match in any case. The value `omit` removes the header."""
    for name, value in more.items():
        drop(base, name.lower())
        if not is_left_out(value):
            base[name] = value
    return base


def drop(headers: dict[str, Any], lower: str) -> None:
    """Removes a header in any case. `lower` is its name in lower case."""
    for name in [name for name in headers if name.lower() == lower]:
        del headers[name]


def has(headers: Mapping[str, Any], lower: str) -> bool:
    """Returns whether a header is present in any case. `lower` is its name in lower case."""
    return any(name.lower() == lower for name in headers)
