"""The client behind `aiopenai.chat`, `aiopenai.responses` and so on, for programs that make no client.

It is blocking and made on first use. The attributes of the package configure it, and a changed attribute takes effect
with the next call. Attributes that are None come from the environment, and can be read after the first use.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from aiopenai._base.headers import from_environment
from aiopenai._base.timeouts import Timeout
from aiopenai._calls.preparation import PreparedCall, checked_retries
from aiopenai._calls.request import Request
from aiopenai._client.blocking import OpenAI
from aiopenai._client.configuration import BaseURL, checked_key, checked_secret
from aiopenai.errors import OpenAIError

__all__ = ["AmbiguousServiceError", "Namespace", "current", "load", "reset"]

_package: Any = sys.modules["aiopenai"]
_SETTINGS = (
    "api_key",
    "admin_api_key",
    "organization",
    "project",
    "webhook_secret",
    "base_url",
    "timeout",
    "max_retries",
    "default_headers",
    "default_query",
    "http_client",
)
_FROM_ENVIRONMENT = _SETTINGS[:5]
_AZURE_SETTINGS = ("azure_ad_token", "azure_ad_token_provider")
_AZURE_VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")

_client: OpenAI | None = None
_lock = threading.Lock()


class AmbiguousServiceError(OpenAIError):
    """The environment has a key of OpenAI's and settings of Azure, and `api_type` chooses neither."""

    def __init__(self) -> None:
        super().__init__(
            "The environment has OPENAI_API_KEY and settings of Azure: set aiopenai.api_type (or the environment "
            "variable OPENAI_API_TYPE) to 'openai' or 'azure'."
        )


def load() -> OpenAI:
    """Returns the client, made now if there is none, with the package's attributes as they are now.

    Raises OpenAIError if these contradict each other.
    """
    global _client  # noqa: PLW0603
    client = _client
    if client is None:
        with _lock:
            client = _client
            if client is None:
                client = _client = _made()
    follow: Any = getattr(client, "follow")  # noqa: B009 - a method of the classes below
    follow()
    return client


def reset() -> None:
    """Drops the client: the next use makes another one. Its connections are closed."""
    global _client
    with _lock:
        client, _client = _client, None
    if client is not None:
        client.close()


def _made() -> OpenAI:
    if "api_base" in vars(_package) and _package.base_url is None:
        # Otherwise the calls would go to another server than the program names.
        raise OpenAIError("aiopenai.api_base is a name of before release 1.0: set aiopenai.base_url in its place.")
    kind = _package.api_type
    if kind is None and _is_azure():
        if os.environ.get("OPENAI_API_KEY"):
            raise AmbiguousServiceError
        kind = _package.api_type = "azure"
    if kind in ("azure", "amazon-bedrock"):
        from aiopenai._client import module_clouds

        return module_clouds.make(kind)
    return _ModuleClient()


def _is_azure() -> bool:
    if _package.azure_endpoint is None:
        _package.azure_endpoint = os.environ.get("AZURE_OPENAI_ENDPOINT")
    return (
        _package.azure_endpoint is not None
        or any(getattr(_package, name) is not None for name in _AZURE_SETTINGS)
        or any(os.environ.get(name) for name in _AZURE_VARIABLES)
    )


class _ModuleClient(OpenAI):
    def __init__(self) -> None:
        settings = current(_SETTINGS)
        super().__init__(**settings, _enforce_credentials=False)
        # A program that only checks webhooks needs no key. A call without a key raises.
        self._reconfigure(enforce_credentials=True)
        self._first_base_url = self.base_url
        for name in _FROM_ENVIRONMENT:
            if settings[name] is None:
                setattr(_package, name, getattr(self, name) or None)
        self._followed: dict[str, Any] = {}
        self._http_client: Any = settings["http_client"]

    def follow(self) -> None:
        """Takes the package's attributes over, if one of them has changed."""
        settings = current(_SETTINGS)
        if settings == self._followed:
            return
        if settings["http_client"] is not self._http_client:
            # The former one stays open: it is the program's.
            self._sessions = self._sessions_with(settings["http_client"])
            self._http_client = settings["http_client"]
        self._reconfigure(
            api_key=checked_key("api_key", settings["api_key"]),
            admin_api_key=checked_secret("admin_api_key", settings["admin_api_key"]),
            organization=settings["organization"],
            project=settings["project"],
            webhook_secret=checked_secret("webhook_secret", settings["webhook_secret"]),
            timeout=Timeout.of(settings["timeout"]),
            max_retries=checked_retries(settings["max_retries"]),
            default_headers={**from_environment(), **(settings["default_headers"] or {})},
            default_query=settings["default_query"] or {},
            base_url=BaseURL.of(settings["base_url"] or self._first_base_url),
        )
        self._followed = settings

    @override
    def _prepare(self, request: Request[Any], once: bool = False) -> PreparedCall:
        # A resource can be kept, and is then called without `load`.
        self.follow()
        return super()._prepare(request, once)


def current(names: Iterable[str]) -> dict[str, Any]:
    """Returns the present values of the package's attributes."""
    settings = {name: getattr(_package, name) for name in names}
    for name in ("default_headers", "default_query"):
        # Copies, so that a later change of the program's own dict is seen.
        if settings[name] is not None:
            settings[name] = dict(settings[name])
    return settings


class Namespace:
    """A resource of the client, looked up at each use: importing its name makes no client."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # Python looks for such names by itself, to copy an object for example.
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._load(), name)

    @override
    def __dir__(self) -> list[str]:
        return dir(self._load())

    @override
    def __repr__(self) -> str:
        return f"<aiopenai.{self._name}>"

    def _load(self) -> Any:
        return getattr(load(), self._name)
