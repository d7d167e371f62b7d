"""The credentials that a server accepts: keys, tokens that it has issued, and signatures."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.signatures import ALGORITHM, verify_signature

__all__ = ["AZURE_PREFIX", "Access"]

AZURE_PREFIX = "/openai/"
"""The path of requests to Azure, below which a key may come in the header `api-key`."""
_TOKEN = "local-token-"


class Access:
    """The check of a request's credentials.

    api_key: the key that requests must bring; None accepts any.
    token_lifetime: the seconds for which a token of the server's own exchange is valid.
    aws_keys: the secret keys of AWS by their ID, for requests that are signed; None accepts no signature.
    """

    def __init__(self, api_key: str | None, token_lifetime: float, aws_keys: Mapping[str, str] | None) -> None:
        self.token_lifetime = token_lifetime
        self.issued = 0
        self._api_key = api_key
        self._aws_keys = aws_keys or {}
        self._tokens: dict[str, float] = {}

    def issue(self) -> str:
        """Returns a new token, which is valid from now on."""
        self.issued += 1
        token = f"{_TOKEN}{self.issued}"
        self._tokens[token] = time.monotonic() + self.token_lifetime
        return token

    def revoke(self) -> None:
        """Makes all tokens invalid that were issued so far."""
        self._tokens.clear()

    def check(self, request: ReceivedRequest) -> None:
        """Raises ApiError for a request without valid credentials."""
        given = request.headers.get("authorization", "")
        scheme, _, key = given.partition(" ")
        key = key.strip()
        if scheme == ALGORITHM:
            verify_signature(request, self._aws_keys)
            return
        if not key and request.path.startswith(AZURE_PREFIX):
            scheme, key = "bearer", request.headers.get("api-key", "")
        if scheme.lower() != "bearer" or not key:
            message = "You didn't provide an API key. Send it in an Authorization header: 'Bearer YOUR_KEY'."
            raise ApiError(401, message, code="invalid_api_key")
        if key.startswith(_TOKEN):
            if self._tokens.get(key, 0.0) <= time.monotonic():
                raise ApiError(401, "The access token has expired, or was revoked.", code="token_expired")
            return
        if self._api_key is not None and key != self._api_key:
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
