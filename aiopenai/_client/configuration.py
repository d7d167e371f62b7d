"""The configuration of a client: one immutable value, which is replaced as a whole when an option changes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, overload
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from typing_extensions import Self, override

from aiopenai._base.headers import from_environment
from aiopenai._base.secret import Secret
from aiopenai._base.sentinels import NotGiven
from aiopenai._base.timeouts import DEFAULT_TIMEOUT, Timeout
from aiopenai._base.urls import shown
from aiopenai._calls.preparation import (
    CallDefaults,
    checked_deadline,
    checked_hedge,
    checked_policy,
    checked_retries,
)
from aiopenai._data.sse import MAX_EVENT_BYTES
from aiopenai.errors import OpenAIError

__all__ = ["ApiKey", "BaseURL", "Configuration", "DataResidency", "Option", "checked_key"]

T = TypeVar("T")

KeyFunction: TypeAlias = Callable[[], str | Awaitable[str]]
ApiKey: TypeAlias = str | KeyFunction
DataResidency: TypeAlias = Literal["global", "us", "eu", "ae", "au", "in", "jp"]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_REGIONS = {region: f"https://{region}.api.openai.com/v1" for region in ("us", "eu", "ae", "au", "in", "jp")}
_REGIONS["global"] = DEFAULT_BASE_URL
# What stays as it is in a path and in a query (RFC 3986, sections 3.3 and 3.4); "%" begins what is encoded already.
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?"


class BaseURL(msgspec.Struct, frozen=True):
    """A base URL in parts: `root` has no credentials, query and final slash; `login` is `user:password`, or empty."""

    root: str
    query: str = ""
    login: Secret[str] = Secret("")

    @classmethod
    def of(cls, value: object) -> BaseURL:
        """Returns the parts of a URL, its path and query percent-encoded. Raises ValueError if it is no http URL."""
        text = str(value).strip()
        try:
            parts = urlsplit(text)
            login, _, host = parts.netloc.rpartition("@")
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port is not False
            if not usable or any(sign.isspace() or not sign.isprintable() for sign in host):
                raise ValueError
            if not host.isascii():
                host = host.encode("idna").decode()
        except ValueError:
            raise ValueError(
                f"base_url must be an http or https URL such as {DEFAULT_BASE_URL}, not {shown(text)!r}"
            ) from None
        path = quote(parts.path.rstrip("/"), _PATH_SAFE)
        root = urlunsplit((parts.scheme, host, path, "", ""))
        return cls(root, quote(parts.query, _QUERY_SAFE), Secret(login))

    @property
    def public(self) -> str:
        """The URL with its credentials and a final slash, without its query: the client's `base_url`."""
        login = self.login.value
        return (self.root.replace("://", f"://{login}@", 1) if login else self.root) + "/"

    @property
    def whole(self) -> str:
        """The URL with its credentials and its query."""
        return f"{self.public}?{self.query}" if self.query else self.public


class Configuration(CallDefaults, frozen=True, eq=False, kw_only=True):
    """The options of a client, checked."""

    api_key: Secret[str] | KeyFunction = Secret("")
    admin_api_key: Secret[str] | None = None
    organization: str | None = None
    project: str | None = None
    webhook_secret: Secret[str] | None = None
    websocket_base_url: str | None = None
    base_url: BaseURL = BaseURL(DEFAULT_BASE_URL)
    default_headers: Mapping[str, Any] = {}
    default_query: Mapping[str, object] = {}
    strict: bool = False
    enforce_credentials: bool = True
    max_event_bytes: int = MAX_EVENT_BYTES

    @classmethod
    def of(
        cls,
        *,
        api_key: Any,
        admin_api_key: Any,
        organization: str | None,
        project: str | None,
        webhook_secret: Any,
        websocket_base_url: str | None,
        base_url: Any,
        data_residency: Any,
        timeout: Any,
        max_retries: Any,
        default_headers: Mapping[str, str] | None,
        default_query: Mapping[str, object] | None,
        retry: Any,
        deadline: Any,
        hedge: Any,
        strict: bool,
        enforce_credentials: bool,
        max_event_bytes: int,
    ) -> Configuration:
        """Returns the configuration for the constructor's options; those not given come from the environment.

        Raises OpenAIError without credentials, TypeError and ValueError for options of a wrong type or value.
        """
        env = os.environ
        key = checked_key("api_key", env.get("OPENAI_API_KEY") if api_key is None else api_key)
        admin = checked_secret("admin_api_key", env.get("OPENAI_ADMIN_KEY") if admin_api_key is None else admin_api_key)
        if enforce_credentials and key == Secret("") and not (admin and admin.value):
            raise OpenAIError(
                "No credentials: pass api_key (or admin_api_key) to the client, or set the environment variable "
                "OPENAI_API_KEY (or OPENAI_ADMIN_KEY)."
            )
        webhook = env.get("OPENAI_WEBHOOK_SECRET") if webhook_secret is None else webhook_secret
        return cls(
            api_key=key,
            admin_api_key=admin,
            organization=env.get("OPENAI_ORG_ID") if organization is None else organization,
            project=env.get("OPENAI_PROJECT_ID") if project is None else project,
            webhook_secret=checked_secret("webhook_secret", webhook),
            websocket_base_url=websocket_base_url,
            base_url=BaseURL.of(_chosen_url(base_url, data_residency)),
            timeout=DEFAULT_TIMEOUT if isinstance(timeout, NotGiven) else Timeout.of(timeout),
            max_retries=checked_retries(max_retries),
            default_headers={**from_environment(), **(default_headers or {})},
            default_query=dict(default_query or {}),
            retry=checked_policy(retry),
            deadline=checked_deadline(deadline),
            hedge=checked_hedge(hedge),
            strict=strict,
            enforce_credentials=enforce_credentials,
            max_event_bytes=max_event_bytes,
        )

    @override
    def __repr__(self) -> str:
        return f"<Configuration base_url={self.base_url.root!r}>"

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec gives rich all fields, the default headers among them, which may hold credentials.
        return [("base_url", self.base_url.root)]


class Option(Generic[T]):
    """A public attribute of a client. Reading takes it from the configuration; setting replaces the configuration."""

    def __init__(self, check: Callable[[Any], Any] | None = None, show: Callable[[Any], Any] | None = None) -> None:
        self._check = check
        self._show = show

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Any, owner: type) -> T: ...
    def __get__(self, client: Any, owner: type) -> Self | T:
        if client is None:
            return self
        value = getattr(client._configuration, self._name)
        return cast("T", value if self._show is None else self._show(value))

    def __set__(self, client: Any, value: Any) -> None:
        client._reconfigure(**{self._name: value if self._check is None else self._check(value)})


def checked_key(name: str, value: Any) -> Secret[str] | KeyFunction:
    """Returns a key that is wrapped, or the function that returns it; an empty one for None. Raises TypeError."""
    return value if callable(value) else checked_secret(name, value) or Secret("")


def checked_secret(name: str, value: Any) -> Secret[str] | None:
    """Returns a str that is wrapped, or None. Raises TypeError for anything else, without showing it."""
    if value is None or isinstance(value, Secret):
        return cast("Secret[str] | None", value)
    if not isinstance(value, str):
        kind = type(value).__name__
        del value
        cure = "pass its get_secret_value()" if kind == "SecretStr" else "pass a str"
        raise TypeError(f"{name} must be a str, not {kind}: {cure}")
    return Secret(value)


def _chosen_url(base_url: Any, data_residency: Any) -> Any:
    if data_residency is not None:
        if not isinstance(base_url, NotGiven):
            raise ValueError("data_residency and base_url exclude each other: pass only one of them")
        if data_residency not in _REGIONS:
            raise ValueError(f"data_residency must be one of {', '.join(sorted(_REGIONS))}, not {data_residency!r}")
        return _REGIONS[data_residency]
    if base_url is None or isinstance(base_url, NotGiven):
        return os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
    return base_url
