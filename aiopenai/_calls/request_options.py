"""`RequestOptions`: the options of a low-level request, as the reference types them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from aiopenai._base.sentinels import NotGiven, Omit
from aiopenai._base.timeouts import TimeoutTypes

__all__ = ["RequestOptions"]


class RequestOptions(TypedDict, total=False):
    """The options that `client.get`, `client.post` and their kin take as `options`."""

    headers: Mapping[str, str | Omit]
    """Headers of this request."""
    max_retries: int
    """Attempts after the first."""
    timeout: TimeoutTypes | NotGiven
    """Seconds, None, or a `Timeout`."""
    params: Mapping[str, object]
    """Query parameters."""
    extra_json: Mapping[str, Any]
    """Fields that are added to the body."""
    idempotency_key: str
    """The key by which the server tells a repeated request."""
    follow_redirects: bool
    """Accepted for compatibility: redirects are followed, without credentials to other origins."""
    security: Mapping[str, bool]
    """Accepted for compatibility: the path tells whether a request needs the admin key."""
    synthesize_event_and_data: bool
    """Accepted for compatibility: the type of a stream's events tells."""
    stream_mode: Literal["legacy", "events"]
    """Accepted for compatibility: the type of a stream's events tells."""
