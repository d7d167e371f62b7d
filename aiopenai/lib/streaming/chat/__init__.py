"""`chat.completions.stream`: the chunks of a chat stream as typed events, each with all that came before it."""

from __future__ import annotations

from aiopenai.lib.streaming.chat._completions import AsyncChatCompletionStream as AsyncChatCompletionStream
from aiopenai.lib.streaming.chat._completions import (
    AsyncChatCompletionStreamManager as AsyncChatCompletionStreamManager,
)
from aiopenai.lib.streaming.chat._completions import ChatCompletionStream as ChatCompletionStream
from aiopenai.lib.streaming.chat._completions import ChatCompletionStreamManager as ChatCompletionStreamManager
from aiopenai.lib.streaming.chat._completions import stream_chat as stream
from aiopenai.lib.streaming.chat._events import ChatCompletionStreamEvent as ChatCompletionStreamEvent
from aiopenai.lib.streaming.chat._events import ChunkEvent as ChunkEvent
from aiopenai.lib.streaming.chat._events import ContentDeltaEvent as ContentDeltaEvent
from aiopenai.lib.streaming.chat._events import ContentDoneEvent as ContentDoneEvent
from aiopenai.lib.streaming.chat._events import (
    FunctionToolCallArgumentsDeltaEvent as FunctionToolCallArgumentsDeltaEvent,
)
from aiopenai.lib.streaming.chat._events import FunctionToolCallArgumentsDoneEvent as FunctionToolCallArgumentsDoneEvent
from aiopenai.lib.streaming.chat._events import LogprobsContentDeltaEvent as LogprobsContentDeltaEvent
from aiopenai.lib.streaming.chat._events import LogprobsContentDoneEvent as LogprobsContentDoneEvent
from aiopenai.lib.streaming.chat._events import LogprobsRefusalDeltaEvent as LogprobsRefusalDeltaEvent
from aiopenai.lib.streaming.chat._events import LogprobsRefusalDoneEvent as LogprobsRefusalDoneEvent
from aiopenai.lib.streaming.chat._events import RefusalDeltaEvent as RefusalDeltaEvent
from aiopenai.lib.streaming.chat._events import RefusalDoneEvent as RefusalDoneEvent
from aiopenai.lib.streaming.chat._events import ResponseFormatT as ResponseFormatT
from aiopenai.lib.streaming.chat._state import ChatCompletionStreamState as ChatCompletionStreamState
from aiopenai.lib.streaming.chat._types import (
    ParsedChatCompletionMessageSnapshot as ParsedChatCompletionMessageSnapshot,
)
from aiopenai.lib.streaming.chat._types import ParsedChatCompletionSnapshot as ParsedChatCompletionSnapshot
from aiopenai.lib.streaming.chat._types import ParsedChoiceSnapshot as ParsedChoiceSnapshot

__all__ = [
    "AsyncChatCompletionStream",
    "AsyncChatCompletionStreamManager",
    "ChatCompletionStream",
    "ChatCompletionStreamEvent",
    "ChatCompletionStreamManager",
    "ChatCompletionStreamState",
    "ChunkEvent",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "ParsedChatCompletionMessageSnapshot",
    "ParsedChatCompletionSnapshot",
    "ParsedChoiceSnapshot",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
    "ResponseFormatT",
    "stream",
]
