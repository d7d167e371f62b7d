"""The parameters of a run: their checks, and the requests that they become."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

from aiopenai._base.aliases import is_mapping
from aiopenai.lib.computer._requests import COMPUTER_TOOLS
from aiopenai.lib.responses_tool_runner._items import SERVER_TOOLS
from aiopenai.lib.responses_tool_runner._native import plain_json
from aiopenai.lib.running._replay import (
    OWN_FIELDS,
    ReplayedRequest,
    history_items,
    left_in,
    with_encrypted_reasoning,
    without_refused,
)
from aiopenai.types.responses.params import ResponseCreateParamsNonStreaming

__all__ = ["RunParams"]

_OWN = OWN_FIELDS | {"store"}
_LOCAL_TOOLS = frozenset({"computer", "computer_use", "computer_use_preview", "function"})
_OWN_OF_BUDGET = frozenset({"context_management", "truncation"})


class RunParams:
    """The arguments of `responses.create` that a run repeats.

    Raises ValueError for arguments that a run sets itself, for tools without an executor, and for a choice of tools
    that never lets the model answer.
    """

    def __init__(self, client: Any, given: Any, tools: list[Any], *, saved: bool, budgeted: bool) -> None:
        own = _OWN | _OWN_OF_BUDGET if budgeted else _OWN
        params = without_refused(_native(given, saved) if saved or budgeted else left_in(given), own)
        if budgeted and (params.get("truncation") == "auto" or params.get("context_management")):
            raise ValueError("`context_budget` excludes `truncation` and `context_management` of the server")
        if budgeted and params.get("truncation") is None:
            params["truncation"] = "disabled"
        server_tools = _declared_tools(params.pop("tools", None), has_computer={"type": "computer"} in tools)
        if any(tool["type"] in COMPUTER_TOOLS for tool in server_tools):
            # The declaration of the program replaces the one of the runner.
            tools = [tool for tool in tools if tool["type"] != "computer"]
        if params.get("store") is False and any(tool["type"] == "image_generation" for tool in server_tools):
            raise ValueError("Image generation needs `store`: its results are referred to by id")
        self.choice: Any = deepcopy(params.get("tool_choice"))
        self.tools = [*tools, *server_tools]
        """The registered tools and those of the server."""
        _check_choice(self.choice, self.tools)
        self.history: list[Any] = history_items(params.pop("input", []))
        params["include"] = with_encrypted_reasoning(params.get("include"))
        params["tools"] = self.tools
        if saved or any(tool["type"] == "mcp" for tool in server_tools):
            # A repeated request could repeat the effects of a server's tools, and no checkpoint would tell.
            params["max_retries"] = 0
        self._request = ReplayedRequest(client, params)

    def request(self, step: int, history: list[Any]) -> dict[str, Any]:
        """Returns the arguments of the request of a step, from 1 on."""
        return self._request.of_step(step, history)


def _native(given: Any, saved: bool) -> dict[str, Any]:
    """Returns parameters that are plain JSON values, for runs that are saved or measured."""
    if not isinstance(given, dict):
        raise ValueError("With a ledger or a budget `params` is a dict of plain JSON values")
    params = left_in(cast("dict[str, Any]", given))
    others = params.keys() - ResponseCreateParamsNonStreaming.__annotations__.keys()
    if saved and others:
        raise ValueError(f"With a ledger `params` has fields of the body only, and no {', '.join(sorted(others))}")
    return {name: value if name in others else plain_json(value) for name, value in params.items()}


def _declared_tools(given: Any, *, has_computer: bool) -> list[Any]:
    """Returns the tools that the program declares. Raises ValueError for others than tools of the server."""
    found: list[Any] = deepcopy(list(given or ()))
    labels: set[Any] = set()
    for tool in found:
        kind: Any = tool.get("type") if is_mapping(tool) else None
        if kind in COMPUTER_TOOLS and has_computer:
            has_computer = False
        elif kind not in SERVER_TOOLS:
            raise ValueError(f"`tools` of `params` are tools of the server, not {kind!r}: register your own")
        if kind == "mcp":
            label = tool.get("server_label")
            if not isinstance(label, str) or not label or label in labels:
                raise ValueError(f"The labels of MCP servers must be unique and not empty: {label!r}")
            labels.add(label)
    return found


def _check_choice(choice: Any, tools: list[Any]) -> None:
    """Raises ValueError for a choice of tools with which each response calls a function."""
    forced = choice == "required" and _are_local(tools)
    if is_mapping(choice):
        required = choice.get("type") == "allowed_tools" and choice.get("mode") == "required"
        forced = choice.get("type") in _LOCAL_TOOLS or (required and _are_local(choice.get("tools")))
    if forced:
        raise ValueError("With this `tool_choice` each response calls a function, and the run has no end: use `auto`")


def _are_local(tools: Any) -> bool:
    return bool(tools) and all(is_mapping(tool) and tool.get("type") in _LOCAL_TOOLS for tool in tools)
