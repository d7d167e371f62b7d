"""The values that runners of decisions take and return, and their errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

if TYPE_CHECKING:
    from aiopenai.types import Decision
    from aiopenai.types.shared.params import DecisionInputImageParam, DecisionInputTextParam

    _Part: TypeAlias = DecisionInputTextParam | DecisionInputImageParam
else:
    # The types of the API are imported with the first request.
    Decision = _Part = Any

__all__ = [
    "AsyncDecisionActionCandidate",
    "AsyncDecisionCandidate",
    "DecisionActionCandidate",
    "DecisionCandidate",
    "DecisionDoneCandidate",
    "DecisionObservation",
    "DecisionsRunResult",
    "DecisionsRunnerParams",
    "DecisionsToolRunnerCancelledError",
    "DecisionsToolRunnerError",
]

DecisionObservation: TypeAlias = str | Iterable[_Part]
"""The state that the model decides on: a text, or parts that are texts and images."""


class DecisionActionCandidate(TypedDict):
    """An action that the model may choose. Its `id` and `description` are sent; `execute` does it."""

    id: str
    description: str
    execute: Callable[..., object]
    done: NotRequired[Literal[False]]


class AsyncDecisionActionCandidate(TypedDict):
    """An action with a coroutine function; see `DecisionActionCandidate`."""

    id: str
    description: str
    execute: Callable[..., Awaitable[object]]
    done: NotRequired[Literal[False]]


class DecisionDoneCandidate(TypedDict):
    """The choice by which the model says that the task is done."""

    id: str
    description: str
    done: Literal[True]


DecisionCandidate: TypeAlias = DecisionActionCandidate | DecisionDoneCandidate
AsyncDecisionCandidate: TypeAlias = AsyncDecisionActionCandidate | DecisionDoneCandidate


class DecisionsRunnerParams(TypedDict):
    """The arguments of a run: the model, and the task as `input`."""

    model: str
    input: str
    safety_identifier: NotRequired[str | None]


RunStatus: TypeAlias = Literal["verified", "unverified", "refused"]


class DecisionsRunResult(TypedDict):
    """The end of a run. It is `unverified` without a function `verify`, and `refused` by the model."""

    status: RunStatus
    decisions: list[Decision]
    attempted_candidate_ids: list[str]
    completed_candidate_ids: list[str]


Reason: TypeAlias = Literal[
    "invalid_params",
    "invalid_candidates",
    "invalid_answer",
    "async_executor",
    "invalid_verification",
    "verification_failed",
    "step_limit",
    "failed",
    "cancelled",
]
MESSAGES: dict[Reason, str] = {
    "invalid_params": "A run takes the texts `model`, `input` and `safety_identifier`, and a `max_steps` above 0",
    "invalid_candidates": "Candidates are up to 255 dicts with unique ids, descriptions and `execute`; one is `done`",
    "invalid_answer": "The decision is not a choice among the candidates",
    "async_executor": "An action returned an awaitable: use AsyncDecisionsToolRunner",
    "invalid_verification": "`verify` must return True or False",
    "verification_failed": "The verification failed, and no action is left",
    "step_limit": "The run took `max_steps` steps and is not done",
    "failed": "The run stopped: a callback or a request failed",
    "cancelled": "The run was cancelled",
}


class DecisionsToolRunnerError(RuntimeError):
    """A run that stopped before its end; `reason` says why.

    It has no cause, because texts of errors may hold secrets. `attempted_candidate_ids` are the actions that began, and
    `completed_candidate_ids` those that returned.
    """

    def __init__(self, reason: Reason, attempted: Iterable[str], completed: Iterable[str]) -> None:
        super().__init__(MESSAGES[reason])
        self.reason: Reason = reason
        self.attempted_candidate_ids = tuple(attempted)
        self.completed_candidate_ids = tuple(completed)

    def __reduce__(self) -> Any:
        return type(self), (self.reason, self.attempted_candidate_ids, self.completed_candidate_ids)


class DecisionsToolRunnerCancelledError(asyncio.CancelledError):
    """The cancellation of the task of a run; see `DecisionsToolRunnerError` for the attributes."""

    def __init__(self, attempted: Iterable[str], completed: Iterable[str]) -> None:
        super().__init__(MESSAGES["cancelled"])
        self.reason: Literal["cancelled"] = "cancelled"
        self.attempted_candidate_ids = tuple(attempted)
        self.completed_candidate_ids = tuple(completed)

    def __reduce__(self) -> Any:
        return type(self), (self.attempted_candidate_ids, self.completed_candidate_ids)
