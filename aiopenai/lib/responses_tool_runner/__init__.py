"""`ResponsesToolRunner`: a tool loop over `responses.create` with registered functions and approvals of MCP servers."""

from aiopenai.lib.responses_tool_runner._budget import (
    AsyncContextBudget,
    ContextBudget,
    ContextBudgetDecision,
    ContextBudgetSnapshot,
)
from aiopenai.lib.responses_tool_runner._errors import ToolRunnerCancelledError, ToolRunnerError
from aiopenai.lib.responses_tool_runner._functions import AsyncRegisteredFunction, EarlyExecution, RegisteredFunction
from aiopenai.lib.responses_tool_runner._ledger import (
    AsyncResponsesToolLedger,
    ResponsesToolCheckpoint,
    ResponsesToolLedger,
)
from aiopenai.lib.responses_tool_runner._runners import AsyncResponsesToolRunner, ResponsesToolRunner
from aiopenai.lib.responses_tool_runner._turn import ResponsesRunnerTurn

__all__ = [
    "AsyncContextBudget",
    "AsyncRegisteredFunction",
    "AsyncResponsesToolLedger",
    "AsyncResponsesToolRunner",
    "ContextBudget",
    "ContextBudgetDecision",
    "ContextBudgetSnapshot",
    "EarlyExecution",
    "RegisteredFunction",
    "ResponsesRunnerTurn",
    "ResponsesToolCheckpoint",
    "ResponsesToolLedger",
    "ResponsesToolRunner",
    "ToolRunnerCancelledError",
    "ToolRunnerError",
]
