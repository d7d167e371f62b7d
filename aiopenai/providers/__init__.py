"""Clouds in place of OpenAI's API: the values of a client's `provider` option.

from aiopenai import AsyncOpenAI
from aiopenai.providers import bedrock

client = AsyncOpenAI(provider=bedrock(region="us-east-1"))
"""

from __future__ import annotations

from aiopenai.providers.bedrock import bedrock
from aiopenai.providers.vertex import vertex

__all__ = ["bedrock", "vertex"]
