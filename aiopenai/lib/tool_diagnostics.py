"""Diagnostics of tool runners: stages, results and durations of a run, without its contents."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

__all__ = ["ToolDiagnostic", "ToolDiagnosticObserver", "ToolDiagnosticUsage"]

_Api: TypeAlias = Literal["responses", "decisions", "browser", "computer"]
_Stage: TypeAlias = Literal[
    "run", "request", "arguments", "approval", "action", "output", "selection", "verification"
]  # fmt: skip
_Reason: TypeAlias = Literal[
    "started",
    "completed",
    "refused",
    "cancelled",
    "invalid_input",
    "invalid_output",
    "api_failed",
    "driver_failed",
    "policy_failed",
    "step_limit",
    "busy",
    "closed",
]
_TOKENS = ("input_tokens", "output_tokens", "total_tokens")


class ToolDiagnosticUsage(TypedDict):
    """The tokens of a response."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ToolDiagnostic(TypedDict):
    """The result of one stage. `member` is the name of the tool; `duration_ms` is counted from the stage's start."""

    api: _Api
    stage: _Stage
    reason: _Reason
    call_id: str | None
    member: str | None
    duration_ms: float
    usage: ToolDiagnosticUsage | None


ToolDiagnosticObserver: TypeAlias = Callable[[ToolDiagnostic], None]
"""The type of `on_diagnostic`. Its exceptions have no effect on the run, and an awaitable result is not awaited."""


def emit_tool_diagnostic(
    observer: ToolDiagnosticObserver | None,
    api: _Api,
    stage: _Stage,
    reason: _Reason,
    started: float,
    *,
    call_id: str | None = None,
    member: str | None = None,
    usage: object = None,
) -> None:
    """Passes a diagnostic to an observer. `started` is a time of `time.monotonic`, `usage` the usage of a reply."""
    if observer is None:
        return
    diagnostic: ToolDiagnostic = {
        "api": api,
        "stage": stage,
        "reason": reason,
        "call_id": call_id,
        "member": member,
        "duration_ms": max(0.0, (monotonic() - started) * 1000),
        "usage": _tokens(usage),
    }
    try:
        _discard(observer(diagnostic))
    except (Exception, asyncio.CancelledError):
        # A broken observer must not stop a run in the middle of its effects.
        return


def _tokens(usage: Any) -> ToolDiagnosticUsage | None:
    counts: Any = {name: getattr(usage, name, None) for name in _TOKENS}
    return counts if all(type(count) is int and count >= 0 for count in counts.values()) else None


def _discard(result: Any) -> None:
    """Ends a result that nothing awaits, so that Python does not warn of it."""
    if inspect.iscoroutine(result):
        result.close()
    elif asyncio.isfuture(result):
        result.add_done_callback(_read)


def _read(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
