"""The events of `responses.stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias

from typing_extensions import TypeVar

from aiopenai._data.leaves import importing
from aiopenai.lib.streaming.growing import EventMeta, late
from aiopenai.types.responses import (
    ParsedResponse,
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
from aiopenai.types.responses import ResponseFunctionCallArgumentsDoneEvent as RawResponseFunctionCallArgumentsDoneEvent
from aiopenai.types.responses import ResponseTextDeltaEvent as RawResponseTextDeltaEvent
from aiopenai.types.responses import ResponseTextDoneEvent as RawResponseTextDoneEvent

__all__ = [
    "ResponseCompletedEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseStreamEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "TextFormatT",
    "new_arguments_delta",
    "new_completed",
    "new_text_delta",
    "new_text_done",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)

TextFormatT = TypeVar("TextFormatT", default=None)


@late("snapshot")
class ResponseTextDeltaEvent(
    RawResponseTextDeltaEvent, metaclass=EventMeta, tag_field="type", tag="response.output_text.delta"
):
    """More text. `snapshot` is the text so far."""

    # A C function that does nothing: events are not decoded, so they have no provenance.
    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    snapshot: str


class ResponseTextDoneEvent(
    RawResponseTextDoneEvent,
    Generic[TextFormatT],
    metaclass=EventMeta,
    tag_field="type",
    tag="response.output_text.done",
):
    """A text is complete. `parsed` is its parsed value."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    parsed: TextFormatT | None


@late("snapshot")
class ResponseFunctionCallArgumentsDeltaEvent(
    RawResponseFunctionCallArgumentsDeltaEvent,
    metaclass=EventMeta,
    tag_field="type",
    tag="response.function_call_arguments.delta",
):
    """More of a call's arguments. `snapshot` is the arguments so far."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    snapshot: str


class ResponseFunctionCallArgumentsDoneEvent(
    RawResponseFunctionCallArgumentsDoneEvent, tag_field="type", tag="response.function_call_arguments.done"
):
    """The arguments of a call are complete: the tool can start before the response ends."""

    name: str | None = None
    """The name of the function; None if the call was not announced."""
    call_id: str | None = None
    """The id for the `function_call_output` of this call."""
    parsed_arguments: object = None
    """The arguments parsed as the tools of the request say; None for others, and for arguments that do not fit."""


class ResponseCompletedEvent(
    RawResponseCompletedEvent, Generic[TextFormatT], metaclass=EventMeta, tag_field="type", tag="response.completed"
):
    """The response is complete, with its parsed text."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]
    response: ParsedResponse[TextFormatT]  # pyright: ignore[reportIncompatibleVariableOverride]


# The events with more fields, and all others as the API has them.
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

# Constructors without types: type checkers do not know the metaclass.
new_text_delta: Any = ResponseTextDeltaEvent
new_text_done: Any = ResponseTextDoneEvent
new_arguments_delta: Any = ResponseFunctionCallArgumentsDeltaEvent
new_completed: Any = ResponseCompletedEvent
