"""`ResponseStreamState`: the logic of a streamed response without any I/O, events in, events out.

Of the response it keeps the texts and arguments as they grow, and the items, which fill in the output where a server
leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Generic, cast

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.lenient import fitter
from aiopenai._data.structs import Model
from aiopenai.lib.streaming.growing import Text
from aiopenai.lib.streaming.responses._events import (
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseStreamEvent,
    TextFormatT,
    new_arguments_delta,
    new_completed,
    new_text_delta,
    new_text_done,
)
from aiopenai.lib.streaming.responses._items import GrowingItems
from aiopenai.types.responses import ParsedResponse

__all__ = ["ResponseStreamState"]

# The subjects of events, each with the type of its item, and with the type of its part or the field of its text.
_SUBJECTS = {
    "response.content_part": ("message", "output_text"),
    "response.refusal": ("message", "refusal"),
    "response.reasoning_text": ("reasoning", "reasoning_text"),
    "response.reasoning_summary_part": ("reasoning", "summary_text"),
    "response.reasoning_summary_text": ("reasoning", "summary_text"),
    "response.custom_tool_call_input": ("custom_tool_call", "input"),
    "response.mcp_call_arguments": ("mcp_call", "arguments"),
    "response.code_interpreter_call_code": ("code_interpreter_call", "code"),
}
_WRITTEN = [subject for subject in _SUBJECTS if not subject.endswith("_part")]
# The fields of the events that have a whole text, where they are not named like its part.
_FIELDS = {"output_text": "text", "reasoning_text": "text", "summary_text": "text"}
_STARTING = frozenset({"response.created", "response.queued", "response.in_progress"})
_fit_response = fitter(ParsedResponse)
_fit_call_done = fitter(ResponseFunctionCallArgumentsDoneEvent)


class ResponseStreamState(Generic[TextFormatT]):
    """Accumulates the events of a response, for programs that iterate over the stream themselves.

    `text_format` and `input_tools` are those of the request. Events that are unknown, repeated, late, out of order or
    of another response are handed out, and the result is the response of the ending event.
    """

    def __init__(self, *, input_tools: Any = omit, text_format: Any = omit) -> None:
        self._input_tools: list[Any] = [] if is_left_out(input_tools) or input_tools is None else [*input_tools]
        self._text_format = omit if text_format is None else text_format
        self._items = GrowingItems()
        # The text that the last event continued, and the numbers of its item and part. None after any other event.
        self._text: Text | None = None
        self._place: tuple[Any, Any] | None = None
        # The response as it began.
        self._response: Any = None
        self._ended_response: ParsedResponse[TextFormatT] | None = None
        self.completed_response: ParsedResponse[TextFormatT] | None = None
        """The response of `response.completed`; None before that event."""

    @property
    def _completed_response(self) -> ParsedResponse[TextFormatT] | None:
        # The reference's name for `completed_response`, which frameworks read and set.
        return self.completed_response

    @_completed_response.setter
    def _completed_response(self, response: ParsedResponse[TextFormatT] | None) -> None:
        self.completed_response = response

    def handle_event(self, event: Any) -> list[ResponseStreamEvent[TextFormatT]]:
        """Takes an event, and returns the events that it causes: itself, or one with more fields.

        Raises a ValueError for text or arguments that do not fit their type, with the response so far as `completion`.
        """
        kind = getattr(event, "type", None)
        if kind == "response.output_text.delta":
            place = event.output_index, event.content_index
            # Nearly all pieces continue the text of the piece before.
            text = self._text if place == self._place else self._items.of(event).text(event.content_index)
            if text is None or not isinstance(event.delta, str):
                return [event]
            self._text, self._place = text, place if isinstance(place[0], int) else None
            text.append(event.delta)
            return [
                new_text_delta(
                    content_index=event.content_index,
                    delta=event.delta,
                    item_id=event.item_id,
                    logprobs=event.logprobs,
                    output_index=event.output_index,
                    sequence_number=event.sequence_number,
                    snapshot=(text, text.size),
                )
            ]
        self._place = None
        takes = self._others.get(kind) if isinstance(kind, str) else None
        return [event] if takes is None else takes(self, event)

    def _begin(self, event: Any) -> list[Any]:
        """Takes the response at its beginning. It may have items already, if the stream is a repetition."""
        output = getattr(event.response, "output", None)
        if self._response is None and isinstance(event.response, Model):
            self._response = event.response
            for index, item in enumerate(output if is_list(output) else ()):
                if isinstance(item, Model):
                    self._items.announce(index, item)
        elif is_list(output):
            self._items.replace([item for item in output if isinstance(item, Model)])
        return self._shown(event)

    def _shown(self, event: Any) -> list[Any]:
        """Returns a lifecycle event with the output so far if the server left the output out."""
        response = getattr(event, "response", None)
        if not isinstance(response, Model) or is_list(getattr(response, "output", None)):
            return [event]
        event = event.model_copy(deep=True)
        event.response.output = [] if event.type in _STARTING else self._items.so_far()
        return [event]

    def _added(self, event: Any) -> list[Any]:
        if not isinstance(event.item, Model):
            # The placeholder of a provider, without content.
            return []
        self._items.announce(event.output_index, event.item)
        return [event]

    def _part_added(self, event: Any) -> list[Any]:
        kind, part = _SUBJECTS[event.type.rpartition(".")[0]]
        item = self._items.of(event, kind)
        if item.is_a(kind) and isinstance(event.part, Model):
            item.parts(part).add(_number_of(event), event.part)
        return [event]

    def _part_done(self, event: Any) -> list[Any]:
        """Takes a text part as it ends."""
        kind = getattr(event.part, "type", None)
        item = self._items.of(event, "message")
        if kind in ("output_text", "refusal") and item.is_a("message"):
            whole = getattr(event.part, _FIELDS.get(kind, kind), None)
            if isinstance(whole, str):
                item.complete(kind, _number_of(event), whole)
        return [event]

    def _piece(self, event: Any) -> list[Any]:
        """Takes a piece of a text that only the items show."""
        kind, part = _SUBJECTS[event.type.rpartition(".")[0]]
        item = self._items.of(event, kind)
        if item.is_a(kind) and isinstance(event.delta, str):
            item.append(part, _number_of(event), event.delta)
        return [event]

    def _whole(self, event: Any) -> list[Any]:
        """Takes the whole of such a text."""
        kind, part = _SUBJECTS[event.type.rpartition(".")[0]]
        item = self._items.of(event, kind)
        text = getattr(event, _FIELDS.get(part, part), None)
        if item.is_a(kind) and isinstance(text, str):
            item.complete(part, _number_of(event), text)
        return [event]

    def _item_done(self, event: Any) -> list[Any]:
        if isinstance(event.item, Model):
            self._items.complete(event.output_index, event.item)
        return [event]

    def _text_done(self, event: Any) -> list[Any]:
        from aiopenai.lib.parsing import parse_text

        item = self._items.of(event, "message")
        parsed: Any = None
        if isinstance(event.text, str):
            if item.is_a("message"):
                item.complete("output_text", event.content_index, event.text)
            try:
                parsed = parse_text(event.text, text_format=self._text_format, phase=item.phase)
            except ValueError as error:
                # The reply is paid for: the error carries it.
                cast("Any", error).completion = self._so_far()
                raise
        return [
            new_text_done(
                content_index=event.content_index,
                item_id=event.item_id,
                logprobs=event.logprobs,
                output_index=event.output_index,
                sequence_number=event.sequence_number,
                text=event.text,
                parsed=parsed,
            )
        ]

    def _call_delta(self, event: Any) -> list[Any]:
        item = self._items.of(event, "function_call")
        if item.kind != "function_call" or not isinstance(event.delta, str):
            return [event]
        item.string.append(event.delta)
        return [
            new_arguments_delta(
                delta=event.delta,
                item_id=event.item_id,
                output_index=event.output_index,
                sequence_number=event.sequence_number,
                snapshot=(item.string, item.string.size),
            )
        ]

    def _call_done(self, event: Any) -> list[Any]:
        """Parses the arguments of a call. Those that do not fit raise their error when the response is complete."""
        from aiopenai.lib.tool_calls import parse_response_tool_arguments

        item = self._items.of(event, "function_call")
        if item.kind != "function_call":
            return [event]
        plain = event.to_dict()
        call = item.called(event.arguments, plain.get("name"))
        # A field of the server's own wins.
        done = _fit_call_done(
            {"name": call.name or None, "call_id": call.call_id, **plain, "arguments": call.arguments}
        )
        # ValueError: the response may have been cut, so only its ending event tells whether this is an error.
        with suppress(ValueError):
            done.parsed_arguments = parse_response_tool_arguments(input_tools=self._input_tools, function_call=call)
        return [done]

    def _so_far(self) -> Any:
        """Returns the response as far as it has come."""
        plain: dict[str, Any] = {} if self._response is None else self._response.to_dict()
        response = _fit_response(plain)
        response.output = self._items.so_far()
        return response

    def _filled(self, response: Any) -> Any:
        """Returns the response of an ending event, with the items of the stream if it has none itself."""
        output = getattr(response, "output", None)
        items = self._items.filled(output) if output and is_list(output) else self._items.so_far()
        if items is not output and (items or not is_list(output)):
            response = response.model_copy()
            response.output = items
        return response

    def _complete(self, event: Any) -> list[Any]:
        from aiopenai.lib.parsing import parse_response

        if not isinstance(event.response, Model):
            return [event]
        self.completed_response = self._ended_response = parse_response(
            text_format=self._text_format, input_tools=self._input_tools, response=self._filled(event.response)
        )
        return [new_completed(sequence_number=event.sequence_number, response=self.completed_response)]

    def _end(self, event: Any) -> list[Any]:
        """Takes a response that has ended without being completed: its text may be cut anywhere."""
        from aiopenai.lib.parsing import parse_response

        received: Any = getattr(event, "response", None)
        if is_mapping(received):
            # Of an event that the API does not have.
            received = _fit_response(received)
        if isinstance(received, Model) and self.completed_response is None:
            response = self._filled(received)
            try:
                self._ended_response = parse_response(
                    text_format=self._text_format, input_tools=self._input_tools, response=response
                )
            except ValueError:
                # A cut text does not fit its type. The status says why, so it stays text.
                self._ended_response = parse_response(text_format=omit, input_tools=[], response=response)
        return self._shown(event)

    _others: ClassVar[dict[str, Callable[[Any, Any], list[Any]]]] = {
        **dict.fromkeys(_STARTING, _begin),
        "response.failed": _end,
        "response.incomplete": _end,
        "response.cancelled": _end,
        "response.done": _end,
        "response.completed": _complete,
        "response.output_item.added": _added,
        "response.output_item.done": _item_done,
        "response.content_part.added": _part_added,
        "response.content_part.done": _part_done,
        "response.reasoning_summary_part.added": _part_added,
        **dict.fromkeys([f"{subject}.delta" for subject in _WRITTEN], _piece),
        **dict.fromkeys([f"{subject}.done" for subject in _WRITTEN], _whole),
        "response.output_text.done": _text_done,
        "response.function_call_arguments.delta": _call_delta,
        "response.function_call_arguments.done": _call_done,
    }

    def final_response(self) -> ParsedResponse[TextFormatT]:
        """Returns the response of the ending event, whichever status it has.

        Raises RuntimeError for a stream that ended without `response.completed` or another ending event.
        """
        if self._ended_response is None:
            raise RuntimeError("The stream ended without a `response.completed` event, so there is no whole response.")
        return self._ended_response


def _number_of(event: Any) -> Any:
    """Returns the number of the part that an event is about; None without one."""
    number = getattr(event, "summary_index", None)
    return getattr(event, "content_index", None) if number is None else number
