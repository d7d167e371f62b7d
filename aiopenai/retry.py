"""Retry rules, and the tenacity policies made of them.

Another attempt is made after connection errors, timeouts and the statuses 408, 409, 429 and >= 500, with these
exceptions: the server forbids it (`x-should-retry: false`), the quota is used up, the request exceeds a limit as a
whole, the server asks for a wait of more than two minutes, the body cannot be sent twice, or the error's `retryable` is
False. The wait is the one that the server asks for, or 0.5 s doubling to 8 s. Jitter is added and never taken off, so
that no attempt comes before the time that the server named.

The parts compose with tenacity's own: `retry_if_worthwhile() & mine`, `wait_as_told() + wait_random(0, 1)`,
`stop_after_retries(5) | stop_after_delay(60)`.
"""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Mapping
from typing import Any, cast

import tenacity
from tenacity.retry import retry_base
from tenacity.stop import stop_base
from tenacity.wait import wait_base
from typing_extensions import override

from aiopenai.errors import APIConnectionError, APIError, APIStatusError

__all__ = [
    "INITIAL_DELAY",
    "MAX_DELAY",
    "MAX_RETRY_AFTER",
    "never_fits",
    "policy",
    "quota_used_up",
    "retry_after",
    "retry_if_worthwhile",
    "stop_after_retries",
    "wait_as_told",
    "worth_retrying",
]

INITIAL_DELAY = 0.5
MAX_DELAY = 8.0
MAX_RETRY_AFTER = 120.0
_JITTER = 0.25
# A wait that the server asks for is kept closely: a tenth more is enough to spread the clients.
_TOLD_JITTER = 0.1
# A number of seconds beyond this is a Unix time: some gateways send one. It is the year 2001.
_UNIX_TIMES = 1e9
# Codes and types of a quota or a balance that is used up: waiting does not fill it.
_USED_UP = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_quota",
        "quota_exceeded",
    }
)
# "Limit 30000, Requested 40123" in the message of a rate limit.
_LIMIT = re.compile(r"\blimit:?\s+(\d[\d,]*)", re.IGNORECASE)
_REQUESTED = re.compile(r"\brequested:?\s+(\d[\d,]*)", re.IGNORECASE)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the wait in seconds from `retry-after-ms` or `Retry-After`, which may be seconds, a date or a Unix time.

    Returns None if neither holds a usable value.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            continue
        if math.isnan(seconds) or seconds < 0:
            return None
        return max(0.0, seconds - time.time()) if _UNIX_TIMES <= seconds < math.inf else seconds
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, LookupError, OverflowError):
        return None


def quota_used_up(error: BaseException | None) -> bool:
    """Returns whether an error says that the account's quota or balance is used up."""
    return isinstance(error, APIError) and (error.code in _USED_UP or error.type in _USED_UP)


def never_fits(error: BaseException | None) -> bool:
    """Returns whether a rate limit refused a request that exceeds the whole limit, so that it never fits."""
    if not isinstance(error, APIStatusError) or error.status_code != 429:
        return False
    if error.code == "request_too_large" or "request too large" in error.message.lower():
        return True
    limit, requested = _LIMIT.search(error.message), _REQUESTED.search(error.message)
    return limit is not None and requested is not None and _number(requested[1]) > _number(limit[1])


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def worth_retrying(error: BaseException | None) -> bool:
    """Returns whether another attempt may end better.

    An APIResponseValidationError is never retried: the server has answered, and was paid for it.
    """
    if not isinstance(error, APIError) or not (error.replayable and error.retryable):
        return False
    if isinstance(error, APIConnectionError):
        return True
    if not isinstance(error, APIStatusError) or quota_used_up(error) or never_fits(error):
        return False
    if error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER:
        return False
    said = error.response.headers.get("x-should-retry")
    if said in ("true", "false"):
        return bool(said == "true")
    return error.status_code in (408, 409, 429) or error.status_code >= 500


def delay(error: BaseException | None, failures: int) -> float:
    """Returns the seconds to wait after the `failures`-th failed attempt, jitter included."""
    told = error.retry_after if isinstance(error, APIStatusError) else None
    if told:
        return told * (1 + _TOLD_JITTER * random.random())
    seconds = min(INITIAL_DELAY * 2.0 ** min(failures - 1, 16), MAX_DELAY)
    return seconds * (1 + _JITTER * random.random())


class retry_if_worthwhile(retry_base):  # noqa: N801 - named as tenacity's own are
    """Retries after the errors of `worth_retrying`."""

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        outcome = retry_state.outcome
        return outcome is not None and outcome.failed and worth_retrying(outcome.exception())


class wait_as_told(wait_base):  # noqa: N801
    """Waits as long as the server asks, or else exponentially, with positive jitter."""

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        return delay(None if outcome is None else outcome.exception(), retry_state.attempt_number)


class stop_after_retries(stop_base):  # noqa: N801
    """Stops after `retries` attempts beyond the first."""

    def __init__(self, retries: int) -> None:
        self.retries = retries

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.attempt_number > self.retries


# Each kind of policy has its own objects as defaults.
_tenacity_defaults = tenacity.AsyncRetrying(), tenacity.Retrying()


def policy(max_retries: int, own: Any = None) -> tenacity.AsyncRetrying:
    """Returns the policy of one call; it is new for each call, because it keeps state while it runs.

    `own` is a tenacity policy of the program, `AsyncRetrying(...)` or `Retrying(...)`. The parts that it sets are taken
    from it, and the parts that it leaves at tenacity's default from here: a policy with only a `stop` retries as usual.
    """
    parts: dict[str, Any] = {
        "stop": stop_after_retries(max_retries),
        "wait": wait_as_told(),
        "retry": retry_if_worthwhile(),
    }
    if own is None:
        return tenacity.AsyncRetrying(reraise=True, **parts)
    if not isinstance(own, tenacity.BaseRetrying):
        raise TypeError(f"retry must be a tenacity policy such as AsyncRetrying(...), not {type(own).__name__}")
    for name, ours in parts.items():
        theirs = getattr(own, name)
        if any(theirs is getattr(defaults, name) for defaults in _tenacity_defaults):
            theirs = ours
        parts[name] = theirs
    for name in ("before", "after", "before_sleep"):
        parts[name] = getattr(own, name)
    if isinstance(own, tenacity.AsyncRetrying):
        parts["sleep"] = cast("Any", own.sleep)
    return tenacity.AsyncRetrying(reraise=True, **parts)
