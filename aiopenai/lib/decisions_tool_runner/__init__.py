"""Runners that let `decisions.create` choose among actions of the program, until the task is done.

A choice is no permission: the program offers only actions that it lets the model take.
"""

from aiopenai.lib.decisions_tool_runner._runners import AsyncDecisionsToolRunner, DecisionsToolRunner
from aiopenai.lib.decisions_tool_runner._values import (
    AsyncDecisionActionCandidate,
    AsyncDecisionCandidate,
    DecisionActionCandidate,
    DecisionCandidate,
    DecisionDoneCandidate,
    DecisionObservation,
    DecisionsRunnerParams,
    DecisionsRunResult,
    DecisionsToolRunnerCancelledError,
    DecisionsToolRunnerError,
)

__all__ = [
    "AsyncDecisionActionCandidate",
    "AsyncDecisionCandidate",
    "AsyncDecisionsToolRunner",
    "DecisionActionCandidate",
    "DecisionCandidate",
    "DecisionDoneCandidate",
    "DecisionObservation",
    "DecisionsRunResult",
    "DecisionsRunnerParams",
    "DecisionsToolRunner",
    "DecisionsToolRunnerCancelledError",
    "DecisionsToolRunnerError",
]
