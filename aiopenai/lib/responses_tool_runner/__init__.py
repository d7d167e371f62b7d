"""`ResponsesToolRunner`: a tool loop over `responses.create` with registered functions and approvals of MCP servers."""

from aiopenai.lib.responses_tool_runner._errors import ToolRunnerCancelledError, ToolRunnerError
from aiopenai.lib.responses_tool_runner._functions import AsyncRegisteredFunction, EarlyExecution, RegisteredFunction
from aiopenai.lib.responses_tool_runner._plan import ResponsesRunnerTurn
from aiopenai.lib.responses_tool_runner._runners import AsyncResponsesToolRunner, ResponsesToolRunner

__all__ = [
    "AsyncRegisteredFunction",
    "AsyncResponsesToolRunner",
    "EarlyExecution",
    "RegisteredFunction",
    "ResponsesRunnerTurn",
    "ResponsesToolRunner",
    "ToolRunnerCancelledError",
    "ToolRunnerError",
]
