"""The parameters of a run: their checks, and the requests that they become."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai._base.headers import merged
from aiopenai._base.sentinels import is_left_out

__all__ = ["RunParams"]

_SERVER_TOOLS = ("web_search", "file_search", "code_interpreter", "image_generation", "mcp")
_ENCRYPTED = "reasoning.encrypted_content"
# The run keeps the history itself, and reads whole responses.
_REFUSED = ("stream", "background", "previous_response_id", "conversation")
_OWN = frozenset({*_REFUSED, "include", "input", "max_retries", "tool_choice", "tools"})


class RunParams:
    """The arguments of `responses.create` that a run repeats.

    Raises ValueError for arguments that a run sets itself, for tools without an executor, and for a choice of tools
    that never lets the model answer.
    """

    def __init__(self, client: Any, given: Mapping[str, Any], tools: list[Any]) -> None:
        params = {name: value for name, value in given.items() if not is_left_out(value)}
        for name in _REFUSED:
            if params.pop(name, None):
                raise ValueError(f"`params` must not have {name!r}: a run keeps its history, and reads whole responses")
        extra: Any = params.get("extra_body")
        if is_mapping(extra) and (taken := sorted(_OWN & extra.keys())):
            raise ValueError(f"`extra_body` must not have {', '.join(map(repr, taken))}: a run sets them itself")
        self.server_tools = _server_tools(params.pop("tools", None))
        self.mcp = {tool["server_label"]: tool for tool in self.server_tools if tool["type"] == "mcp"}
        if params.get("store") is False and any(tool["type"] == "image_generation" for tool in self.server_tools):
            raise ValueError("Image generation needs `store`: its results are referred to by id")
        _check_choice(params.get("tool_choice"), has_server_tools=bool(self.server_tools))
        self.history: list[Any] = _history(params.pop("input", []))
        include: list[Any] = list(params.get("include") or ())
        params["include"] = include if _ENCRYPTED in include else [*include, _ENCRYPTED]
        params["tools"] = [*tools, *self.server_tools]
        if self.mcp:
            # A repeated request could repeat the effects of a server's tools.
            params["max_retries"] = 0
        self._params = params
        headers: Any = params.get("extra_headers") or {}
        known = (*getattr(client, "default_headers", {}), *headers)
        self._keyed = any(str(name).lower() == "idempotency-key" for name in known) or "idempotency_key" in params

    def request(self, step: int) -> dict[str, Any]:
        """Returns the arguments of the request of a step, from 1 on. An idempotency key serves one request."""
        request = {**self._params, "input": list(self.history)}
        if step > 1 and self._keyed:
            request.pop("idempotency_key", None)
            key = {"Idempotency-Key": f"stainless-python-retry-{uuid.uuid4()}"}
            request["extra_headers"] = merged(dict(request.get("extra_headers") or ()), key)
        return request


def _history(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if is_mapping(given) or not hasattr(given, "__iter__"):
        raise TypeError(f"`input` is a str or a list of items, not {type(given).__name__}")
    return list(given)


def _server_tools(given: Any) -> list[Any]:
    found: list[Any] = list(given or ())
    labels: set[Any] = set()
    for tool in found:
        kind: Any = tool.get("type") if is_mapping(tool) else None
        if not isinstance(kind, str) or not kind.startswith(_SERVER_TOOLS):
            raise ValueError(f"`tools` of `params` are tools of the server, not {kind!r}: register functions")
        if kind == "mcp":
            label = tool.get("server_label")
            if not label or label in labels:
                raise ValueError(f"The labels of MCP servers must be unique and not empty: {label!r}")
            labels.add(label)
    return found


def _check_choice(choice: Any, *, has_server_tools: bool) -> None:
    """Raises ValueError for a choice of tools with which each response calls a function."""
    forced = choice == "required" and not has_server_tools
    if is_mapping(choice):
        kind = choice.get("type")
        allowed: Any = choice.get("tools") or ()
        local = all(is_mapping(tool) and tool.get("type") == "function" for tool in allowed)
        forced = kind == "function" or (kind == "allowed_tools" and choice.get("mode") == "required" and local)
    if forced:
        raise ValueError("With this `tool_choice` each response calls a function, and the run has no end: use `auto`")
