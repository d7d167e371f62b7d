"""The module client of Azure and of Amazon Bedrock."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from typing_extensions import override

from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.request import Request
from aiopenai._client.azure import AzureOpenAI
from aiopenai._client.base import BaseClient
from aiopenai._client.bedrock import BedrockOpenAI
from aiopenai._client.blocking import OpenAI
from aiopenai._client.module import current

__all__ = ["make"]

_package: Any = sys.modules["aiopenai"]
_SHARED = (
    "api_key",
    "base_url",
    "timeout",
    "max_retries",
    "default_headers",
    "default_query",
    "http_client",
    "organization",
)
_AZURE = (*_SHARED, "api_version", "azure_endpoint", "azure_ad_token", "azure_ad_token_provider")
_BEDROCK = (*_SHARED, "project", "webhook_secret", "bedrock_token_provider")


def make(kind: str) -> OpenAI:
    """Returns the client of `azure` or `amazon-bedrock`, by the package's attributes."""
    return _AzureModuleClient() if kind == "azure" else _BedrockModuleClient()


class _Following(BaseClient):
    """A client that takes the package's attributes over before each call."""

    _names: tuple[str, ...]
    _make: Callable[..., BaseClient]
    # The attributes in which the two kinds of clients keep their own options.
    _kept: tuple[str, ...]

    def __init__(self) -> None:
        self._followed = current(self._names)
        super().__init__(**self._options(self._followed))

    def _options(self, settings: dict[str, Any]) -> dict[str, Any]:
        return settings

    def follow(self) -> None:
        """Takes the package's attributes over, if one of them has changed."""
        settings = current(self._names)
        if settings == self._followed:
            return
        # A client made of the new settings checks them. Its connections are never opened.
        fresh = type(self)._make(**self._options(settings))
        for name in self._kept:
            setattr(self, name, getattr(fresh, name))
        self._configure(fresh._configuration)
        self._followed = settings

    @override
    def _prepare(self, request: Request[Any], once: bool = False) -> PreparedCall:
        # A resource can be kept, and is then called without `load`.
        self.follow()
        return super()._prepare(request, once)


class _AzureModuleClient(_Following, AzureOpenAI):
    _names = _AZURE
    _make = AzureOpenAI
    _kept = ("_azure",)

    @override
    def _options(self, settings: dict[str, Any]) -> dict[str, Any]:
        if settings["azure_endpoint"] is None and settings["base_url"] is None:
            settings = {**settings, "azure_endpoint": os.environ.get("AZURE_OPENAI_ENDPOINT")}
        if settings["base_url"] is not None:
            # The attribute for the endpoint is filled from the environment; a base URL replaces it.
            settings = {**settings, "azure_endpoint": None}
        return settings


class _BedrockModuleClient(_Following, BedrockOpenAI):
    _names = _BEDROCK
    _make = BedrockOpenAI
    _kept = ("_bedrock",)

    @override
    def _options(self, settings: dict[str, Any]) -> dict[str, Any]:
        if settings["base_url"] is None:
            return {name: value for name, value in settings.items() if name != "base_url"}
        return settings
