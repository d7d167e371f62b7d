"""The history of a run: the pairs of calls and outputs, and the approvals, that the next request repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.codec import decode_json
from aiopenai.lib.responses_tool_runner._items import (
    SERVER_ITEMS,
    ItemRules,
    check_computer_call,
    consume_approval,
    has_call_fields,
)
from aiopenai.lib.responses_tool_runner._native import is_text, is_text_or_none
from aiopenai.lib.responses_tool_runner._outputs import checked_output

__all__ = ["approved_requests", "check_history", "has_observation", "native_ids"]

_ROLES = ("assistant", "developer", "system", "user")
_PARTS = {"input_text": "text", "output_text": "text", "refusal": "refusal", "input_image": "", "input_file": ""}


def approved_requests(history: Iterable[Any]) -> dict[str, Any]:
    """Returns the approved requests of MCP servers without a call yet, by id.

    Raises ValueError for a call that differs from its request.
    """
    requests: dict[Any, Any] = {}
    approved: dict[str, Any] = {}
    for item in history:
        kind = item.get("type")
        if kind == "mcp_approval_request" and is_text(item.get("id")):
            requests.setdefault(item["id"], item)
        elif kind == "mcp_approval_response" and isinstance(item.get("approve"), bool):
            # A second answer has no effect.
            identity: Any = item.get("approval_request_id")
            request = requests.pop(identity, None)
            if request is not None and item["approve"]:
                approved[identity] = request
        elif kind == "mcp_call":
            consume_approval(item, approved)
    return approved


def native_ids(history: Iterable[Any]) -> set[str]:
    """Returns the ids of the items of a history. Raises ValueError if two items have the same one."""
    found: set[str] = set()
    referred: set[str] = set()
    for item in history:
        identity: Any = item.get("id")
        if not is_text(identity) or not identity:
            continue
        if _is_reference(item):
            referred.add(identity)
        elif identity in found:
            raise ValueError(f"Two items of the history have the id {identity!r}")
        else:
            found.add(identity)
    return found | referred


def has_observation(history: Iterable[Any]) -> bool:
    """Returns whether a message of the user has content."""
    for item in history:
        content: Any = item.get("content")
        if item.get("type", "message") != "message" or item.get("role") != "user":
            continue
        if is_text(content) and content.strip():
            return True
        if not is_list(content):
            continue
        try:
            parts: Any = checked_output(content)
        except ValueError:
            continue
        if any(part["type"] != "input_text" or part["text"].strip() for part in parts):
            return True
    return False


def _is_reference(item: Mapping[str, Any]) -> bool:
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "role" not in item and "content" not in item)


def check_history(history: list[Any], rules: ItemRules, functions: Iterable[str], *, saved: bool) -> set[str]:
    """Returns the ids of the calls and requests of a history.

    Raises ValueError for items that a run does not make, and for calls without an output or outputs without a call.
    saved: whether the history belongs to a ledger, which needs all items themselves, and no references.
    """
    native_ids(history)
    check = _HistoryCheck(rules, frozenset(functions))
    for position, item in enumerate(history):
        if not is_mapping(item):
            raise ValueError(f"The items of a history are dicts, not {type(item).__name__}")
        if not saved and item.get("type") == "compaction_trigger":
            if position != len(history) - 1:
                raise ValueError("A `compaction_trigger` must be the last item of the input")
        elif saved or not _is_reference(item):
            check.take(item)
        elif not is_text(item.get("id")):
            raise ValueError("A reference to an item needs its id")
    return check.ends()


class _HistoryCheck:
    """Reads the items of a history in their order."""

    def __init__(self, rules: ItemRules, functions: frozenset[str]) -> None:
        self._rules = rules
        self._functions = functions
        # The open calls, and the types of their outputs.
        self._open: dict[str, str] = {}
        self._requests: dict[str, Any] = {}
        self._answered: set[str] = set()
        self._approved: dict[str, Any] = {}
        self._calls: set[str] = set()
        self._checks: dict[Any, Callable[[Mapping[str, Any]], None]] = {
            "compaction": self._compaction,
            "computer_call": self._computer_call,
            "computer_call_output": self._output,
            "configuration_update": self._configuration,
            "function_call": self._call,
            "function_call_output": self._output,
            "mcp_approval_response": self._answer,
            "message": self._message,
            "reasoning": self._reasoning,
        }

    def ends(self) -> set[str]:
        if self._open or self._requests.keys() != self._answered:
            raise ValueError("The history has calls or approvals without an answer")
        return self._calls | self._requests.keys()

    def take(self, item: Mapping[str, Any]) -> None:
        kind: Any = item.get("type", "message")
        if is_text(kind) and kind in SERVER_ITEMS:
            self._server_item(item)
            return
        check = self._checks.get(kind) if is_text(kind) else None
        if check is None:
            raise ValueError(f"The history has an item of the type {kind!r}, which no run makes")
        check(item)

    def _call(self, item: Mapping[str, Any]) -> None:
        identity = self._new_id(item.get("call_id"))
        name: Any = item.get("name")
        if not is_text(name) or name not in self._functions or not has_call_fields(item):
            raise ValueError(f"The history calls the function {item.get('name')!r}, which is not registered")
        if item.get("status") not in (None, "completed"):
            raise ValueError("A call of the history did not complete")
        if not _is_object(item.get("arguments")):
            raise ValueError("The arguments of a call of the history are no JSON object")
        self._calls.add(identity)
        self._open[identity] = "function_call_output"

    def _computer_call(self, item: Mapping[str, Any]) -> None:
        identity = self._new_id(item.get("call_id"))
        if not self._rules.has_computer:
            raise ValueError("The history calls a computer, and the run has none")
        check_computer_call(item)
        self._calls.add(identity)
        self._open[identity] = "computer_call_output"

    def _output(self, item: Mapping[str, Any]) -> None:
        identity: Any = item.get("call_id")
        if not is_text(identity) or self._open.get(identity) != item["type"]:
            raise ValueError(f"The history has an output without a call, or two for it: {identity!r}")
        if item.get("status") not in (None, "in_progress", "completed", "incomplete"):
            raise ValueError(f"The output of the call {identity!r} has an unknown status")
        if item["type"] == "function_call_output":
            checked_output(item.get("output"))
        elif not _is_screenshot(item.get("output")):
            raise ValueError(f"The output of the call {identity!r} of a computer is no screenshot")
        del self._open[identity]

    def _server_item(self, item: Mapping[str, Any]) -> None:
        self._rules.check_server_item(item)
        if item["type"] == "mcp_approval_request":
            self._requests[self._new_id(item["id"])] = item
        elif item["type"] == "mcp_call":
            consume_approval(item, self._approved)

    def _answer(self, item: Mapping[str, Any]) -> None:
        identity: Any = item.get("approval_request_id")
        if not is_text(identity) or identity not in self._requests or identity in self._answered:
            raise ValueError("The history has an approval without a request, or two for it")
        if not isinstance(item.get("approve"), bool):
            raise ValueError("The `approve` of an approval is True or False")
        self._answered.add(identity)
        if item["approve"]:
            self._approved[identity] = self._requests[identity]

    def _new_id(self, identity: Any) -> str:
        if not is_text(identity) or identity in self._calls or identity in self._requests:
            raise ValueError(f"The ids of the calls of a history must be unique: {identity!r}")
        return str(identity)

    def _message(self, item: Mapping[str, Any]) -> None:
        content: Any = item.get("content")
        if item.get("role") not in _ROLES:
            raise ValueError(f"The role of a message is one of {', '.join(_ROLES)}, not {item.get('role')!r}")
        if not is_text(content) and (not is_list(content) or not all(map(_is_part, content))):
            raise ValueError("The content of a message is a str or a list of content parts")

    def _reasoning(self, item: Mapping[str, Any]) -> None:
        if not is_text(item.get("id")) or not is_list(item.get("summary")):
            raise ValueError("A reasoning item of the history needs its id and its summary")

    def _compaction(self, item: Mapping[str, Any]) -> None:
        if not is_text(item.get("encrypted_content")) or not is_text_or_none(item.get("id")):
            raise ValueError("A compaction item of the history needs its encrypted content")

    def _configuration(self, item: Mapping[str, Any]) -> None:
        """Accepts an update of the configuration: it belongs to no call."""


def _is_object(text: Any) -> bool:
    try:
        return is_text(text) and is_mapping(decode_json(text))
    except ValueError:
        return False


def _is_screenshot(output: Any) -> bool:
    if not is_mapping(output) or output.get("type") != "computer_screenshot":
        return False
    sources: tuple[Any, Any] = output.get("image_url"), output.get("file_id")
    return all(map(is_text_or_none, sources)) and any(source and source.strip() for source in sources)


def _is_part(part: Any) -> bool:
    kind: Any = part.get("type") if is_mapping(part) else None
    field = _PARTS.get(kind) if is_text(kind) else None
    return field is not None and (not field or is_text(part.get(field)))
