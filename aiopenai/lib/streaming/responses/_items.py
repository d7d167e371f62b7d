"""The output items of a streamed response as far as they have come."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiopenai._base.aliases import is_list
from aiopenai._data.lenient import fitter
from aiopenai.lib.streaming.growing import Text
from aiopenai.types.responses import (
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    ResponseOutputItem,
)

__all__ = ["CalledFunction", "GrowingItem", "GrowingItems"]

_fit_message = fitter(ParsedResponseOutputMessage)
_fit_call = fitter(ParsedResponseFunctionToolCall)
_fit_item = fitter(ResponseOutputItem)


class CalledFunction(NamedTuple):
    """A function call whose arguments are complete. The name of one that was not announced is empty."""

    name: str
    namespace: str | None
    call_id: str | None
    arguments: str


class GrowingItem:
    """An output item that is being received."""

    __slots__ = ("_parts", "_texts", "arguments", "done", "index", "item", "item_id", "kind", "phase")

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
        self.arguments = Text()
        self._parts: dict[int, Any] = {}
        self._texts: dict[int, Text] = {}

    def announce(self, item: Any) -> None:
        """Takes the item as it begins. Text that has come before stays."""
        self.item = item
        self.kind = getattr(item, "type", None) or self.kind
        self.item_id = getattr(item, "id", None) or self.item_id
        self.phase = getattr(item, "phase", None)
        if not self.arguments.size:
            self.arguments = Text(_string_of(item, "arguments"))
        content: Any = getattr(item, "content", None)
        for index, part in enumerate(content if self.kind == "message" and is_list(content) else ()):
            self.add(index, part)

    def add(self, index: int, part: Any) -> None:
        """Takes a content part as it begins. Text that has come before stays."""
        self._parts[index] = part
        if index not in self._texts:
            self._texts[index] = Text(_string_of(part, "text"))

    @property
    def next_part(self) -> int:
        """The number of the next content part, for events without one."""
        return max(self._parts, default=-1) + 1

    def text(self, index: Any) -> Text | None:
        """Returns the text of a content part; None if the item has no such text."""
        if self.kind != "message":
            if self.kind:
                return None
            self.kind = "message"
        if not isinstance(index, int):
            index = max(self._texts, default=0)
        part = self._parts.get(index)
        if part is not None and getattr(part, "type", None) != "output_text":
            return None
        found = self._texts.get(index)
        if found is None:
            found = self._texts[index] = Text()
        return found

    def called(self, arguments: Any) -> CalledFunction:
        """Returns the function call with its complete arguments, or with those that have come if it has no others."""
        if not isinstance(arguments, str):
            arguments = self.arguments.cut(self.arguments.size)
        name, namespace, call_id = (_string_of(self.item, each) or None for each in ("name", "namespace", "call_id"))
        return CalledFunction(name or "", namespace, call_id, arguments)

    def now(self) -> Any:
        """Returns the item with all that it has received."""
        if self.done is not None:
            return self.done
        plain: dict[str, Any] = {} if self.item is None else self.item.to_dict()
        if self.item_id is not None:
            plain.setdefault("id", self.item_id)
        if self.kind == "message":
            plain.setdefault("type", "message")
            plain.setdefault("role", "assistant")
            plain["content"] = [self._part(index) for index in sorted(self._parts.keys() | self._texts.keys())]
            return _fit_message(plain)
        if self.kind == "function_call":
            plain.setdefault("type", "function_call")
            plain["arguments"] = self.arguments.cut(self.arguments.size)
            return _fit_call(plain)
        return self.item if self.item is not None else _fit_item(plain)

    def _part(self, index: int) -> Any:
        part = self._parts.get(index)
        if part is not None and getattr(part, "type", None) != "output_text":
            return part.to_dict() if hasattr(part, "to_dict") else part
        text = self._texts[index]
        plain = {"type": "output_text"} if part is None else part.to_dict()
        return {**plain, "text": text.cut(text.size)}


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

    def so_far(self) -> list[Any]:
        """Returns the items as far as they have come, in the order of the output."""
        return [item.now() for item in sorted(self._items, key=lambda item: item.index)]


def _is_another(found: GrowingItem, item: Any) -> bool:
    """Whether an item is not the complete one under its index: their types differ."""
    kind = getattr(item, "type", None)
    return found.done is not None and kind != getattr(found.done, "type", None)


def _string_of(node: Any, name: str) -> str:
    text = getattr(node, name, None)
    return text if isinstance(text, str) else ""
