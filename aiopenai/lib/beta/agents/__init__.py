"""Helpers of `beta.agents`."""

from aiopenai.lib.beta.agents._files import (
    AgentFilePreparationError,
    AgentFileStagingError,
    PreparedAgentFiles,
    StagedAgentFile,
)

__all__ = ["AgentFilePreparationError", "AgentFileStagingError", "PreparedAgentFiles", "StagedAgentFile"]
