"""The clients of Amazon Bedrock, by the reference's path. The names are resolved when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(bedrock, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
