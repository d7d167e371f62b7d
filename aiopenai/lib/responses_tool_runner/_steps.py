"""The steps of a run. Its course yields them, and the runner of each client takes them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from aiopenai.lib.tool_callbacks import Effect

__all__ = [
    "BeginStep",
    "CallStep",
    "Course",
    "SendStep",
    "TurnStep",
    "WaitStep",
]

T = TypeVar("T")


class SendStep(NamedTuple):
    """A request. Its result is the response."""

    request: dict[str, Any]


class CallStep(NamedTuple):
    """A call of a function. Its result is the checked output."""

    call: Any


class BeginStep(NamedTuple):
    """A call that runs beside others. Its result is a future or a task."""

    call: Any


class WaitStep(NamedTuple):
    """A wait for the end of calls that run. It has no result, and does not raise their errors."""

    futures: list[Any]
    cancel: bool
    """Whether the tasks of calls are cancelled first."""


class TurnStep(NamedTuple):
    """A complete response, for the program that iterates over the run."""

    turn: Any


Step: TypeAlias = SendStep | CallStep | BeginStep | WaitStep | TurnStep | Effect
Course: TypeAlias = Generator[Step, Any, T]
