"""The interface between a call and the service that it talks to: URLs, headers and credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from aiopenai._base.timeouts import DEFAULT_TIMEOUT, Timeout
from aiopenai._base.urls import websocket_url
from aiopenai._calls.request import Endpoint, Request

__all__ = ["Attempt", "Provider", "Service"]


class Attempt:
    """One attempt before it is sent, as `Provider.authorize` sees it. Changes of `headers` are sent.

    `chosen` holds the lower-case names of headers that the program sets or omits: a provider leaves these alone.
    `body` is encoded already, so that it can be signed. `timeout` limits the waits for credentials.
    """

    __slots__ = ("body", "chosen", "endpoint", "headers", "timeout", "url")

    def __init__(
        self,
        endpoint: Endpoint,
        url: str,
        headers: dict[str, str],
        body: Any,
        chosen: frozenset[str],
        timeout: Timeout = DEFAULT_TIMEOUT,
    ) -> None:
        self.endpoint = endpoint
        self.url = url
        self.headers = headers
        self.body = body
        self.chosen = chosen
        self.timeout = timeout


class Provider(ABC):
    """A service that speaks the API: where requests go, and which credentials they carry."""

    root: str
    """The base URL without credentials, query and final slash. Credentials are sent to its origin only."""
    credential_headers: ClassVar[tuple[str, ...]] = ("authorization",)
    """The lower-case names of the headers that hold credentials. A request needs one of them."""
    follows_redirects: bool = True
    """Whether redirects are followed; a redirect is an error otherwise."""
    own_origin_only: bool = False
    """Whether absolute URLs of other origins are refused. They are sent without credentials otherwise."""
    authorizes: bool = False
    """Whether `authorize` is called for each attempt. A provider with constant headers leaves it False."""

    def url(self, request: Request[Any]) -> str:
        """Returns the URL of a request, without the query parameters of the client and of the call."""
        path = request.path
        if path.startswith("/"):
            return self.root + path
        return path if path.startswith(("http://", "https://")) else f"{self.root}/{path}"

    def websocket_url(self, path: str, base: str | None, query: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        """Returns the URL of a websocket and its query parameters, without those of the client and of the call.

        `base` is the client's `websocket_base_url`, which replaces the base URL; `query` has the parameters of the
        method, such as `model`. Raises OpenAIError if one is missing.
        """
        return websocket_url(base or self.root, path), dict(query)

    def batch_url(self, path: str) -> str:
        """Returns the `url` of a line of a batch file for a path of the API, such as `/chat/completions`."""
        return f"/v1{path}"

    @abstractmethod
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Returns the credentials that all requests of an endpoint carry; a function of its `header_kind` alone."""

    @abstractmethod
    def require(self, endpoint: Endpoint) -> None:
        """Raises OpenAIError if an endpoint needs a credential that is not set."""

    async def authorize(self, attempt: Attempt) -> None:
        """Adds the credentials of one attempt to its headers. It runs for each attempt, after the body is encoded."""
        raise NotImplementedError(f"{type(self).__name__} sets `authorizes`, and has no method `authorize`")

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """Drops the credentials of an attempt that was answered with 401. Returns whether there may be fresh ones.

        If so, the attempt is made once more at once, outside of `max_retries`. It is not called without `authorizes`.
        """
        return False


class Service(ABC):
    """The `provider` option, or a workload identity. Each configuration of a client gets a provider made by it."""

    is_cloud: bool = True
    """Whether it is a cloud, with URLs of its own, and not another way into OpenAI's API."""
    base_url: str | None = None
    """The base URL that goes with the service; None if the client's own options decide."""

    regions: Mapping[str, str] | None = None
    """The base URLs by `data_residency`; None if they are those of the API."""

    needs_https: bool = False
    """Whether only https base URLs are allowed."""

    @abstractmethod
    def provider(self, configuration: Any, wiring: Mapping[str, Any]) -> Provider:
        """Returns the provider of a client's configuration. `wiring` has the client's TLS and proxy options."""
