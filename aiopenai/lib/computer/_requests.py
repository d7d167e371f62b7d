"""The requests of a run with a computer: their checks, the history, and the calls of the responses."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai.lib.calls import check_count
from aiopenai.lib.computer._actions import ComputerUseError, check_call
from aiopenai.lib.running._records import input_item, plain
from aiopenai.lib.running._replay import (
    OWN_FIELDS,
    ReplayedRequest,
    history_items,
    left_in,
    with_encrypted_reasoning,
    without_refused,
)

__all__ = ["COMPUTER_TOOLS", "ComputerRun"]

COMPUTER_TOOLS = frozenset({"computer", "computer_use_preview"})
_FORCED = COMPUTER_TOOLS | {"computer_use"}


class ComputerRun:
    """The arguments of `responses.create` that a run repeats. Raises ValueError for those that it sets itself."""

    def __init__(self, client: Any, given: Mapping[str, Any], max_steps: Any) -> None:
        check_count("max_steps", max_steps)
        self.max_steps: int = max_steps
        params = without_refused(left_in(given), OWN_FIELDS)
        params["tools"] = _tools(params.get("tools", [{"type": "computer"}]))
        params["include"] = with_encrypted_reasoning(params.get("include"))
        self._history = history_items(params.pop("input", []))
        self._request = ReplayedRequest(client, params)
        self._ids = {item["id"] for item in self._history if isinstance(item.get("id"), str)}
        self._call_ids = {item["call_id"] for item in self._history if isinstance(item.get("call_id"), str)}

    def request(self, step: int) -> dict[str, Any]:
        """Returns the arguments of the request of a step, from 1 on."""
        return self._request.of_step(step, self._history)

    def calls(self, response: Any, *, last: bool) -> list[Any]:
        """Returns the calls of a response; none for the final one. Raises ComputerUseError for an unfit response."""
        if getattr(response, "status", None) != "completed":
            raise ComputerUseError("The response did not complete")
        calls: list[Any] = []
        answered = False
        for item in response.output:
            if item.type == "computer_call":
                self._check(plain(item))
                calls.append(item)
            elif item.type == "message":
                answered = answered or (item.status == "completed" and getattr(item, "phase", None) != "commentary")
            elif item.type not in ("reasoning", "compaction"):
                raise ComputerUseError(f"The response has an item of the type {item.type!r}, which needs another tool")
            identity = getattr(item, "id", None)
            if identity in self._ids:
                raise ComputerUseError("The ids of output items must be unique in a run")
            if identity:
                self._ids.add(identity)
        if calls and last:
            raise ComputerUseError("The run has made `max_steps` requests, and the model uses the computer still")
        if not calls and not answered:
            raise ComputerUseError("The response has neither a final message nor a call of the computer")
        return calls

    def go_on(self, response: Any, outputs: list[Any]) -> None:
        """Adds a response and the answers to its calls to the history."""
        self._history += [*map(input_item, response.output), *outputs]
        choice = self._request.params.get("tool_choice")
        if choice == "required" or (is_mapping(choice) and choice.get("type") in _FORCED):
            # A call that is forced in each response leaves no room for an answer.
            self._request.params["tool_choice"] = "auto"
        elif is_mapping(choice) and choice.get("type") == "allowed_tools" and choice.get("mode") == "required":
            self._request.params["tool_choice"] = {**choice, "mode": "auto"}

    def _check(self, call: dict[str, Any]) -> None:
        check_call(call)
        if call["call_id"] in self._call_ids:
            raise ComputerUseError("The ids of calls must be unique in a run")
        self._call_ids.add(call["call_id"])


def _tools(given: Any) -> list[Any]:
    tools: list[Any] = list(given or ())
    if len(tools) != 1 or not is_mapping(tools[0]) or tools[0].get("type") not in COMPUTER_TOOLS:
        raise ValueError("`tools` of `params` has exactly one tool, of the type `computer` or `computer_use_preview`")
    return deepcopy(tools)
