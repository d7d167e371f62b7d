"""`responses.stream`: a response's events, with the text and arguments so far, and with what they were parsed into.

`ResponseStreamState` is the logic, without any I/O: events in, events out. Of the response it keeps what its own
events show: the texts as they grow, and the items, to fill in the output where a server leaves it out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Generic, TypeAlias

from typing_extensions import TypeVar

from aiopenai._base.aliases import is_list
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.lenient import fitter
from aiopenai.lib.streaming.growing import Event, Text, late
from aiopenai.lib.streaming.wrappers import AsyncEvents, AsyncManager, Events, Manager
from aiopenai.types.responses import (
    ParsedResponse,
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCodeInterpreterCallCompletedEvent,
    ResponseCodeInterpreterCallInProgressEvent,
    ResponseCodeInterpreterCallInterpretingEvent,
    ResponseCompactionCompactingEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseCustomToolCallInputDoneEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseImageGenCallCompletedEvent,
    ResponseImageGenCallGeneratingEvent,
    ResponseImageGenCallInProgressEvent,
    ResponseImageGenCallPartialImageEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpCallInProgressEvent,
    ResponseMcpListToolsCompletedEvent,
    ResponseMcpListToolsFailedEvent,
    ResponseMcpListToolsInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseQueuedEvent,
    ResponseReasoningSummaryPartAddedEvent,
    ResponseReasoningSummaryPartDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseReasoningTextDoneEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
    ResponseShellCallCommandAddedEvent,
    ResponseShellCallCommandDeltaEvent,
    ResponseShellCallCommandDoneEvent,
    ResponseShellCallOutputContentDeltaEvent,
    ResponseShellCallOutputContentDoneEvent,
    ResponseWebSearchCallCompletedEvent,
    ResponseWebSearchCallInProgressEvent,
    ResponseWebSearchCallSearchingEvent,
)
from aiopenai.types.responses import ResponseCompletedEvent as RawResponseCompletedEvent
from aiopenai.types.responses import (
    ResponseFunctionCallArgumentsDeltaEvent as RawResponseFunctionCallArgumentsDeltaEvent,
)
from aiopenai.types.responses import ResponseTextDeltaEvent as RawResponseTextDeltaEvent
from aiopenai.types.responses import ResponseTextDoneEvent as RawResponseTextDoneEvent

__all__ = [
    "AsyncResponseStream",
    "AsyncResponseStreamManager",
    "ResponseCompletedEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseStream",
    "ResponseStreamEvent",
    "ResponseStreamManager",
    "ResponseStreamState",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "stream",
]

TextFormatT = TypeVar("TextFormatT", default=None)


@late("snapshot")
class ResponseTextDeltaEvent(
    RawResponseTextDeltaEvent, metaclass=Event, tag_field="type", tag="response.output_text.delta"
):
    """More text; `snapshot` is all of it so far."""

    # A C function that does nothing: nobody decodes these, so there is nothing to remember of them.
    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    snapshot: str


class ResponseTextDoneEvent(
    RawResponseTextDoneEvent,
    Generic[TextFormatT],
    metaclass=Event,
    tag_field="type",
    tag="response.output_text.done",
):
    """A text is whole; `parsed` is what it was parsed into."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    parsed: TextFormatT | None


@late("snapshot")
class ResponseFunctionCallArgumentsDeltaEvent(
    RawResponseFunctionCallArgumentsDeltaEvent,
    metaclass=Event,
    tag_field="type",
    tag="response.function_call_arguments.delta",
):
    """More of a call's arguments; `snapshot` is all of them so far."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    snapshot: str


class ResponseCompletedEvent(
    RawResponseCompletedEvent, Generic[TextFormatT], metaclass=Event, tag_field="type", tag="response.completed"
):
    """The response is whole, with what its text was parsed into."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    response: ParsedResponse[TextFormatT]  # pyright: ignore[reportIncompatibleVariableOverride]


# Those that say more, and all others as the API has them.
ResponseStreamEvent: TypeAlias = (
    ResponseTextDeltaEvent
    | ResponseTextDoneEvent[TextFormatT]
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseCompletedEvent[TextFormatT]
    | ResponseAudioDeltaEvent
    | ResponseAudioDoneEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseAudioTranscriptDoneEvent
    | ResponseCodeInterpreterCallCodeDeltaEvent
    | ResponseCodeInterpreterCallCodeDoneEvent
    | ResponseCodeInterpreterCallCompletedEvent
    | ResponseCodeInterpreterCallInProgressEvent
    | ResponseCodeInterpreterCallInterpretingEvent
    | ResponseCompactionCompactingEvent
    | ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
    | ResponseCreatedEvent
    | ResponseErrorEvent
    | ResponseFileSearchCallCompletedEvent
    | ResponseFileSearchCallInProgressEvent
    | ResponseFileSearchCallSearchingEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | ResponseShellCallCommandAddedEvent
    | ResponseShellCallCommandDeltaEvent
    | ResponseShellCallCommandDoneEvent
    | ResponseShellCallOutputContentDeltaEvent
    | ResponseShellCallOutputContentDoneEvent
    | ResponseInProgressEvent
    | ResponseFailedEvent
    | ResponseIncompleteEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseReasoningSummaryPartAddedEvent
    | ResponseReasoningSummaryPartDoneEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseReasoningSummaryTextDoneEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningTextDoneEvent
    | ResponseRefusalDeltaEvent
    | ResponseRefusalDoneEvent
    | ResponseWebSearchCallCompletedEvent
    | ResponseWebSearchCallInProgressEvent
    | ResponseWebSearchCallSearchingEvent
    | ResponseImageGenCallCompletedEvent
    | ResponseImageGenCallGeneratingEvent
    | ResponseImageGenCallInProgressEvent
    | ResponseImageGenCallPartialImageEvent
    | ResponseMcpCallArgumentsDeltaEvent
    | ResponseMcpCallArgumentsDoneEvent
    | ResponseMcpCallCompletedEvent
    | ResponseMcpCallFailedEvent
    | ResponseMcpCallInProgressEvent
    | ResponseMcpListToolsCompletedEvent
    | ResponseMcpListToolsFailedEvent
    | ResponseMcpListToolsInProgressEvent
    | ResponseOutputTextAnnotationAddedEvent
    | ResponseQueuedEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseCustomToolCallInputDoneEvent
)

# Events are made at C speed: the metaclass is not what type checkers think.
_text_delta: Any = ResponseTextDeltaEvent
_text_done: Any = ResponseTextDoneEvent
_arguments_delta: Any = ResponseFunctionCallArgumentsDeltaEvent
_completed: Any = ResponseCompletedEvent

_Identity: TypeAlias = tuple[str, str | None, str | None]

_STARTING = frozenset({"response.created", "response.queued", "response.in_progress"})
_LIFECYCLE = _STARTING | {"response.completed", "response.failed", "response.incomplete"}
# Items that a client answers: their call is what they are known by.
_CALLS = frozenset({"function_call", "custom_tool_call", "shell_call", "shell_call_output"})


def _identity(item: Any) -> _Identity:
    kind = getattr(item, "type", "")
    call = getattr(item, "call_id", None)
    return kind, None if kind in _CALLS else getattr(item, "id", None), call


def _may_replace(previous: Any, item: Any) -> bool:
    """Whether an item's id allows it to be the same as an earlier one; that may have had none yet."""
    id = getattr(previous, "id", None)
    return id == getattr(item, "id", None) or (
        id is None and getattr(previous, "type", None) in ("function_call", "custom_tool_call")
    )


class _Item:
    """An output item that is being received."""

    __slots__ = ("_parts", "arguments", "item", "kind", "phase", "texts")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.kind: str = getattr(item, "type", "")
        self.phase: str | None = getattr(item, "phase", None)
        self._parts: list[Any] = []
        self.texts: list[Text] = []
        self.arguments = Text(_text(item, "arguments"))
        content = getattr(item, "content", None)
        for part in content if self.kind == "message" and is_list(content) else ():
            self.add(part)

    def add(self, part: Any) -> None:
        """A content part begins."""
        self._parts.append(part)
        self.texts.append(Text(_text(part, "text")))

    def text(self, index: Any) -> Text | None:
        """The text of a content part; None where there is no such part, or it is not text."""
        texts = self.texts
        if self.kind != "message" or not isinstance(index, int) or not 0 <= index < len(texts):
            return None
        return texts[index] if getattr(self._parts[index], "type", None) == "output_text" else None

    def now(self) -> Any:
        """The item with all that it has received."""
        if self.kind == "message":
            plain = self.item.to_dict()
            plain["content"] = [
                {**part.to_dict(), "text": text.cut(text.size)}
                if getattr(part, "type", None) == "output_text"
                else part
                for part, text in zip(self._parts, self.texts, strict=True)
            ]
            return fitter(ParsedResponseOutputMessage)(plain)
        if self.kind == "function_call":
            plain = {**self.item.to_dict(), "arguments": self.arguments.cut(self.arguments.size)}
            return fitter(ParsedResponseFunctionToolCall)(plain)
        return self.item


def _text(node: Any, name: str) -> str:
    text = getattr(node, name, None)
    return text if isinstance(text, str) else ""


class ResponseStreamState(Generic[TextFormatT]):
    """Accumulates the events of a response, for those who iterate over the stream themselves.

    `text_format` and `input_tools` are those of the request.
    """

    def __init__(self, *, input_tools: Any = omit, text_format: Any = omit) -> None:
        self._input_tools: list[Any] = [] if is_left_out(input_tools) or input_tools is None else [*input_tools]
        self._text_format = omit if text_format is None else text_format
        self._id: Any = None
        self._begun = False
        self._items: dict[int, _Item] = {}
        self._done: dict[int, Any] = {}
        self._positions: dict[_Identity, int] = {}
        self.completed_response: ParsedResponse[TextFormatT] | None = None
        """The whole response; None before its end."""

    def handle_event(self, event: Any) -> list[ResponseStreamEvent[TextFormatT]]:
        """Take an event; the events that it causes: itself, or one that says more.

        Raises RuntimeError for events that cannot come one after the other (of two responses, or of items that have
        not begun), and what parsing raises for text that does not fit.
        """
        kind = getattr(event, "type", None)
        if kind == "response.output_text.delta" and self._begun:
            item = self._item(event.output_index)
            text = item.text(event.content_index)
            if text is None or not isinstance(event.delta, str):
                return [event]
            text.append(event.delta)
            return [
                _text_delta(
                    content_index=event.content_index,
                    delta=event.delta,
                    item_id=event.item_id,
                    logprobs=event.logprobs,
                    output_index=event.output_index,
                    sequence_number=event.sequence_number,
                    snapshot=(text, text.size),
                )
            ]
        if not self._begun:
            self._begin(kind, event)
        elif kind in _LIFECYCLE and getattr(event.response, "id", None) != self._id:
            raise RuntimeError("An event is of another response.")
        takes = self._others.get(kind or "")
        return [event] if takes is None else takes(self, event)

    def _begin(self, kind: str | None, event: Any) -> None:
        if kind != "response.created":
            raise RuntimeError(f"The stream begins with {kind!r} instead of 'response.created'")
        self._begun = True
        self._id = getattr(event.response, "id", None)
        output = getattr(event.response, "output", None)
        self._items = {index: _Item(item) for index, item in enumerate(output if is_list(output) else ())}

    def _item(self, index: int) -> _Item:
        try:
            return self._items[index]
        except KeyError:
            raise RuntimeError(f"Content of output item {index} came before the item") from None

    def _status(self, event: Any) -> list[Any]:
        """The response again: it may know more of the items that are done."""
        output = getattr(event.response, "output", None)
        if is_list(output):
            if event.type in _STARTING and self._positions:
                self._replace(output)
            return [event]
        event = event.model_copy(deep=True)
        event.response.output = [] if event.type in _STARTING else self._so_far()
        return [event]

    def _replace(self, output: list[Any]) -> None:
        replacements: dict[_Identity, Any] = {}
        for item in output:
            if (identity := _identity(item)) in replacements:
                raise RuntimeError("Two output items of a response have the same id.")
            replacements[identity] = item
        for identity, item in replacements.items():
            if (index := self._positions.get(identity)) is not None:
                if not _may_replace(self._done[index], item):
                    raise RuntimeError("The id of an output item changed.")
                self._done[index] = item.model_copy(deep=True)

    def _so_far(self) -> list[Any]:
        """The output as far as it has come."""
        return [
            self._done[index].model_copy(deep=True) if index in self._done else self._items[index].now()
            for index in sorted(self._items.keys() | self._done.keys())
        ]

    def _added(self, event: Any) -> list[Any]:
        item = getattr(event, "item", None)
        if item is None:
            # A provider's placeholder; its number is not used again.
            return []
        if event.output_index in self._items:
            raise RuntimeError(f"Output item {event.output_index} begins twice.")
        self._items[event.output_index] = _Item(item)
        return [event]

    def _part_added(self, event: Any) -> list[Any]:
        item = self._item(event.output_index)
        if item.kind == "message":
            item.add(event.part)
        return [event]

    def _item_done(self, event: Any) -> list[Any]:
        index: int = event.output_index
        item = event.item
        identity = _identity(item)
        begun = self._items.get(index)
        if begun is not None and (_identity(begun.item) != identity or not _may_replace(begun.item, item)):
            raise RuntimeError("The id of an output item changed.")
        if self._positions.get(identity, index) != index:
            raise RuntimeError("Two output items of a response have the same id.")
        if (previous := self._done.get(index)) is not None:
            del self._positions[_identity(previous)]
        self._done[index] = item
        self._positions[identity] = index
        return [event]

    def _text_done(self, event: Any) -> list[Any]:
        from aiopenai.lib.parsing import parse_text

        item = self._item(event.output_index)
        return [
            _text_done(
                content_index=event.content_index,
                item_id=event.item_id,
                logprobs=event.logprobs,
                output_index=event.output_index,
                sequence_number=event.sequence_number,
                text=event.text,
                parsed=parse_text(event.text, text_format=self._text_format, phase=item.phase),
            )
        ]

    def _call_delta(self, event: Any) -> list[Any]:
        item = self._item(event.output_index)
        if item.kind != "function_call" or not isinstance(event.delta, str):
            return [event]
        item.arguments.append(event.delta)
        return [
            _arguments_delta(
                delta=event.delta,
                item_id=event.item_id,
                output_index=event.output_index,
                sequence_number=event.sequence_number,
                snapshot=(item.arguments, item.arguments.size),
            )
        ]

    def _complete(self, event: Any) -> list[Any]:
        from aiopenai.lib.parsing import parse_response

        response = event.response
        output = getattr(response, "output", None)
        final = {_identity(item): item for item in (output if is_list(output) else ())}
        for item in self._done.values():
            same = final.get(_identity(item))
            if same is not None and not _may_replace(item, same):
                raise RuntimeError("The id of an output item changed.")
        for index, begun in self._items.items():
            same = final.get(_identity(begun.item))
            if index not in self._done and (same is None or not _may_replace(begun.item, same)):
                raise RuntimeError("The response is complete, and an output item is not.")
        if not is_list(output):
            # The items as they were when done: the deltas do not have all of them (annotations, refusals).
            response = response.model_copy()
            response.output = [self._done[index] for index in sorted(self._done)]
        self.completed_response = parse_response(
            text_format=self._text_format, input_tools=self._input_tools, response=response
        )
        return [_completed(sequence_number=event.sequence_number, response=self.completed_response)]

    _others: ClassVar[dict[str, Callable[[Any, Any], list[Any]]]] = {
        "response.created": _status,
        "response.queued": _status,
        "response.in_progress": _status,
        "response.failed": _status,
        "response.incomplete": _status,
        "response.completed": _complete,
        "response.output_item.added": _added,
        "response.output_item.done": _item_done,
        "response.content_part.added": _part_added,
        "response.output_text.done": _text_done,
        "response.function_call_arguments.delta": _call_delta,
    }

    def final_response(self) -> ParsedResponse[TextFormatT]:
        """The whole response. Raises RuntimeError where the stream ended without `response.completed`."""
        if self.completed_response is None:
            raise RuntimeError("The stream ended without a `response.completed` event.")
        return self.completed_response


def _handler(state: ResponseStreamState[Any], starting_after: int | None) -> Callable[[Any], Sequence[Any]]:
    if starting_after is None:
        return state.handle_event

    def events(event: Any) -> Sequence[Any]:
        number = getattr(event, "sequence_number", None)
        caused = state.handle_event(event)
        return () if isinstance(number, int) and number <= starting_after else caused

    return events


class ResponseStream(Events[ResponseStreamEvent[TextFormatT]], Generic[TextFormatT]):
    """The events of a response, and the response that they make; those up to `starting_after` are not shown."""

    def __init__(
        self, *, raw_stream: Any, text_format: Any = omit, input_tools: Any = omit, starting_after: int | None = None
    ) -> None:
        self._state: ResponseStreamState[TextFormatT] = ResponseStreamState(
            text_format=text_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _handler(self._state, starting_after))

    def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Read the stream to its end; the response. Raises RuntimeError if it was not completed."""
        self.until_done()
        return self._state.final_response()


class AsyncResponseStream(AsyncEvents[ResponseStreamEvent[TextFormatT]], Generic[TextFormatT]):
    """The events of a response, and the response that they make; those up to `starting_after` are not shown."""

    def __init__(
        self, *, raw_stream: Any, text_format: Any = omit, input_tools: Any = omit, starting_after: int | None = None
    ) -> None:
        self._state: ResponseStreamState[TextFormatT] = ResponseStreamState(
            text_format=text_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _handler(self._state, starting_after))

    async def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Read the stream to its end; the response. Raises RuntimeError if it was not completed."""
        await self.until_done()
        return self._state.final_response()


class ResponseStreamManager(Manager[ResponseStream[TextFormatT]], Generic[TextFormatT]):
    """`with client.responses.stream(...) as stream:`"""

    def __init__(
        self,
        api_request: Callable[[], Any],
        *,
        text_format: Any = omit,
        input_tools: Any = omit,
        starting_after: int | None = None,
    ) -> None:
        def wrap(raw: Any) -> ResponseStream[TextFormatT]:
            return ResponseStream(
                raw_stream=raw, text_format=text_format, input_tools=input_tools, starting_after=starting_after
            )

        super().__init__(api_request, wrap)


class AsyncResponseStreamManager(AsyncManager[AsyncResponseStream[TextFormatT]], Generic[TextFormatT]):
    """`async with client.responses.stream(...) as stream:`"""

    def __init__(
        self,
        api_request: Awaitable[Any],
        *,
        text_format: Any = omit,
        input_tools: Any = omit,
        starting_after: int | None = None,
    ) -> None:
        def wrap(raw: Any) -> AsyncResponseStream[TextFormatT]:
            return AsyncResponseStream(
                raw_stream=raw, text_format=text_format, input_tools=input_tools, starting_after=starting_after
            )

        super().__init__(api_request, wrap)


# What goes with a response that is there already.
_OF_EXISTING = frozenset({"response_id", "starting_after", "text_format", "tools"})
_OPTIONS = frozenset(
    {"extra_headers", "extra_query", "extra_body", "timeout", "max_retries", "retry", "idempotency_key"}
)


def stream(resource: Any, /, **arguments: Any) -> AsyncResponseStreamManager[Any] | ResponseStreamManager[Any]:
    """`responses.stream`: a new response, or with `response_id` one that was created in the background.

    A response's stream can be had again from its beginning; `starting_after` is the number of the last event that is
    known. Raises ValueError for arguments of both kinds, or for too few of them.
    """
    from aiopenai.lib.parsing import make_tools, type_to_text_format_param

    given = {name: value for name, value in arguments.items() if not is_left_out(value)}
    creates = sorted(given.keys() - _OF_EXISTING - _OPTIONS)
    tools = make_tools(given["tools"]) if given.get("tools") is not None else omit
    text_format = given.pop("text_format", omit)
    starting_after = given.pop("starting_after", None)
    if creates:
        if "response_id" in given or starting_after is not None:
            raise ValueError(f"response_id and starting_after cannot be given together with {', '.join(creates)}")
        for name in ("input", "model"):
            if name not in given:
                raise ValueError(f"a new response needs {name}")
        if not is_left_out(text_format):
            text: dict[str, Any] = given.get("text") or {}
            if "format" in text:
                raise TypeError("text.format and text_format exclude each other")
            given["text"] = {**text, "format": type_to_text_format_param(text_format)}
        if not is_left_out(tools):
            given["tools"] = tools
        request = resource.create.request(**given, stream=True)
    else:
        if "response_id" not in given:
            raise ValueError("response_id is needed to stream an existing response")
        given.pop("tools", None)
        # All of it is asked for, as the texts begin at the beginning.
        request = resource.retrieve.request(given.pop("response_id"), stream=True, **given)
    kinds: dict[str, Any] = {"text_format": text_format, "input_tools": tools, "starting_after": starting_after}
    if resource._mode.blocking:
        return ResponseStreamManager(lambda: resource._call(request), **kinds)
    return AsyncResponseStreamManager(resource._call(request), **kinds)
