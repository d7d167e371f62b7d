"""The client behind `aiopenai.chat`, `aiopenai.responses` and so on, for programs without one of their own.

It is blocking, is made when it is first needed, and is configured by the attributes of the package: what these are set
to counts from the next call on. What is absent is taken from the environment, as by every client, and can be read from
the attributes then.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from typing_extensions import override

from aiopenai._base.headers import from_environment
from aiopenai._base.timeouts import Timeout
from aiopenai._calls.preparation import PreparedCall, checked_retries
from aiopenai._calls.request import Request
from aiopenai._client.blocking import OpenAI
from aiopenai._client.configuration import BaseURL, checked_key, checked_secret
from aiopenai.errors import OpenAIError

__all__ = ["Namespace", "load"]

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
_AZURE_SETTINGS = ("azure_endpoint", "azure_ad_token", "azure_ad_token_provider")
_AZURE_VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_AD_TOKEN")

_client: _ModuleClient | None = None
_lock = threading.Lock()


def load() -> OpenAI:
    """The client, made now if it is not there, with the package's attributes as they are now.

    Raises OpenAIError where these ask for a service that it cannot talk to.
    """
    global _client  # noqa: PLW0603
    client = _client
    if client is None:
        with _lock:
            client = _client
            if client is None:
                _check_service()
                client = _client = _ModuleClient()
    client.follow()
    return client


class _ModuleClient(OpenAI):
    def __init__(self) -> None:
        settings = _current()
        super().__init__(**settings, _enforce_credentials=False)
        # A program that only checks webhooks needs no key. A call without a key raises.
        self._reconfigure(enforce_credentials=True)
        self._first_base_url = self.base_url
        for name in _FROM_ENVIRONMENT:
            if settings[name] is None:
                setattr(_package, name, getattr(self, name) or None)
        self._followed: dict[str, Any] = {}

    def follow(self) -> None:
        """Takes the package's attributes over, if one of them has changed."""
        settings = _current()
        if settings == self._followed:
            return
        self._check_wiring(settings["http_client"], None)
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
    def _prepare(self, request: Request[Any], *, once: bool = False) -> PreparedCall:
        # A resource can be kept, and is then called without `load`.
        self.follow()
        return super()._prepare(request, once=once)


def _current() -> dict[str, Any]:
    settings = {name: getattr(_package, name) for name in _SETTINGS}
    for name in ("default_headers", "default_query"):
        # Copies, so that what is changed in the program's own dict is seen.
        if settings[name] is not None:
            settings[name] = dict(settings[name])
    return settings


def _check_service() -> None:
    kind = _package.api_type
    if kind is None:
        azure = [f"aiopenai.{name}" for name in _AZURE_SETTINGS if getattr(_package, name) is not None]
        azure += [name for name in _AZURE_VARIABLES if os.environ.get(name)]
        if azure:
            raise OpenAIError(
                f"{azure[0]} is set, but the module's client talks to OpenAI only. "
                "If that is meant, set aiopenai.api_type (or OPENAI_API_TYPE) to 'openai'."
            )
    elif kind in ("azure", "amazon-bedrock"):
        raise OpenAIError(
            f"aiopenai.api_type is {kind!r}, but the module's client talks to OpenAI only ('openai'): "
            "make a client of your own, with base_url and credentials of that service."
        )


class Namespace:
    """One of the client's resources, looked up whenever it is used: importing its name makes no client."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # What Python looks for by itself, to copy it say.
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
