"""The outcome of one request of a job."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from typing_extensions import override

from aiopenai._base.aliases import is_mapping
from aiopenai._calls.request import Request
from aiopenai._jobs.items import BatchLine

__all__ = ["Result"]

ReplyT = TypeVar("ReplyT")


class Result(Generic[ReplyT]):
    """The outcome of one request of a job: `reply`, or the exception in `error`.

    - `index`: the place in the source, from 0. `request`: the item of the source.
    - `attempts`: the number of attempts; 0 for a request that could not be sent at all.
    - `queued`: seconds from the reading of the item to the first attempt. `first_byte`: seconds of the last attempt
      until the head of its reply. `total`: seconds from the first attempt to the end, waits included. Each is None if
      the request did not get that far.
    - `usage`: the reply's usage.
    """

    __slots__ = ("attempts", "error", "first_byte", "index", "queued", "reply", "request", "total", "usage")

    def __init__(self, index: int, request: Request[ReplyT] | BatchLine) -> None:
        self.index = index
        self.request = request
        self.reply: ReplyT | None = None
        self.error: Exception | None = None
        self.attempts = 0
        self.queued: float | None = None
        self.first_byte: float | None = None
        self.total: float | None = None
        self.usage: Any = None

    @property
    def ok(self) -> bool:
        """Whether there is a reply."""
        return self.error is None

    @property
    def custom_id(self) -> str | None:
        """The `custom_id` of a batch line."""
        return self.request.get("custom_id") if is_mapping(self.request) else None

    def unwrap(self) -> ReplyT:
        """Returns the reply, or raises `error`."""
        if self.error is not None:
            raise self.error
        return cast("ReplyT", self.reply)

    def to_dict(self) -> dict[str, Any]:
        """Returns the outcome as plain values, a row of a table: `pandas.DataFrame([result.to_dict(), ...])`.

        `reply` and `usage` are dicts; `error` is the text of the exception and `error_type` its class.
        """
        error = self.error
        return {
            "index": self.index,
            "custom_id": self.custom_id,
            "ok": self.ok,
            "reply": _plain_value(self.reply),
            "error_type": None if error is None else type(error).__name__,
            "error": None if error is None else str(error),
            "attempts": self.attempts,
            "queued": self.queued,
            "first_byte": self.first_byte,
            "total": self.total,
            "usage": _plain_value(self.usage),
        }

    @override
    def __repr__(self) -> str:
        outcome = "ok" if self.error is None else type(self.error).__name__
        return f"<Result {self.index} {outcome}, {self.attempts} attempts>"


def _plain_value(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value
