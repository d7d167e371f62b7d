"""The conversations of the two APIs in a tool loop: the next request, the calls in a reply, and the answers to them."""

# Tools are callable dicts and values of any type, which the type system does not have.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from aiopenai._base.aliases import is_list, is_mapping, python_value
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.codec import encode
from aiopenai.lib.parsing import (
    parse_chat_completion,
    parse_response,
    type_to_response_format_param,
    type_to_text_format_param,
)
from aiopenai.lib.running._records import ToolExecution, first_choice, input_item, plain
from aiopenai.lib.running._registry import Toolbox

__all__ = ["ChatDialogue", "Dialogue", "ResponsesDialogue"]


class Dialogue(ABC):
    """The conversation of one run. `arguments` are those of `create`; `transcript` grows with each turn."""

    transcript: list[Any]

    def __init__(self, toolbox: Toolbox, arguments: dict[str, Any]) -> None:
        self.toolbox = toolbox
        self._given = arguments
        if toolbox.definitions:
            arguments["tools"] = toolbox.definitions

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """Returns the arguments of the next `create`."""

    @abstractmethod
    def calls(self, reply: Any) -> list[ToolExecution]:
        """Returns the calls in a reply, in their order; none if the reply broke off."""

    @abstractmethod
    def add(self, reply: Any, executions: list[ToolExecution]) -> None:
        """Adds a reply and the answers to its calls to the transcript."""

    @abstractmethod
    def parsed(self, reply: Any) -> Any:
        """Returns the final reply with its text parsed."""

    def _follow(self) -> None:
        """Changes the arguments after the first turn: a forced call would be forced for ever."""
        # It belongs to the first request.
        self._given.pop("idempotency_key", None)
        choice = self._given.get("tool_choice")
        if is_mapping(choice) and choice.get("type") == "allowed_tools":
            inner = choice.get("allowed_tools")
            if is_mapping(inner):
                self._given["tool_choice"] = {**choice, "allowed_tools": {**inner, "mode": "auto"}}
            else:
                self._given["tool_choice"] = {**choice, "mode": "auto"}
        elif choice not in (None, "auto", "none") and not is_left_out(choice):
            self._given["tool_choice"] = "auto"


class ResponsesDialogue(Dialogue):
    """The input items of the responses API.

    Each request sends the whole transcript, so nothing has to be stored. In a `conversation`, which stores the items,
    a request sends the new ones.
    """

    def __init__(self, toolbox: Toolbox, arguments: dict[str, Any]) -> None:
        given = arguments.pop("input", None)
        text_format = arguments.pop("text_format", omit)
        if arguments.get("background"):
            raise ValueError("run_tools waits for each reply: leave `background` out")
        if not is_left_out(text_format):
            text = arguments.get("text") or {}
            if "format" in text:
                raise TypeError("text.format and text_format exclude each other: give one of them")
            arguments["text"] = {**text, "format": type_to_text_format_param(text_format)}
        super().__init__(toolbox, arguments)
        self._text_format = text_format
        self._begun = False
        self._given_text = given if isinstance(given, str) else None
        if self._given_text is not None:
            self.transcript = [{"role": "user", "content": given}]
        else:
            self.transcript = [plain(item) for item in given or ()]
        self._sent = 0

    @override
    def request(self) -> dict[str, Any]:
        if self._begun:
            self._follow()
        known = self._sent if self._given.get("conversation") else 0
        self._sent = len(self.transcript)
        items: Any = [item for item in self.transcript[known:] if self._can_return(item)]
        if not self._begun and self._given_text is not None:
            items = self._given_text
        # A first request without items continues a conversation or a stored prompt.
        first_is_bare = not self._begun and not self.transcript
        self._begun = True
        return dict(self._given) if first_is_bare else {**self._given, "input": items}

    def _can_return(self, item: Any) -> bool:
        """Returns whether an item can be sent: the API knows reasoning by its id only if it was stored."""
        unstored = python_value(self._given.get("store")) is False
        return not (unstored and is_mapping(item) and item.get("type") == "reasoning") or bool(
            item.get("encrypted_content")
        )

    @override
    def calls(self, reply: Any) -> list[ToolExecution]:
        if getattr(reply, "status", None) not in (None, "completed"):
            return []
        return list(self._calls(reply))

    def _calls(self, reply: Any) -> Iterator[ToolExecution]:
        output: list[Any] = list(reply.output or ())
        answered = {getattr(item, "call_id", None) for item in output if _kind(item).endswith("_output")}
        for item in output:
            if (execution := self.call_of(item)) is not None and execution.call_id not in answered:
                yield execution

    def call_of(self, item: Any) -> ToolExecution | None:
        """Returns the call in an output item; None for items that need no answer of the program."""
        kind = _kind(item)
        if kind == "mcp_approval_request":
            return ToolExecution(_text(item, "name"), _text(item, "id"), _text(item, "arguments"), item)
        call_id = _text(item, "call_id")
        # The calls that the API makes itself have no `call_id`.
        if kind == "function_call" or (kind.endswith("_call") and call_id):
            payload = _text(item, "arguments") if kind == "function_call" else _text(item, "input")
            return ToolExecution(_text(item, "name") or kind, call_id, payload, item)
        return None

    @override
    def add(self, reply: Any, executions: list[ToolExecution]) -> None:
        self.transcript += map(input_item, reply.output or ())
        if self._given.get("conversation"):
            self._sent = len(self.transcript)
        self.transcript += (_answer(execution) for execution in executions if execution.status != "pending")

    @override
    def parsed(self, reply: Any) -> Any:
        return parse_response(text_format=self._text_format, input_tools=omit, response=reply)


def _answer(execution: ToolExecution) -> dict[str, Any]:
    """Returns the input item that answers a call."""
    item: Any = execution.item
    if _kind(item) == "mcp_approval_request":
        return {
            "type": "mcp_approval_response",
            "approval_request_id": execution.call_id,
            "approve": execution.result,
        }
    answer = {"type": "function_call_output", "call_id": execution.call_id, "output": execution.output}
    caller = getattr(item, "caller", None)
    return answer if caller is None else {**answer, "caller": plain(caller)}


def _kind(item: Any) -> str:
    return _text(item, "type")


def _text(item: Any, name: str) -> str:
    value = item.get(name) if is_mapping(item) else getattr(item, name, None)
    return value if isinstance(value, str) else ""


class ChatDialogue(Dialogue):
    """The messages of the chat API."""

    def __init__(self, toolbox: Toolbox, arguments: dict[str, Any]) -> None:
        self.transcript = [plain(message) for message in arguments.pop("messages", None) or ()]
        self._format = arguments.get("response_format", omit)
        if not is_left_out(self._format):
            arguments["response_format"] = type_to_response_format_param(self._format)
        if arguments.get("n") not in (None, 1):
            raise ValueError("run_tools continues one choice: leave `n` out")
        super().__init__(toolbox, arguments)
        self._begun = False

    @override
    def request(self) -> dict[str, Any]:
        if self._begun:
            self._follow()
        self._begun = True
        return {**self._given, "messages": list(self.transcript)}

    @override
    def calls(self, reply: Any) -> list[ToolExecution]:
        choice = first_choice(reply)
        calls: Any = getattr(getattr(choice, "message", None), "tool_calls", None)
        if not is_list(calls) or getattr(choice, "finish_reason", None) in ("length", "content_filter"):
            return []
        return [self._call(call, number) for number, call in enumerate(calls)]

    def _call(self, call: Any, number: int) -> ToolExecution:
        # Some servers send no ids. The answer and the message then get the same one.
        call_id = getattr(call, "id", None) or f"call_{len(self.transcript)}_{number}"
        function: Any = getattr(call, "function", None)
        if function is None:
            custom: Any = getattr(call, "custom", None)
            return ToolExecution(_text(custom, "name") or "custom", call_id, _text(custom, "input"), call)
        arguments: Any = function.arguments
        payload = arguments if isinstance(arguments, str) else "" if arguments is None else str(plain(arguments))
        return ToolExecution(function.name or "", call_id, payload, call)

    @override
    def add(self, reply: Any, executions: list[ToolExecution]) -> None:
        message: Any = getattr(first_choice(reply), "message", None)
        if message is None:
            return
        sent = {key: value for key, value in plain(message).items() if value is not None and key not in _UNSENT}
        if is_list(calls := sent.get("tool_calls")) and executions:
            sent["tool_calls"] = [
                {**call, "id": execution.call_id, "type": call.get("type") or "function"}
                for call, execution in zip(calls, executions, strict=True)
            ]
            sent.setdefault("content", None)
        if is_mapping(audio := sent.get("audio")):
            sent["audio"] = {"id": audio.get("id")}
        self.transcript.append({"role": "assistant", **sent})
        for execution in executions:
            if execution.status != "pending":
                output: Any = execution.output
                content = output if isinstance(output, str) else encode(output).decode()
                self.transcript.append({"role": "tool", "tool_call_id": execution.call_id, "content": content})

    @override
    def parsed(self, reply: Any) -> Any:
        rich = not is_left_out(self._format) and not is_mapping(self._format)
        if not rich and getattr(first_choice(reply), "finish_reason", None) in ("length", "content_filter"):
            # Plain text may be cut short.
            return reply
        return parse_chat_completion(
            response_format=self._format if rich else omit, input_tools=omit, chat_completion=reply
        )


# Keys of a message that requests do not take.
_UNSENT = frozenset({"parsed", "annotations"})
