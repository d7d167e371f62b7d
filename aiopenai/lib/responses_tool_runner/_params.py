"""The parameters of a run: their checks, and the requests that they become."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

from aiopenai._base.aliases import is_mapping
from aiopenai._base.headers import merged
from aiopenai._base.sentinels import is_left_out
from aiopenai.lib.responses_tool_runner._items import SERVER_TOOLS
from aiopenai.lib.responses_tool_runner._native import plain_json
from aiopenai.lib.running._records import plain
from aiopenai.types.responses.params import ResponseCreateParamsNonStreaming

__all__ = ["RunParams"]

_ENCRYPTED = "reasoning.encrypted_content"
# The run keeps the history itself, and reads whole responses.
_REFUSED = ("stream", "background", "previous_response_id", "conversation")
_OWN = frozenset({*_REFUSED, "include", "input", "store", "tool_choice", "tools"})
_LOCAL_TOOLS = frozenset({"computer", "computer_use", "computer_use_preview", "function"})
_OWN_OF_BUDGET = frozenset({"context_management", "truncation"})


class RunParams:
    """The arguments of `responses.create` that a run repeats.

    Raises ValueError for arguments that a run sets itself, for tools without an executor, and for a choice of tools
    that never lets the model answer.
    """

    def __init__(self, client: Any, given: Any, tools: list[Any], *, saved: bool, budgeted: bool) -> None:
        params = _native(given, saved) if saved or budgeted else _left_in(given)
        for name in _REFUSED:
            if params.pop(name, None):
                raise ValueError(f"`params` must not have {name!r}: a run keeps its history, and reads whole responses")
        extra: Any = params.get("extra_body")
        own = _OWN | _OWN_OF_BUDGET if budgeted else _OWN
        if is_mapping(extra) and (taken := sorted(own & extra.keys())):
            raise ValueError(f"`extra_body` must not have {', '.join(map(repr, taken))}: a run sets them itself")
        if budgeted and (params.get("truncation") == "auto" or params.get("context_management")):
            raise ValueError("`context_budget` excludes `truncation` and `context_management` of the server")
        if budgeted and params.get("truncation") is None:
            params["truncation"] = "disabled"
        server_tools = _server_tools(params.pop("tools", None))
        if params.get("store") is False and any(tool["type"] == "image_generation" for tool in server_tools):
            raise ValueError("Image generation needs `store`: its results are referred to by id")
        self.choice: Any = deepcopy(params.get("tool_choice"))
        self.tools = [*tools, *server_tools]
        """The registered tools and those of the server."""
        _check_choice(self.choice, self.tools)
        self.history: list[Any] = _history(params.pop("input", []))
        params["include"] = list(dict.fromkeys([*(params.get("include") or ()), _ENCRYPTED]))
        params["tools"] = self.tools
        if saved or any(tool["type"] == "mcp" for tool in server_tools):
            # A repeated request could repeat the effects of a server's tools, and no checkpoint would tell.
            params["max_retries"] = 0
        self._params = params
        headers: Any = params.get("extra_headers") or {}
        known = (*getattr(client, "default_headers", {}), *headers)
        self._keyed = any(str(name).lower() == "idempotency-key" for name in known) or "idempotency_key" in params

    def request(self, step: int, history: list[Any]) -> dict[str, Any]:
        """Returns the arguments of the request of a step, from 1 on. An idempotency key serves one request."""
        request = {**self._params, "input": list(history)}
        if step > 1 and self._keyed:
            request.pop("idempotency_key", None)
            key = {"Idempotency-Key": f"stainless-python-retry-{uuid.uuid4()}"}
            request["extra_headers"] = merged(dict(request.get("extra_headers") or ()), key)
        return request


def _left_in(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not is_left_out(value)}


def _native(given: Any, saved: bool) -> dict[str, Any]:
    """Returns parameters that are plain JSON values, for runs that are saved or measured."""
    if not isinstance(given, dict):
        raise ValueError("With a ledger or a budget `params` is a dict of plain JSON values")
    params = _left_in(cast("dict[str, Any]", given))
    others = params.keys() - ResponseCreateParamsNonStreaming.__annotations__.keys()
    if saved and others:
        raise ValueError(f"With a ledger `params` has fields of the body only, and no {', '.join(sorted(others))}")
    return {name: value if name in others else plain_json(value) for name, value in params.items()}


def _history(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if is_mapping(given) or not hasattr(given, "__iter__"):
        raise TypeError(f"`input` is a str or a list of items, not {type(given).__name__}")
    return list(map(plain, given))


def _server_tools(given: Any) -> list[Any]:
    found: list[Any] = deepcopy(list(given or ()))
    labels: set[Any] = set()
    for tool in found:
        kind: Any = tool.get("type") if is_mapping(tool) else None
        if kind not in SERVER_TOOLS:
            raise ValueError(f"`tools` of `params` are tools of the server, not {kind!r}: register functions")
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
