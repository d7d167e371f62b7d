"""The clients of Amazon Bedrock, by the reference's path. The names are resolved when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiopenai._data.leaves import find_imported

if TYPE_CHECKING:
    from aiopenai._client.bedrock import (
        AsyncBedrockOpenAI,
        AsyncBedrockTokenProvider,
        AwsCredentialsProvider,
        BedrockOpenAI,
        BedrockTokenProvider,
    )

__all__ = [
    "AsyncBedrockOpenAI",
    "AsyncBedrockTokenProvider",
    "AwsCredentialsProvider",
    "BedrockOpenAI",
    "BedrockTokenProvider",
]


def __getattr__(name: str) -> Any:
    from aiopenai._client import bedrock

    value = globals()[name] = getattr(bedrock, name) if name in __all__ else find_imported(__name__, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
