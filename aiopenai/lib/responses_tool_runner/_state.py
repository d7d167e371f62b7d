"""The state of a run: its history, the receipts of its calls, and the response under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.responses_tool_runner._errors import ToolRunnerError
from aiopenai.lib.responses_tool_runner._functions import FunctionCall, Registry
from aiopenai.lib.responses_tool_runner._history import (
    approved_requests,
    check_history,
    has_observation,
    native_ids,
)
from aiopenai.lib.responses_tool_runner._items import SERVER_ITEMS, ItemRules, consume_approval
from aiopenai.lib.responses_tool_runner._ledger import (
    Phase,
    ResponsesToolCheckpoint,
    check_resumable,
    tools_without_secrets,
)
from aiopenai.lib.responses_tool_runner._native import MAX_NUMBER, is_text, plain_json
from aiopenai.lib.responses_tool_runner._options import RunOptions
from aiopenai.lib.responses_tool_runner._outputs import checked_output
from aiopenai.lib.responses_tool_runner._params import RunParams
from aiopenai.lib.responses_tool_runner._turn import ResponsesRunnerTurn
from aiopenai.lib.running._records import input_item, plain
from aiopenai.lib.tool_diagnostics import emit_tool_diagnostic

__all__ = ["RunState", "identity_of", "replayed"]

_CALLED_TWICE = "The ids of calls must be unique in a run"
_TOO_MANY_STEPS = "The tool run has made `max_steps` requests, and the model calls tools still"
_OUTPUT_KEYS = {"type", "call_id", "output"}


def replayed(item: Any) -> dict[str, Any]:
    """Returns an output item as the next request repeats it."""
    found = dict(input_item(item))
    if found.get("type") == "function_call" and found.get("id", "") is None:
        del found["id"]
    return found


def identity_of(call: dict[str, Any]) -> Any:
    """Returns the id of a call, or of a request for an approval."""
    return call.get("id" if call["type"] == "mcp_approval_request" else "call_id")


class RunState:
    """The state of one run. Raises ValueError for a checkpoint from which the run cannot go on."""

    def __init__(self, params: RunParams, registry: Registry, options: RunOptions) -> None:
        self.history = params.history
        self.rules = ItemRules(params.tools, params.choice)
        self.attempted: list[str] = []
        self.completed: list[str] = []
        self.consumed_requests = 0
        self.last_error: ToolRunnerError | None = None
        self.pending_items: list[Any] | None = None
        """The items of the response that a checkpoint stores before they are accepted."""
        self._options = options
        self._registry = registry
        self._tools = params.tools
        self._revision = 0
        self._active_step: int | None = None
        self._texts: list[str] = []
        self._seen = {item["call_id"] for item in self.history if is_text(item.get("call_id"))}
        requests = (item for item in self.history if item.get("type") == "mcp_approval_request")
        self._seen |= {item["id"] for item in requests if is_text(item.get("id"))}
        self.items: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        if options.ledger is not None:
            if options.checkpoint is not None:
                self._restore(options.checkpoint, options.ledger.run_id)
            self.check_boundary()

    def error(self, message: str) -> ToolRunnerError:
        """Returns the error for a run that stops here."""
        self.last_error = ToolRunnerError(message, self.attempted, self.completed)
        return self.last_error

    def check_cancelled(self) -> None:
        """Raises ToolRunnerError once the program has cancelled the run."""
        if self._options.cancelled():
            raise self.error("The tool run was cancelled")

    def begin(self, step: int) -> None:
        """Begins the request of a step."""
        self.items = []
        self.outputs = []
        self.pending_items = None
        self.supplied: dict[str, Any] = {}
        # Whether the calls of the response wait for its end.
        self.deferred = False
        self._last = step == self._options.max_steps
        self._arguments: dict[str, Any] = {}
        self._stream_items: dict[int, dict[str, Any]] = {}
        self._before = frozenset(self._seen), frozenset(native_ids(self.history))
        self._stream_seen, self._stream_ids = map(set, self._before)
        self._approved = approved_requests(self.history)

    # The response.

    def receive(self, index: Any, item: dict[str, Any], may_begin: Callable[[dict[str, Any]], bool]) -> bool:
        """Checks an item of a response that arrives. Returns whether it may be accepted before the end.

        Items are accepted in their order: none after a call that waits, or after a gap.
        """
        if type(index) is not int or index in self._stream_items:
            raise self.error("The stream has sent an output item twice")
        self._check_id(item, self._stream_ids)
        is_call = self._check(item, self._stream_seen)
        self.deferred = self.deferred or index != len(self._stream_items)
        self._stream_items[index] = item
        self.deferred = self.deferred or (is_call and not may_begin(item))
        return not self.deferred

    def accept(self, item: dict[str, Any]) -> bool:
        """Takes an item into the run. Returns whether it is a call, which counts as attempted from then on."""
        self.check_cancelled()
        is_call = self._check(item, self._seen)
        self.items.append(item)
        if is_call:
            self.attempted.append(identity_of(item))
        return is_call

    def add(self, call: dict[str, Any], output: dict[str, Any]) -> None:
        """Notes the output of a call."""
        self.outputs.append(output)
        self.completed.append(identity_of(call))

    def call(self, item: dict[str, Any]) -> FunctionCall:
        """Returns the call of an item."""
        return FunctionCall(
            item,
            self._registry.functions[item["name"]],
            self._arguments[item["call_id"]],
            self._options.cancelled,
            self._options.on_diagnostic,
        )

    def preflight(self, response: Any, items: list[dict[str, Any]], *, eager: bool) -> bool:
        """Checks a complete response before its calls are made. Returns whether the run ends with it."""
        if getattr(response, "status", None) != "completed":
            raise self.error("The response did not complete")
        seen, ids = map(set, self._before)
        has_calls = False
        for item in items:
            self._check_id(item, ids)
            has_calls = self._check(item, seen) or has_calls
            if item["type"] == "mcp_call":
                self._consume_approval(item)
        if eager:
            if not _same_items([self._stream_items[index] for index in sorted(self._stream_items)], items):
                raise self.error("The complete response differs from the items that arrived before")
            if len(self.items) == len(items):
                return self.finish(items)
        if has_calls:
            return False
        for item in items[len(self.items) :]:
            self.accept(item)
        return self.finish(items)

    def finish(self, items: list[dict[str, Any]]) -> bool:
        """Ends a response of which all items were accepted. Returns whether the run ends with it."""
        self.check_cancelled()
        if not _same_items(self.items, items):
            raise self.error("The complete response differs from the calls that were made while it arrived")
        self.items = items
        if not self.outputs:
            if any(map(_is_answer, items)):
                return True
            raise self.error("The response has neither a final message nor a call")
        budgeted = self._options.budget is not None and self._options.ledger is None
        if budgeted and self.history and self.history[-1].get("type") == "compaction_trigger":
            self.history.pop()
        self.history += [*items, *self.outputs]
        return False

    def _check(self, item: dict[str, Any], seen: set[str]) -> bool:
        try:
            is_call = self.rules.check(item)
        except ValueError as fault:
            raise self.error(str(fault)) from None
        if not is_call:
            return False
        if self._last:
            raise self.error(_TOO_MANY_STEPS)
        identity = identity_of(item)
        if not is_text(identity) or identity in seen:
            raise self.error(_CALLED_TWICE)
        seen.add(identity)
        if item["type"] == "function_call" and identity not in self._arguments:
            self._arguments[identity] = self._parsed(item)
        return True

    def _parsed(self, item: dict[str, Any]) -> Any:
        started = monotonic()
        try:
            return self._registry.functions[item["name"]].arguments(item.get("arguments"))
        except Exception:
            at = {"call_id": item["call_id"], "member": item["name"]}
            emit_tool_diagnostic(self._options.on_diagnostic, "responses", "arguments", "invalid_input", started, **at)
            raise

    def _check_id(self, item: dict[str, Any], ids: set[str]) -> None:
        identity: Any = item.get("id")
        if is_text(identity):
            if identity in ids:
                raise self.error("The ids of output items must be unique in a run")
            ids.add(identity)

    def _consume_approval(self, item: dict[str, Any]) -> None:
        try:
            consume_approval(item, self._approved)
        except ValueError as fault:
            raise self.error(str(fault)) from None

    # The turn.

    def turn(self, response: Any, items: list[dict[str, Any]], step: int, *, final: bool, closed: bool) -> Any:
        """Returns the turn of a response. closed: whether all of its calls were made while it arrived."""
        self._active_step = step
        eligible = frozenset(
            item["call_id"]
            for item in items[len(self.items) :]
            if item["type"] == "function_call" and item["name"] in self._registry.overrides
        )
        return ResponsesRunnerTurn(
            response,
            step,
            final,
            bool(self.outputs),
            tuple(self.attempted),
            tuple(self.completed),
            partial(self._supply, step, eligible, closed),
            partial(self._append, step, final),
        )

    def end_turn(self) -> None:
        """Ends the time for changes of a turn."""
        self._active_step = None

    def append_texts(self) -> bool:
        """Appends the messages of the turn to the history. Returns whether there are any."""
        texts, self._texts = self._texts, []
        self.history += [{"role": "user", "content": text} for text in texts]
        return bool(texts)

    def _append(self, step: int, final: bool, text: str) -> None:
        given: Any = text
        if self._active_step != step or final or not is_text(given) or not given.strip():
            raise ValueError("Text can be added to a turn that goes on, and must not be empty")
        self._texts.append(text)

    def _supply(self, step: int, eligible: frozenset[str], closed: bool, outputs: Any) -> None:
        if self._active_step != step or (closed and not eligible):
            raise ValueError("The calls of this turn were made already: outputs come too late")
        if not is_list(outputs):
            raise ValueError(f"`outputs` is a list of outputs, not {type(outputs).__name__}")
        supplied: dict[str, Any] = {}
        for output in outputs:
            if not is_mapping(output) or set(output) != _OUTPUT_KEYS or output["type"] != "function_call_output":
                raise ValueError("An output has the type `function_call_output`, a `call_id` and an `output`")
            call_id: Any = output["call_id"]
            if call_id not in eligible or call_id in supplied:
                raise ValueError(f"The call {call_id!r} is unknown, given twice, or must be made by its function")
            supplied[call_id] = {**output, "output": checked_output(output["output"])}
        self.supplied = supplied

    # Checkpoints.

    def check_boundary(self) -> None:
        """Checks the history between two steps. Raises ValueError for one that cannot be sent again."""
        names = self._registry.functions
        saved = self._options.ledger is not None
        self._seen = check_history(plain_json(self.history), self.rules, names, saved=saved)
        receipts = set(self.attempted)
        if self.attempted != self.completed or len(receipts) != len(self.attempted) or receipts - self._seen:
            raise ValueError("The history lacks the outputs of calls that the run has made")

    def checkpoint(self, phase: Phase, final: Any = None) -> ResponsesToolCheckpoint:
        """Returns a checkpoint as a copy. `final` is the last response."""
        if phase == "boundary":
            self.check_boundary()
        if self._revision >= MAX_NUMBER:
            raise ValueError("The ledger has no further revisions")
        self._revision += 1
        ledger: Any = self._options.ledger
        pending = phase == "pending"
        items = self.items if self.pending_items is None else self.pending_items
        response = None if final is None else dict(plain(final))
        if response is not None and "tools" in response:
            response["tools"] = tools_without_secrets(response["tools"])
        checkpoint: ResponsesToolCheckpoint = {
            "version": 1,
            "run_id": ledger.run_id,
            "revision": self._revision,
            "phase": phase,
            "max_steps": self._options.max_steps,
            "consumed_requests": self.consumed_requests,
            "tools": tools_without_secrets(self._tools),
            "output_override_names": sorted(self._registry.overrides),
            "history": self.history,
            "attempted_call_ids": self.attempted,
            "returned_call_ids": self.completed,
            "pending_items": items if pending else [],
            "returned_outputs": self.outputs if pending else [],
            "final_response": response,
        }
        copy: ResponsesToolCheckpoint = plain_json(checkpoint)
        return copy

    def _restore(self, checkpoint: ResponsesToolCheckpoint, run_id: str) -> None:
        shared = {
            "version": 1,
            "run_id": run_id,
            "max_steps": self._options.max_steps,
            "tools": tools_without_secrets(self._tools),
            "output_override_names": sorted(self._registry.overrides),
        }
        check_resumable(checkpoint, shared)
        fresh = self.history
        if not has_observation(fresh):
            raise ValueError("A run goes on with a new observation: give it as `input` of `params`")
        self._revision = checkpoint["revision"]
        self.consumed_requests = checkpoint["consumed_requests"]
        self.attempted = checkpoint["attempted_call_ids"]
        self.completed = checkpoint["returned_call_ids"]
        self.history = checkpoint["history"]
        consumed: Any = self.consumed_requests
        if type(consumed) is not int or not 0 <= consumed <= self._options.max_steps:
            raise ValueError("The checkpoint has an invalid number of requests")
        self.check_boundary()
        self.history += fresh


def _is_answer(item: dict[str, Any]) -> bool:
    """Returns whether an item without calls beside it ends a run."""
    if item["type"] == "message":
        return item.get("phase") != "commentary"
    return item["type"] in SERVER_ITEMS and item["type"] != "mcp_approval_request"


def _same_items(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> bool:
    """Returns whether the items of a complete response are those that arrived before."""
    return list(map(_comparable, before)) == list(map(_comparable, after))


def _comparable(item: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of an item that does not change while its response arrives."""
    if item["type"] == "reasoning" and item.get("encrypted_content"):
        return {**item, "encrypted_content": True}
    # The id of a call may come with the complete response.
    return {key: value for key, value in item.items() if key != "id" or item["type"] != "function_call"}
