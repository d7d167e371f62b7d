"""`responses.stream`: the events of a response, each with the text or arguments so far, and with parsed values."""

from __future__ import annotations

from aiopenai.lib.streaming.responses._events import ResponseCompletedEvent as ResponseCompletedEvent
from aiopenai.lib.streaming.responses._events import (
    ResponseFunctionCallArgumentsDeltaEvent as ResponseFunctionCallArgumentsDeltaEvent,
)
from aiopenai.lib.streaming.responses._events import (
    ResponseFunctionCallArgumentsDoneEvent as ResponseFunctionCallArgumentsDoneEvent,
)
from aiopenai.lib.streaming.responses._events import ResponseStreamEvent as ResponseStreamEvent
from aiopenai.lib.streaming.responses._events import ResponseTextDeltaEvent as ResponseTextDeltaEvent
from aiopenai.lib.streaming.responses._events import ResponseTextDoneEvent as ResponseTextDoneEvent
from aiopenai.lib.streaming.responses._events import TextFormatT as TextFormatT
from aiopenai.lib.streaming.responses._responses import AsyncResponseStream as AsyncResponseStream
from aiopenai.lib.streaming.responses._responses import AsyncResponseStreamManager as AsyncResponseStreamManager
from aiopenai.lib.streaming.responses._responses import ResponseStream as ResponseStream
from aiopenai.lib.streaming.responses._responses import ResponseStreamManager as ResponseStreamManager
from aiopenai.lib.streaming.responses._responses import stream_response as stream
from aiopenai.lib.streaming.responses._state import ResponseStreamState as ResponseStreamState

__all__ = [
    "AsyncResponseStream",
    "AsyncResponseStreamManager",
    "ResponseCompletedEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseStream",
    "ResponseStreamEvent",
    "ResponseStreamManager",
    "ResponseStreamState",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "TextFormatT",
    "stream",
]
