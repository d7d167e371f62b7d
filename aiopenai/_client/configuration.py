"""The configuration of a client: one immutable value, which is replaced as a whole when an option changes."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, overload
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

import msgspec
from typing_extensions import Self, override

from aiopenai._base.aliases import own_text
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
from aiopenai._calls.provider import Service
from aiopenai._data.sizes import MAX_EVENT_BYTES
from aiopenai.errors import OpenAIError

__all__ = [
    "ApiKey",
    "BaseURL",
    "Configuration",
    "DataResidency",
    "Option",
    "basic_authorization",
    "checked_key",
    "checked_secret",
    "chosen_url",
]

T = TypeVar("T")

KeyFunction: TypeAlias = Callable[[], str | Awaitable[str]]
ApiKey: TypeAlias = str | KeyFunction
DataResidency: TypeAlias = Literal["global", "us", "eu", "ae", "au", "in", "jp"]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_REGIONS = {region: f"https://{region}.api.openai.com/v1" for region in ("us", "eu", "ae", "au", "in", "jp")}
_REGIONS["global"] = DEFAULT_BASE_URL
# Signs that stay as they are in a path and in a query (RFC 3986, sections 3.3 and 3.4). "%" begins an encoded one.
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
        text = own_text(value).strip()
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

    service: Service | None = None
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
        provider: Any,
        workload_identity: Any,
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
        if data_residency is not None and websocket_base_url is not None:
            raise ValueError("data_residency and websocket_base_url exclude each other: pass only one of them")
        service = _service(provider, workload_identity, api_key, admin_api_key, base_url, data_residency)
        ambient: Mapping[str, str] = env
        if provider is not None:
            # The environment's options are those of OpenAI's API.
            ambient = {}
            base_url = service.base_url if service is not None else base_url
        if service is not None:
            api_key = ""
        key = checked_key("api_key", ambient.get("OPENAI_API_KEY") if api_key is None else api_key)
        admin_key = ambient.get("OPENAI_ADMIN_KEY") if admin_api_key is None else admin_api_key
        admin = checked_secret("admin_api_key", admin_key)
        if enforce_credentials and service is None and key == Secret("") and not (admin and admin.value):
            raise OpenAIError(
                "No credentials: pass api_key (or admin_api_key) to the client, or set the environment variable "
                "OPENAI_API_KEY (or OPENAI_ADMIN_KEY)."
            )
        webhook = env.get("OPENAI_WEBHOOK_SECRET") if webhook_secret is None else webhook_secret
        return cls(
            service=service,
            api_key=key,
            admin_api_key=admin,
            organization=ambient.get("OPENAI_ORG_ID") if organization is None else organization,
            project=ambient.get("OPENAI_PROJECT_ID") if project is None else project,
            webhook_secret=checked_secret("webhook_secret", webhook),
            websocket_base_url=websocket_base_url,
            base_url=BaseURL.of(chosen_url(base_url, data_residency, service)),
            timeout=DEFAULT_TIMEOUT if isinstance(timeout, NotGiven) else Timeout.of(timeout),
            max_retries=checked_retries(max_retries),
            default_headers={**(from_environment() if ambient else {}), **(default_headers or {})},
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
    return cast("KeyFunction", value) if callable(value) else checked_secret(name, value) or Secret("")


def checked_secret(name: str, value: Any) -> Secret[str] | None:
    """Returns a str that is wrapped, or None. Raises TypeError for anything else, without showing it."""
    if value is None or isinstance(value, Secret):
        return cast("Secret[str] | None", value)
    if not isinstance(value, str):
        kind = type(value).__name__
        del value
        cure = "pass its get_secret_value()" if kind == "SecretStr" else "pass a str"
        raise TypeError(f"{name} must be a str, not {kind}: {cure}")
    return Secret(own_text(value))


def basic_authorization(login: str) -> str:
    """Returns the Authorization header for the percent-encoded `user:password`, or `user`, of a URL."""
    # RFC 7617 wants the colon also where there is no password.
    user, _, password = login.partition(":")
    return f"Basic {b64encode(unquote_to_bytes(user) + b':' + unquote_to_bytes(password)).decode()}"


def _service(
    provider: Any, workload_identity: Any, api_key: Any, admin_api_key: Any, base_url: Any, data_residency: Any
) -> Service | None:
    """Returns the service that the options name, or None for OpenAI's API with a key.

    Raises OpenAIError for options that exclude each other.
    """
    if provider is not None:
        if not isinstance(provider, Service):
            raise OpenAIError(
                "provider must be made by aiopenai.providers.bedrock(...) or aiopenai.providers.vertex(...), "
                f"not {type(provider).__name__}."
            )
        beside = {
            "api_key": api_key,
            "admin_api_key": admin_api_key,
            "workload_identity": workload_identity,
            "base_url": None if isinstance(base_url, NotGiven) else base_url,
            "data_residency": data_residency,
        }
        names = [name for name, value in beside.items() if value is not None]
        if names:
            raise OpenAIError(f"provider brings its own URL and credentials: leave out {' and '.join(names)}.")
        return provider
    if workload_identity is None or isinstance(workload_identity, Service):
        return workload_identity
    if api_key is not None:
        raise OpenAIError("api_key and workload_identity exclude each other: pass only one of them.")
    from aiopenai._client.workload import WorkloadIdentityService

    return WorkloadIdentityService(workload_identity)


def inherited_credentials(
    own: Configuration,
    *,
    api_key: Any,
    admin_api_key: Any,
    workload_identity: Any,
    provider: Any,
    base_url: Any,
    data_residency: Any,
) -> dict[str, Any]:
    """Returns the constructor's options for the credentials and the URL of a copy: the given ones, else the client's.

    A credential of one kind replaces those of the other kinds.
    """
    cloud = own.service if own.service is not None and own.service.is_cloud else None
    chosen = cloud if isinstance(provider, NotGiven) else provider
    urls = {"base_url": base_url, "data_residency": data_residency}
    if chosen is not None:
        keys = {"api_key": api_key, "admin_api_key": admin_api_key, "workload_identity": workload_identity}
        return {"provider": chosen, **keys, **urls}
    if cloud is not None:
        # Back from a cloud to the API: nothing of the cloud's URL and credentials is of use there.
        return {"api_key": api_key, "admin_api_key": admin_api_key, "workload_identity": workload_identity, **urls}
    identity = workload_identity
    if identity is None and api_key is None:
        identity = own.service
    found: dict[str, Any] = {"admin_api_key": admin_api_key or own.admin_api_key, "workload_identity": identity}
    if identity is None:
        # The key of a client with a workload identity is empty, and the environment's is taken.
        found["api_key"] = api_key or (own.api_key if own.service is None else None)
    else:
        found["api_key"] = api_key
    if isinstance(base_url, NotGiven) and data_residency is None:
        # The default URL of one kind of credentials may not be that of the other.
        default = _regions(own.service)["global"]
        if _regions(identity)["global"] == default or own.base_url.whole.rstrip("/") != default:
            urls["base_url"] = own.base_url.whole
    return {**found, **urls}


def _regions(identity: Any) -> Mapping[str, str]:
    """Returns the base URLs by region for a workload identity, given as a dict or as a service, or for None."""
    if isinstance(identity, Mapping):
        from aiopenai._client.workload import WorkloadIdentityService

        identity = WorkloadIdentityService(identity)
    return _REGIONS if identity is None or identity.regions is None else cast("Mapping[str, str]", identity.regions)


def chosen_url(base_url: Any, data_residency: Any, service: Service | None) -> Any:
    """Returns the base URL of a region, the given one, or the default. Raises ValueError for both or a wrong region."""
    regions = _regions(service)
    if data_residency is not None:
        if not isinstance(base_url, NotGiven):
            raise ValueError("data_residency and base_url exclude each other: pass only one of them")
        if data_residency not in _REGIONS:
            raise ValueError(f"data_residency must be one of {', '.join(sorted(_REGIONS))}, not {data_residency!r}")
        if data_residency not in regions:
            raise OpenAIError(
                f"data_residency must be one of {', '.join(sorted(regions))} here, not {data_residency!r}."
            )
        return regions[data_residency]
    if base_url is None or isinstance(base_url, NotGiven):
        base_url = os.environ.get("OPENAI_BASE_URL") or regions["global"]
    if service is not None and service.needs_https and not str(base_url).strip().lower().startswith("https://"):
        raise OpenAIError("base_url must be an https URL for an X.509 workload identity.")
    return base_url
