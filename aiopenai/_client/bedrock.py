"""`BedrockOpenAI` and `AsyncBedrockOpenAI`: the reference's older form of `provider=bedrock(...)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, cast

from typing_extensions import Self, override

from aiopenai._base.sentinels import NotGiven, not_given
from aiopenai._base.suggestions import suggesting
from aiopenai._client.base import BaseClient
from aiopenai._client.blocking import OpenAI
from aiopenai._client.client import AsyncOpenAI
from aiopenai.errors import OpenAIError
from aiopenai.providers.bedrock import AwsCredentialsProvider, BedrockService, bedrock

__all__ = [
    "AsyncBedrockOpenAI",
    "AsyncBedrockTokenProvider",
    "AwsCredentialsProvider",
    "BedrockOpenAI",
    "BedrockTokenProvider",
]

BedrockTokenProvider: TypeAlias = Callable[[], str]
AsyncBedrockTokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]

# The options of these clients, and those of `bedrock(...)` that they stand for.
_OPTIONS = {
    "api_key": "api_key",
    "bedrock_token_provider": "token_provider",
    "aws_region": "region",
    "aws_profile": "profile",
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "aws_credentials_provider": "credential_provider",
}
# Options of which a new one replaces all others.
_CREDENTIALS = frozenset(_OPTIONS) - {"aws_region"}


class BaseBedrockClient(BaseClient):
    """The part that both Bedrock clients share.

    - `api_key` (`AWS_BEARER_TOKEN_BEDROCK`): a bearer key. `bedrock_token_provider`: a function that returns one for
      each attempt.
    - `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`: static AWS keys; `aws_profile`: a profile;
      `aws_credentials_provider`: a function that returns AWS credentials. Without any, AWS's default chain.
    - `aws_region` (`AWS_REGION`, `AWS_DEFAULT_REGION`), `base_url` (`AWS_BEDROCK_BASE_URL`).

    All other options are those of `OpenAI`. Raises OpenAIError for options that are malformed or exclude each other.
    """

    _bedrock: dict[str, Any]

    @suggesting
    def __init__(
        self,
        *,
        api_key: str | None = None,
        bedrock_token_provider: AsyncBedrockTokenProvider | None = None,
        aws_region: str | None = None,
        aws_profile: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        aws_credentials_provider: AwsCredentialsProvider | None = None,
        base_url: str | None | NotGiven = not_given,
        **options: Any,
    ) -> None:
        given = {
            "api_key": api_key,
            "bedrock_token_provider": bedrock_token_provider,
            "aws_region": aws_region,
            "aws_profile": aws_profile,
            "aws_access_key_id": aws_access_key_id,
            "aws_secret_access_key": aws_secret_access_key,
            "aws_session_token": aws_session_token,
            "aws_credentials_provider": aws_credentials_provider,
        }
        self._bedrock = {**{name: value for name, value in given.items() if value is not None}, "base_url": base_url}
        # A copy passes the service that it has made.
        service = options.pop("provider", None) or _service(self._bedrock)
        super().__init__(provider=service, **options)

    @property
    def aws_region(self) -> str | None:
        """The AWS region. Setting it takes effect with the next request, and changes a URL that follows from it."""
        return cast("BedrockService", self._configuration.service).region

    @aws_region.setter
    def aws_region(self, region: str) -> None:
        self._rebuild({**self._bedrock, "aws_region": region})

    @property
    @override
    def api_key(self) -> str:
        """The bearer key; empty for other credentials. Setting it takes effect with the next request."""
        return cast("str", self._bedrock.get("api_key", ""))

    @api_key.setter
    def api_key(self, value: Any) -> None:
        others = {name: each for name, each in self._bedrock.items() if name not in _CREDENTIALS}
        self._rebuild({**others, "api_key": value})

    def _rebuild(self, options: dict[str, Any]) -> None:
        service = _service(options)
        self._bedrock = options
        self._reconfigure(service=service, base_url=type(self._configuration.base_url).of(service.base_url))

    @override
    def copy(self, **options: Any) -> Self:
        """Returns a client with some options changed that shares this one's connections.

        A new credential replaces the present one, of any kind. Raises OpenAIError for options that Bedrock does not
        have.
        """
        for name in ("admin_api_key", "workload_identity", "provider", "data_residency"):
            if options.pop(name, None) is not None:
                raise OpenAIError(f"A Bedrock client takes no {name}.")
        own = {name: options.pop(name) for name in (*_OPTIONS, "base_url") if options.get(name) is not None}
        kept = self._bedrock
        if _CREDENTIALS & own.keys():
            kept = {name: value for name, value in kept.items() if name not in _CREDENTIALS}
        settings = {**kept, **own}
        twin = super().copy(**options, provider=_service(settings))
        twin._bedrock = settings
        return twin

    with_options = copy


def _service(options: Mapping[str, Any]) -> BedrockService:
    key = options.get("api_key")
    if callable(key):
        raise OpenAIError("api_key of a Bedrock client must be a str: pass the function as bedrock_token_provider.")
    named = {_OPTIONS[name]: value for name, value in options.items() if name in _OPTIONS and value is not None}
    return cast("BedrockService", bedrock(**named, base_url=options.get("base_url", not_given)))


class BedrockOpenAI(BaseBedrockClient, OpenAI):
    __doc__ = BaseBedrockClient.__doc__


class AsyncBedrockOpenAI(BaseBedrockClient, AsyncOpenAI):
    __doc__ = BaseBedrockClient.__doc__
