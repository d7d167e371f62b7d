"""The runners of both clients: they take the steps of a run, and limit a runner to one run at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import aclosing
from contextvars import copy_context
from typing import Any

from typing_extensions import Unpack

from aiopenai.lib.calls import awaited
from aiopenai.lib.computer import AsyncComputerToolset, ComputerToolset
from aiopenai.lib.responses_tool_runner._functions import EarlyExecution, Registry
from aiopenai.lib.responses_tool_runner._ledger import AsyncResponsesToolLedger, ResponsesToolLedger
from aiopenai.lib.responses_tool_runner._native import copied
from aiopenai.lib.responses_tool_runner._options import RunnerOptions, RunOptions, check_names
from aiopenai.lib.responses_tool_runner._params import RunParams
from aiopenai.lib.responses_tool_runner._plan import RunPlan
from aiopenai.lib.responses_tool_runner._steps import (
    BeginStep,
    CallStep,
    Course,
    SendStep,
    TurnStep,
    WaitStep,
)
from aiopenai.lib.responses_tool_runner._turn import ResponsesRunnerTurn
from aiopenai.lib.tool_callbacks import Admission, CloseStatus, Effect, not_awaitable

__all__ = ["AsyncResponsesToolRunner", "ResponsesToolRunner"]


class _Runner:
    """The part that both runners share."""

    _ledger_type: type[Any]
    _computer_type: type[Any]

    def __init__(
        self,
        *,
        computer: Any = None,
        functions: Any = None,
        early_execution: EarlyExecution | None = None,
        **more: Any,
    ) -> None:
        check_names(more, (), "a runner")
        if computer is not None and not isinstance(computer, self._computer_type):
            raise ValueError(f"`computer` is a {self._computer_type.__name__}, not {type(computer).__name__}")
        self.computer = computer
        self._registry = Registry(functions, early_execution, computer)
        self._admission = Admission("runner")

    def close(self) -> CloseStatus:
        """Refuses further runs. A run that goes on is not stopped."""
        return self._admission.close()

    def _plan(self, client: Any, params: Mapping[str, Any], given: RunnerOptions) -> tuple[RunPlan, RunOptions]:
        options = RunOptions(given, self._ledger_type)
        saved, budgeted = options.ledger is not None, options.budget is not None
        checked = RunParams(client, params, self._registry.tools, saved=saved, budgeted=budgeted)
        return RunPlan(checked, self._registry, options), options


class ResponsesToolRunner(_Runner):
    """A tool loop with the blocking client: functions are called one after the other, and their results sent back.

    functions: the registered functions. computer: the toolset for calls of the computer. early_execution: those of them
    that may run early, with `eager=True`; by default all.

    Unlike in `responses.run_tools` a failing function stops the run, and the model is not told. A runner makes one run
    at a time.
    """

    _ledger_type = ResponsesToolLedger
    _computer_type = ComputerToolset

    def run(self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]) -> Any:
        """Runs to the end, and returns the last response. `params` are the arguments of `responses.create`.

        max_steps: the number of requests (20). stream: reads responses as streams, with their events to `on_event`.
        eager: calls functions as soon as their arguments are complete, `independent` ones at once, up to
        `max_concurrent_calls` (2), unless `before_early_call(call)` returns `defer`. cancelled: is asked between steps.
        approve_mcp: gets requests for approvals, and returns a bool. ledger: stores checkpoints, from which another run
        can go on. context_budget: the limits of the input of a request. on_diagnostic: gets the stages of the run with
        their results, and no contents. approve_safety_checks, before_action: as in `ComputerToolset.run`.

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
        with self._admission.run():
            plan, chosen = self._plan(client, params, options)
            with _Steps(client, plan, chosen) as steps:
                yield from steps.drive(plan.course())


class _Steps:
    """Takes the steps of a run with the blocking client."""

    def __init__(self, client: Any, plan: RunPlan, options: RunOptions) -> None:
        self._client = client
        self._plan = plan
        self._options = options
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def drive(self, course: Course[Any]) -> Generator[ResponsesRunnerTurn, None, None]:
        """Takes the steps of a course, and yields its turns."""
        result: Any = None
        failure: BaseException | None = None
        while True:
            try:
                step = course.send(result) if failure is None else course.throw(failure)
            except StopIteration:
                return
            result = failure = None
            if isinstance(step, TurnStep):
                yield step.turn
                continue
            try:
                result = self._take(step)
            except BaseException as error:
                failure = error

    def _take(self, step: Any) -> Any:
        if isinstance(step, SendStep):
            return self._send(step.request)
        if isinstance(step, CallStep):
            return step.call.make()
        if isinstance(step, BeginStep):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._options.max_concurrent_calls)
            return self._pool.submit(copy_context().run, step.call.make)
        if isinstance(step, WaitStep):
            # The call of a thread cannot be cancelled.
            wait(step.futures)
            return None
        assert isinstance(step, Effect)
        return not_awaitable(step.call(), "AsyncResponsesToolRunner")

    def _send(self, request: dict[str, Any]) -> Any:
        if not self._options.stream:
            return self._client.responses.create(**request)
        with self._client.responses.stream(**request) as stream:
            for event in stream:
                self._plan.check_cancelled()
                if self._options.on_event is not None:
                    self._options.on_event(copied(event))
                    self._plan.check_cancelled()
                if event.type == "response.output_item.done":
                    self._drive_all(self._plan.received(event.output_index, event.item))
            self._drive_all(self._plan.received_all())
            return stream.get_final_response()

    def _drive_all(self, course: Course[None]) -> None:
        for _ in self.drive(course):
            raise AssertionError("A response that arrives has no turn")


class AsyncResponsesToolRunner(_Runner):
    """A tool loop with the async client: functions are called one after the other, and their results sent back.

    functions: the registered functions. computer: the toolset for calls of the computer. early_execution: those of them
    that may run early, with `eager=True`; by default all.

    Unlike in `responses.run_tools` a failing function stops the run, and the model is not told. A runner makes one run
    at a time.
    """

    _ledger_type = AsyncResponsesToolLedger
    _computer_type = AsyncComputerToolset

    async def run(self, client: Any, params: Mapping[str, Any], **options: Unpack[RunnerOptions]) -> Any:
        """Runs to the end, and returns the last response. `params` are the arguments of `responses.create`.

        max_steps: the number of requests (20). stream: reads responses as streams, with their events to `on_event`.
        eager: calls functions as soon as their arguments are complete, `independent` ones at once, up to
        `max_concurrent_calls` (2), unless `before_early_call(call)` returns `defer`. cancelled: is asked between steps.
        approve_mcp: gets requests for approvals, and returns a bool. ledger: stores checkpoints, from which another run
        can go on. context_budget: the limits of the input of a request. on_diagnostic: gets the stages of the run with
        their results, and no contents. approve_safety_checks, before_action: as in `ComputerToolset.run`.

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
        with self._admission.run():
            plan, chosen = self._plan(client, params, options)
            async with aclosing(_AsyncSteps(client, plan, chosen).drive(plan.course())) as turns:
                async for turn in turns:
                    yield turn


class _AsyncSteps:
    """Takes the steps of a run with the async client."""

    def __init__(self, client: Any, plan: RunPlan, options: RunOptions) -> None:
        self._client = client
        self._plan = plan
        self._options = options

    async def drive(self, course: Course[Any]) -> AsyncGenerator[ResponsesRunnerTurn, None]:
        """Takes the steps of a course, and yields its turns."""
        result: Any = None
        failure: BaseException | None = None
        while True:
            try:
                step = course.send(result) if failure is None else course.throw(failure)
            except StopIteration:
                return
            result = failure = None
            if isinstance(step, TurnStep):
                yield step.turn
                continue
            try:
                result = await self._take(step)
            except BaseException as error:
                failure = error

    async def _take(self, step: Any) -> Any:
        if isinstance(step, SendStep):
            return await self._send(step.request)
        if isinstance(step, CallStep):
            return await step.call.make_async()
        if isinstance(step, BeginStep):
            return asyncio.create_task(step.call.make_async())
        if isinstance(step, WaitStep):
            if step.cancel:
                for task in step.futures:
                    task.cancel()
            await asyncio.wait(step.futures)
            return None
        assert isinstance(step, Effect)
        return await awaited(step.call())

    async def _send(self, request: dict[str, Any]) -> Any:
        if not self._options.stream:
            return await self._client.responses.create(**request)
        async with self._client.responses.stream(**request) as stream:
            async for event in stream:
                self._plan.check_cancelled()
                if self._options.on_event is not None:
                    await awaited(self._options.on_event(copied(event)))
                    self._plan.check_cancelled()
                if event.type == "response.output_item.done":
                    await self._drive_all(self._plan.received(event.output_index, event.item))
            await self._drive_all(self._plan.received_all())
            return await stream.get_final_response()

    async def _drive_all(self, course: Course[None]) -> None:
        async for _ in self.drive(course):
            raise AssertionError("A response that arrives has no turn")
