"""Workload identity as the credentials of a client: a token from `aiopenai.auth` for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from aiopenai._base.headers import drop
from aiopenai._base.secret import Secret
from aiopenai._calls.provider import Attempt, Provider, Service
from aiopenai._client.provider import OpenAIProvider
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from aiopenai._calls.request import Endpoint
    from aiopenai._client.configuration import Configuration
    from aiopenai.auth import WorkloadIdentityAuth

__all__ = ["PLACEHOLDER", "WorkloadIdentityService"]

PLACEHOLDER = "workload-identity-auth"
"""The `api_key` of a client with a workload identity, as in the reference."""


# The hosts that ask for a client certificate.
_X509_REGIONS = {
    "global": "https://mtls.api.openai.com/v1",
    "us": "https://mtls-us.api.openai.com/v1",
    "eu": "https://mtls-eu.api.openai.com/v1",
}


class WorkloadIdentityService(Service):
    """The API, with tokens of a workload identity. Copies of a client share it, and with it the present token."""

    is_cloud = False

    def __init__(self, identity: Any) -> None:
        if not isinstance(identity, Mapping):
            kind = type(identity).__name__
            raise OpenAIError(f"workload_identity must be a dict as described in aiopenai.auth, not {kind}.")
        facts = cast("Mapping[str, Any]", identity)
        self.is_x509 = facts.get("type") == "x509"
        required = ["identity_provider_id", "service_account_id", *([] if self.is_x509 else ["provider"])]
        missing = [name for name in required if not facts.get(name)]
        if missing:
            raise OpenAIError(f"workload_identity has no {' and no '.join(map(repr, missing))}.")
        if self.is_x509:
            self.regions = _X509_REGIONS
            self.needs_https = True
        self._identity: dict[str, Any] = dict(facts)
        self._auth: WorkloadIdentityAuth | None = None

    @override
    def provider(self, configuration: Configuration, wiring: Mapping[str, Any]) -> Provider:
        borrowed = [name for name in ("http_client", "connector") if wiring.get(name) is not None]
        if self.is_x509 and borrowed:
            raise OpenAIError(
                f"An X.509 workload identity cannot use {borrowed[0]}, because the token exchange runs on a connection "
                "of its own: pass the client certificate as ssl=, an ssl.SSLContext."
            )
        if self._auth is None:
            # Imported here: most clients have no workload identity.
            from aiopenai.auth.exchange import WorkloadIdentityAuth
            from aiopenai.auth.x509 import X509Auth

            make: Any = X509Auth if self.is_x509 else WorkloadIdentityAuth
            self._auth = cast("WorkloadIdentityAuth", make(workload_identity=self._identity, _wiring=wiring))
        return WorkloadIdentityProvider(configuration, self._auth, follows_redirects=not self.is_x509)


class WorkloadIdentityProvider(OpenAIProvider):
    """OpenAI's URLs and keys, with an exchanged token in place of the API key."""

    def __init__(self, configuration: Configuration, auth: WorkloadIdentityAuth, *, follows_redirects: bool) -> None:
        super().__init__(configuration)
        self._auth = auth
        self.authorizes = True
        self.follows_redirects = follows_redirects
        self.key = Secret(PLACEHOLDER)

    @override
    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        headers = super().headers(endpoint)
        # Replaced by `authorize`. Endpoints that take both kinds of keys get the token.
        return {} if self._takes_key(endpoint) else headers

    @override
    async def authorize(self, attempt: Attempt) -> None:
        """Adds the token. Raises OAuthError, SubjectTokenProviderError and OpenAIError if there is none."""
        if self._takes_key(attempt.endpoint) and "authorization" not in attempt.chosen:
            token = Secret(await self._auth.get_token_async())
            drop(attempt.headers, "authorization")
            attempt.headers["Authorization"] = f"Bearer {token.value}"

    @override
    async def renew(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        # A header of the program's own is no token of this identity: nothing can be renewed.
        if scheme != "Bearer" or not self._auth.has_issued(token):
            return False
        self._auth.invalidate_token(token)
        return True
