"""The runners of both clients: a loop over `decisions.create` that does the chosen actions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from functools import partial
from inspect import isawaitable, iscoroutine
from time import monotonic
from typing import Any

from aiopenai.lib.decisions_tool_runner._state import Candidate, DecisionsRun
from aiopenai.lib.decisions_tool_runner._values import (
    AsyncDecisionCandidate,
    DecisionCandidate,
    DecisionObservation,
    DecisionsRunnerParams,
    DecisionsRunResult,
    DecisionsToolRunnerCancelledError,
    DecisionsToolRunnerError,
)
from aiopenai.lib.tool_callbacks import Admission, CloseStatus, Effect, Effects, drive, drive_async, invoke
from aiopenai.lib.tool_diagnostics import ToolDiagnosticObserver, emit_tool_diagnostic

__all__ = ["AsyncDecisionsToolRunner", "DecisionsToolRunner"]


class _Runner:
    """The part that both runners share."""

    _asynchronous: bool

    def __init__(self, observe: Any, candidates: Any, verify: Any) -> None:
        self.observe = observe
        self.candidates = candidates
        self.verify = verify
        self._admission = Admission("runner of decisions")

    def close(self) -> CloseStatus:
        """Refuses further runs. A run that goes on is not stopped."""
        return self._admission.close()

    def _course(self, client: Any, run: DecisionsRun, observer: ToolDiagnosticObserver | None) -> Effects[Any]:
        """Yields the calls of a run. Returns its result."""
        emit = partial(emit_tool_diagnostic, observer, "decisions")
        # The program may set other functions during the run.
        observe, candidates, verify = self.observe, self.candidates, self.verify
        for step in range(1, run.max_steps + 1):
            is_last = step == run.max_steps
            run.check()
            observation = run.observed((yield Effect(observe)))
            offered = run.offered((yield Effect(partial(candidates, deepcopy(observation)))))
            only_done = len(offered) == 1
            choice: Candidate | None = offered[0]
            if not only_done:
                request = run.request(client, step, observation, offered)
                choice = yield from self._decision(client, run, request, offered, emit)
            if choice is None:
                emit("selection", "refused", monotonic(), call_id=None)
                return run.result("refused")
            emit("selection", "completed", monotonic(), call_id=choice.id)
            if choice.execute is not None:
                if is_last:
                    raise run.error("step_limit")
                yield from self._action(run, choice, choice.execute, emit)
                continue
            if verify is None:
                return run.result("unverified")
            run.check()
            fresh = run.observed((yield Effect(observe)))
            started = monotonic()
            verification = yield Effect(partial(verify, deepcopy(fresh)))
            emit("verification", "completed" if verification is True else "refused", started, call_id=choice.id)
            if run.verified(verification, is_last=is_last, only_done=only_done):
                return run.result("verified")
        raise AssertionError("unreachable")

    def _decision(
        self, client: Any, run: DecisionsRun, request: Any, offered: list[Candidate], emit: Any
    ) -> Effects[Any]:
        """Yields the request of a step. Returns the candidate that the model chooses, or None for a refusal."""
        started = monotonic()
        try:
            decision = yield Effect(partial(client.decisions.create, **request))
        except Exception:
            emit("request", "api_failed", started)
            raise
        choice = run.chosen(decision, offered)
        emit("request", "completed", started, usage=decision.usage)
        run.check()
        return choice

    def _action(self, run: DecisionsRun, choice: Candidate, execute: Callable[..., Any], emit: Any) -> Effects[Any]:
        """Yields the action of a candidate."""
        run.check()
        run.attempted.append(choice.id)
        started = monotonic()
        try:
            result = yield Effect(partial(invoke, execute, cancelled=run.cancelled))
            if not self._asynchronous and isawaitable(result):
                if iscoroutine(result):
                    result.close()
                raise run.error("async_executor")
        except (Exception, asyncio.CancelledError):
            emit("action", "driver_failed", started, call_id=choice.id)
            raise
        emit("action", "completed", started, call_id=choice.id)
        run.completed.append(choice.id)
        run.check()

    def _failure(
        self, error: BaseException, run: DecisionsRun, observer: ToolDiagnosticObserver | None
    ) -> BaseException:
        """Returns the error of a run for an error in it."""
        if isinstance(error, DecisionsToolRunnerError) and error is run.own_error:
            if error.reason == "step_limit":
                emit_tool_diagnostic(observer, "decisions", "run", "step_limit", monotonic())
            return error
        if isinstance(error, asyncio.CancelledError):
            return DecisionsToolRunnerCancelledError(run.attempted, run.completed)
        return run.error("failed") if isinstance(error, Exception) else error


class DecisionsToolRunner(_Runner):
    """Takes actions of the program, which `decisions.create` chooses, until the task is done.

    observe: returns the state that the model decides on. candidates: gets it, and returns the actions of the step and
    one candidate with `done`. verify: gets a fresh observation, and returns whether the task is done; after False the
    run goes on. A runner makes one run at a time.
    """

    _asynchronous = False

    def __init__(
        self,
        *,
        observe: Callable[[], DecisionObservation],
        candidates: Callable[[Any], list[DecisionCandidate]],
        verify: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(observe, candidates, verify)

    def run(
        self,
        client: Any,
        params: DecisionsRunnerParams | Mapping[str, Any],
        *,
        max_steps: int = 20,
        cancelled: Callable[[], bool] | None = None,
        on_diagnostic: ToolDiagnosticObserver | None = None,
    ) -> DecisionsRunResult:
        """Runs to the end of the task, and returns its result. `input` of `params` is the task.

        max_steps: the number of decisions. cancelled: is asked between the steps; an action with a parameter of this
        name gets it. on_diagnostic: gets the stages with their results.

        Raises RuntimeError for a runner that is busy or closed, and DecisionsToolRunnerError for a run that stops.
        """
        with self._admission.run():
            run = DecisionsRun(params, max_steps, cancelled)
            try:
                course: Effects[DecisionsRunResult] = self._course(client, run, on_diagnostic)
                return drive(course, lambda effect: effect.call())
            except BaseException as error:
                raise self._failure(error, run, on_diagnostic) from None


class AsyncDecisionsToolRunner(_Runner):
    """Takes actions of the program by coroutine functions; see `DecisionsToolRunner`."""

    _asynchronous = True

    def __init__(
        self,
        *,
        observe: Callable[[], Awaitable[DecisionObservation]],
        candidates: Callable[[Any], Awaitable[list[AsyncDecisionCandidate]]],
        verify: Callable[[Any], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(observe, candidates, verify)

    async def run(
        self,
        client: Any,
        params: DecisionsRunnerParams | Mapping[str, Any],
        *,
        max_steps: int = 20,
        cancelled: Callable[[], bool] | None = None,
        on_diagnostic: ToolDiagnosticObserver | None = None,
    ) -> DecisionsRunResult:
        """Runs to the end of the task, as `DecisionsToolRunner.run`.

        A cancelled task raises DecisionsToolRunnerCancelledError.
        """
        with self._admission.run():
            run = DecisionsRun(params, max_steps, cancelled)
            try:
                course: Effects[DecisionsRunResult] = self._course(client, run, on_diagnostic)
                return await drive_async(course, lambda effect: effect.call())
            except BaseException as error:
                raise self._failure(error, run, on_diagnostic) from None
