"""Azure OpenAI: its URLs and credentials as a provider, and the clients that use it."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import msgspec
from typing_extensions import Self, override

from aiopenai._base.aliases import is_mapping, own_text
from aiopenai._base.secret import Secret
from aiopenai._base.sentinels import NotGiven, not_given
from aiopenai._base.suggestions import suggesting
from aiopenai._base.timeouts import DEFAULT_MAX_RETRIES, TimeoutTypes
from aiopenai._calls.provider import Attempt, Provider
from aiopenai._calls.request import Endpoint, Request
from aiopenai._client.base import BaseClient
from aiopenai._client.blocking import OpenAI
from aiopenai._client.client import AsyncOpenAI
from aiopenai._client.configuration import ApiKey, Configuration, checked_secret
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    import aiohttp

__all__ = [
    "API_KEY_SENTINEL",
    "AsyncAzureADTokenProvider",
    "AsyncAzureOpenAI",
    "AzureADTokenProvider",
    "AzureOpenAI",
    "AzureProvider",
    "BaseAzureClient",
    "MutuallyExclusiveAuthError",
]

AzureADTokenProvider: TypeAlias = Callable[[], str]
AsyncAzureADTokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]

API_KEY_SENTINEL = "<missing API key>"
"""The `api_key` of a client that uses Microsoft Entra tokens."""

# The paths below a deployment. Azure's other paths, `/responses` among them, name the deployment in their body.
DEPLOYMENT_PATHS = frozenset(
    {
        "/completions",
        "/chat/completions",
        "/embeddings",
        "/audio/transcriptions",
        "/audio/translations",
        "/audio/speech",
        "/images/generations",
        "/images/edits",
    }
)


class MutuallyExclusiveAuthError(OpenAIError):
    """More than one kind of credential was given to an Azure client."""

    def __init__(self) -> None:
        super().__init__(
            "api_key, azure_ad_token and azure_ad_token_provider exclude each other: pass only one of them."
        )


class AzureSettings(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The options that only Azure clients have. `endpoint` is None if the client was given a base URL."""

    api_version: str
    endpoint: str | None
    deployment: str | None
    token: Secret[str] | None
    token_provider: AsyncAzureADTokenProvider | None

    @classmethod
    def of(
        cls,
        *,
        api_version: str | None,
        endpoint: str | None,
        deployment: str | None,
        base_url: Any,
        token: Any,
        token_provider: Any,
    ) -> AzureSettings:
        """Returns the settings. Raises TypeError and ValueError for missing and contradicting options."""
        if api_version is None:
            api_version = os.environ.get("OPENAI_API_VERSION")
        if not api_version:
            raise ValueError("api_version is missing: pass it, or set the environment variable OPENAI_API_VERSION.")
        if base_url is None:
            endpoint = endpoint or os.environ.get("AZURE_OPENAI_ENDPOINT")
            if not endpoint:
                raise ValueError(
                    "The address of the service is missing: pass azure_endpoint or base_url, or set the environment "
                    "variable AZURE_OPENAI_ENDPOINT."
                )
            endpoint = str(endpoint).rstrip("/")
        elif endpoint is not None:
            raise ValueError("base_url and azure_endpoint exclude each other: pass only one of them.")
        elif deployment is not None:
            raise ValueError(
                "azure_deployment needs azure_endpoint: with base_url, end the URL with /openai/deployments/<name>."
            )
        return cls(
            api_version=api_version,
            endpoint=endpoint,
            deployment=deployment,
            token=checked_secret("azure_ad_token", token),
            token_provider=token_provider,
        )

    @property
    def base_url(self) -> str:
        """The base URL that follows from the endpoint and the deployment."""
        deployment = f"/deployments/{self.deployment}" if self.deployment else ""
        return f"{self.endpoint}/openai{deployment}"


class AzureProvider(Provider):
    """Azure's URLs and credentials: an `api-key` header, or a bearer token of Microsoft Entra."""

    credential_headers = ("authorization", "api-key")

    def __init__(self, configuration: Configuration, settings: AzureSettings) -> None:
        root = configuration.base_url.root
        deployment = f"/deployments/{quote(settings.deployment, safe='/%')}" if settings.deployment else ""
        # The base URL of a client with a deployment ends with it; paths outside of deployments go above.
        self.root = root.removesuffix(deployment) if deployment else root
        self._deployment = deployment
        self._name = settings.deployment
        self._version = settings.api_version
        # A base URL below a deployment is that of every path.
        self._by_model = not deployment and "/deployments" not in root
        self._token = settings.token
        self._ask_token = settings.token_provider
        key = configuration.api_key
        self._ask_key = None if isinstance(key, Secret) else key
        self._uses_token = settings.token is not None or settings.token_provider is not None
        self.authorizes = self._ask_token is not None or (self._ask_key is not None and not self._uses_token)
        self.key: Secret[str] = key if isinstance(key, Secret) else Secret("")
        """The API key; the last one if a function returns it."""
        if self._uses_token:
            self.key = Secret(API_KEY_SENTINEL)

    @override
    def url(self, request: Request[Any]) -> str:
        path = request.path
        if path in DEPLOYMENT_PATHS:
            if self._deployment:
                return f"{self.root}{self._deployment}{path}"
            model = _model_of(request) if self._by_model else None
            if isinstance(model, str) and model:
                return f"{self.root}/deployments/{quote(model, safe='')}{path}"
        return super().url(request)

    @override
    def websocket_url(self, path: str, base: str | None, query: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        if path != "/realtime":
            return super().websocket_url(self._deployment + path if base is None else path, base, query)
        # The realtime socket has the deployment in its query, and no model.
        parameters = {name: value for name, value in query.items() if name != "model"}
        deployment = self._name or query.get("model")
        if not deployment:
            raise OpenAIError("A realtime connection to Azure needs model, the name of the deployment.")
        parameters.update({"api-version": self._version, "deployment": deployment})
        return super().websocket_url(path, base, parameters)

    @override
    def batch_url(self, path: str) -> str:
        # Azure's batch files name endpoints without a version.
        return path

    @override
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        if self.authorizes:
            return {}
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token.value}"}
        return {"api-key": self.key.value} if self.key.value else {}

    @override
    def require(self, endpoint: Endpoint) -> None:
        raise ValueError(
            f"{endpoint.method} {endpoint.path} has no credentials: pass api_key, azure_ad_token or "
            "azure_ad_token_provider to the client, or an `api-key` or `Authorization` header to the call."
        )

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Asks for the token, or for the key. Raises ValueError if the answer is none; errors of functions pass."""
        if self._ask_token is not None:
            if "authorization" not in attempt.chosen:
                token = await _asked(self._ask_token, "azure_ad_token_provider")
                attempt.headers["Authorization"] = f"Bearer {token.value}"
            return
        assert self._ask_key is not None
        if "api-key" not in attempt.chosen:
            self.key = key = await _asked(self._ask_key, "api_key")
            attempt.headers["api-key"] = key.value


class _Model(msgspec.Struct):
    model: Any = None


_decode_model = msgspec.json.Decoder(_Model).decode


def _model_of(request: Request[Any]) -> Any:
    """Returns the `model` of a request: of its body, or of JSON text, which jobs send."""
    if is_mapping(request.body):
        return request.body.get("model")
    if isinstance(request.content, (bytes, bytearray)):
        # Content that is no JSON object goes to the path as it is.
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _decode_model(request.content).model
    return None


async def _asked(function: Callable[[], Any], name: str) -> Secret[str]:
    """Returns the credential that a function returns, plain or async."""
    found: Any = function()
    if inspect.isawaitable(found):
        found = await found
    if not isinstance(found, str) or not found:
        kind = type(found).__name__
        del found
        raise ValueError(f"{name} must return a non-empty str, not {kind}.")
    return Secret(own_text(found))


def _credentials(
    api_key: Any, token: Any, token_provider: Any, workload_identity: Any, *, enforced: bool
) -> tuple[Any, Any]:
    """Returns the key and the token, from the environment if no credential is given.

    Raises MutuallyExclusiveAuthError for more than one, OpenAIError for none.
    """
    if workload_identity is not None:
        raise OpenAIError(
            "An Azure client takes no workload_identity: pass azure_ad_token_provider, such as the result of "
            "azure.identity.get_bearer_token_provider."
        )
    given = sum(each is not None for each in (api_key, token, token_provider))
    if given > 1:
        raise MutuallyExclusiveAuthError
    if not given:
        token = os.environ.get("AZURE_OPENAI_AD_TOKEN")
        if token is None:
            api_key = os.environ.get("AZURE_OPENAI_API_KEY")
    if enforced and not (api_key or token or token_provider):
        raise OpenAIError(
            "No credentials: pass api_key, azure_ad_token or azure_ad_token_provider to the client, or set the "
            "environment variable AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN."
        )
    return api_key, token


class BaseAzureClient(BaseClient):
    """The part that both Azure clients share: their options, which come from Azure's environment variables.

    - `azure_endpoint` (`AZURE_OPENAI_ENDPOINT`): the address of the resource, such as `https://NAME.openai.azure.com`.
      `base_url` replaces it, and is taken as it is.
    - `azure_deployment`: the deployment that all calls go to. Without it, each call goes to the one that `model` names.
    - `api_version` (`OPENAI_API_VERSION`): the version of Azure's API.
    - `api_key` (`AZURE_OPENAI_API_KEY`): the key, or a function, plain or async, that returns it before each attempt.
    - `azure_ad_token` (`AZURE_OPENAI_AD_TOKEN`): a token of Microsoft Entra. `azure_ad_token_provider`: a function,
      plain or async, that returns one before each attempt.

    All other options are those of `OpenAI`. Raises OpenAIError without credentials, MutuallyExclusiveAuthError for more
    than one kind, ValueError without an API version or an address.
    """

    _azure: AzureSettings

    @suggesting
    def __init__(
        self,
        *,
        api_version: str | None = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        api_key: ApiKey | None = None,
        admin_api_key: str | None = None,
        workload_identity: Any = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = None,
        organization: str | None = None,
        project: str | None = None,
        webhook_secret: str | None = None,
        websocket_base_url: str | None = None,
        base_url: str | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        http_client: aiohttp.ClientSession | None = None,
        _strict_response_validation: bool = False,
        _enforce_credentials: bool = True,
        _settings: AzureSettings | None = None,
        **options: Any,
    ) -> None:
        for name in ("data_residency", "provider"):
            if options.get(name) is not None:
                raise TypeError(f"An Azure client takes no {name}.")
        if _settings is None:
            api_key, azure_ad_token = _credentials(
                api_key, azure_ad_token, azure_ad_token_provider, workload_identity, enforced=_enforce_credentials
            )
            _settings = AzureSettings.of(
                api_version=api_version,
                endpoint=azure_endpoint,
                deployment=azure_deployment,
                base_url=base_url,
                token=azure_ad_token,
                token_provider=azure_ad_token_provider,
            )
        self._azure = _settings
        super().__init__(
            # Not None, for which the plain client would take OPENAI_API_KEY.
            api_key=api_key or "",
            admin_api_key=admin_api_key,
            organization=organization,
            project=project,
            webhook_secret=webhook_secret,
            websocket_base_url=websocket_base_url,
            base_url=_settings.base_url if base_url is None else base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query={**(default_query or {}), "api-version": _settings.api_version},
            http_client=http_client,
            _strict_response_validation=_strict_response_validation,
            _enforce_credentials=False,
            **options,
        )

    @override
    def _make_provider(self, configuration: Configuration) -> Provider:
        return AzureProvider(configuration, self._azure)

    # Other packages read these names, which are the reference's.

    @property
    def _api_version(self) -> str:
        return self._azure.api_version

    @property
    def _azure_endpoint(self) -> str | None:
        return self._azure.endpoint

    @property
    def _azure_deployment(self) -> str | None:
        return self._azure.deployment

    @property
    def _azure_ad_token(self) -> str | None:
        return None if self._azure.token is None else self._azure.token.value

    @property
    def _azure_ad_token_provider(self) -> AsyncAzureADTokenProvider | None:
        return self._azure.token_provider

    @override
    @suggesting
    def copy(
        self,
        *,
        api_version: str | None = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None | NotGiven = not_given,
        data_residency: Any = None,
        workload_identity: Any = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        _enforce_credentials: bool | None = None,
        **options: Any,
    ) -> Self:
        """Returns a client with some options changed that shares this one's connections.

        A new credential replaces the present one, of any kind. `base_url` replaces endpoint and deployment. Raises
        MutuallyExclusiveAuthError for more than one credential, OpenAIError for options that Azure does not have.
        """
        foreign = {"data_residency": data_residency, "workload_identity": workload_identity}
        if "provider" in options or any(value is not None for value in foreign.values()):
            names = [name for name, value in foreign.items() if value is not None] or ["provider"]
            raise OpenAIError(f"An Azure client takes no {names[0]}.")
        if sum(each is not None for each in (api_key, azure_ad_token, azure_ad_token_provider)) > 1:
            raise MutuallyExclusiveAuthError
        changes: dict[str, Any] = {}
        if api_version is not None:
            changes["api_version"] = api_version
        if azure_ad_token is not None or azure_ad_token_provider is not None or api_key is not None:
            changes["token"] = checked_secret("azure_ad_token", azure_ad_token)
            changes["token_provider"] = azure_ad_token_provider
        if base_url is not None and not isinstance(base_url, NotGiven):
            changes["endpoint"] = changes["deployment"] = None
        settings = msgspec.structs.replace(self._azure, **changes)
        version = {"api-version": settings.api_version}
        twin = super().copy(
            api_key=api_key,
            base_url=base_url,
            default_query=None
            if default_query is None and set_default_query is not None
            else {**(default_query or {}), **version},
            set_default_query=None if set_default_query is None else {**set_default_query, **version},
            _enforce_credentials=False,
            _extra_kwargs={"_settings": settings},
            **options,
        )
        if "token" in changes and api_key is None:
            twin._reconfigure(api_key=Secret(""))
        return twin

    with_options = copy


class AzureOpenAI(BaseAzureClient, OpenAI):
    __doc__ = BaseAzureClient.__doc__


class AsyncAzureOpenAI(BaseAzureClient, AsyncOpenAI):
    __doc__ = BaseAzureClient.__doc__
