"""The errors of tool runners."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["ToolRunnerCancelledError", "ToolRunnerError"]


class ToolRunnerError(RuntimeError):
    """A run that stopped before its end.

    It has no cause, because texts of errors may hold secrets. `attempted_call_ids` are the ids of the calls that began,
    and `completed_call_ids` those of the calls that returned.
    """

    def __init__(self, message: str, attempted_call_ids: Iterable[str], completed_call_ids: Iterable[str]) -> None:
        super().__init__(message)
        self.attempted_call_ids = tuple(attempted_call_ids)
        self.completed_call_ids = tuple(completed_call_ids)

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.attempted_call_ids, self.completed_call_ids)


class ToolRunnerCancelledError(asyncio.CancelledError):
    """The cancellation of the task of a run; see `ToolRunnerError` for the attributes."""

    def __init__(self, attempted_call_ids: Iterable[str], completed_call_ids: Iterable[str]) -> None:
        super().__init__("The task of the tool run was cancelled")
        self.attempted_call_ids = tuple(attempted_call_ids)
        self.completed_call_ids = tuple(completed_call_ids)

    def __reduce__(self) -> Any:
        return type(self), (self.attempted_call_ids, self.completed_call_ids)
