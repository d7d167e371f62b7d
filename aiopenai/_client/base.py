"""The part that both clients share: options and copies.

URLs, header blocks, timeouts and decoders are made once. A changed option replaces the configuration, and with it all
that was made from the old one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import msgspec
from typing_extensions import Self, override

from aiopenai._base.headers import merged
from aiopenai._base.secret import Secret
from aiopenai._base.sentinels import NotGiven, Omit, not_given
from aiopenai._base.suggestions import suggesting
from aiopenai._base.timeouts import DEFAULT_MAX_RETRIES, Timeout, TimeoutTypes
from aiopenai._base.urls import shown
from aiopenai._calls.attempts import Attempts
from aiopenai._calls.header_blocks import HeaderBlocks
from aiopenai._calls.preparation import checked_retries
from aiopenai._calls.provider import Provider
from aiopenai._calls.resources import Resource
from aiopenai._calls.shared_sessions import SharedSessions, is_httpx_client
from aiopenai._client.configuration import (
    ApiKey,
    BaseURL,
    Configuration,
    DataResidency,
    Option,
    checked_key,
    checked_secret,
    inherited_credentials,
)
from aiopenai._client.provider import OpenAIProvider
from aiopenai._client.sending import Sending
from aiopenai._data.sizes import MAX_EVENT_BYTES
from aiopenai.resources import AsyncResources
from aiopenai.version import __version__

if TYPE_CHECKING:
    import ssl as ssl_module

    import aiohttp
    from tenacity import BaseRetrying

    from aiopenai._calls.hedging import HedgePolicy
    from aiopenai._calls.hooking import Hooks
    from aiopenai._calls.provider import Service
    from aiopenai.auth import WorkloadIdentity, X509WorkloadIdentity

__all__ = ["BaseClient"]

T = TypeVar("T")

MAX_RESPONSE_BYTES = 2**30


def _value_of(secret: Secret[str] | None) -> str | None:
    return None if secret is None else secret.value


class BaseClient(Sending, Resource):
    """A client of the OpenAI API. Options that are not given come from the environment variables in parentheses.

    - `api_key` (`OPENAI_API_KEY`): the key, or a function, plain or async, that returns it before each attempt.
    - `admin_api_key` (`OPENAI_ADMIN_KEY`), `organization` (`OPENAI_ORG_ID`), `project` (`OPENAI_PROJECT_ID`),
      `webhook_secret` (`OPENAI_WEBHOOK_SECRET`).
    - `workload_identity`: the identity of the machine in place of a key; see `aiopenai.auth`.
    - `provider`: a cloud in place of OpenAI's API; see `aiopenai.providers`.
    - `base_url` (`OPENAI_BASE_URL`): the URL of the API; a user and password in it are sent in place of the key.
      `data_residency` names a region's URL instead.
    - `default_headers` (added to `OPENAI_CUSTOM_HEADERS`, a line each), `default_query`: sent with each request.
    - `timeout`: seconds, None or a `Timeout`; 600 s, 5 s to connect, if not given.
    - `max_retries`: attempts after the first; 2 if not given. `retry`: a tenacity policy that replaces parts of it.
    - `deadline`: seconds for all attempts of a call together, waits included.
    - `hedge`: a `HedgePolicy`, by which late calls are sent a second time.
    - `http_client`: an `aiohttp.ClientSession`, which is used as it is and never closed here; or a client of httpx,
      with its timeout, which is closed with this client. Without one, sessions are made from `connector` (an aiohttp
      connector, or a function that returns one for each event loop), `proxy`, `ssl` and `trust_env` (proxies from the
      environment; on).
    - `hooks`: an object of `Hooks`; `on_request(function)` and the like add single functions.
    - `max_response_bytes` (1 GiB) and `max_event_bytes` (256 MiB): the size of a reply and of one event of a stream.

    One client works in any number of event loops and threads. Raises OpenAIError if no key is given, TypeError and
    ValueError for options of a wrong type or value.
    """

    # Of no use to programs, so `dir` and tab completion leave these out.
    _internal = frozenset(
        {
            "attempt",
            "batch_url",
            "open_blocking",
            "open_response",
            "perform",
            "perform_raw",
            "resources",
            "run",
            "send_raw",
        }
    )
    _sessions_type: ClassVar[type[SharedSessions]] = SharedSessions

    admin_api_key = Option["str | None"](lambda value: checked_secret("admin_api_key", value), _value_of)
    organization = Option["str | None"]()
    project = Option["str | None"]()
    webhook_secret = Option["str | None"](lambda value: checked_secret("webhook_secret", value), _value_of)
    websocket_base_url = Option["str | None"]()
    max_retries = Option[int](checked_retries)

    @suggesting
    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        admin_api_key: str | None = None,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = None,
        provider: Service | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        base_url: str | None | NotGiven = not_given,
        data_residency: DataResidency | None = None,
        websocket_base_url: str | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | Callable[[], aiohttp.BaseConnector] | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | bool | aiohttp.Fingerprint = True,
        trust_env: bool = True,
        retry: BaseRetrying | None = None,
        deadline: float | None = None,
        hedge: HedgePolicy | None = None,
        hooks: Hooks | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
        _strict_response_validation: bool = False,
        _enforce_credentials: bool = True,
    ) -> None:
        adopted: dict[str, Any] = {}
        if is_httpx_client(http_client):
            from aiopenai._http.httpx_clients import adopt, own_timeout

            adopted = adopt(http_client, blocking=self._blocking)
            if isinstance(timeout, NotGiven):
                timeout = own_timeout(http_client) or timeout
        else:
            self._check_wiring(http_client, connector)
        configuration = Configuration.of(
            provider=provider,
            workload_identity=workload_identity,
            api_key=api_key,
            admin_api_key=admin_api_key,
            organization=organization,
            project=project,
            webhook_secret=webhook_secret,
            websocket_base_url=websocket_base_url,
            base_url=base_url,
            data_residency=data_residency,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            retry=retry,
            deadline=deadline,
            hedge=hedge,
            strict=_strict_response_validation,
            enforce_credentials=_enforce_credentials,
            max_event_bytes=max_event_bytes,
        )
        wiring: dict[str, Any] = {
            "http_client": http_client,
            "connector": connector,
            "proxy": proxy,
            "ssl": ssl,
            "trust_env": trust_env,
            "max_response_bytes": max_response_bytes,
            **adopted,
        }
        self._sessions = self._sessions_type(wiring)
        self._configure(configuration)
        if hooks is not None:
            self.add_hooks(hooks)
        self._bind(self)

    def _check_wiring(self, http_client: Any, connector: Any) -> None:
        """Raises TypeError for a session or a connector that this client cannot use."""
        # aiohttp is not imported for the check: a program that has made a session has imported it.
        aiohttp_module = sys.modules.get("aiohttp")
        if http_client is not None and (
            aiohttp_module is None or not isinstance(http_client, aiohttp_module.ClientSession)
        ):
            name = f"{type(http_client).__module__}.{type(http_client).__name__}"
            raise TypeError(f"http_client must be an aiohttp.ClientSession, not {name}")

    def _sessions_with(self, http_client: Any) -> Any:
        """Returns new sessions with this client's options, and with those that a client of httpx brings."""
        wiring = {**self._sessions.wiring, "http_client": http_client, "plain_client": None}
        if is_httpx_client(http_client):
            from aiopenai._http.httpx_clients import adopt

            wiring |= adopt(http_client, blocking=self._blocking)
        else:
            self._check_wiring(http_client, None)
        return self._sessions_type(wiring)

    # Options

    def _configure(self, configuration: Configuration) -> None:
        """Takes a configuration over, with new caches."""
        self._configuration = configuration
        self._provider = self._make_provider(configuration)
        blocks = HeaderBlocks(self._provider, self._sessions, self._standard_headers(), configuration.default_headers)
        self._attempts = Attempts(self._sessions, blocks, self._provider)

    def _reconfigure(self, **changes: Any) -> None:
        self._configure(msgspec.structs.replace(self._configuration, **changes))

    def _make_provider(self, configuration: Configuration) -> Provider:
        service = configuration.service
        return (
            OpenAIProvider(configuration) if service is None else service.provider(configuration, self._sessions.wiring)
        )

    def _standard_headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"{type(self).__name__}/aiopenai {__version__}",
        }
        configuration = self._configuration
        if configuration.organization:
            headers["OpenAI-Organization"] = configuration.organization
        if configuration.project:
            headers["OpenAI-Project"] = configuration.project
        return headers

    @property
    def api_key(self) -> str:
        """The API key. With a function as key, the last one that it returned."""
        key: Any = getattr(self._provider, "key", None) or self._configuration.api_key
        return str(cast("Secret[str]", key).value) if isinstance(key, Secret) else ""

    @api_key.setter
    def api_key(self, value: ApiKey) -> None:
        self._reconfigure(api_key=checked_key("api_key", value))

    @property
    def base_url(self) -> str:
        """The URL of the API, with a slash at its end. A user and password in it are sent in place of the key."""
        return self._configuration.base_url.public

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._reconfigure(base_url=BaseURL.of(url))

    @property
    def _base_url(self) -> Any:
        """The base URL of frameworks, which read its parts: the class of the HTTP library that is imported, or text."""
        library: Any = sys.modules.get("httpx2") or sys.modules.get("httpx")
        return self.base_url if library is None else library.URL(self.base_url)

    @property
    def timeout(self) -> Timeout:
        """The timeouts of the attempts, unless the call sets its own."""
        return self._configuration.timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None:
        self._reconfigure(timeout=Timeout.of(timeout))

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        """The headers that each request carries, without credentials."""
        return merged(cast("dict[str, Any]", self._standard_headers()), self._configuration.default_headers)

    @property
    def default_query(self) -> dict[str, object]:
        """The query parameters that each request carries."""
        return dict(self._configuration.default_query)

    @suggesting
    def copy(
        self,
        *,
        api_key: ApiKey | None = None,
        admin_api_key: str | None = None,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = None,
        provider: Service | None | NotGiven = not_given,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        websocket_base_url: str | None = None,
        base_url: str | None | NotGiven = not_given,
        data_residency: DataResidency | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        http_client: aiohttp.ClientSession | None = None,
        max_retries: int | NotGiven = not_given,
        default_headers: Mapping[str, str] | None = None,
        set_default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        retry: BaseRetrying | None = None,
        deadline: float | None | NotGiven = not_given,
        hedge: HedgePolicy | None | NotGiven = not_given,
        _enforce_credentials: bool | None = None,
        _extra_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Returns a client with some options changed that shares this one's connections.

        `default_headers` and `default_query` are added to this client's, `set_default_headers` and
        `set_default_query` replace them. Raises ValueError if both are given.
        """
        own = self._configuration
        credentials = inherited_credentials(
            own,
            api_key=api_key,
            admin_api_key=admin_api_key,
            workload_identity=workload_identity,
            provider=provider,
            base_url=not_given if base_url is None else base_url,
            data_residency=data_residency,
        )
        # A client of another cloud inherits no facts about this one's account.
        kept = own if credentials.get("provider") in (None, own.service) else Configuration()
        headers = _changed("headers", kept.default_headers, default_headers, set_default_headers)
        query = _changed("query", own.default_query, default_query, set_default_query)
        # By the constructor, and not by `structs.replace` alone: a subclass may have options of its own.
        twin = type(self)(
            **credentials,
            organization=organization or kept.organization,
            project=project or kept.project,
            webhook_secret=cast("str | None", webhook_secret or own.webhook_secret),
            websocket_base_url=websocket_base_url or (own.websocket_base_url if data_residency is None else None),
            timeout=own.timeout if isinstance(timeout, NotGiven) else timeout,
            max_retries=own.max_retries if isinstance(max_retries, NotGiven) else max_retries,
            retry=retry or own.retry,
            deadline=own.deadline if isinstance(deadline, NotGiven) else deadline,
            hedge=own.hedge if isinstance(hedge, NotGiven) else hedge,
            http_client=http_client,
            max_event_bytes=own.max_event_bytes,
            _strict_response_validation=own.strict,
            _enforce_credentials=own.enforce_credentials if _enforce_credentials is None else _enforce_credentials,
            **(_extra_kwargs or {}),
        )
        twin._hooks = self._hooks
        if http_client is None:
            twin._sessions = self._sessions
        else:
            twin._sessions = self._sessions_with(http_client)
        twin._reconfigure(default_headers=headers, default_query=query)
        return twin

    with_options = copy

    def is_closed(self) -> bool:
        """Returns whether the client was closed, or the client of httpx below it."""
        below = self._sessions.httpx_client
        return self._sessions.closed or (below is not None and below.is_closed)

    @override
    def __repr__(self) -> str:
        # A refused option leaves a client without a configuration, which tools show with the traceback.
        url = f" base_url={shown(self._configuration.base_url.public)!r}" if hasattr(self, "_configuration") else ""
        return f"<{type(self).__name__}{url}>"

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, _: Any) -> Self:
        return self.copy()

    @override
    def __reduce__(self) -> Any:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled, because it holds a key: make a client in the other process"
        )

    @property
    def resources(self) -> AsyncResources:
        """The resources with coroutine methods, in both clients: helpers call these."""
        return cast("AsyncResources", self._asynchronous())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end; only the blocking client can."""
        coroutine.close()
        raise TypeError(f"{type(self).__name__} does not run coroutines: await them")


def _changed(
    name: str, own: Mapping[str, Any], added: Mapping[str, Any] | None, instead: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns the default headers or query of a copy. Raises ValueError if they are both added to and replaced."""
    if added is not None and instead is not None:
        raise ValueError(f"default_{name} and set_default_{name} exclude each other: pass only one of them")
    return {**(own if instead is None else instead), **(added or {})}
