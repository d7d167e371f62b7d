"""Helpers of `beta.agents`: tools, results of turns, event streams, files and artifacts."""

from aiopenai.lib.beta.agents._artifacts import AgentResultArtifacts, AsyncAgentResultArtifacts
from aiopenai.lib.beta.agents._dispatch import AgentToolError
from aiopenai.lib.beta.agents._events import AgentSessionEventStream, AsyncAgentSessionEventStream
from aiopenai.lib.beta.agents._files import (
    AgentFilePreparationError,
    AgentFileStagingError,
    PreparedAgentFiles,
    StagedAgentFile,
)
from aiopenai.lib.beta.agents._results import AgentOutputParseError, AgentTurnResult, AgentTurnResultError
from aiopenai.lib.beta.agents._tools import AgentFunctionTool as FunctionTool
from aiopenai.lib.beta.agents._tools import agent_function_tool as function_tool
from aiopenai.lib.beta.agents._tools import agent_text_format
from aiopenai.lib.beta.agents._tools import pydantic_agent_tool as pydantic_function_tool

__all__ = [
    "AgentFilePreparationError",
    "AgentFileStagingError",
    "AgentOutputParseError",
    "AgentResultArtifacts",
    "AgentSessionEventStream",
    "AgentToolError",
    "AgentTurnResult",
    "AgentTurnResultError",
    "AsyncAgentResultArtifacts",
    "AsyncAgentSessionEventStream",
    "FunctionTool",
    "PreparedAgentFiles",
    "StagedAgentFile",
    "agent_text_format",
    "function_tool",
    "pydantic_function_tool",
]
