"""The toolsets of both clients: a loop over `responses.create` that does the actions of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from functools import partial
from time import monotonic
from typing import Any

from typing_extensions import TypedDict, Unpack

from aiopenai.lib.calls import awaited
from aiopenai.lib.computer._actions import ComputerUseError, answer_of, check_call
from aiopenai.lib.computer._drivers import AsyncComputerDriver, ComputerDriver, handlers
from aiopenai.lib.computer._requests import ComputerRun
from aiopenai.lib.running._records import plain
from aiopenai.lib.tool_callbacks import (
    Admission,
    CloseStatus,
    Effect,
    Effects,
    drive,
    drive_async,
    invoke,
    not_awaitable,
)
from aiopenai.lib.tool_diagnostics import ToolDiagnosticObserver, emit_tool_diagnostic
from aiopenai.types.responses.replies import ComputerActionScreenshot

__all__ = ["AsyncComputerToolset", "ComputerCallbacks", "ComputerOptions", "ComputerToolset"]

_CANCELLED = "The run with the computer was cancelled"


class ComputerOptions(TypedDict, total=False):
    """The callbacks of a run; see `run`."""

    approve_safety_checks: Callable[[Any], Any] | None
    before_action: Callable[[Any], Any] | None
    cancelled: Callable[[], bool] | None
    on_diagnostic: ToolDiagnosticObserver | None


class ComputerCallbacks:
    """The checked callbacks of a run. Raises TypeError for unknown ones."""

    def __init__(self, given: ComputerOptions) -> None:
        if unknown := given.keys() - ComputerOptions.__annotations__.keys():
            raise TypeError(f"The options {', '.join(sorted(unknown))} of a computer do not exist")
        self.approve_safety_checks = given.get("approve_safety_checks")
        self.before_action = given.get("before_action")
        self.cancelled: Callable[[], bool] = given.get("cancelled") or _never
        self.on_diagnostic = given.get("on_diagnostic")

    def check_cancelled(self) -> None:
        if self.cancelled():
            raise ComputerUseError(_CANCELLED)


class _Toolset:
    """The part that both toolsets share."""

    _asynchronous: bool

    def __init__(self, driver: Any) -> None:
        self.driver: Any = driver
        self._handlers = handlers(driver, asynchronous=self._asynchronous)
        self._admission = Admission("toolset of the computer")

    def close(self) -> CloseStatus:
        """Refuses further runs. A run that goes on is not stopped, and the driver is not closed."""
        return self._admission.close()

    def _course(self, client: Any, run: ComputerRun, callbacks: ComputerCallbacks) -> Effects[Any]:
        """Yields the requests and actions of a run. Returns the last response."""
        response: Any = None
        try:
            for step in range(1, run.max_steps + 1):
                callbacks.check_cancelled()
                response = yield Effect(partial(client.responses.create, **run.request(step)))
                callbacks.check_cancelled()
                calls = run.calls(response, last=step == run.max_steps)
                if not calls:
                    return response
                outputs: list[Any] = []
                for call in calls:
                    outputs.append((yield from self.perform(call, callbacks)))
                run.go_on(response, outputs)
        except ComputerUseError as error:
            error.response = response
            raise
        raise AssertionError("unreachable")

    def admitted(self, call: Any, callbacks: ComputerCallbacks) -> Effects[dict[str, Any]]:
        """Does the same as `perform`, as a run of the toolset."""
        with self._admission.run():
            return (yield from self.perform(call, callbacks))

    def perform(self, call: Any, callbacks: ComputerCallbacks) -> Effects[dict[str, Any]]:
        """Yields the actions of a call. Returns the answer to it."""
        given: dict[str, Any] = plain(call)
        check_call(given)
        actions: list[Any] = list(call.actions if "actions" in given else [call.action])
        if actions[-1].type != "screenshot":
            actions.append(ComputerActionScreenshot(type="screenshot"))
        callbacks.check_cancelled()
        if given.get("pending_safety_checks"):
            refusal = "The safety checks of the computer were not approved"
            yield from self._approved(given, None, callbacks.approve_safety_checks, call, callbacks, refusal)
        for action in actions:
            callbacks.check_cancelled()
            if callbacks.before_action is not None:
                refusal = f"An action of the type {action.type} was not approved"
                yield from self._approved(given, action.type, callbacks.before_action, action, callbacks, refusal)
            # One screenshot at the end shows the result of all actions.
            if action.type != "screenshot":
                yield from self._act(given, action.type, callbacks, action)
        answer: dict[str, Any] = yield from self._act(given, "screenshot", callbacks)
        callbacks.check_cancelled()
        return answer

    def _approved(
        self, call: Any, member: str | None, ask: Any, subject: Any, callbacks: ComputerCallbacks, refusal: str
    ) -> Effects[None]:
        """Asks for an approval. Raises ComputerUseError unless the answer is True."""
        emit = _emitter(call, "approval", member, callbacks)
        try:
            approved: Any = False
            if ask is not None:
                copy = subject.model_copy(deep=True)
                approved = yield Effect(partial(invoke, ask, copy, cancelled=callbacks.cancelled))
            callbacks.check_cancelled()
        except Exception:
            if callbacks.cancelled():
                emit("cancelled")
                raise ComputerUseError(_CANCELLED) from None
            raise
        emit("completed" if approved is True else "refused")
        if approved is not True:
            raise ComputerUseError(refusal)

    def _act(self, call: Any, member: str, callbacks: ComputerCallbacks, *given: Any) -> Effects[Any]:
        """Calls a method of the driver. Returns the answer to the call for a screenshot."""
        callbacks.check_cancelled()
        emit = _emitter(call, "action", member, callbacks)
        copies = [action.model_copy(deep=True) for action in given]
        method = self._handlers[member]
        try:
            result = yield Effect(partial(invoke, method, *copies, cancelled=callbacks.cancelled))
            answer = None if given else answer_of(call, result)
            callbacks.check_cancelled()
        except (Exception, asyncio.CancelledError) as error:
            stopped = callbacks.cancelled() or isinstance(error, asyncio.CancelledError)
            emit("cancelled" if stopped else "driver_failed")
            if stopped and isinstance(error, Exception):
                raise ComputerUseError(_CANCELLED) from None
            raise
        emit("completed")
        return answer


def _never() -> bool:
    return False


def _emitter(call: Any, stage: Any, member: str | None, callbacks: ComputerCallbacks) -> Callable[[Any], None]:
    """Returns a function that emits a diagnostic of a stage which begins now."""
    started = monotonic()

    def emit(reason: Any) -> None:
        at = {"call_id": call["call_id"], "member": member}
        emit_tool_diagnostic(callbacks.on_diagnostic, "computer", stage, reason, started, **at)

    return emit


class ComputerToolset(_Toolset):
    """Does the actions of the computer tool with a driver, which the program opens and closes.

    A toolset makes one run at a time.
    """

    _asynchronous = False

    def __init__(self, driver: ComputerDriver) -> None:
        super().__init__(driver)

    def run(
        self, client: Any, params: Mapping[str, Any], *, max_steps: int = 20, **options: Unpack[ComputerOptions]
    ) -> Any:
        """Runs to the final message, and returns its response. `params` are the arguments of `responses.create`.

        max_steps: the number of requests. approve_safety_checks: gets a call with safety checks, which stop the run
        unless it returns True. before_action: gets each action and the last screenshot, and must return True.
        cancelled: is asked between requests and actions. on_diagnostic: gets the stages with their results.

        Raises ValueError for wrong arguments, RuntimeError for a toolset that is busy or closed, and ComputerUseError
        for a run that stops. Errors of the driver and of requests pass.
        """
        callbacks = ComputerCallbacks(options)
        with self._admission.run():
            return drive(self._course(client, ComputerRun(client, params, max_steps), callbacks), _take)

    def execute(self, call: Any, **options: Unpack[ComputerOptions]) -> dict[str, Any]:
        """Does one call for programs with a loop of their own. Returns the `computer_call_output` for the API."""
        return drive(self.admitted(deepcopy(call), ComputerCallbacks(options)), _take)


def _take(effect: Effect) -> Any:
    return not_awaitable(effect.call(), "AsyncComputerToolset")


def _take_async(effect: Effect) -> Awaitable[Any]:
    return awaited(effect.call())


class AsyncComputerToolset(_Toolset):
    """Does the actions of the computer tool with an asynchronous driver; see `ComputerToolset`."""

    _asynchronous = True

    def __init__(self, driver: AsyncComputerDriver) -> None:
        super().__init__(driver)

    async def run(
        self, client: Any, params: Mapping[str, Any], *, max_steps: int = 20, **options: Unpack[ComputerOptions]
    ) -> Any:
        """Runs to the final message, as `ComputerToolset.run`, with asynchronous callbacks."""
        callbacks = ComputerCallbacks(options)
        with self._admission.run():
            return await drive_async(
                self._course(client, ComputerRun(client, params, max_steps), callbacks), _take_async
            )

    async def execute(self, call: Any, **options: Unpack[ComputerOptions]) -> dict[str, Any]:
        """Does one call for programs with a loop of their own. Returns the `computer_call_output` for the API."""
        return await drive_async(self.admitted(deepcopy(call), ComputerCallbacks(options)), _take_async)
