"""When to try again, and how long to wait before: the rules, and tenacity policies made of them.

Connection errors, timeouts and the statuses 408, 409, 429 and >= 500 are worth another attempt unless the server says
otherwise (`x-should-retry`), the quota is used up (more attempts cannot help), the server wants more patience than two
minutes, or the body cannot be sent twice. The wait is what the server says, else 0.5 s doubling to 8 s; jitter is
always added and never taken off, so that nobody comes back before the time that the server named.

The parts compose with tenacity's own: `retry_if_worthwhile() & mine`, `wait_as_told() + wait_random(0, 1)`,
`stop_after_retries(5) | stop_after_delay(60)`.
"""

from __future__ import annotations

import email.utils
import math
import random
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
    "policy",
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
# What a server asks for is kept closely: a tenth more is enough to spread the crowd.
_TOLD_JITTER = 0.1


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (seconds or a date); None if neither says something sensible."""
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
        return seconds
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, LookupError, OverflowError):
        return None


def worth_retrying(error: BaseException | None) -> bool:
    """Whether another attempt can be expected to end better."""
    if not isinstance(error, APIError) or not error.replayable:
        return False
    if isinstance(error, APIConnectionError):
        return True
    if not isinstance(error, APIStatusError):
        return False
    if "insufficient_quota" in (error.code, error.type):
        return False
    if error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER:
        return False
    said = error.response.headers.get("x-should-retry")
    if said in ("true", "false"):
        return bool(said == "true")
    return error.status_code in (408, 409, 429) or error.status_code >= 500


def delay(error: BaseException | None, failures: int) -> float:
    """Seconds to wait after the `failures`-th failed attempt, jitter included."""
    told = error.retry_after if isinstance(error, APIStatusError) else None
    if told:
        return told * (1 + _TOLD_JITTER * random.random())
    seconds = min(INITIAL_DELAY * 2.0 ** min(failures - 1, 16), MAX_DELAY)
    return seconds * (1 + _JITTER * random.random())


class retry_if_worthwhile(retry_base):  # noqa: N801 - named as tenacity's own are
    """Try again after the errors of `worth_retrying`."""

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        outcome = retry_state.outcome
        return outcome is not None and outcome.failed and worth_retrying(outcome.exception())


class wait_as_told(wait_base):  # noqa: N801
    """Wait as the server says, else exponentially, with positive jitter."""

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        return delay(None if outcome is None else outcome.exception(), retry_state.attempt_number)


class stop_after_retries(stop_base):  # noqa: N801
    """Stop when `retries` further attempts were made after the first."""

    def __init__(self, retries: int) -> None:
        self.retries = retries

    @override
    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.attempt_number > self.retries


# Its two kinds of policies have default objects of their own.
_tenacity_defaults = tenacity.AsyncRetrying(), tenacity.Retrying()


def policy(max_retries: int, own: Any = None) -> tenacity.AsyncRetrying:
    """The policy of one call, made afresh because a policy keeps state while it runs.

    `own` is a tenacity policy of the user's (`AsyncRetrying(...)` or `Retrying(...)`). What it sets is taken from it,
    and what it leaves at tenacity's default from here: a policy that only has a `stop` still retries what is worth it.
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
