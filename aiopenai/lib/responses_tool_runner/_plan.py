"""The course of a run, without I/O: a generator of the steps that the runners of both clients take."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import Any

from aiopenai.lib.computer import AsyncComputerToolset, ComputerToolset
from aiopenai.lib.responses_tool_runner._errors import ToolRunnerCancelledError
from aiopenai.lib.responses_tool_runner._functions import FunctionCall, Registry
from aiopenai.lib.responses_tool_runner._history import approved_requests, check_history
from aiopenai.lib.responses_tool_runner._items import SERVER_ITEMS
from aiopenai.lib.responses_tool_runner._ledger import Phase
from aiopenai.lib.responses_tool_runner._native import copied
from aiopenai.lib.responses_tool_runner._options import RunOptions
from aiopenai.lib.responses_tool_runner._params import RunParams
from aiopenai.lib.responses_tool_runner._state import RunState, replayed
from aiopenai.lib.responses_tool_runner._steps import (
    BeginStep,
    CallStep,
    Course,
    SendStep,
    TurnStep,
    WaitStep,
)
from aiopenai.lib.tool_callbacks import Effect
from aiopenai.lib.tool_diagnostics import emit_tool_diagnostic
from aiopenai.types.responses.replies import ResponseInputItemMcpApprovalRequest

__all__ = ["RunPlan"]

_STOPPED = "The tool run stopped before its end"
_MCP_ITEMS = ("mcp_approval_request", "mcp_approval_response", "mcp_call")


class RunPlan:
    """The course of one run. Raises ValueError as `RunState`."""

    def __init__(self, params: RunParams, registry: Registry, options: RunOptions) -> None:
        self._params = params
        self._options = options
        self._registry = registry
        self._state = RunState(params, registry, options)
        self._saves = options.ledger is not None
        # The results of a server's tools may change the calls that follow, so nothing runs early beside them.
        self._eager = options.eager and not self._state.rules.has_server_tools
        self._early = registry.early
        if options.before_early_call is not None and self._early is None:
            self._early = frozenset(registry.functions)
        self._computer: AsyncComputerToolset | ComputerToolset = registry.computer
        self._running: list[tuple[FunctionCall, Any]] = []

    def check_cancelled(self) -> None:
        """Raises ToolRunnerError once the program has cancelled the run."""
        self._state.check_cancelled()

    def course(self) -> Course[None]:
        """Yields the steps that the runner takes.

        Raises ToolRunnerError or ToolRunnerCancelledError in the place of each exception of a step.
        """
        state = self._state
        try:
            yield from self._course()
        except asyncio.CancelledError:
            yield from self._settle_after_failure(cancel=True)
            raise ToolRunnerCancelledError(state.attempted, state.completed) from None
        except Exception as error:
            message = str(error) if error is state.last_error else _STOPPED
            yield from self._settle_after_failure(cancel=False)
            raise state.error(message) from None

    def received(self, index: int, item: Any) -> Course[None]:
        """Yields the steps for an output item of a response that arrives still."""
        if not self._eager and not (self._saves and self._options.eager):
            return
        state = self._state
        given = replayed(item)
        if self._saves:
            state.pending_items = [*(state.pending_items or ()), given]
            if len(state.pending_items) == 1 or given["type"] in SERVER_ITEMS:
                yield from self._save("pending")
            state.check_cancelled()
        if not self._eager:
            return
        begins = state.receive(index, given, self._may_begin)
        is_call = given["type"] in ("function_call", "computer_call")
        if begins and is_call and self._options.before_early_call is not None:
            begins = yield from self._choose(item)
        if not begins:
            yield from self._settle()
            return
        if given["type"] == "function_call" and not self._saves:
            call = state.call(given)
            if call.independent:
                state.accept(given)
                self._running.append((call, (yield BeginStep(call))))
                if len(self._running) == self._options.max_concurrent_calls:
                    yield from self._settle()
                return
        yield from self._settle()
        yield from self._take(given, item)

    def _may_begin(self, call: dict[str, Any]) -> bool:
        if call["type"] == "computer_call":
            return self._registry.early_computer
        return self._early is None or call.get("name") in self._early

    def received_all(self) -> Course[None]:
        """Yields the steps at the end of a stream."""
        yield from self._settle()

    def _course(self) -> Course[None]:
        state = self._state
        yield from self._renew_approvals()
        for step in range(state.consumed_requests + 1, self._options.max_steps + 1):
            state.begin(step)
            state.check_cancelled()
            request = self._params.request(step, (yield from self._input()))
            if self._saves:
                state.consumed_requests = step
                yield from self._save("pending" if state.rules.has_server_tools else "boundary")
            response = yield from self._response(request)
            state.check_cancelled()
            items = [replayed(item) for item in response.output]
            if self._saves and any(map(_has_failed, items)):
                # The run ends here: the program has to see which effects the server had.
                state.pending_items = items
                yield from self._save("pending")
            final = state.preflight(response, items, eager=self._eager)
            waiting = not final and (not self._eager or len(state.items) < len(items))
            if self._saves:
                state.pending_items = items
                phase: Phase = "pending" if waiting else "final" if final else "boundary"
                yield from self._save(phase, response if final else None)
            closed = self._eager and self._early is None
            try:
                yield TurnStep(state.turn(response, items, step, final=final, closed=closed))
            finally:
                state.end_turn()
            if final:
                return
            if waiting:
                begun = len(state.items)
                for item, received in zip(items[begun:], response.output[begun:], strict=True):
                    yield from self._take(item, received)
                state.finish(items)
            appended = state.append_texts()
            if self._saves and (waiting or appended):
                yield from self._save("boundary")
        raise state.error("The tool run has made `max_steps` requests before its end")

    def _response(self, request: dict[str, Any]) -> Course[Any]:
        observer = self._options.on_diagnostic
        started = monotonic()
        try:
            response: Any = yield SendStep(request)
        except asyncio.CancelledError:
            emit_tool_diagnostic(observer, "responses", "request", "cancelled", started)
            raise
        except Exception:
            emit_tool_diagnostic(observer, "responses", "request", "api_failed", started)
            raise
        usage = getattr(response, "usage", None)
        emit_tool_diagnostic(observer, "responses", "request", "completed", started, usage=usage)
        return response

    def _input(self) -> Course[list[Any]]:
        """Returns the input of the next request, within the budget."""
        state, budget = self._state, self._options.budget
        if budget is None:
            return state.history
        state.check_boundary()
        snapshot = budget.snapshot(state.history)
        if snapshot is None:
            return state.history
        eligible = tuple(snapshot["eligible_call_ids"])
        decision: Any = None
        if budget.compact is not None:
            decision = yield Effect(partial(budget.compact, snapshot))
            state.check_cancelled()
        try:
            return budget.compacted(state.history, decision, eligible)
        except ValueError as fault:
            raise state.error(str(fault)) from None

    def _save(self, phase: Phase, final: Any = None) -> Course[None]:
        ledger: Any = self._options.ledger
        yield Effect(partial(ledger.save, self._state.checkpoint(phase, final)))
        self._state.check_cancelled()

    # Calls.

    def _take(self, item: dict[str, Any], received: Any) -> Course[None]:
        """Accepts an item, and makes its call."""
        state = self._state
        if not state.accept(item):
            return
        if self._saves:
            yield from self._save("pending")
        output: dict[str, Any]
        if item["type"] == "mcp_approval_request":
            approved = yield from self._approve(received)
            output = {"type": "mcp_approval_response", "approval_request_id": item["id"], "approve": approved}
        elif item["type"] == "computer_call":
            output = yield from self._use_computer(received)
        elif item["call_id"] in state.supplied:
            output = state.supplied[item["call_id"]]
        else:
            output = _output(item, (yield CallStep(state.call(item))))
        state.add(item, output)
        if self._saves:
            yield from self._save("pending")
        state.check_cancelled()

    def _use_computer(self, call: Any) -> Course[dict[str, Any]]:
        output: dict[str, Any] = yield from self._computer.admitted(call, self._options.computer)
        return output

    def _choose(self, item: Any) -> Course[bool]:
        choose: Any = self._options.before_early_call
        answer: Any = yield Effect(partial(choose, copied(item)))
        self._state.check_cancelled()
        if answer not in ("execute", "defer"):
            raise self._state.error("`before_early_call` must return 'execute' or 'defer'")
        self._state.deferred = answer == "defer"
        return not self._state.deferred

    def _settle(self, *, cancel: bool = False) -> Course[None]:
        """Waits for the calls that run. Raises the first failure after all have ended."""
        running, self._running = self._running, []
        if not running:
            return
        failure: BaseException | None = None
        try:
            yield WaitStep([future for _, future in running], cancel)
        except asyncio.CancelledError as error:
            self._running = [(call, future) for call, future in running if not future.done()]
            failure = error
        for call, future in running:
            if not future.done():
                continue
            try:
                self._state.add(call.item, _output(call.item, future.result()))
            except (Exception, asyncio.CancelledError) as error:
                failure = error if failure is None else failure
        if failure is not None:
            raise failure

    def _settle_after_failure(self, *, cancel: bool) -> Course[None]:
        try:
            yield from self._settle(cancel=cancel)
        except (Exception, asyncio.CancelledError):
            # The first failure ends the run. The error tells which calls have returned.
            return

    # Approvals.

    def _renew_approvals(self) -> Course[None]:
        """Asks again for approvals of the history without a call: they were given in another run."""
        state = self._state
        items = [item for item in state.history if item.get("type") in _MCP_ITEMS]
        if not items or state.consumed_requests >= self._options.max_steps:
            return
        if self._options.budget is not None and not self._saves:
            state.check_boundary()
        elif not self._saves:
            check_history(items, state.rules, (), saved=True)
        approved = approved_requests(items)
        for item in items:
            if item["type"] == "mcp_approval_response" and item["approve"] and item["approval_request_id"] in approved:
                request = approved[item["approval_request_id"]]
                try:
                    state.rules.check_mcp(request)
                except ValueError as fault:
                    raise state.error(str(fault)) from None
                request_type: Any = ResponseInputItemMcpApprovalRequest
                item["approve"] = yield from self._approve(request_type.construct(**request))

    def _approve(self, request: Any) -> Course[bool]:
        state, options = self._state, self._options
        state.check_cancelled()
        if options.approve_mcp is None:
            raise state.error("The model asks for an approval, and the run has no `approve_mcp`")
        started = monotonic()
        approved: Any = yield Effect(partial(options.approve_mcp, copied(request)))
        if not isinstance(approved, bool):
            raise state.error("`approve_mcp` must return True or False")
        state.check_cancelled()
        reason: Any = "completed" if approved else "refused"
        at = {"call_id": request.id, "member": request.name}
        emit_tool_diagnostic(options.on_diagnostic, "responses", "approval", reason, started, **at)
        state.check_cancelled()
        return approved


def _output(item: dict[str, Any], output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": item["call_id"], "output": output}


def _has_failed(item: dict[str, Any]) -> bool:
    status = item.get("status") not in (None, "completed")
    return item["type"] in SERVER_ITEMS and (status or item.get("error") is not None)
