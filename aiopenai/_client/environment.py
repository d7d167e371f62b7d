"""The client that the environment names: of OpenAI's API, of Azure or of Amazon Bedrock."""

from __future__ import annotations

import os
from typing import Any

from aiopenai._base.sentinels import not_given
from aiopenai._client.client import AsyncOpenAI

__all__ = ["client_of_environment"]

_AZURE_VARIABLES = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")


def client_of_environment(*, base_url: str | None = None, **options: Any) -> AsyncOpenAI:
    """Returns the async client of the service that `OPENAI_API_TYPE` names: `openai`, `azure` or `amazon-bedrock`.

    Without that variable, Azure's variables choose Azure, as they do for the module client. A `base_url` beside them is
    that of OpenAI's API or of a server compatible with it. Raises OpenAIError and ValueError for options that are
    missing or contradict each other.
    """
    kind = os.environ.get("OPENAI_API_TYPE")
    if not kind and base_url is None and any(os.environ.get(name) for name in _AZURE_VARIABLES):
        if os.environ.get("OPENAI_API_KEY"):
            from aiopenai._client.module import AmbiguousServiceError

            raise AmbiguousServiceError
        kind = "azure"
    if kind == "azure":
        from aiopenai._client.azure import AsyncAzureOpenAI

        return AsyncAzureOpenAI(base_url=base_url, **options)
    if kind == "amazon-bedrock":
        from aiopenai._client.bedrock import AsyncBedrockOpenAI

        return AsyncBedrockOpenAI(base_url=base_url or not_given, **options)
    return AsyncOpenAI(base_url=base_url or not_given, **options)
