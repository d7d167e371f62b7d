"""The output items of a streamed response as far as they have come."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiopenai._base.aliases import is_list
from aiopenai._data.lenient import fitter
from aiopenai._data.structs import Model
from aiopenai.lib.streaming.growing import Text
from aiopenai.types.responses import (
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    ResponseOutputItem,
)

__all__ = ["CalledFunction", "GrowingItem", "GrowingItems", "GrowingParts"]

# The types of parts that are texts, each with the field of its text.
_TEXTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
# The types of calls, each with the field that grows.
_STRINGS = {
    "function_call": "arguments",
    "mcp_call": "arguments",
    "custom_tool_call": "input",
    "code_interpreter_call": "code",
}
_WITH_PARTS = frozenset({"message", "reasoning"})
_fit_message = fitter(ParsedResponseOutputMessage)
_fit_call = fitter(ParsedResponseFunctionToolCall)
_fit_item = fitter(ResponseOutputItem)


class CalledFunction(NamedTuple):
    """A function call whose arguments are complete. The name of one that was not announced is empty."""

    name: str
    namespace: str | None
    call_id: str | None
    arguments: str


class GrowingParts:
    """The parts of an item's content or of its summary: texts that grow, and parts of other types."""

    __slots__ = ("_kinds", "_parts", "_texts")

    def __init__(self) -> None:
        self._parts: dict[int, Any] = {}
        self._texts: dict[int, Text] = {}
        # The types of the texts.
        self._kinds: dict[int, str] = {}

    def add(self, index: Any, part: Any) -> None:
        """Takes a part as it begins. Text that has come before stays."""
        if not isinstance(index, int):
            index = max(self._parts, default=-1) + 1
        self._parts[index] = part
        kind = getattr(part, "type", None)
        if kind in _TEXTS and index not in self._texts:
            self._kinds[index] = kind
            self._texts[index] = Text(_string_of(part, _TEXTS[kind]))

    def text(self, index: Any, kind: str) -> Text | None:
        """Returns the text of a part; None if the part is of another type."""
        if not isinstance(index, int):
            index = max(self._texts, default=0)
        if self._kinds.get(index, kind) != kind or (index in self._parts and index not in self._texts):
            return None
        self._kinds[index] = kind
        return self._texts.setdefault(index, Text())

    def complete(self, index: Any, kind: str, whole: str) -> None:
        """Takes the whole text of a part."""
        found = self.text(index, kind)
        for number, text in self._texts.items():
            if text is found and (whole or not text.size):
                # Another object: snapshots refer to the former.
                self._texts[number] = Text(whole)

    def now(self) -> list[Any]:
        """Returns the parts as plain values, with all that they have received."""
        return [self._part(index) for index in sorted(self._parts.keys() | self._texts.keys())]

    def _part(self, index: int) -> Any:
        part = self._parts.get(index)
        plain: Any = part.to_dict() if isinstance(part, Model) else part
        if index not in self._texts:
            return plain
        kind, text = self._kinds[index], self._texts[index]
        return {**(plain or {"type": kind}), _TEXTS[kind]: text.cut(text.size)}


class GrowingItem:
    """An output item that is being received."""

    __slots__ = ("content", "done", "index", "item", "item_id", "kind", "name", "phase", "string", "summary")

    def __init__(self, index: int, kind: str = "", item_id: Any = None) -> None:
        self.index = index
        self.kind = kind
        """The type of the item; empty before an event has shown it."""
        self.item_id = item_id
        self.phase: str | None = None
        self.item: Any = None
        """The item as it was announced; None if it was not."""
        self.done: Any = None
        """The item as it was completed."""
        self.name: str | None = None
        """The name of a call that was not announced."""
        self.string = Text()
        """The arguments, input or code of a call."""
        self.content = GrowingParts()
        self.summary = GrowingParts()

    def announce(self, item: Any) -> None:
        """Takes the item as it begins. Text that has come before stays."""
        self.item = item
        self.kind = getattr(item, "type", None) or self.kind
        self.item_id = getattr(item, "id", None) or self.item_id
        self.phase = getattr(item, "phase", None)
        if not self.string.size:
            self.string = Text(_string_of(item, _STRINGS.get(self.kind, "")))
        for name, parts in (("content", self.content), ("summary", self.summary)):
            given: Any = getattr(item, name, None) if self.kind in _WITH_PARTS else None
            for index, part in enumerate(given if is_list(given) else ()):
                parts.add(index, part)

    def is_a(self, kind: str) -> bool:
        """Whether the item is of a type; an item that no event has shown is of any."""
        self.kind = self.kind or kind
        return self.kind == kind

    def parts(self, kind: str) -> GrowingParts:
        """Returns the parts to which those of a type belong."""
        return self.summary if kind == "summary_text" else self.content

    def text(self, index: Any) -> Text | None:
        """Returns the text of a content part; None if the item has no such text."""
        return self.content.text(index, "output_text") if self.is_a("message") else None

    def append(self, part: str, index: Any, piece: str) -> None:
        """Takes a piece of a part's text, or of the arguments, input or code."""
        text = self.string if part not in _TEXTS else self.parts(part).text(index, part)
        if text is not None:
            text.append(piece)

    def complete(self, part: str, index: Any, whole: str) -> None:
        """Takes the whole of such a text."""
        if part in _TEXTS:
            self.parts(part).complete(index, part, whole)
        elif whole or not self.string.size:
            self.string = Text(whole)

    def called(self, arguments: Any, called: Any = None) -> CalledFunction:
        """Returns the function call with its complete arguments, or with those that have come if it has no others.

        `called` is the name in the event, for a call that was not announced.
        """
        if isinstance(arguments, str):
            self.complete("arguments", None, arguments)
        arguments = self.string.cut(self.string.size)
        if self.item is None and isinstance(called, str):
            self.name = called
        name, namespace, call_id = (_string_of(self.item, each) or None for each in ("name", "namespace", "call_id"))
        return CalledFunction(name or "", namespace, call_id, arguments)

    def completed(self, item: Any) -> Any:
        """Returns the item as an event completes it: a message without content has the content that has come."""
        content = self.content.now() if self.kind == "message" and _is_blank(item) else None
        return _fit_message({**item.to_dict(), "content": content}) if content else item

    def now(self) -> Any:
        """Returns the item with all that it has received."""
        if self.done is not None:
            return self.completed(self.done)
        if self.item is not None and self.kind not in _STRINGS and self.kind not in _WITH_PARTS:
            return self.item
        plain: dict[str, Any] = {} if self.item is None else self.item.to_dict()
        if self.item_id is not None:
            plain.setdefault("id", self.item_id)
        if self.kind:
            plain.setdefault("type", self.kind)
        if self.name is not None:
            plain.setdefault("name", self.name)
        if (field := _STRINGS.get(self.kind)) is not None:
            plain[field] = self.string.cut(self.string.size)
        content = self.content.now()
        if self.kind == "message":
            plain.setdefault("role", "assistant")
            plain["content"] = content
            return _fit_message(plain)
        if self.kind == "reasoning":
            plain["summary"] = self.summary.now()
            if content:
                plain["content"] = content
        return _fit_call(plain) if self.kind == "function_call" else _fit_item(plain)


class GrowingItems:
    """The output items of a response.

    The `output_index` of an event identifies its item. Ids do not: some servers make new ones for each event. Without
    an index the item's id is used, and without both the latest item. Events of an item that was never announced begin
    it. Another item under an index in use begins a further one if the former is complete.
    """

    __slots__ = ("_by_index", "_items")

    def __init__(self) -> None:
        self._items: list[GrowingItem] = []
        self._by_index: dict[int, GrowingItem] = {}

    def of(self, event: Any, kind: str = "") -> GrowingItem:
        """Returns the item of an event; `kind` is its type if the event begins it."""
        index = getattr(event, "output_index", None)
        found = self._by_index.get(index) if isinstance(index, int) else self._without_index(event)
        if found is None:
            found = self._begin(index, kind, getattr(event, "item_id", None))
        elif kind and not found.kind:
            found.kind = kind
        return found

    def _without_index(self, event: Any) -> GrowingItem | None:
        item_id = getattr(event, "item_id", None)
        if item_id is not None:
            for item in reversed(self._items):
                if item.item_id == item_id:
                    return item
        return self._items[-1] if self._items else None

    def _begin(self, index: Any, kind: str = "", item_id: Any = None) -> GrowingItem:
        if not isinstance(index, int):
            index = max(self._by_index, default=-1) + 1
        item = GrowingItem(index, kind, item_id)
        self._items.append(item)
        self._by_index[index] = item
        return item

    def announce(self, index: Any, item: Any) -> None:
        """Takes an item as it begins. The repeated announcement of an item changes nothing."""
        found = self._by_index.get(index) if isinstance(index, int) else None
        if found is None or _is_another(found, item):
            found = self._begin(index)
        if found.item is None:
            found.announce(item)

    def complete(self, index: Any, item: Any) -> None:
        """Takes an item as it ends. The last completion of an item counts."""
        found = self._by_index.get(index) if isinstance(index, int) else self._with_id(getattr(item, "id", None))
        if found is None or _is_another(found, item):
            found = self._begin(index, getattr(item, "type", None) or "")
        found.done = item

    def _with_id(self, item_id: Any) -> GrowingItem | None:
        if item_id is not None:
            for item in self._items:
                if item.item_id == item_id:
                    return item
        return self._items[-1] if self._items and self._items[-1].done is None else None

    def replace(self, output: list[Any]) -> None:
        """Takes the complete items of a response that was sent again: it may know more of them."""
        for index, item in enumerate(output):
            found = self._by_index.get(index)
            if found is not None and found.done is not None and not _is_another(found, item):
                found.done = item.model_copy(deep=True)

    def filled(self, output: list[Any]) -> list[Any]:
        """Returns the items of a response, its messages without content with the content that has come."""
        if not any(map(_is_blank, output)):
            return output
        found = [self._by_index.get(index) for index in range(len(output))]
        return [item if each is None else each.completed(item) for item, each in zip(output, found, strict=True)]

    def so_far(self) -> list[Any]:
        """Returns the items as far as they have come, in the order of the output."""
        return [item.now() for item in sorted(self._items, key=lambda item: item.index)]


def _is_blank(item: Any) -> bool:
    """Whether an item is a message without content."""
    return getattr(item, "type", None) == "message" and not getattr(item, "content", None)


def _is_another(found: GrowingItem, item: Any) -> bool:
    """Whether an item is not the complete one under its index: their types differ."""
    kind = getattr(item, "type", None)
    return found.done is not None and kind != getattr(found.done, "type", None)


def _string_of(node: Any, name: str) -> str:
    text = getattr(node, name, None)
    return text if isinstance(text, str) else ""
