"""The progress of items other than messages: reasoning, code, searches, images and shells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from aiopenai._base.aliases import is_mapping
from aiopenai.lib.responses_websocket.fields import field_of, index_of, list_of, observed, text_of
from aiopenai.lib.responses_websocket.items import ObservedItem, append, entry_at

__all__ = ["PROGRESS", "Progress"]

Take = Callable[[ObservedItem, Any, "int | None"], None]


class Progress(NamedTuple):
    """The rule of one event type: the type of its item, whether it names the item, and the change that it makes.

    `take` gets the item, the event, and the number of commands of the item's shell call if that is known.
    """

    type: str
    take: Take
    named: bool = True


def _status(status: str) -> Take:
    def take(item: ObservedItem, _: Any, __: int | None) -> None:
        item.data["status"] = status

    return take


def _put(container: Any, key: Any, event: Any, whole: str | None, *, begin: str | None = None) -> None:
    """Adds a piece to the text in `container`, or replaces it by the event's field `whole`."""
    if whole is None:
        append(container, key, text_of(event, "delta"), begin=begin)
    else:
        container[key] = text_of(event, whole)


# Reasoning


def _summary_text(whole: str | None) -> Take:
    def take(item: ObservedItem, event: Any, _: int | None) -> None:
        part = entry_at(list_of(item.data.get("summary"), "summary"), index_of(event, "summary_index"))
        if not isinstance(part, dict):
            raise ValueError("the part of the summary that the event continues is no object")
        _put(part, "text", event, whole)

    return take


def _summary_part(*, added: bool) -> Take:
    def take(item: ObservedItem, event: Any, _: int | None) -> None:
        index, parts = index_of(event, "summary_index"), list_of(item.data.get("summary"), "summary")
        entry_at(parts, index, or_next=added)
        part = field_of(event, "part")
        if text_of(part, "type") != "summary_text":
            raise ValueError("the part of a summary must be of the type summary_text")
        text_of(part, "text")
        parts[index : index + 1] = [observed(part)]

    return take


def _reasoning_text(whole: str | None) -> Take:
    def take(item: ObservedItem, event: Any, _: int | None) -> None:
        part = item.parts.get(index_of(event, "content_index"))
        if part is None or part.data.get("type") != "reasoning_text":
            raise ValueError("the event belongs to a content part of the type reasoning_text, which has not come")
        _put(part.data, "text", event, whole)

    return take


# Code


def _code(whole: str | None) -> Take:
    def take(item: ObservedItem, event: Any, _: int | None) -> None:
        _put(item.data, "code", event, whole, begin="")

    return take


# Shells


def _commands_of(item: ObservedItem) -> list[Any]:
    action = item.data.get("action")
    if not is_mapping(action):
        raise ValueError("the shell call has no action")
    return list_of(action.get("commands"), "commands")


def _command_text(whole: str | None) -> Take:
    def take(item: ObservedItem, event: Any, _: int | None) -> None:
        index, commands = index_of(event, "command_index"), _commands_of(item)
        entry_at(commands, index)
        _put(commands, index, event, whole)

    return take


def _command_added(item: ObservedItem, event: Any, _: int | None) -> None:
    index, commands = index_of(event, "command_index"), _commands_of(item)
    entry_at(commands, index, or_next=True)
    commands[index : index + 1] = [text_of(event, "command")]


def _output_index(event: Any, commands: int | None) -> int:
    index = index_of(event, "command_index")
    if commands is not None and index >= commands:
        raise ValueError(f"the event is about command {index} of a shell call that has {commands}")
    return index


def _shell_output(item: ObservedItem, event: Any, commands: int | None) -> None:
    index, delta = _output_index(event, commands), field_of(event, "delta")
    data = item.outputs.get(index, {})
    pieces = {name: text_of(delta, name) for name in ("stdout", "stderr") if field_of(delta, name) is not None}
    for name in pieces:
        # Before anything changes: both texts, or none.
        if name in data:
            text_of({name: "".join(data[name]) if isinstance(data[name], list) else data[name]}, name)
    item.outputs[index] = data
    for name, piece in pieces.items():
        append(data, name, piece, begin="")


def _shell_output_done(item: ObservedItem, event: Any, commands: int | None) -> None:
    index = _output_index(event, commands)
    contents = [observed(each) for each in list_of(field_of(event, "output"), "output")]
    for each in contents:
        text_of(each, "stdout")
        text_of(each, "stderr")
    item.outputs[index] = {"output": contents}


_STATUSES = {
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
}
PROGRESS: dict[str, Progress] = {
    **{f"response.{kind}.{each}": Progress(kind, _status(each)) for kind, found in _STATUSES.items() for each in found},
    "response.reasoning_summary_part.added": Progress("reasoning", _summary_part(added=True)),
    "response.reasoning_summary_part.done": Progress("reasoning", _summary_part(added=False)),
    "response.reasoning_summary_text.delta": Progress("reasoning", _summary_text(None)),
    "response.reasoning_summary_text.done": Progress("reasoning", _summary_text("text")),
    "response.reasoning_text.delta": Progress("reasoning", _reasoning_text(None)),
    "response.reasoning_text.done": Progress("reasoning", _reasoning_text("text")),
    "response.code_interpreter_call_code.delta": Progress("code_interpreter_call", _code(None)),
    "response.code_interpreter_call_code.done": Progress("code_interpreter_call", _code("code")),
    "response.shell_call_command.added": Progress("shell_call", _command_added, named=False),
    "response.shell_call_command.delta": Progress("shell_call", _command_text(None), named=False),
    "response.shell_call_command.done": Progress("shell_call", _command_text("command"), named=False),
    "response.shell_call_output_content.delta": Progress("shell_call_output", _shell_output),
    "response.shell_call_output_content.done": Progress("shell_call_output", _shell_output_done),
}
"""The rules by event type."""
