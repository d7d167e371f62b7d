"""The internal names of `openai` itself that other packages touch: the module's client, and checks of its settings."""

# The classes of the module's client are internal, and these names are for programs that use them all the same.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import sys
from typing import Any

from aiopenai._client.module import AmbiguousServiceError, _ModuleClient
from aiopenai._client.module_clouds import (
    _AzureModuleClient,
    _BedrockModuleClient,
)

__all__ = [
    "_AmbiguousModuleClientUsageError",
    "_AzureModuleClient",
    "_BedrockModuleClient",
    "_ModuleClient",
    "_has_azure_ad_credentials",
    "_has_azure_credentials",
    "_has_openai_credentials",
]

_AmbiguousModuleClientUsageError = AmbiguousServiceError
_package: Any = sys.modules["aiopenai"]


def _has_openai_credentials() -> bool:
    """Returns whether the environment has an API key."""
    return os.environ.get("OPENAI_API_KEY") is not None


def _has_azure_credentials() -> bool:
    """Returns whether the settings name an endpoint of Azure, or the environment has a key for one."""
    return _package.azure_endpoint is not None or os.environ.get("AZURE_OPENAI_API_KEY") is not None


def _has_azure_ad_credentials() -> bool:
    """Returns whether the settings or the environment have a token of Microsoft Entra, or a function that gets one."""
    settings = (_package.azure_ad_token, _package.azure_ad_token_provider)
    return os.environ.get("AZURE_OPENAI_AD_TOKEN") is not None or any(each is not None for each in settings)
