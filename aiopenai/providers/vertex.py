"""Google Vertex AI: `vertex(...)` for a client's `provider` option."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from typing_extensions import override

from aiopenai._base.aliases import own_text
from aiopenai._base.deadlines import within
from aiopenai._calls.provider import Attempt, Provider, Service
from aiopenai._calls.request import Endpoint
from aiopenai._data.leaves import importing
from aiopenai._http.messages import HTTPRequest
from aiopenai.errors import APITimeoutError, OpenAIError

__all__ = ["VertexTokenProvider", "vertex"]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)

VertexTokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns an access token; asked for each attempt. An awaitable is allowed in both clients."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PROJECT = re.compile(r"[a-zA-Z0-9_-][a-zA-Z0-9_.:-]*")
_LOCATION = re.compile(r"[a-z0-9-]+")
_TOKEN = re.compile(r"[!-~]+")
# Headers that would reach Google with a meaning of OpenAI's.
_REFUSED = ("authorization", "api-key", "openai-organization", "openai-project")


def vertex(
    *,
    project: str | None = None,
    location: str | None = None,
    base_url: str | None = None,
    token_provider: VertexTokenProvider | None = None,
    credentials: Any = None,
) -> Service:
    """Returns Google Vertex AI as the `provider` of a client.

    - `project` (`GOOGLE_CLOUD_PROJECT`), `location` (`GOOGLE_CLOUD_LOCATION`; `global` is one): give the URL.
      `base_url` replaces it.
    - `token_provider`: a function, plain or async, that returns an access token for each attempt.
    - `credentials`: credentials of google-auth. Without both, google-auth finds the default credentials.

    google-auth is the extra `vertex`. Raises OpenAIError for options that are missing, malformed or exclude each other.
    """
    if token_provider is not None and credentials is not None:
        raise OpenAIError("token_provider and credentials exclude each other: pass only one of them to vertex().")
    if base_url is not None:
        url = _checked_url(base_url)
    else:
        found = _checked(project, "project", "GOOGLE_CLOUD_PROJECT", _PROJECT)
        place = _checked(location, "location", "GOOGLE_CLOUD_LOCATION", _LOCATION)
        host = "aiplatform.googleapis.com" if place == "global" else f"{place}-aiplatform.googleapis.com"
        url = f"https://{host}/v1/projects/{found}/locations/{place}/publishers/openai/v1"
    return VertexService(url, token_provider, credentials)


def _checked(value: str | None, name: str, variable: str, pattern: re.Pattern[str]) -> str:
    found = value if value is not None else os.environ.get(variable)
    if not found:
        raise OpenAIError(f"{name} is missing: pass it to vertex(), or set the environment variable {variable}.")
    if not pattern.fullmatch(found):
        raise OpenAIError(f"{name} of vertex() has a character that it cannot have: {found!r}.")
    return found


def _checked_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OpenAIError("base_url of vertex() must be an http or https URL.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise OpenAIError("base_url of vertex() must have no user, no query and no fragment.")
    if parts.scheme == "http" and parts.hostname.endswith("googleapis.com"):
        raise OpenAIError("base_url of vertex() must be an https URL for hosts of Google's.")
    return url.strip().rstrip("/")


class VertexService(Service):
    """The options of `vertex(...)`."""

    def __init__(self, base_url: str, ask: VertexTokenProvider | None, credentials: Any) -> None:
        self.base_url = base_url
        self._ask = ask
        self._credentials = credentials

    @override
    def provider(self, configuration: Any, wiring: Mapping[str, Any]) -> Provider:
        tokens = GoogleTokens(self._credentials) if self._ask is None else None
        return VertexProvider(configuration.base_url.root, self._ask, tokens)


class GoogleTokens:
    """Access tokens of google-auth's credentials; one thread refreshes them at a time."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    def token(self, connect: float | None, read: float | None) -> str:
        """Returns a valid token; blocks while it is refreshed, up to these timeouts. Raises OpenAIError."""
        if not self._lock.acquire(timeout=-1 if read is None else read):
            raise OpenAIError("An access token for Vertex AI cannot be had: its refresh takes longer than the timeout.")
        try:
            try:
                if self._credentials is None:
                    self._credentials, _ = import_module("google.auth").default(scopes=[_SCOPE])
                if not self._credentials.valid:
                    transport = import_module("google.auth.transport.requests")
                    self._credentials.refresh(functools.partial(transport.Request(), timeout=(connect, read)))
                return str(self._credentials.token)
            except ImportError as error:
                raise OpenAIError("Google's credentials need google-auth: pip install 'aiopenai[vertex]'.") from error
            except Exception as error:
                # The error's text may hold parts of a key: it is not repeated, and is no cause.
                kind = type(error).__name__
        finally:
            self._lock.release()
        raise OpenAIError(
            f"An access token for Vertex AI cannot be had ({kind}): check the default credentials of this machine, or "
            "pass token_provider or credentials to vertex()."
        )


class VertexProvider(Provider):
    """Vertex AI's URL, with an access token for each attempt."""

    authorizes = True
    follows_redirects = False
    own_origin_only = True

    def __init__(self, root: str, ask: VertexTokenProvider | None, tokens: GoogleTokens | None) -> None:
        self.root = root
        self._ask = ask
        self._tokens = tokens

    @override
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {}

    @override
    def require(self, endpoint: Endpoint) -> None:
        raise OpenAIError(f"{endpoint.method} {endpoint.path} has no credentials for Vertex AI.")

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Adds the token. Raises OpenAIError if it cannot be had, and for headers that Google must not get."""
        refused = [name for name in _REFUSED if name in attempt.chosen]
        if refused:
            raise OpenAIError(f"A client with provider=vertex(...) takes no {refused[0]} header: leave it out.")
        found = await self._token(attempt)
        if not isinstance(found, str) or not _TOKEN.fullmatch(found):
            del found
            raise OpenAIError("The access token for Vertex AI must be a str of printable ASCII without spaces.")
        attempt.headers["Authorization"] = f"Bearer {own_text(found)}"
        del found

    async def _token(self, attempt: Attempt) -> Any:
        """Returns the token. Raises APITimeoutError if it takes longer than the call's timeouts allow."""
        connect, read = attempt.timeout.connect, attempt.timeout.read
        try:
            if self._tokens is not None:
                # The thread ends by itself: its own requests have the same timeouts.
                limit = None if connect is None or read is None else connect + read
                return await within(limit, asyncio.to_thread(self._tokens.token, connect, read))
            assert self._ask is not None
            return await within(read, self._asked(self._ask))
        except asyncio.TimeoutError:
            request = HTTPRequest(attempt.endpoint.method, attempt.url)
            message = "Request timed out: the access token for Vertex AI was not there in time."
            raise APITimeoutError(request, message=message) from None

    @staticmethod
    async def _asked(ask: VertexTokenProvider) -> Any:
        try:
            found: Any = ask()
            return await found if inspect.isawaitable(found) else found
        except Exception as error:
            raise OpenAIError(f"The token_provider of vertex() failed ({type(error).__name__}).") from None
