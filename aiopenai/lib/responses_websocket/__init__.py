"""Several responses at once on one websocket: each on its own lane, within limits that the program sets.

A session reads a connection of `client.responses.connect()` and sorts its events by their `stream_id` into lanes.
"""

from aiopenai.lib.responses_websocket.accumulator import ResponsesWebSocketAccumulator
from aiopenai.lib.responses_websocket.lanes import AsyncResponsesWebSocketLane, ResponsesWebSocketLane
from aiopenai.lib.responses_websocket.limits import (
    ResponsesWebSocketBufferError,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
)
from aiopenai.lib.responses_websocket.sessions import AsyncResponsesWebSocketSession, ResponsesWebSocketSession
from aiopenai.lib.responses_websocket.snapshots import ResponsesWebSocketOutput, ResponsesWebSocketSnapshot

__all__ = [
    "AsyncResponsesWebSocketLane",
    "AsyncResponsesWebSocketSession",
    "ResponsesWebSocketAccumulator",
    "ResponsesWebSocketBufferError",
    "ResponsesWebSocketError",
    "ResponsesWebSocketLane",
    "ResponsesWebSocketLimits",
    "ResponsesWebSocketOutput",
    "ResponsesWebSocketSession",
    "ResponsesWebSocketSnapshot",
]
