"""The events of a response that new input can end early."""

from __future__ import annotations

from collections.abc import Iterator

from aiopenai.testing.content.response_events import response_events
from aiopenai.testing.engine.values import Object

__all__ = ["Steerable", "required_input"]

# The kinds of output that wait for a result of the client.
_CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
_ENDS = frozenset({"response.completed", "response.incomplete"})


def required_input(response: Object) -> list[Object]:
    """Returns the stubs of the results that a response waits for."""
    return [
        {"type": _CALLS[item["type"]], "call_id": item["call_id"], "name": item["name"]}
        for item in response["output"]
        if item["type"] in _CALLS
    ]


class Steerable:
    """A response in progress. It ends behind the next piece of text, or behind its next item, once it is steered."""

    def __init__(self, response: Object) -> None:
        self.response = response
        self.steered = False
        """Whether new input waits for the end of the response."""
        self.ended = False
        """Whether the last event was sent."""
        self._events = response_events(response)
        self._number = 0
        self._last: Object = {"type": ""}
        self._text: list[str] = []
        self._done = 0

    def next(self) -> Object | None:
        """Returns the next event, or None after the last one."""
        kind = self._last["type"]
        if self.steered and kind == "response.output_text.delta":
            self._events, self.steered = self._cut_text(self._last), False
        elif self.steered and kind == "response.output_item.done" and self._done < len(self.response["output"]):
            self._events, self.steered = self._cut_items(self.response["output"][: self._done]), False
        event = next(self._events, None)
        if event is None:
            return None
        self._note(event)
        return event

    def _note(self, event: Object) -> None:
        kind = event["type"]
        event["sequence_number"] = self._number
        self._number += 1
        self._last = event
        if kind == "response.output_text.delta":
            self._text.append(event["delta"])
        elif kind == "response.output_item.done":
            self._done += 1
        elif kind == "response.content_part.added":
            self._text.clear()
        self.ended = kind in _ENDS

    def _cut_text(self, last: Object) -> Iterator[Object]:
        """Yields the end of a message after the text so far, and that of the response."""
        index, place = last["output_index"], last["content_index"]
        item = self.response["output"][index]
        text = "".join(self._text)
        part: Object = {**item["content"][place], "text": text, "annotations": [], "logprobs": []}
        here: Object = {"item_id": item["id"], "output_index": index, "content_index": place}
        item = {**item, "status": "incomplete", "content": [*item["content"][:place], part]}
        yield {"type": "response.output_text.done", **here, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **here, "part": part}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield from self._cut_items([*self.response["output"][:index], item])

    def _cut_items(self, output: list[Object]) -> Iterator[Object]:
        """Yields the end of the response after some of its items."""
        # In place: the stored response ends here, too.
        self.response.update(
            status="incomplete", completed_at=None, incomplete_details={"reason": "steered"}, output=output
        )
        yield {"type": "response.incomplete", "response": self.response}
