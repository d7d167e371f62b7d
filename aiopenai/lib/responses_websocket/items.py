"""Output items of a response as far as their events have come."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.structs import Model
from aiopenai.lib.responses_websocket.fields import field_of, list_of, observed, optional_text_of, text_of
from aiopenai.lib.responses_websocket.snapshots import ResponsesWebSocketOutput

__all__ = ["ObservedItem", "ObservedPart", "Pieces", "append", "entry_at"]

_WITH_ARGUMENTS = ("function_call", "mcp_call", "mcp_approval_request")


class Pieces(list[str]):
    """A text that grows. It stands in the place of the text, and is joined when a snapshot is taken."""

    def __deepcopy__(self, _: Any) -> str:
        return "".join(self)


def append(container: Any, key: Any, piece: str, *, begin: str | None = None) -> None:
    """Adds a piece to a text. Raises ValueError if the text so far is no str; a missing one is `begin`."""
    text = container[key] if is_list(container) or key in container else begin
    if not isinstance(text, Pieces):
        if text is None:
            text = begin
        if not isinstance(text, str):
            raise ValueError(f"the text that an event continues must be a string, not {type(text).__name__}")
        text = container[key] = Pieces([text])
    text.append(piece)


def entry_at(entries: list[Any], index: int, *, or_next: bool = False) -> Any:
    """Returns an entry; None for the next one to come, if that is allowed. Raises ValueError for all others."""
    if index < len(entries):
        return entries[index]
    if index > len(entries) or not or_next:
        raise ValueError(f"the event is about entry {index} of a list that has {len(entries)}")
    return None


class ObservedPart:
    """A content part. `text` is that of an output text; other texts stand in `data`."""

    __slots__ = ("annotations", "data", "text")

    def __init__(self, data: dict[str, Any], text: str | None = None) -> None:
        self.data = data
        self.text = None if text is None else Pieces([text])
        self.annotations: dict[int, Any] = {}

    @classmethod
    def of(cls, part: Any) -> ObservedPart:
        """Returns the part of a part's own event. Raises ValueError for one without a type or text."""
        text = text_of(part, "text") if text_of(part, "type") == "output_text" else None
        return cls(observed(part), text)

    def add_text(self, piece: str, event: Any) -> None:
        """Takes more text, and its log probabilities."""
        if self.text is None:
            self.text = Pieces()
        self.text.append(piece)
        probabilities = _of_field(event, "logprobs")
        known, more = self.data.get("logprobs"), probabilities.get("logprobs")
        if is_list(known) and is_list(more):
            known.extend(more)
        else:
            self.data.update(probabilities)

    def end_text(self, text: str, event: Any) -> None:
        """Takes the whole text."""
        self.text = Pieces([text])
        self.data.update(_of_field(event, "logprobs"))

    def plain(self) -> dict[str, Any]:
        """Returns a copy of the fields."""
        fields = deepcopy(self.data)
        if self.text is not None:
            fields["text"] = "".join(self.text)
        return fields

    def row(self, index: int) -> dict[str, Any]:
        """Returns the part as a row, with its annotations as rows."""
        fields = self.plain()
        listed = fields.get("annotations")
        if is_list(listed) or self.annotations:
            found = {**dict(enumerate(listed if is_list(listed) else ())), **deepcopy(self.annotations)}
            fields["annotations"] = [
                {"annotation_index": number, "annotation": found[number]} for number in sorted(found)
            ]
        return {"content_index": index, "part": fields}


def _of_field(event: Any, name: str) -> dict[str, Any]:
    """Returns a field of an event as a dict, which is empty if the field was not received."""
    value = field_of(event, name)
    if isinstance(event, Model) and not value:
        # The common cases without a copy of the event.
        return {name: value if value is None else []} if name in event.model_fields_set else {}
    return {key: value for key, value in observed(event).items() if key == name}


class ObservedItem:
    """An output item. `data` holds its fields as they were received, but not the content of a message."""

    __slots__ = ("arguments", "call_id", "data", "input", "item_id", "name", "outputs", "parts", "retired", "type")

    def __init__(self, item_id: str | None, retired: set[str] | None = None) -> None:
        self.item_id = item_id
        self.retired = set[str]() if retired is None else retired
        """The ids that this place of the output had before: their late events change nothing."""
        self.type: str | None = None
        self.name: str | None = None
        self.call_id: str | None = None
        self.arguments = Pieces()
        self.input = Pieces()
        self.data: dict[str, Any] = {}
        self.parts: dict[int, ObservedPart] = {}
        self.outputs: dict[int, dict[str, Any]] = {}
        """The outputs of a shell, by the index of the command."""

    @classmethod
    def of(cls, source: Any) -> ObservedItem:
        """Returns the item of an item's own event. Raises ValueError for fields of wrong types."""
        item = cls(optional_text_of(source, "id"))
        item.type = text_of(source, "type")
        item.name = optional_text_of(source, "name")
        item.call_id = optional_text_of(source, "call_id")
        item.data = observed(source)
        if item.type == "message":
            item._take_message(source)
        elif item.type in _WITH_ARGUMENTS:
            item.arguments = _pieces(optional_text_of(source, "arguments"))
        elif item.type == "custom_tool_call":
            item.input = _pieces(optional_text_of(source, "input"))
        elif item.type == "reasoning" and is_list(content := field_of(source, "content")):
            for index, part in enumerate(content):
                if isinstance(part, Model) or is_mapping(part):
                    item.parts[index] = ObservedPart(observed(part))
        return item

    def _take_message(self, source: Any) -> None:
        content = field_of(source, "content")
        if content is None:
            return
        # The mark of a content that was received. The parts are kept once.
        self.data["content"] = []
        for index, part in enumerate(list_of(content, "content")):
            if part is not None:
                is_text = text_of(part, "type") == "output_text"
                self.parts[index] = ObservedPart(observed(part), optional_text_of(part, "text") if is_text else None)

    def part(self, index: int) -> ObservedPart:
        """Returns a content part, and begins it if it is not known."""
        part = self.parts.get(index)
        if part is None:
            part = self.parts[index] = ObservedPart({})
        return part

    @property
    def commands(self) -> int | None:
        """The number of commands of a shell call; None if it is not known."""
        action = self.data.get("action") if self.type == "shell_call" and self.call_id is not None else None
        commands = action.get("commands") if is_mapping(action) else None
        return len(commands) if is_list(commands) else None

    def output(self, index: int) -> ResponsesWebSocketOutput:
        """Returns an immutable view."""
        return ResponsesWebSocketOutput(
            output_index=index,
            item_id=self.item_id,
            type=self.type,
            name=self.name,
            call_id=self.call_id,
            arguments="".join(self.arguments),
            input="".join(self.input),
            text=tuple(
                (number, "".join(part.text)) for number, part in sorted(self.parts.items()) if part.text is not None
            ),
        )

    def row(self, index: int) -> dict[str, Any]:
        """Returns all fields as a row, with the parts and shell outputs as rows."""
        data = deepcopy(self.data)
        if self.item_id and not self.data:
            data["id"] = self.item_id
        if self.arguments:
            data["arguments"] = "".join(self.arguments)
        if self.input:
            data["input"] = "".join(self.input)
        content = [part.row(number) for number, part in sorted(self.parts.items())]
        row: dict[str, Any] = {"output_index": index, "item": data}
        if self.type != "message":
            row["content"] = content
        elif "content" in data or content:
            row["content"] = content if content or is_list(data.get("content")) else None
            data.pop("content", None)
        if self.type == "reasoning" and self.parts:
            self._fill_reasoning(data)
        if self.type == "shell_call_output":
            row["shell_output"] = [
                {"command_index": number, "data": deepcopy(found)} for number, found in sorted(self.outputs.items())
            ]
        return row

    def _fill_reasoning(self, data: dict[str, Any]) -> None:
        """Puts the parts into `content`, up to the first that has not come: a list has no gaps."""
        content: list[Any] = found if is_list(found := data.get("content")) else []
        for index, part in sorted(self.parts.items()):
            if index < len(content):
                content[index] = part.plain()
            elif index == len(content):
                content.append(part.plain())
        if content:
            data["content"] = content


def _pieces(text: str | None) -> Pieces:
    return Pieces() if text is None else Pieces([text])
