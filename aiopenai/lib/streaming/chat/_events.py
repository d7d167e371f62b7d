"""The events of `chat.completions.stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias

from typing_extensions import TypeVar

from aiopenai._data.leaves import importing
from aiopenai._data.structs import Model
from aiopenai.lib.streaming.chat._types import ParsedChatCompletionSnapshot
from aiopenai.lib.streaming.growing import EventMeta, late
from aiopenai.types.chat import ChatCompletionChunk, ChatCompletionTokenLogprob

__all__ = [
    "ChatCompletionStreamEvent",
    "ChunkEvent",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
    "ResponseFormatT",
    "new_arguments_delta",
    "new_arguments_done",
    "new_chunk",
    "new_content_delta",
    "new_content_done",
    "new_logprobs_delta",
    "new_logprobs_done",
    "new_refusal_delta",
    "new_refusal_done",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)

ResponseFormatT = TypeVar("ResponseFormatT", default=None)


class _Event(Model, metaclass=EventMeta, kw_only=False):
    # A C function that does nothing: events are not decoded, so they have no provenance.
    __post_init__: ClassVar[Any] = id  # type: ignore[misc]


@late("snapshot")
class ChunkEvent(_Event, tag_field="type", tag="chunk", kw_only=False):
    """The first event of every chunk. `snapshot` is the completion up to it."""

    type: Literal["chunk"]
    chunk: ChatCompletionChunk
    snapshot: ParsedChatCompletionSnapshot


@late("snapshot", "parsed")
class ContentDeltaEvent(_Event, tag_field="type", tag="content.delta", kw_only=False):
    """More content. `snapshot` is the content so far, `parsed` the values in its JSON (with a response format)."""

    type: Literal["content.delta"]
    delta: str
    snapshot: str
    parsed: object | None


class ContentDoneEvent(_Event, Generic[ResponseFormatT], tag_field="type", tag="content.done", kw_only=False):
    """The content is complete."""

    type: Literal["content.done"]
    content: str
    parsed: ResponseFormatT | None


@late("snapshot")
class RefusalDeltaEvent(_Event, tag_field="type", tag="refusal.delta", kw_only=False):
    """More of a refusal. `snapshot` is the refusal so far."""

    type: Literal["refusal.delta"]
    delta: str
    snapshot: str


class RefusalDoneEvent(_Event, tag_field="type", tag="refusal.done", kw_only=False):
    """The refusal is complete."""

    type: Literal["refusal.done"]
    refusal: str


@late("arguments", "parsed_arguments")
class FunctionToolCallArgumentsDeltaEvent(
    _Event, tag_field="type", tag="tool_calls.function.arguments.delta", kw_only=False
):
    """More of a tool call's arguments. `arguments` is their JSON so far, `parsed_arguments` the values in it."""

    type: Literal["tool_calls.function.arguments.delta"]
    name: str
    index: int
    arguments: str
    parsed_arguments: object
    arguments_delta: str


class FunctionToolCallArgumentsDoneEvent(
    _Event, tag_field="type", tag="tool_calls.function.arguments.done", kw_only=False
):
    """The arguments of a tool call are complete."""

    type: Literal["tool_calls.function.arguments.done"]
    name: str
    index: int
    arguments: str
    parsed_arguments: object


@late("snapshot")
class LogprobsContentDeltaEvent(_Event, tag_field="type", tag="logprobs.content.delta", kw_only=False):
    """Log probabilities of more content. `snapshot` has all of them so far."""

    type: Literal["logprobs.content.delta"]
    content: list[ChatCompletionTokenLogprob]
    snapshot: list[ChatCompletionTokenLogprob]


class LogprobsContentDoneEvent(_Event, tag_field="type", tag="logprobs.content.done", kw_only=False):
    """The log probabilities of the content are complete."""

    type: Literal["logprobs.content.done"]
    content: list[ChatCompletionTokenLogprob]


@late("snapshot")
class LogprobsRefusalDeltaEvent(_Event, tag_field="type", tag="logprobs.refusal.delta", kw_only=False):
    """Log probabilities of more of a refusal. `snapshot` has all of them so far."""

    type: Literal["logprobs.refusal.delta"]
    refusal: list[ChatCompletionTokenLogprob]
    snapshot: list[ChatCompletionTokenLogprob]


class LogprobsRefusalDoneEvent(_Event, tag_field="type", tag="logprobs.refusal.done", kw_only=False):
    """The log probabilities of the refusal are complete."""

    type: Literal["logprobs.refusal.done"]
    refusal: list[ChatCompletionTokenLogprob]


ChatCompletionStreamEvent: TypeAlias = (
    ChunkEvent
    | ContentDeltaEvent
    | ContentDoneEvent[ResponseFormatT]
    | RefusalDeltaEvent
    | RefusalDoneEvent
    | FunctionToolCallArgumentsDeltaEvent
    | FunctionToolCallArgumentsDoneEvent
    | LogprobsContentDeltaEvent
    | LogprobsContentDoneEvent
    | LogprobsRefusalDeltaEvent
    | LogprobsRefusalDoneEvent
)

# Constructors without types: events take their fields by position, which type checkers do not know.
new_chunk: Any = ChunkEvent
new_content_delta: Any = ContentDeltaEvent
new_content_done: Any = ContentDoneEvent
new_refusal_delta: Any = RefusalDeltaEvent
new_refusal_done: Any = RefusalDoneEvent
new_arguments_delta: Any = FunctionToolCallArgumentsDeltaEvent
new_arguments_done: Any = FunctionToolCallArgumentsDoneEvent
new_logprobs_delta: dict[str, Any] = {"content": LogprobsContentDeltaEvent, "refusal": LogprobsRefusalDeltaEvent}
new_logprobs_done: dict[str, Any] = {"content": LogprobsContentDoneEvent, "refusal": LogprobsRefusalDoneEvent}
