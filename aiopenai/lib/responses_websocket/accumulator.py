"""The response of one lane as its events come, for programs that show it or look into it before its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from aiopenai.lib.responses_websocket.fields import (
    as_received,
    field_of,
    index_of,
    list_of,
    observed,
    optional_text_of,
    text_of,
)
from aiopenai.lib.responses_websocket.items import ObservedItem, ObservedPart, Pieces, append
from aiopenai.lib.responses_websocket.limits import ResponsesWebSocketError
from aiopenai.lib.responses_websocket.progress import PROGRESS, Progress
from aiopenai.lib.responses_websocket.snapshots import ResponsesWebSocketSnapshot
from aiopenai.types.responses import Response

if TYPE_CHECKING:
    from aiopenai.types.responses import ResponsesServerEvent

__all__ = ["TERMINAL", "ResponsesWebSocketAccumulator"]

TERMINAL = frozenset({"response.completed", "response.failed", "response.incomplete"})
"""The types of the events that end a response."""

# The family of the progress events that may belong to a call without an id.
_FAMILIES = {
    "function_call": "response.function_call_arguments.",
    "custom_tool_call": "response.custom_tool_call_input.",
}


class ResponsesWebSocketAccumulator:
    """The response of one lane so far: `add_event` takes its events, and `reset` prepares for the next response.

    It reads and sends nothing. Events of whole items and texts replace what has come in pieces before. One thread or
    task uses it at a time.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets the response. Snapshots that were taken stay as they are."""
        self._stream_id: str | None = None
        self._bound = False
        self._response_id: str | None = None
        self._response: dict[str, Any] | None = None
        self._terminal_type: str | None = None
        self._final: Response | None = None
        self._error: Exception | None = None
        self._items: dict[int, ObservedItem] = {}
        # The number of commands of each shell call, by its id.
        self._commands: dict[str, int] = {}

    def snapshot(self) -> ResponsesWebSocketSnapshot:
        """Returns the texts and the inputs of tools so far. It joins all pieces: take it at the end, or on demand."""
        return ResponsesWebSocketSnapshot(
            stream_id=self._stream_id,
            response_id=self._response_id,
            terminal_type=self._terminal_type,
            output=tuple(item.output(index) for index, item in sorted(self._items.items())),
        )

    def detailed_snapshot(self) -> dict[str, Any]:
        """Returns all fields so far, as a dict of its own. Missing fields are missing, and null ones are None.

        Items, content parts, annotations and shell outputs are rows with their index, because others may come later.
        """
        return {
            "stream_id": self._stream_id,
            "response_id": self._response_id,
            "terminal_type": self._terminal_type,
            "response": deepcopy(self._response),
            "output": [item.row(index) for index, item in sorted(self._items.items())],
        }

    def get_final_response(self) -> Response:
        """Returns a copy of the response of the ending event, as it was received.

        Raises RuntimeError before that event, ResponsesWebSocketError after an error event, and ValueError after an
        ending event that was malformed.
        """
        if self._error is not None:
            raise self._error
        if self._final is None:
            raise RuntimeError("The response has not ended: no ending event was added.")
        return self._final.model_copy(deep=True)

    def add_event(self, event: ResponsesServerEvent) -> None:
        """Takes an event and does not change it. Unknown ones are ignored.

        Raises ResponsesWebSocketError for an error event, ValueError for an event of another lane or response and for
        fields of wrong types, and RuntimeError for events after the end of the response.
        """
        event = as_received(event)
        kind = field_of(event, "type")
        if kind == "response.output_text.annotation.added":
            self._add_annotation(event)
            return
        takes = self._takes.get(kind) if isinstance(kind, str) else None
        if takes is None:
            return
        stream_id = field_of(event, "stream_id")
        if stream_id is not None and not isinstance(stream_id, str):
            raise ValueError(f"stream_id must be a string or null, not {type(stream_id).__name__}")
        if self._bound and self._stream_id != stream_id:
            raise ValueError("The event belongs to another lane: use one accumulator for each.")
        if self._ended:
            raise RuntimeError("The response has ended: call reset() before the events of the next one.")
        takes(self, event, kind)

    @property
    def _ended(self) -> bool:
        return self._terminal_type is not None or self._error is not None

    def _bind(self, event: Any) -> None:
        """Notes the lane of the response: that of its first event."""
        self._bound, self._stream_id = True, field_of(event, "stream_id")

    def _take_error(self, event: Any, _: str) -> None:
        self._error = ResponsesWebSocketError(event)
        raise self._error

    # The response as a whole

    def _take_response(self, event: Any, kind: str) -> None:
        with self._noting_errors(kind):
            response = field_of(event, "response")
            if not isinstance(response, Response):
                raise ValueError(f"the event {kind} has no response")
            response_id = optional_text_of(response, "id")
        if response_id is not None and self._response_id not in (None, response_id):
            raise ValueError("The event belongs to another response: call reset() before the events of the next one.")
        with self._noting_errors(kind):
            items = _items_of(response)
        if items is not None:
            self._items = items
            self._commands = {}
            for item in items.values():
                self._count_commands(item)
        self._response = observed(response)
        self._response.pop("output", None)
        self._response_id = response_id or self._response_id
        self._bind(event)
        if kind in TERMINAL:
            self._final = response.model_copy(deep=True)
            self._terminal_type = kind

    @contextlib.contextmanager
    def _noting_errors(self, kind: str) -> Generator[None]:
        """Ends the response with a ValueError if the event is the last one: no better one will come."""
        try:
            yield
        except ValueError as error:
            if kind in TERMINAL:
                self._error = error
            raise

    # Items

    def _take_item(self, event: Any, _: str) -> None:
        index = index_of(event, "output_index")
        source = field_of(event, "item")
        item = None if source is None else ObservedItem.of(source)
        known = self._items.get(index)
        if item is not None and not (known is not None and item.item_id and item.item_id in known.retired):
            if known is not None:
                item.retired = known.retired
                if known.item_id and item.item_id and known.item_id != item.item_id:
                    item.retired.add(known.item_id)
                self._forget_commands(known)
            self._items[index] = item
            self._count_commands(item)
        self._bind(event)

    def _count_commands(self, item: ObservedItem) -> None:
        if (number := item.commands) is not None:
            self._commands[str(item.call_id)] = number

    def _forget_commands(self, item: ObservedItem) -> None:
        if item.type == "shell_call" and item.call_id is not None:
            self._commands.pop(item.call_id, None)

    def _item_of(self, event: Any, kind: str) -> ObservedItem | None:
        """Returns the item of a piece, and begins it if it is not known. Returns None for a piece that is too late."""
        index, item_id = index_of(event, "output_index"), text_of(event, "item_id")
        self._bind(event)
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = ObservedItem(item_id)
        elif item_id in item.retired:
            return None
        elif item.type in _FAMILIES and "id" not in item.data:
            # The only pieces that can belong to it are those of its own family, and then they name it.
            if not kind.startswith(_FAMILIES[item.type]) or (item.item_id and item.item_id != item_id):
                return None
        elif item_id and item.item_id and item_id != item.item_id:
            self._forget_commands(item)
            item.retired.add(item.item_id)
            item = self._items[index] = ObservedItem(item_id, item.retired)
        item.item_id = item_id or item.item_id
        return item

    # Content parts

    def _take_part(self, event: Any, kind: str) -> None:
        index = index_of(event, "content_index")
        part = ObservedPart.of(field_of(event, "part"))
        if (item := self._item_of(event, kind)) is not None:
            item.parts[index] = part

    def _take_text(self, event: Any, kind: str) -> None:
        is_whole = kind.endswith(".done")
        text, index = text_of(event, "text" if is_whole else "delta"), index_of(event, "content_index")
        if (item := self._item_of(event, kind)) is None:
            return
        if is_whole:
            item.part(index).end_text(text, event)
        else:
            item.part(index).add_text(text, event)

    def _take_refusal(self, event: Any, kind: str) -> None:
        is_whole = kind.endswith(".done")
        refusal, index = text_of(event, "refusal" if is_whole else "delta"), index_of(event, "content_index")
        known = self._items.get(index_of(event, "output_index"))
        if known is not None and known.item_id in (None, "", text_of(event, "item_id")):
            data = known.parts[index].data if index in known.parts else {}
            if data.get("type", "refusal") != "refusal":
                return
            if not is_whole and "refusal" in data and not isinstance(data["refusal"], Pieces):
                # Before anything changes.
                text_of(data, "refusal")
        if (item := self._item_of(event, kind)) is None:
            return
        data = item.part(index).data
        if is_whole:
            data["refusal"] = refusal
        else:
            append(data, "refusal", refusal, begin="")

    def _add_annotation(self, event: Any) -> None:
        """Takes an annotation. One that is malformed or out of place is ignored, as by the reference."""
        if not self._bound or self._stream_id != field_of(event, "stream_id") or self._ended:
            return
        try:
            index, part, number = (index_of(event, f"{name}_index") for name in ("output", "content", "annotation"))
        except ValueError:
            return
        item = self._items.get(index)
        if item is not None and item.item_id == field_of(event, "item_id"):
            found = observed(event)
            if "annotation" in found:
                item.part(part).annotations[number] = found["annotation"]

    # Inputs of tools

    def _take_call(self, event: Any, kind: str) -> None:
        field = "input" if kind.startswith(_FAMILIES["custom_tool_call"]) else "arguments"
        is_whole = kind.endswith(".done")
        piece = text_of(event, field if is_whole else "delta")
        if (item := self._item_of(event, kind)) is not None:
            pieces: Pieces = getattr(item, field)
            if is_whole:
                pieces.clear()
            pieces.append(piece)

    # Progress of reasoning, code, searches and shells

    def _take_progress(self, event: Any, kind: str) -> None:
        progress: Progress = PROGRESS[kind]
        index = index_of(event, "output_index")
        # Events of a shell's commands name their call by the index only.
        item_id = text_of(event, "item_id") if progress.named else None
        item = self._items.get(index)
        if item is None or item.type != progress.type or item_id not in (None, item.item_id):
            return
        commands = None if item.call_id is None else self._commands.get(item.call_id)
        progress.take(item, event, commands)
        if kind == "response.shell_call_command.added":
            self._count_commands(item)

    _takes: ClassVar[dict[str, Callable[[Any, Any, str], None]]] = {
        "error": _take_error,
        **dict.fromkeys(("response.created", "response.queued", "response.in_progress", *TERMINAL), _take_response),
        **dict.fromkeys(("response.output_item.added", "response.output_item.done"), _take_item),
        **dict.fromkeys(("response.content_part.added", "response.content_part.done"), _take_part),
        **dict.fromkeys(("response.output_text.delta", "response.output_text.done"), _take_text),
        **dict.fromkeys(("response.refusal.delta", "response.refusal.done"), _take_refusal),
        **dict.fromkeys(
            tuple(
                f"response.{kind}.{end}"
                for kind in ("function_call_arguments", "mcp_call_arguments", "custom_tool_call_input")
                for end in ("delta", "done")
            ),
            _take_call,
        ),
        **dict.fromkeys(PROGRESS, _take_progress),
    }


def _items_of(response: Any) -> dict[int, ObservedItem] | None:
    """Returns the items of a response; None if it has no output. Raises ValueError for fields of wrong types."""
    output: Any = field_of(response, "output")
    if output is None:
        return None
    return {index: ObservedItem.of(item) for index, item in enumerate(list_of(output, "output")) if item is not None}
