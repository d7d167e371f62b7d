"""OpenAI's own keys as a provider of credentials."""

from __future__ import annotations

import inspect
from typing import Any

from typing_extensions import override

from aiopenai._base.aliases import own_text
from aiopenai._base.secret import Secret
from aiopenai._calls.provider import Attempt, Provider
from aiopenai._calls.request import Endpoint
from aiopenai._client.configuration import Configuration, basic_authorization
from aiopenai.errors import OpenAIError

__all__ = ["OpenAIProvider"]


class OpenAIProvider(Provider):
    """Bearer keys: a fixed one, or one that a function returns for each attempt.

    A login in the base URL replaces them.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.root = configuration.base_url.root
        self._login = configuration.base_url.login
        self._admin_key = configuration.admin_api_key
        self._enforce = configuration.enforce_credentials
        key = configuration.api_key
        self._ask = None if isinstance(key, Secret) else key
        self.authorizes = self._ask is not None
        self.key: Secret[str] = key if isinstance(key, Secret) else Secret("")
        """The API key; the last one if a function returns it."""

    @override
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        if self._login.value:
            return {"Authorization": basic_authorization(self._login.value)}
        # A key of a function is added by `authorize`.
        key = self.key if self._takes_key(endpoint) and not self.authorizes else None
        if (key is None or not key.value) and endpoint.security in ("admin", "any"):
            key = self._admin_key
        return _bearer(key)

    @override
    def require(self, endpoint: Endpoint) -> None:
        if self._enforce:
            missing = "admin_api_key (OPENAI_ADMIN_KEY)" if endpoint.security == "admin" else "api_key (OPENAI_API_KEY)"
            raise OpenAIError(f"{endpoint.method} {endpoint.path} needs {missing}, which is not set.")

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Asks the function. Raises OpenAIError if its result is no key; its own errors pass."""
        assert self._ask is not None
        found: Any = self._ask()
        if inspect.isawaitable(found):
            found = await found
        if not isinstance(found, str) or not found:
            kind = type(found).__name__
            del found
            raise OpenAIError(f"The api_key function must return a non-empty str, not {kind}")
        # Each attempt uses its own answer: other attempts may get another one meanwhile.
        self.key = key = Secret(own_text(found))
        del found
        if self._takes_key(attempt.endpoint) and not self._login.value and "authorization" not in attempt.chosen:
            attempt.headers.update(_bearer(key))

    @staticmethod
    def _takes_key(endpoint: Endpoint) -> bool:
        return endpoint.security in ("bearer", "any")


def _bearer(key: Secret[str] | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.value}"} if key is not None and key.value else {}
