"""The rules for output items: their fields, and the tools and choices of the run that allow them.

Items are sent back with the next request, so an item that the API would refuse ends the run before its calls are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.computer import ComputerUseError
from aiopenai.lib.computer._actions import check_call
from aiopenai.lib.computer._requests import COMPUTER_TOOLS
from aiopenai.lib.responses_tool_runner._native import is_text, is_text_or_none, plain_json, tool_names

__all__ = ["SERVER_ITEMS", "SERVER_TOOLS", "ItemRules", "check_computer_call", "consume_approval", "has_call_fields"]

# The types of items that tools of the server make, with the types of these tools.
SERVER_ITEMS: Mapping[str, frozenset[str]] = {
    "web_search_call": frozenset(
        {"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"}
    ),
    "file_search_call": frozenset({"file_search"}),
    "code_interpreter_call": frozenset({"code_interpreter"}),
    "image_generation_call": frozenset({"image_generation"}),
    "mcp_call": frozenset({"mcp"}),
    "mcp_list_tools": frozenset({"mcp"}),
    "mcp_approval_request": frozenset({"mcp"}),
}
SERVER_TOOLS = frozenset(kind for kinds in SERVER_ITEMS.values() for kind in kinds)
_COMPUTER_CHOICES = COMPUTER_TOOLS | {"computer_use"}
_MESSAGE_PHASES = (None, "commentary", "final_answer")
_MESSAGE_PARTS = {"output_text": "text", "refusal": "refusal"}


def has_call_fields(item: Mapping[str, Any]) -> bool:
    """Returns whether the fields of a function call beside its name and arguments are valid."""
    caller: Any = item.get("caller")
    if caller is not None:
        if not is_mapping(caller):
            return False
        if caller.get("type") != "direct" and (caller.get("type") != "program" or not is_text(caller.get("caller_id"))):
            return False
    return is_text(item.get("id", "")) and is_text(item.get("namespace", "")) and isinstance(item.get("async", 0), int)


def consume_approval(item: Mapping[str, Any], approved: dict[str, Any]) -> None:
    """Takes the approval of a call of an MCP server out of the approved requests.

    Raises ValueError if the call refers to no approved request, or differs from it.
    """
    identity: Any = item.get("approval_request_id")
    if identity is None:
        return
    request: Any = approved.get(identity) if is_text(identity) else None
    if request is None or any(request.get(key) != item.get(key) for key in ("server_label", "name", "arguments")):
        raise ValueError("The call of an MCP server has no approved request with the same tool and arguments")
    del approved[identity]


def _are_parts(parts: Any, kind: str) -> bool:
    return is_list(parts) and all(
        is_mapping(part) and part.get("type") == kind and is_text(part.get("text")) for part in parts
    )


def _is_message(item: Any) -> bool:
    parts: Any = item.get("content")
    return (
        is_text(item.get("id"))
        and item.get("role") == "assistant"
        and item.get("phase") in _MESSAGE_PHASES
        and is_list(parts)
        and all(
            is_mapping(part)
            and part.get("type") in _MESSAGE_PARTS
            and is_text(part.get(_MESSAGE_PARTS[part["type"]]))
            and (part["type"] == "refusal" or is_list(part.get("annotations")))
            for part in parts
        )
    )


def _is_reasoning(item: Any) -> bool:
    content = "content" not in item or _are_parts(item["content"], "reasoning_text")
    encrypted = is_text_or_none(item.get("encrypted_content"))
    return is_text(item.get("id")) and _are_parts(item.get("summary"), "summary_text") and content and encrypted


def _is_compaction(item: Any) -> bool:
    return is_text(item.get("id")) and is_text(item.get("encrypted_content"))


_PASSIVE_ITEMS: Mapping[str, Callable[[Any], bool]] = {
    "compaction": _is_compaction,
    "message": _is_message,
    "reasoning": _is_reasoning,
}


def _is_web_search(item: Any) -> bool:
    action: Any = item.get("action")
    if not is_mapping(action):
        return False
    if action.get("type") == "search":
        queries, sources = action.get("queries", []), action.get("sources", [])
        return (
            is_text(action.get("query", ""))
            and is_list(queries)
            and all(map(is_text, queries))
            and (sources is None or is_list(sources))
        )
    if action.get("type") == "open_page":
        return is_text_or_none(action.get("url"))
    return action.get("type") == "find_in_page" and is_text(action.get("pattern")) and is_text(action.get("url"))


def _is_file_search(item: Any) -> bool:
    queries, results = item.get("queries"), item.get("results")
    found = results is None or (is_list(results) and all(map(is_mapping, results)))
    return is_list(queries) and all(map(is_text, queries)) and found


def _is_code(item: Any) -> bool:
    outputs: Any = item.get("outputs", 0)
    keys: dict[Any, str] = {"logs": "logs", "image": "url"}
    return is_text_or_none(item.get("code", 0)) and (
        outputs is None
        or (
            is_list(outputs)
            and all(is_mapping(each) and is_text(each.get(keys.get(each.get("type"), ""))) for each in outputs)
        )
    )


def _is_tool_list(item: Any) -> bool:
    tools: Any = item.get("tools")
    return is_list(tools) and all(
        is_mapping(tool)
        and is_text(tool.get("name"))
        and "input_schema" in tool
        and is_text_or_none(tool.get("description"))
        for tool in tools
    )


def _is_mcp_call(item: Any) -> bool:
    return is_text(item.get("name")) and is_text(item.get("arguments")) and is_text_or_none(item.get("output"))


_SERVER_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "web_search_call": _is_web_search,
    "file_search_call": _is_file_search,
    "code_interpreter_call": _is_code,
    "image_generation_call": lambda item: is_text_or_none(item.get("result", 0)),
    "mcp_list_tools": _is_tool_list,
    "mcp_call": _is_mcp_call,
    "mcp_approval_request": lambda item: bool(item.get("id")) and _is_mcp_call(item),
}
# Items of the other kinds may lack a status.
_NEED_STATUS = frozenset({"code_interpreter_call", "file_search_call", "image_generation_call", "web_search_call"})


class ItemRules:
    """The items that the responses of a run may have, by its tools and its `tool_choice`.

    Each check raises ValueError for an item that ends the run.
    """

    def __init__(self, tools: list[Any], choice: Any) -> None:
        self._tools = tools
        self._functions = {tool["name"]: tool for tool in tools if tool["type"] == "function"}
        self._mcp = {tool["server_label"]: tool for tool in tools if tool["type"] == "mcp"}
        self._chosen = _chosen_tools(choice)

    @property
    def has_server_tools(self) -> bool:
        """Whether the run has tools of the server."""
        return any(tool["type"] in SERVER_TOOLS for tool in self._tools)

    @property
    def has_computer(self) -> bool:
        """Whether the run has a computer."""
        return any(tool["type"] in COMPUTER_TOOLS for tool in self._tools)

    def check(self, item: dict[str, Any]) -> bool:
        """Checks an output item. Returns whether it is a call, or a request for an approval."""
        plain_json(item)
        kind: Any = item.get("type")
        if kind in SERVER_ITEMS:
            self.check_server_item(item)
            if kind in ("mcp_call", "mcp_approval_request"):
                self.check_mcp(item)
            elif kind != "mcp_list_tools" and not self._allows(lambda tool: tool.get("type") in SERVER_ITEMS[kind]):
                raise ValueError("The response has an item of a server's tool that `tool_choice` excludes")
            return bool(kind == "mcp_approval_request")
        if kind == "function_call":
            self._check_call(item)
            return True
        if kind == "computer_call" and self.has_computer:
            check_computer_call(item)
            if not self._allows(lambda tool: tool.get("type") in _COMPUTER_CHOICES):
                raise ValueError("The model has called the computer, which `tool_choice` excludes")
            return True
        if kind not in _PASSIVE_ITEMS:
            raise ValueError(f"The response has an item of the type {kind!r}, for which the run has no tool")
        if kind == "message" and item.get("status") != "completed":
            raise ValueError("A message of the response did not complete")
        if not _PASSIVE_ITEMS[kind](item):
            raise ValueError(f"An item of the type {kind} lacks fields that the next request needs")
        return False

    def check_server_item(self, item: Mapping[str, Any]) -> None:
        """Checks the fields of an item of a server's tool, in a response or a history."""
        kind: str = item["type"]
        tools = [tool for tool in self._tools if tool["type"] in SERVER_ITEMS[kind]]
        if not tools or (kind.startswith("mcp_") and item.get("server_label") not in self._mcp):
            raise ValueError(f"The item of the type {kind} belongs to a tool that was not declared")
        status: Any = item.get("status")
        if status not in (None, "completed") or item.get("error") is not None:
            raise ValueError("A tool of the server did not complete")
        complete = status is not None or kind not in _NEED_STATUS
        if not is_text(item.get("id")) or not complete or not _SERVER_FIELDS[kind](item):
            raise ValueError(f"An item of the type {kind} lacks fields that the next request needs")
        if kind == "code_interpreter_call" and not any(_owns(tool, item.get("container_id")) for tool in tools):
            raise ValueError("The code ran in a container that was not declared")

    def check_mcp(self, item: Mapping[str, Any]) -> None:
        """Checks a call of an MCP server, or a request for one, against its declaration."""
        tool = self._mcp.get(item.get("server_label"), {})
        name: Any = item.get("name")
        policy = _approval_policy(tool, name)
        if item["type"] == "mcp_approval_request" and policy == "never":
            raise ValueError("The response asks for an approval that `require_approval` rules out")
        if item["type"] == "mcp_call" and policy == "always" and item.get("approval_request_id") is None:
            raise ValueError("The call of an MCP server needs an approval, and has none")
        allowed: Any = tool.get("allowed_tools")
        filtered = "tool_names" in allowed if is_mapping(allowed) else allowed is not None
        if filtered and name not in (tool_names(allowed) or ()):
            raise ValueError("The response names a tool of an MCP server outside of `allowed_tools`")
        label = item.get("server_label")
        if not self._allows(lambda each: each.get("server_label") == label and each.get("name") in (None, name)):
            raise ValueError("The response names a tool of an MCP server that `tool_choice` excludes")

    def _check_call(self, item: Mapping[str, Any]) -> None:
        name: Any = item.get("name")
        if item.get("status") not in (None, "completed"):
            raise ValueError("A call of the response did not complete")
        if name not in self._functions or not has_call_fields(item):
            raise ValueError(f"The model has called the function {name!r}, which is not registered")
        # Deferred calls repeat the name of the function as the namespace.
        if item.get("namespace") not in (None, name):
            raise ValueError(f"The model has called the function {name!r} in another namespace")
        caller: Any = item.get("caller")
        kind = "programmatic" if is_mapping(caller) and caller.get("type") == "program" else "direct"
        allowed: Any = self._functions[name].get("allowed_callers")
        if allowed is not None and kind not in allowed:
            raise ValueError(f"The caller of the function {name!r} is not one of its `allowed_callers`")
        if not self._allows(lambda tool: tool.get("type") == "function" and tool.get("name") == name):
            raise ValueError(f"The model has called the function {name!r}, which `tool_choice` excludes")

    def _allows(self, matches: Callable[[Mapping[str, Any]], bool]) -> bool:
        return self._chosen is None or any(map(matches, self._chosen))


def check_computer_call(item: Mapping[str, Any]) -> None:
    """Raises ValueError for a call of the computer that cannot be done or sent back."""
    try:
        check_call(item)
    except ComputerUseError as fault:
        raise ValueError(str(fault)) from None


def _chosen_tools(choice: Any) -> list[Mapping[str, Any]] | None:
    """Returns the tools that a `tool_choice` names; None if it allows all."""
    if choice in (None, "auto", "required"):
        return None
    allowed: Any = choice.get("tools") if is_mapping(choice) and choice.get("type") == "allowed_tools" else [choice]
    return [each for each in allowed or () if is_mapping(each)]


def _owns(tool: Mapping[str, Any], container_id: Any) -> bool:
    container: Any = tool.get("container")
    return is_text(container_id) and (
        container == container_id or (is_mapping(container) and container.get("type") == "auto")
    )


def _approval_policy(tool: Mapping[str, Any], name: Any) -> Literal["always", "never"] | None:
    """Returns the policy for a tool of an MCP server; None if only the server can tell."""
    policy: Any = tool.get("require_approval")
    if policy is None or policy == "always":
        return "always"
    if policy == "never":
        return "never"
    if not is_mapping(policy):
        return None
    found: Literal["always", "never"] | None = None
    rules: tuple[Literal["always", "never"], ...] = ("always", "never")
    for rule in rules:
        if rule not in policy:
            continue
        names: Any = policy[rule]
        if not is_mapping(names) or "read_only" in names or not is_list(names.get("tool_names", [])):
            return None
        if "tool_names" not in names or name in names["tool_names"]:
            if found is not None:
                return None
            found = rule
    if found is not None or ("always" in policy) == ("never" in policy):
        return found
    return "never" if "always" in policy else "always"
