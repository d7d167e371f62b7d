"""The clients of Azure OpenAI, by the reference's path. The names are resolved when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiopenai._data.leaves import find_imported

if TYPE_CHECKING:
    from aiopenai._client.azure import (
        API_KEY_SENTINEL,
        AsyncAzureADTokenProvider,
        AsyncAzureOpenAI,
        AzureADTokenProvider,
        AzureOpenAI,
        BaseAzureClient,
        MutuallyExclusiveAuthError,
    )

__all__ = [
    "API_KEY_SENTINEL",
    "AsyncAzureADTokenProvider",
    "AsyncAzureOpenAI",
    "AzureADTokenProvider",
    "AzureOpenAI",
    "BaseAzureClient",
    "MutuallyExclusiveAuthError",
]


def __getattr__(name: str) -> Any:
    from aiopenai._client import azure

    if name == "_deployments_endpoints":
        return set(azure.DEPLOYMENT_PATHS)
    value = globals()[name] = getattr(azure, name) if name in __all__ else find_imported(__name__, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
