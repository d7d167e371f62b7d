"""The streams of turns of agents, and the types of their tool handlers."""

from aiopenai.lib.beta.agents._dispatch import AsyncToolHandler, ToolHandler, ToolOutput
from aiopenai.lib.streaming.agents._streams import AgentSessionStream, AsyncAgentSessionStream

__all__ = ["AgentSessionStream", "AsyncAgentSessionStream", "AsyncToolHandler", "ToolHandler", "ToolOutput"]
