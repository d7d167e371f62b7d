"""The course of a run, without I/O: a generator of the steps that the runners of both clients take."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.responses_tool_runner._errors import ToolRunnerError
from aiopenai.lib.responses_tool_runner._functions import Registry
from aiopenai.lib.responses_tool_runner._params import RunParams
from aiopenai.lib.running._records import input_item, plain

__all__ = ["ApproveStep", "CallStep", "ResponsesRunnerTurn", "RunPlan", "SendStep", "Step"]

_CALLED_TWICE = "The ids of calls must be unique in a run"
# Items without an effect. A message that did not complete ends the run after its response.
_PASSIVE_ITEMS = frozenset({"compaction", "message", "reasoning"})
_SERVER_ITEMS = {
    "code_interpreter_call": "code_interpreter",
    "file_search_call": "file_search",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
    "web_search_call": "web_search",
}


class SendStep(NamedTuple):
    """A request; its response is sent into the generator."""

    request: dict[str, Any]


class CallStep(NamedTuple):
    """A call of a function; its checked result is sent into the generator."""

    call: Any
    function: Any
    arguments: Any


class ApproveStep(NamedTuple):
    """A request for the approval of a call of an MCP server; the answer is sent into the generator."""

    request: Any


@dataclass
class ResponsesRunnerTurn:
    """A response of a run, before its calls are made.

    step: the number of the request, from 1 on.
    final: whether the run ends with this response.
    tools_executed: whether calls of the response were made while it arrived.
    attempted_call_ids, completed_call_ids: the calls of the run that began, and those that returned.
    """

    response: Any
    step: int
    final: bool
    tools_executed: bool
    attempted_call_ids: tuple[str, ...]
    completed_call_ids: tuple[str, ...]
    _open: dict[str, bool] = field(repr=False)
    _supplied: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    _texts: list[str] = field(default_factory=list[str], repr=False)
    _active: bool = field(default=True, repr=False)

    def supply_outputs(self, outputs: list[Any]) -> None:
        """Answers calls in the place of their functions, which must allow it (`allow_output_override`).

        Raises ValueError for other calls, and for outputs that are no `function_call_output`.
        """
        taken: dict[str, Any] = {}
        for output in outputs:
            identity: Any = output.get("call_id") if is_mapping(output) else None
            known = isinstance(identity, str) and self._open.get(identity, False)
            if not self._active or not known or identity in taken or identity in self._supplied:
                raise ValueError(
                    f"The call {identity!r} is unknown, was answered before, or must be made by its function"
                )
            if output.get("type") != "function_call_output" or not isinstance(output.get("output"), (str, list)):
                raise ValueError("An output has the type `function_call_output` and an `output`")
            taken[identity] = dict(output)
        self._supplied.update(taken)

    def append_user_text(self, text: str) -> None:
        """Adds a message of the user after the outputs of the calls. Raises ValueError for the final turn."""
        given: Any = text
        if not self._active or self.final or not isinstance(given, str) or not given:
            raise ValueError("Text can be added to a turn that goes on, and must not be empty")
        self._texts.append(text)

    def end(self) -> tuple[dict[str, Any], list[str]]:
        """Ends the time for changes. Returns the outputs by call, and the texts."""
        self._active = False
        return self._supplied, self._texts


Step: TypeAlias = "SendStep | CallStep | ApproveStep | ResponsesRunnerTurn"


class RunPlan:
    """The state of one run."""

    def __init__(self, params: RunParams, registry: Registry, max_steps: int, cancelled: Callable[[], bool]) -> None:
        self.attempted: list[str] = []
        self.completed: list[str] = []
        self.early: dict[str, Any] = {}
        """The results of calls that were made while their response arrived, by call."""
        self._params = params
        self._registry = registry
        self._max_steps = max_steps
        self._cancelled = cancelled
        # Whether the calls of the response under way wait for its end.
        self._deferred = False
        self._ids: set[str] = set()
        known = (item.get("call_id") for item in map(plain, params.history) if is_mapping(item))
        self._call_ids = {identity for identity in known if isinstance(identity, str)}

    def error(self, message: str) -> ToolRunnerError:
        """Returns the error for a run that stops here."""
        return ToolRunnerError(message, self.attempted, self.completed)

    def check_cancelled(self) -> None:
        """Raises ToolRunnerError once the program has cancelled the run."""
        if self._cancelled():
            raise self.error("The tool run was cancelled")

    def steps(self) -> Generator[Step, Any, Any]:
        """Yields the steps that the runner takes. Returns the last response."""
        for step in range(1, self._max_steps + 1):
            self.check_cancelled()
            # The run cannot go on after the last step, so no function runs in it.
            self._deferred = step == self._max_steps
            response: Any = yield SendStep(self._params.request(step))
            self.check_cancelled()
            calls = self._calls(response)
            own = {item.call_id: self._overridable(item) for item in calls if item.type == "function_call"}
            open_calls = {identity: allowed and identity not in self.early for identity, allowed in own.items()}
            executed = any(identity in self.early for identity in own)
            ids = tuple(self.attempted), tuple(self.completed)
            turn = ResponsesRunnerTurn(response, step, not calls, executed, *ids, open_calls)
            yield turn
            supplied, texts = turn.end()
            if not calls:
                return response
            if step == self._max_steps:
                raise self.error("The tool run has made `max_steps` requests, and the model calls tools still")
            self._params.history += map(input_item, response.output)
            for item in calls:
                self._params.history.append((yield from self._answer(item, supplied)))
            self._params.history += ({"role": "user", "content": text} for text in texts)
        raise AssertionError("unreachable")

    def _overridable(self, item: Any) -> bool:
        return bool(self._registry.functions[item.name].allow_output_override)

    def _answer(self, item: Any, supplied: dict[str, Any]) -> Generator[Step, Any, dict[str, Any]]:
        self.check_cancelled()
        if item.type == "mcp_approval_request":
            self.attempted.append(item.id)
            approved: Any = yield ApproveStep(item)
            if not isinstance(approved, bool):
                raise self.error("`approve_mcp` must return True or False")
            self.completed.append(item.id)
            return {"type": "mcp_approval_response", "approval_request_id": item.id, "approve": approved}
        if item.call_id in supplied:
            self.attempted.append(item.call_id)
            self.completed.append(item.call_id)
            return dict(supplied[item.call_id])
        if item.call_id in self.early:
            result = self.early.pop(item.call_id)
        else:
            result = yield self.begin(item)
            self.completed.append(item.call_id)
        return {"type": "function_call_output", "call_id": item.call_id, "output": result}

    def may_begin(self, item: Any) -> bool:
        """Returns whether an output item is a call that may begin before its response is complete.

        Calls begin in their order: none begins after a call that waits, or after an item that the run may refuse.
        """
        if item.type == "function_call":
            self._check_call(item)
            self._deferred = self._deferred or not self._registry.may_run_early(item.name)
            return not self._deferred
        self._deferred = self._deferred or item.type not in _PASSIVE_ITEMS
        return False

    def begins(self, answer: Any) -> bool:
        """Takes an answer of `before_early_call`, and returns whether the call begins."""
        if answer not in ("execute", "defer"):
            raise self.error("`before_early_call` must return 'execute' or 'defer'")
        self._deferred = answer == "defer"
        return not self._deferred

    def note_early(self, call_id: str, result: Any) -> None:
        """Notes the result of a call that was made while its response arrived."""
        self.early[call_id] = result
        self.completed.append(call_id)

    def begin(self, item: Any) -> CallStep:
        """Returns the step of a call, which counts as attempted from then on.

        Raises ToolRunnerError for a call that was attempted before.
        """
        if item.call_id in self.attempted:
            raise self.error(_CALLED_TWICE)
        function = self._function(item)
        arguments = function.arguments(item.arguments)
        self.attempted.append(item.call_id)
        return CallStep(item, function, arguments)

    def _function(self, item: Any) -> Any:
        function = self._registry.functions.get(item.name)
        if function is None:
            raise self.error(f"The model has called the function {item.name!r}, which is not registered")
        return function

    def _calls(self, response: Any) -> list[Any]:
        """Returns the calls and requests of a response in their order. Raises ToolRunnerError for an unfit response."""
        if getattr(response, "status", None) != "completed":
            raise self.error("The response did not complete")
        calls: list[Any] = []
        answered = False
        for item in response.output:
            identity = getattr(item, "id", None)
            if identity is not None:
                if identity in self._ids:
                    raise self.error("The ids of output items must be unique in a run")
                self._ids.add(identity)
            answered = self._check_item(item, calls) or answered
        if not calls and not answered:
            raise self.error("The response has neither a final message nor a call")
        return calls

    def _check_item(self, item: Any, calls: list[Any]) -> bool:
        """Checks an output item, and adds it to the calls. Returns whether it can end the run."""
        kind: str = item.type
        status: Any = getattr(item, "status", None)
        if kind == "message":
            if status != "completed":
                raise self.error("A message of the response did not complete")
            return getattr(item, "phase", None) != "commentary"
        if kind in _PASSIVE_ITEMS:
            return False
        if kind == "function_call":
            self._check_call(item)
            if item.call_id in self._call_ids:
                raise self.error(_CALLED_TWICE)
            self._call_ids.add(item.call_id)
            calls.append(item)
            return False
        if kind == "mcp_approval_request":
            self._check_approval(item)
            calls.append(item)
            return False
        declared = _SERVER_ITEMS.get(kind)
        tools = self._params.server_tools
        if declared is None or not any(tool["type"].startswith(declared) for tool in tools):
            raise self.error(f"The response has an item of the type {kind!r}, for which the run has no tool")
        if status not in (None, "completed") or (declared == "mcp" and item.server_label not in self._params.mcp):
            raise self.error("A tool of the server did not complete, or was not declared")
        return kind != "mcp_list_tools"

    def _check_call(self, item: Any) -> None:
        if getattr(item, "status", None) not in (None, "completed"):
            raise self.error("A call of the response did not complete")
        self._function(item)

    def _check_approval(self, item: Any) -> None:
        tool = self._params.mcp.get(item.server_label)
        if tool is None:
            raise self.error("The response asks for the approval of an MCP server that was not declared")
        allowed = _tool_names(tool.get("allowed_tools"))
        if allowed is not None and item.name not in allowed:
            raise self.error("The response asks for the approval of a tool outside of `allowed_tools`")
        policy: Any = tool.get("require_approval")
        never = _tool_names(policy.get("never")) if is_mapping(policy) else None
        if policy == "never" or (never is not None and item.name in never):
            raise self.error("The response asks for an approval that `require_approval` rules out")


def _tool_names(given: Any) -> list[Any] | None:
    """Returns the names of a filter of tools: a list, or an object with `tool_names`; None without names."""
    names: Any = given.get("tool_names") if is_mapping(given) else given
    return names if is_list(names) else None
