"""Tool loops: a model calls the program's functions until it has an answer.

`client.responses.run_tools` and `client.chat.completions.run_tools` start one. `run_response_tools` and
`run_chat_tools` take any object with the `create` of these resources, such as a pool of sockets.
"""

from aiopenai.lib.running._loop import AsyncToolRunStream, ToolRunStream
from aiopenai.lib.running._records import (
    MaxTurnsError,
    ToolCallError,
    ToolExecution,
    ToolFinishedEvent,
    ToolRun,
    ToolRunError,
    ToolRunEvent,
    ToolStartedEvent,
    ToolTurn,
    TurnFinishedEvent,
)
from aiopenai.lib.running._start import run_chat_tools, run_response_tools

__all__ = [
    "AsyncToolRunStream",
    "MaxTurnsError",
    "ToolCallError",
    "ToolExecution",
    "ToolFinishedEvent",
    "ToolRun",
    "ToolRunError",
    "ToolRunEvent",
    "ToolRunStream",
    "ToolStartedEvent",
    "ToolTurn",
    "TurnFinishedEvent",
    "run_chat_tools",
    "run_response_tools",
]
