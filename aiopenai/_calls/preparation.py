"""Preparation of a call: its options are settled, its URL is built and its body is encoded, once for all attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import override

from aiopenai._base.aliases import python_value
from aiopenai._base.querystring import encode_query
from aiopenai._base.sentinels import NotGiven, is_left_out, not_given
from aiopenai._base.timeouts import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Timeout
from aiopenai._calls.request import Request, shown_path
from aiopenai._data.codec import encode
from aiopenai._http.form import Form

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from aiopenai._calls.hedging import HedgePolicy
    from aiopenai._calls.watching import Watch

__all__ = [
    "CallDefaults",
    "PreparedCall",
    "add_query",
    "checked_deadline",
    "checked_hedge",
    "checked_policy",
    "checked_retries",
    "prepare",
]

T = TypeVar("T")


class CallDefaults(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The options of a call that sets none of its own."""

    timeout: Timeout = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_MAX_RETRIES
    retry: BaseRetrying | None = None
    deadline: float | None = None
    hedge: HedgePolicy | None = None


class PreparedCall(msgspec.Struct, frozen=True, eq=False):
    """One call, ready to be sent: the facts that all its attempts share."""

    request: Request[Any]
    url: str
    body: bytes | Form | Any
    timeout: Timeout
    max_retries: int
    retry: BaseRetrying | None
    deadline: float | None
    hedge: HedgePolicy | None
    idempotency_key: str | None
    watch: Watch | None

    @property
    def rebuildable(self) -> bool:
        """Whether the body can be sent once more. A file or a generator is spent after the first attempt."""
        body = self.body
        if body is None or isinstance(body, (bytes, bytearray)):
            return True
        return isinstance(body, Form) and body.replayable

    @override
    def __repr__(self) -> str:
        return f"<PreparedCall {self.request.endpoint.method} {shown_path(self.request.path)}>"

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("request", self.request)]


def prepare(
    request: Request[Any], url: str, defaults: CallDefaults, watch: Watch | None, once: bool = False
) -> PreparedCall:
    """Returns the prepared call, without retries if `once`. Raises TypeError and ValueError for wrong arguments."""
    timeout, retries, retry, deadline, hedge = (
        defaults.timeout,
        defaults.max_retries,
        defaults.retry,
        defaults.deadline,
        defaults.hedge,
    )
    key: str | None = None
    options = request.options
    if options:
        timeout = _option(options, "timeout", timeout, Timeout.of)
        retries = _option(options, "max_retries", retries, checked_retries)
        retry = checked_policy(options.get("retry")) or retry
        deadline = _option(options, "deadline", deadline, checked_deadline)
        hedge = _option(options, "hedge", hedge, checked_hedge)
        key = options.get("idempotency_key")
    if once:
        retries, retry = 0, None
    endpoint = request.endpoint
    body: Any = None
    if request.files is not None or request.content is not None or endpoint.multipart:
        body = _unencoded_body(request)
    elif request.body is not None and endpoint.method != "GET":
        body = encode(request.body, endpoint.replay)
    if hedge is not None and not _may_hedge(request, body, key):
        hedge = None
    return PreparedCall(request, url, body, timeout, retries, retry, deadline, hedge, key, watch)


def _unencoded_body(request: Request[Any]) -> Any:
    """Returns a body that is not JSON: a form, or the caller's own object."""
    if request.files is not None or request.endpoint.multipart:
        from aiopenai._http.multipart import MultipartBody

        return MultipartBody(request.body or {}, request.files or ())
    return request.content


def add_query(url: str, *queries: str | Mapping[str, object] | None) -> str:
    """Returns a URL with query parameters added. Of mappings, a later one replaces names of an earlier one."""
    parameters: dict[str, object] = {}
    for query in queries:
        if isinstance(query, str):
            url = _joined(url, query)
        elif query:
            parameters.update(query)
    if parameters:
        url = _joined(url, encode_query({name: value for name, value in parameters.items() if not is_left_out(value)}))
    return url


def _joined(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _option(options: Mapping[str, Any], name: str, default: T, check: Callable[[Any], T]) -> T:
    value = options.get(name, not_given)
    return default if isinstance(value, NotGiven) else check(value)


def _may_hedge(request: Request[Any], body: Any, key: str | None) -> bool:
    """Returns whether a call may be made twice at the same time."""
    from aiopenai._calls.hedging import harmless

    safe = key or harmless(request.endpoint.method, request.endpoint.path, request.body)
    return bool(safe) and (body is None or isinstance(body, bytes))


def checked_retries(value: Any) -> int:
    """Returns `max_retries`. Raises TypeError and ValueError for anything but a non-negative int."""
    value = python_value(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_retries must be a non-negative integer, not {value!r}; pass 0 for no retries")
    if value < 0:
        raise ValueError(f"max_retries must be a non-negative integer, not {value}")
    return value


def checked_deadline(value: Any) -> float | None:
    """Returns `deadline`. Raises ValueError for anything but None and a positive number."""
    value = python_value(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError(f"deadline must be a positive number of seconds or None, not {value!r}")
    return value


def checked_hedge(value: Any) -> HedgePolicy | None:
    """Returns `hedge`. Raises TypeError for anything but None and a HedgePolicy."""
    if value is None:
        return None
    from aiopenai._calls.hedging import HedgePolicy

    if not isinstance(value, HedgePolicy):
        raise TypeError(f"hedge must be a HedgePolicy, not {type(value).__name__}")
    return value


def checked_policy(value: Any) -> Any:
    """Returns `retry`. Raises TypeError for anything but None and a tenacity policy; tenacity is not imported."""
    if value is not None and not (hasattr(value, "stop") and hasattr(value, "wait") and hasattr(value, "retry")):
        raise TypeError(f"retry must be a tenacity policy such as AsyncRetrying(...), not {type(value).__name__}")
    return value
