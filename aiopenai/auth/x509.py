"""The exchange of a client certificate for an API token."""

from __future__ import annotations

import re
import time
from typing import Any

from typing_extensions import override

from aiopenai._http.messages import HTTPResponse
from aiopenai.auth.exchange import GRANT_TYPE, Token, WorkloadIdentityAuth, read_token
from aiopenai.errors import APIConnectionError, APIError, OpenAIError, error_from_response
from aiopenai.retry import delay, retry_after, worth_retrying

__all__ = ["X509_TOKEN_EXCHANGE_URL", "X509Auth"]

X509_TOKEN_EXCHANGE_URL = "https://mtls.auth.openai.com/oauth/token"
SUBJECT_TOKEN_TYPE = "urn:openai:params:oauth:token-type:x509"
MAX_RETRIES = 2
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


class X509Auth(WorkloadIdentityAuth):
    """The API token of a client certificate. The TLS options of the client have the certificate."""

    def __init__(self, *, workload_identity: Any, _wiring: Any, token_exchange_url: str | None = None) -> None:
        url = token_exchange_url or X509_TOKEN_EXCHANGE_URL
        super().__init__(workload_identity=workload_identity, token_exchange_url=url, _wiring=_wiring)

    @override
    def _exchanged(self) -> Token:
        identity = self._identity
        body = {
            "grant_type": GRANT_TYPE,
            "subject_token_type": SUBJECT_TOKEN_TYPE,
            "identity_provider_id": identity["identity_provider_id"],
            "service_account_id": identity["service_account_id"],
        }
        begun = time.monotonic()
        response = self._retried(body)
        value, lifetime = read_token(response)
        kind = response.json().get("token_type", "bearer")
        if not isinstance(kind, str) or kind.lower() != "bearer" or not _TOKEN.fullmatch(value):
            raise OpenAIError("The reply of the token exchange has no bearer token.")
        return self._kept(value, lifetime, begun)

    def _retried(self, body: dict[str, str]) -> HTTPResponse:
        """Posts the body, up to three times after connection errors, 408, 409, 429 and 5xx."""
        failures = 0
        while True:
            try:
                response = self._post(body)
            except APIConnectionError as error:
                failure: APIError = error
                if failures == MAX_RETRIES:
                    raise
            else:
                if response.is_success or response.status_code in (400, 401, 403) or failures == MAX_RETRIES:
                    return response
                failure = error_from_response(response, retry_after=retry_after(response.headers))
                if not worth_retrying(failure):
                    return response
            failures += 1
            time.sleep(delay(failure, failures))
