"""The options of a runner and of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from aiopenai.lib.calls import check_count
from aiopenai.lib.computer._toolsets import ComputerCallbacks
from aiopenai.lib.responses_tool_runner._budget import AsyncContextBudget, Budget, ContextBudget
from aiopenai.lib.responses_tool_runner._ledger import (
    AsyncResponsesToolLedger,
    ResponsesToolCheckpoint,
    ResponsesToolLedger,
    read_checkpoint,
)
from aiopenai.lib.tool_diagnostics import ToolDiagnosticObserver

__all__ = ["RunOptions", "RunnerOptions", "check_names"]


class RunnerOptions(TypedDict, total=False):
    """The options of one run; see `run`."""

    max_steps: int | None
    stream: bool
    eager: bool
    max_concurrent_calls: int
    on_event: Callable[[Any], Any] | None
    cancelled: Callable[[], bool] | None
    approve_safety_checks: Callable[[Any], Any] | None
    before_action: Callable[[Any], Any] | None
    ledger: ResponsesToolLedger | AsyncResponsesToolLedger | None
    context_budget: ContextBudget | AsyncContextBudget | None
    on_diagnostic: ToolDiagnosticObserver | None
    approve_mcp: Callable[[Any], Any] | None
    before_early_call: Callable[[Any], Any] | None


# Options of the reference's runners that register toolsets which do not exist here.
_ABSENT = ("browser",)


def check_names(given: Mapping[str, Any], known: Iterable[str], owner: str) -> None:
    """Raises TypeError for options that do not exist. Absent options of the reference may be None."""
    for name, value in given.items():
        if name in known or (name in _ABSENT and value is None):
            continue
        reason = "is not supported here: leave it out" if name in _ABSENT else "does not exist"
        raise TypeError(f"The option {name!r} of {owner} {reason}")


class RunOptions:
    """The checked options of one run. Raises TypeError for unknown ones, ValueError for invalid ones."""

    def __init__(self, given: RunnerOptions, ledger_type: type[Any]) -> None:
        check_names(given, RunnerOptions.__annotations__, "a run")
        self.stream = bool(given.get("stream", False))
        self.eager = bool(given.get("eager", False))
        self.on_event = given.get("on_event")
        self.cancelled: Callable[[], bool] = given.get("cancelled") or _never
        self.approve_mcp = given.get("approve_mcp")
        self.before_early_call = given.get("before_early_call")
        self.on_diagnostic = given.get("on_diagnostic")
        self.computer = ComputerCallbacks(
            {
                "approve_safety_checks": given.get("approve_safety_checks"),
                "before_action": given.get("before_action"),
                "cancelled": self.cancelled,
                "on_diagnostic": self.on_diagnostic,
            }
        )
        self.max_concurrent_calls = given.get("max_concurrent_calls", 2)
        check_count("max_concurrent_calls", self.max_concurrent_calls)
        self.ledger = given.get("ledger")
        if self.ledger is not None:
            _check_ledger(self.ledger, ledger_type)
        self.checkpoint: ResponsesToolCheckpoint | None = read_checkpoint(
            None if self.ledger is None else self.ledger.resume_from
        )
        self.max_steps: Any = given.get("max_steps")
        if self.max_steps is None:
            self.max_steps = 20 if self.checkpoint is None else self.checkpoint.get("max_steps")
        check_count("max_steps", self.max_steps)
        if self.eager and not self.stream:
            raise ValueError("`eager` needs `stream=True`: it starts calls while their response arrives")
        budget = given.get("context_budget")
        self.budget = None if budget is None else Budget(budget)


def _check_ledger(ledger: Any, ledger_type: type[Any]) -> None:
    if not isinstance(ledger, ledger_type):
        raise ValueError(f"`ledger` is a {ledger_type.__name__}, not {type(ledger).__name__}")
    if not isinstance(ledger.run_id, str) or not ledger.run_id or not callable(ledger.save):
        raise ValueError("A ledger needs a `run_id` that is not empty, and a function as `save`")


def _never() -> bool:
    return False
