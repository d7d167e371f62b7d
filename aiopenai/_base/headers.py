"""Headers as dicts: names in any case, `omit` to leave one out, and the ones that are nobody else's business."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aiopenai._base.sentinels import is_left_out

__all__ = ["OWN_HEADERS", "REDACTED", "SECRET_HEADERS", "drop", "from_environment", "has", "merged"]

# Whatever else a header of these names holds, it is nobody's business in a log, an exception or a pickle.
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie", "set-cookie", "x-amz-security-token"}
)
# Beside the secrets themselves, what tells whose they are: none of it is another origin's business.
OWN_HEADERS = SECRET_HEADERS | {"openai-organization", "openai-project", "idempotency-key"}
REDACTED = "<redacted>"


def from_environment() -> dict[str, str]:
    """The headers that `OPENAI_CUSTOM_HEADERS` has, a line each."""
    headers: dict[str, str] = {}
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip()] = value.strip()
    return headers


def merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` over `base`, by names in any case; what is `omit` there is removed."""
    for name, value in more.items():
        drop(base, name.lower())
        if not is_left_out(value):
            base[name] = value
    return base


def drop(headers: dict[str, Any], lower: str) -> None:
    """Remove a header, given in lower case, however it is written."""
    for name in [name for name in headers if name.lower() == lower]:
        del headers[name]


def has(headers: Mapping[str, Any], lower: str) -> bool:
    """Whether a header, given in lower case, is there."""
    return any(name.lower() == lower for name in headers)
