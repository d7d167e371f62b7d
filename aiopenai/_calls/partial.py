"""The part of a stream that arrived before its failure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, cast

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._calls.endings import StreamEnd
from aiopenai._calls.unexpected import refusal_in_event
from aiopenai._data.codec import Node

__all__ = ["Partial", "StreamRecord"]


class Partial(msgspec.Struct, kw_only=True):
    """The part of a stream that arrived before its failure; the error has it as `partial`."""

    texts: dict[int, str]
    """The text so far by choice. The texts of a response are joined in their order, under 0."""
    events: int
    """The number of events that arrived."""
    last: Any
    """The last event, or None."""

    @property
    def text(self) -> str:
        """The text of the first choice, or of the whole response."""
        return self.texts.get(0, "")


# The types of streams whose events may be any JSON value.
_ANY_JSON: tuple[Any, ...] = (Any, object, bool, int, float, str, list)


_finish_reason, _index = attrgetter("finish_reason"), attrgetter("index")


class StreamRecord:
    """The text, the number of events and the progress of a stream, noted batch by batch.

    `refusal` is the JSON object of an event that says why there are no further ones, in another form than the API's.

    Both concerns share one pass over the events: it costs under 0.2 us an event. Attributes are looked up on the
    types, because an event takes ten times as long to deny a field that it does not have.
    """

    __slots__ = ("_dropped", "_has_choices", "_texts", "count", "end", "last", "refusal")

    def __init__(self, kind: Any) -> None:
        self._has_choices = "choices" in getattr(kind, "__struct_fields__", ())
        # No event of a stream of objects is one of these. Servers send `null` and the like to keep a connection open.
        self._dropped = (type(None),) if kind in _ANY_JSON else (type(None), bool, int, float, str, list)
        self._texts: dict[int, list[str]] = {}
        self.end = StreamEnd()
        # A stream of chunks shows its end, also where no chunk had a choice.
        self.end.marked = self._has_choices
        self.count = 0
        self.last: Any = None
        self.refusal: Any = None

    def note(self, events: list[Any], made: Sequence[Any] = ()) -> list[Any]:
        """Notes a batch of events, and returns those to hand out.

        JSON values that are no objects are dropped. So are a refusal, which is kept, and the events after it. `made`
        are all reply objects of these events in the order of their making, if that is known.
        """
        if not (self._note_plain(events, made) if self._has_choices else self._note_typed(events)):
            events = self._expected(events)
        if events:
            self.count += len(events)
            self.last = events[-1]
        return events

    def _expected(self, events: list[Any]) -> list[Any]:
        """Returns the events of a batch that are objects, up to the first one that is a refusal; notes chunks."""
        expected: list[Any] = []
        for event in events:
            if isinstance(event, self._dropped):
                continue
            if self._refuses(event):
                break
            expected.append(event)
            if self._has_choices:
                self._note(event)
        return expected

    def _refuses(self, event: Any) -> bool:
        """Whether an event is a refusal, which is kept."""
        if isinstance(event, Node) and getattr(event, "choices", None) is None:
            self.refusal = refusal_in_event(cast("Any", event).to_dict())
        return self.refusal is not None

    def _note_plain(self, events: list[Any], made: Sequence[Any]) -> bool:
        """Notes chunks that add text to one choice, as nearly all do. Returns False, with nothing noted, for others."""
        try:
            if len(events) > 1 and len(made) == 3 * len(events) and self._note_texts(made[::3], made[1::3]):
                return True
            choices: list[Any] = (
                events[0].choices if len(events) == 1 else [choice for event in events for choice in event.choices]
            )
            first = choices[0]
            if "delta" not in first.__struct_fields__:
                return False
            if len(choices) == 1:
                text = first.delta.content
                index = first.index
                if index.__class__ is not int or not (text is None or text.__class__ is str):
                    return False
                reason = first.finish_reason
            else:
                texts = [
                    choice.delta.content or ""
                    for choice in choices
                    if choice.finish_reason is None and not choice.index
                ]
                index, reason = 0, None
                if len(texts) != len(choices):
                    # Mostly the batch with the finish reason.
                    texts = [choice.delta.content or "" for choice in choices if not choice.index]
                    if len(texts) != len(choices):
                        return False
                    reason = any(choice.finish_reason for choice in choices)
                text = "".join(texts)
            if reason:
                self.end.note_choice(index, reason)
            else:
                self.end.continues(index)
        except (AttributeError, LookupError, TypeError):
            # The server sent another form than the type says.
            return False
        if text:
            self._keep(index, text)
        return True

    def _note_texts(self, deltas: Sequence[Any], choices: Sequence[Any]) -> bool:
        """Notes chunks with one choice each, if all of them add text to the first choice and nothing else.

        Without the ways from a chunk to its choice and its delta, this takes half of the time. Raises AttributeError
        if the objects are others.
        """
        if (
            "delta" not in choices[0].__struct_fields__
            or any(map(_finish_reason, choices))
            or any(map(_index, choices))
        ):
            return False
        text = "".join([delta.content or "" for delta in deltas])
        self.end.continues(0)
        if text:
            self._keep(0, text)
        return True

    def _note_typed(self, events: list[Any]) -> bool:
        """Notes events. Returns False unless the class of each gives its type, as those of nearly all do."""
        end = self.end
        before = None
        typed = True
        for event in events:
            kind: Any = getattr(event.__class__, "type", None)
            if kind == "response.output_text.delta":
                end.marked = True
                if event.delta.__class__ is str:
                    self._keep(0, event.delta)
            elif kind.__class__ is str:
                if kind is not before:
                    before = kind
                    end.note_type(kind)
            else:
                typed = False
                if self._refuses(event):
                    break
                if not isinstance(event, self._dropped):
                    self._note(event)
        return typed

    def _note(self, event: Any) -> None:
        self.end.note(event)
        choices: Any = getattr(event, "choices", None)
        for choice in choices if is_list(choices) else ():
            delta = getattr(choice, "delta", choice)
            text = getattr(delta, "content", None) if delta is not choice else getattr(choice, "text", None)
            index = getattr(choice, "index", None)
            if text := _delta_text(text):
                self._keep(index if isinstance(index, int) else 0, text)

    def _keep(self, index: int, text: str) -> None:
        found = self._texts.get(index)
        if found is None:
            self._texts[index] = [text]
        else:
            found.append(text)

    def partial(self) -> Partial:
        """The part of the stream that has arrived."""
        texts = {index: "".join(pieces) for index, pieces in self._texts.items()}
        return Partial(texts=texts, events=self.count, last=self.last)


def _delta_text(content: Any) -> str:
    """The text of a delta's content, which some servers send as a list of parts."""
    if isinstance(content, str):
        return content
    parts: list[Any] = content if is_list(content) else []
    texts = [part.get("text") if is_mapping(part) else getattr(part, "text", None) for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
