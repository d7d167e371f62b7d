"""The runners of both clients: they take the steps of a run, and limit a runner to one run at a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Literal, TypedDict

from typing_extensions import Unpack

from aiopenai.lib.calls import awaited, check_count
from aiopenai.lib.responses_tool_runner._errors import ToolRunnerCancelledError, ToolRunnerError
from aiopenai.lib.responses_tool_runner._functions import EarlyExecution, Registry, check_result
from aiopenai.lib.responses_tool_runner._params import RunParams
from aiopenai.lib.responses_tool_runner._plan import ApproveStep, CallStep, ResponsesRunnerTurn, RunPlan, SendStep

__all__ = ["AsyncResponsesToolRunner", "CloseStatus", "ResponsesToolRunner", "RunnerOptions"]

_STOPPED = "The tool run stopped before its end"


class CloseStatus(TypedDict):
    """The result of `close`: `draining` while a run goes on."""

    status: Literal["closed", "draining"]


class RunnerOptions(TypedDict, total=False):
    """The options of one run; see `run`."""

    max_steps: int | None
    stream: bool
    eager: bool
    max_concurrent_calls: int
    on_event: Callable[[Any], Any] | None
    cancelled: Callable[[], bool] | None
    approve_mcp: Callable[[Any], Any] | None
    before_early_call: Callable[[Any], Any] | None


# Options of the reference that belong to its computer, browser and ledger.
_ABSENT = ("approve_safety_checks", "before_action", "browser", "computer", "context_budget", "ledger", "on_diagnostic")


def _check_names(given: Mapping[str, Any], known: Iterable[str], owner: str) -> None:
    """Raises TypeError for options that do not exist. Absent options of the reference may be None."""
    for name, value in given.items():
        if name in known or (name in _ABSENT and value is None):
            continue
        reason = "is not supported here: leave it out" if name in _ABSENT else "does not exist"
        raise TypeError(f"The option {name!r} of {owner} {reason}")


class _RunOptions:
    """The options of one run. Raises TypeError for unknown ones, ValueError for invalid ones."""

    def __init__(self, given: RunnerOptions) -> None:
        _check_names(given, RunnerOptions.__annotations__, "a run")
        max_steps = given.get("max_steps")
        self.max_steps = 20 if max_steps is None else max_steps
        self.max_concurrent_calls = given.get("max_concurrent_calls", 2)
        self.stream = given.get("stream", False)
        self.eager = given.get("eager", False)
        self.on_event = given.get("on_event")
        self.cancelled: Callable[[], bool] = given.get("cancelled") or _never
        self.approve_mcp = given.get("approve_mcp")
        self.before_early_call = given.get("before_early_call")
        check_count("max_steps", self.max_steps)
        check_count("max_concurrent_calls", self.max_concurrent_calls)
        if self.eager and not self.stream:
            raise ValueError("`eager` needs `stream=True`: it starts calls while their response arrives")
        if self.on_event is not None and not self.stream:
            raise ValueError("`on_event` needs `stream=True`")


def _never() -> bool:
    return False


class _Runner:
    """The part that both runners share."""

    def __init__(self, *, functions: Any = None, early_execution: EarlyExecution | None = None, **more: Any) -> None:
        _check_names(more, (), "a runner")
        early: Mapping[str, Any] | None = early_execution
        self._registry = Registry(functions, early)
        self._busy = False
        self._closed = False

    def close(self) -> CloseStatus:
        """Refuses further runs. A run that goes on is not stopped."""
        self._closed = True
        return {"status": "draining" if self._busy else "closed"}

    @contextmanager
    def _admitted(self) -> Generator[None]:
        if self._closed:
            raise RuntimeError("The runner is closed: make another one")
        if self._busy:
            raise RuntimeError("The runner is busy with another run: make one runner for each")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _plan(self, client: Any, params: Mapping[str, Any], options: _RunOptions) -> RunPlan:
        given = RunParams(client, params, self._registry.tools)
        # The results of a server's tools may change the calls that follow, so nothing runs early beside them.
        options.eager = options.eager and not given.server_tools
        return RunPlan(given, self._registry, options.max_steps, options.cancelled)


def _may_begin(plan: RunPlan, options: _RunOptions, event: Any) -> bool:
    """Returns whether an event completes a call that may begin before its response is complete."""
    return options.eager and event.type == "response.output_item.done" and plan.may_begin(event.item)


def _copied(event: Any) -> Any:
    """Returns a copy of an event, which the receiver may change."""
    copy: Any = getattr(event, "model_copy", None)
    return copy(deep=True) if callable(copy) else event


class ResponsesToolRunner(_Runner):
    """A tool loop with the blocking client: functions are called one after the other, and their results sent back.

    functions: the registered functions. early_execution: those that may run early, with `eager=True`; by default all.

    Unlike in `responses.run_tools` a failing function stops the run, and the model is not told. A runner makes one run
    at a time.
    """

    def run(self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]) -> Any:
        """Runs to the end, and returns the last response. `params` are the arguments of `responses.create`.

        max_steps: the number of requests (20). stream: reads responses as streams, with their events to `on_event`.
        eager: calls functions as soon as their arguments are complete, `independent` ones at once, up to
        `max_concurrent_calls` (2), unless `before_early_call(call)` returns `defer`. cancelled: is asked between steps.
        approve_mcp: gets requests for approvals, and returns a bool.

        Raises ValueError for wrong arguments, RuntimeError for a runner that is busy or closed, and ToolRunnerError for
        all failures of the run.
        """
        response = None
        for turn in self.iterate(client, params, **options):
            response = turn.response
        return response

    def iterate(
        self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]
    ) -> Generator[ResponsesRunnerTurn, None, None]:
        """Yields the responses of a run, each before its calls are made. Arguments and errors are those of `run`."""
        chosen = _RunOptions(options)
        with self._admitted():
            plan = self._plan(client, params, chosen)
            try:
                yield from self._turns(client, plan, chosen)
            except ToolRunnerError:
                raise
            except Exception:
                raise plan.error(_STOPPED) from None

    def _turns(self, client: Any, plan: RunPlan, options: _RunOptions) -> Generator[ResponsesRunnerTurn, None, None]:
        steps = plan.steps()
        result: Any = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration:
                return
            result = None
            if isinstance(step, ResponsesRunnerTurn):
                yield step
            elif isinstance(step, SendStep):
                result = self._send(client, plan, step.request, options)
            elif isinstance(step, CallStep):
                result = _call(step, options.cancelled)
            else:
                result = _approve(plan, step, options)

    def _send(self, client: Any, plan: RunPlan, request: dict[str, Any], options: _RunOptions) -> Any:
        if not options.stream:
            return client.responses.create(**request)
        running: dict[str, Future[Any]] = {}
        try:
            with ThreadPoolExecutor(options.max_concurrent_calls) as pool, client.responses.stream(**request) as stream:
                for event in stream:
                    if options.on_event is not None:
                        options.on_event(_copied(event))
                    plan.check_cancelled()
                    if _may_begin(plan, options, event):
                        _begin_early(plan, event.item, options, running, pool)
                _settle(plan, running)
                return _final(plan, stream.get_final_response())
        finally:
            # The pool has waited for calls that ran beside a failure.
            _take_results(plan, running)


def _begin_early(
    plan: RunPlan, item: Any, options: _RunOptions, running: dict[str, Future[Any]], pool: ThreadPoolExecutor
) -> None:
    choose = options.before_early_call
    if choose is not None and not plan.begins(choose(_copied(item))):
        return
    step = plan.begin(item)
    if not step.function.independent:
        _settle(plan, running)
        plan.note_early(item.call_id, _call(step, options.cancelled))
        return
    running[item.call_id] = pool.submit(copy_context().run, _call, step, options.cancelled)
    if len(running) == options.max_concurrent_calls:
        _settle(plan, running)


def _settle(plan: RunPlan, running: dict[str, Future[Any]]) -> None:
    """Waits for the calls that run. Raises the first failure after all have ended."""
    wait(running.values())
    if (failure := _take_results(plan, running)) is not None:
        raise failure


def _take_results(plan: RunPlan, running: dict[str, Any]) -> BaseException | None:
    """Notes the results of calls that have ended. Returns the first failure."""
    failure = None
    for call_id, call in running.items():
        try:
            plan.note_early(call_id, call.result())
        except BaseException as error:
            failure = error if failure is None else failure
    running.clear()
    return failure


def _call(step: CallStep, cancelled: Callable[[], bool]) -> Any:
    result = step.function.call(step.arguments, cancelled)
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("An asynchronous function needs AsyncResponsesToolRunner")
    return check_result(result)


def _approve(plan: RunPlan, step: ApproveStep, options: _RunOptions) -> Any:
    if options.approve_mcp is None:
        raise plan.error("The model asks for an approval, and the run has no `approve_mcp`")
    return options.approve_mcp(step.request)


def _final(plan: RunPlan, response: Any) -> Any:
    """Returns a streamed response. Raises ToolRunnerError if it lacks a call that was made while it arrived."""
    known = {item.call_id for item in response.output if getattr(item, "type", None) == "function_call"}
    if plan.early.keys() - known:
        raise plan.error("The complete response lacks a call that was made while it arrived")
    return response


class AsyncResponsesToolRunner(_Runner):
    """A tool loop with the async client: functions are called one after the other, and their results sent back.

    functions: the registered functions. early_execution: those that may run early, with `eager=True`; by default all.

    Unlike in `responses.run_tools` a failing function stops the run, and the model is not told. A runner makes one run
    at a time.
    """

    async def run(self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]) -> Any:
        """Runs to the end, and returns the last response. `params` are the arguments of `responses.create`.

        max_steps: the number of requests (20). stream: reads responses as streams, with their events to `on_event`.
        eager: calls functions as soon as their arguments are complete, `independent` ones at once, up to
        `max_concurrent_calls` (2), unless `before_early_call(call)` returns `defer`. cancelled: is asked between steps.
        approve_mcp: gets requests for approvals, and returns a bool.

        Raises ValueError for wrong arguments, RuntimeError for a runner that is busy or closed, ToolRunnerError for all
        failures of the run, and ToolRunnerCancelledError when its task is cancelled.
        """
        response = None
        async for turn in self.iterate(client, params, **options):
            response = turn.response
        return response

    async def iterate(
        self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]
    ) -> AsyncGenerator[ResponsesRunnerTurn, None]:
        """Yields the responses of a run, each before its calls are made. Arguments and errors are those of `run`."""
        chosen = _RunOptions(options)
        with self._admitted():
            plan = self._plan(client, params, chosen)
            try:
                steps = plan.steps()
                result: Any = None
                while True:
                    try:
                        step = steps.send(result)
                    except StopIteration:
                        return
                    result = None
                    if isinstance(step, ResponsesRunnerTurn):
                        yield step
                    else:
                        result = await self._take(client, plan, step, chosen)
            except ToolRunnerError:
                raise
            except asyncio.CancelledError:
                raise ToolRunnerCancelledError(plan.attempted, plan.completed) from None
            except Exception:
                raise plan.error(_STOPPED) from None

    async def _take(
        self, client: Any, plan: RunPlan, step: SendStep | CallStep | ApproveStep, options: _RunOptions
    ) -> Any:
        if isinstance(step, SendStep):
            return await self._send(client, plan, step.request, options)
        if isinstance(step, CallStep):
            return await _call_async(step, options.cancelled)
        return await awaited(_approve(plan, step, options))

    async def _send(self, client: Any, plan: RunPlan, request: dict[str, Any], options: _RunOptions) -> Any:
        if not options.stream:
            return await client.responses.create(**request)
        running: dict[str, asyncio.Task[Any]] = {}
        try:
            async with client.responses.stream(**request) as stream:
                async for event in stream:
                    if options.on_event is not None:
                        await awaited(options.on_event(_copied(event)))
                    plan.check_cancelled()
                    if _may_begin(plan, options, event):
                        await _begin_early_async(plan, event.item, options, running)
                await _settle_async(plan, running)
                return _final(plan, await stream.get_final_response())
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)
            _take_results(plan, running)


async def _begin_early_async(
    plan: RunPlan, item: Any, options: _RunOptions, running: dict[str, asyncio.Task[Any]]
) -> None:
    choose = options.before_early_call
    if choose is not None and not plan.begins(await awaited(choose(_copied(item)))):
        return
    step = plan.begin(item)
    if not step.function.independent:
        await _settle_async(plan, running)
        plan.note_early(item.call_id, await _call_async(step, options.cancelled))
        return
    running[item.call_id] = asyncio.create_task(_call_async(step, options.cancelled))
    if len(running) == options.max_concurrent_calls:
        await _settle_async(plan, running)


async def _settle_async(plan: RunPlan, running: dict[str, asyncio.Task[Any]]) -> None:
    """Does the same as `_settle` for tasks."""
    if running:
        await asyncio.wait(running.values())
    if (failure := _take_results(plan, running)) is not None:
        raise failure


async def _call_async(step: CallStep, cancelled: Callable[[], bool]) -> Any:
    return check_result(await awaited(step.function.call(step.arguments, cancelled)))
