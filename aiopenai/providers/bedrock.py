"""Amazon Bedrock: `bedrock(...)` for a client's `provider` option."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from typing_extensions import override

from aiopenai._base.aliases import own_text
from aiopenai._base.secret import Secret
from aiopenai._base.sentinels import NotGiven, not_given
from aiopenai._calls.provider import Attempt, Provider, Service
from aiopenai._calls.request import Endpoint
from aiopenai._data.leaves import importing
from aiopenai._http.multipart import MultipartBody
from aiopenai.errors import OpenAIError
from aiopenai.providers.hosts import (
    BedrockEndpoint,
    BedrockHost,
    base_url_of,
    checked_region,
    default_base_url,
    region_from_environment,
)
from aiopenai.providers.signing import AwsCredentials, AwsCredentialsProvider, Signer

__all__ = ["AwsCredentialsProvider", "BedrockEndpoint", "BedrockTokenProvider", "bedrock"]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)

BedrockTokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns a bearer key; asked for each attempt. An awaitable is allowed in both clients."""

BEARER_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
# A form longer than this is not signed.
_MOST_IN_MEMORY = 2**30
# The services' names in signatures.
_SERVICES: dict[str, str] = {"mantle": "bedrock-mantle", "runtime": "bedrock"}


def bedrock(
    *,
    endpoint: BedrockEndpoint | None = None,
    region: str | None = None,
    base_url: str | None | NotGiven = not_given,
    api_key: str | None | NotGiven = not_given,
    token_provider: BedrockTokenProvider | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    session_token: str | None = None,
    profile: str | None = None,
    credential_provider: AwsCredentialsProvider | None = None,
) -> Service:
    """Returns Amazon Bedrock as the `provider` of a client.

    - `endpoint`: `mantle` (default) or `runtime`. `region` (`AWS_REGION`, `AWS_DEFAULT_REGION`): such as `us-east-1`.
    - `base_url` (`AWS_BEDROCK_BASE_URL`): replaces the URL of endpoint and region; None ignores the variable.
    - `api_key` (`AWS_BEARER_TOKEN_BEDROCK`): a bearer key; None ignores the variable. `token_provider`: a function,
      plain or async, that returns one for each attempt.
    - `access_key_id`, `secret_access_key`, `session_token`: static AWS keys. `profile`: a profile of AWS's
      configuration. `credential_provider`: a function that returns AWS credentials for each signature. With none of
      these and no bearer key, the default chain of botocore finds credentials.

    AWS credentials sign each attempt (Signature Version 4) and need the extra `bedrock`. Raises OpenAIError for options
    that are malformed or exclude each other.
    """
    if endpoint not in (None, "mantle", "runtime"):
        raise OpenAIError(f"endpoint must be 'mantle' or 'runtime', not {endpoint!r}.")
    bearer = _bearer(api_key, token_provider)
    credentials = _aws_credentials(access_key_id, secret_access_key, session_token, profile, credential_provider)
    if bearer is not None and credentials is not None:
        raise OpenAIError("Bearer keys and AWS credentials exclude each other: pass only one of them to bedrock().")
    if bearer is None and credentials is None and api_key is not None and os.environ.get(BEARER_VARIABLE, "").strip():
        bearer = _bearer_of_environment
    return BedrockService(endpoint, checked_region(region), base_url, bearer, credentials)


def _bearer_of_environment() -> str:
    return os.environ.get(BEARER_VARIABLE, "")


def _bearer(api_key: Any, token_provider: Any) -> BedrockTokenProvider | None:
    if isinstance(api_key, NotGiven) or api_key is None:
        return cast("BedrockTokenProvider | None", token_provider)
    if token_provider is not None:
        raise OpenAIError("api_key and token_provider exclude each other: pass only one of them to bedrock().")
    if not isinstance(api_key, str) or not api_key.strip():
        raise OpenAIError("api_key of bedrock() must be a non-empty str.")
    key = Secret(own_text(api_key))
    return lambda: key.value


def _aws_credentials(
    access_key_id: Any, secret_access_key: Any, session_token: Any, profile: Any, provider: Any
) -> AwsCredentials | None:
    if (access_key_id is None) != (secret_access_key is None) or (session_token is not None and access_key_id is None):
        raise OpenAIError(
            "Static AWS keys are access_key_id and secret_access_key together; session_token goes only with both."
        )
    named = {
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
        "session_token": session_token,
        "profile": profile,
    }
    for name, value in named.items():
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise OpenAIError(f"{name} of bedrock() must be a non-empty str.")
    ways = [way for way in (access_key_id, profile, provider) if way is not None]
    if len(ways) > 1:
        raise OpenAIError("Static AWS keys, profile and credential_provider exclude each other: pass only one of them.")
    if not ways:
        return None
    secret = None if secret_access_key is None else Secret(secret_access_key)
    return AwsCredentials(
        access_key_id, secret, None if session_token is None else Secret(session_token), profile, provider
    )


class BedrockService(Service):
    """The options of `bedrock(...)`, with the URL that follows from them."""

    def __init__(
        self,
        endpoint: BedrockEndpoint | None,
        region: str | None,
        base_url: Any,
        bearer: BedrockTokenProvider | None,
        credentials: AwsCredentials | None,
    ) -> None:
        if isinstance(base_url, NotGiven):
            base_url = os.environ.get("AWS_BEDROCK_BASE_URL")
        if base_url is not None and not str(base_url).strip():
            raise OpenAIError("base_url of bedrock() must not be empty.")
        self._bearer = bearer
        self._credentials = credentials or AwsCredentials()
        url = None if base_url is None else base_url_of(str(base_url).strip())
        host = None if url is None else BedrockHost.of(url)
        self.endpoint: BedrockEndpoint = endpoint or ("mantle" if host is None else host.endpoint)
        self.region = region or self._ambient_region(required=url is None or bearer is None, host=host)
        if url is not None and host is not None:
            self._check(host, url)
        self.base_url = url or default_base_url(self.endpoint, self.region or "")

    def _ambient_region(self, *, required: bool, host: BedrockHost | None) -> str | None:
        found = region_from_environment()
        if found is None and self._bearer is None:
            found = checked_region(Signer(self._credentials).region())
        if found is None and host is not None:
            found = host.region
        if found is None and required:
            raise OpenAIError(
                "Bedrock needs an AWS region: pass region to bedrock(), or set the environment variable AWS_REGION or "
                "AWS_DEFAULT_REGION."
            )
        return found

    def _check(self, host: BedrockHost, url: str) -> None:
        """Raises OpenAIError if a host of Amazon's contradicts the other options."""
        if not url.startswith("https://"):
            raise OpenAIError("Hosts of Amazon Bedrock need an https base_url.")
        if host.endpoint != self.endpoint:
            raise OpenAIError(f"The host of base_url is that of endpoint={host.endpoint!r}, not of {self.endpoint!r}.")
        if self.region is not None and host.region != self.region:
            raise OpenAIError(f"The region of base_url is {host.region}, that of the options is {self.region}.")

    @override
    def provider(self, configuration: Any, wiring: Mapping[str, Any]) -> Provider:
        root = configuration.base_url.root
        if self._bearer is not None:
            return BedrockBearer(root, self._bearer)
        return BedrockSigned(root, Signer(self._credentials), _SERVICES[self.endpoint], self.region or "")


class BedrockProvider(Provider):
    """The part that both ways to authorize share."""

    authorizes = True
    follows_redirects = False
    own_origin_only = True

    def __init__(self, root: str) -> None:
        self.root = root

    @override
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {}

    @override
    def require(self, endpoint: Endpoint) -> None:
        raise OpenAIError(f"{endpoint.method} {endpoint.path} has no credentials for Bedrock.")

    def check(self, attempt: Attempt) -> None:
        """Raises OpenAIError for an attempt that must not get the credentials."""
        if "authorization" in attempt.chosen:
            raise OpenAIError("A client with provider=bedrock(...) takes no Authorization header: leave it out.")


class BedrockBearer(BedrockProvider):
    """Bearer keys."""

    def __init__(self, root: str, ask: BedrockTokenProvider) -> None:
        super().__init__(root)
        self._ask = ask

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Adds the key. Raises OpenAIError if the function fails or returns none."""
        self.check(attempt)
        try:
            found: Any = self._ask()
            if inspect.isawaitable(found):
                found = await found
        except Exception as error:
            raise OpenAIError("The token_provider of bedrock() failed.") from error
        if not isinstance(found, str) or not found.strip():
            kind = type(found).__name__
            del found
            raise OpenAIError(f"The token_provider of bedrock() must return a non-empty str, not {kind}.")
        attempt.headers["Authorization"] = f"Bearer {own_text(found)}"
        del found


class BedrockSigned(BedrockProvider):
    """Signature Version 4: each attempt is signed anew, in a thread, because credentials can need I/O."""

    def __init__(self, root: str, signer: Signer, service: str, region: str) -> None:
        super().__init__(root)
        self._signer = signer
        self._service = service
        self._region = region

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Adds the signature. Raises OpenAIError without credentials, and for a body that is not in memory."""
        self.check(attempt)
        body = self._body(attempt)
        signature = await asyncio.to_thread(
            self._signer.sign,
            attempt.endpoint.method,
            attempt.url,
            attempt.headers,
            body,
            self._service,
            self._region,
        )
        attempt.headers.update(signature)

    @staticmethod
    def _body(attempt: Attempt) -> bytes:
        body = attempt.body
        if isinstance(body, MultipartBody):
            ready = body.as_bytes(_MOST_IN_MEMORY)
            if ready is not None:
                attempt.headers["Content-Type"] = body.content_type
                return ready
        elif body is None or isinstance(body, (bytes, bytearray)):
            return bytes(body or b"")
        raise OpenAIError("A signature for Bedrock needs the whole body in memory: pass bytes, or use a bearer key.")
