"""`WorkloadIdentityAuth`: exchanges subject tokens for API tokens, and keeps the API token until it expires."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import encode
from aiopenai._http.fetch import fetch
from aiopenai._http.messages import HTTPResponse
from aiopenai.auth.identity import SubjectTokenWorkloadIdentity
from aiopenai.errors import OAuthError, OpenAIError

__all__ = ["TOKEN_EXCHANGE_URL", "Token", "WorkloadIdentityAuth", "read_token"]

TOKEN_EXCHANGE_URL = "https://auth.openai.com/oauth/token"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TOKEN_TYPES = {
    "jwt": "urn:ietf:params:oauth:token-type:jwt",
    "id": "urn:ietf:params:oauth:token-type:id_token",
}
REFRESH_BUFFER_SECONDS = 1_200.0
EXCHANGE_TIMEOUT = 10.0
# After a failed refresh of a token that is still valid, the next refresh waits this long.
PAUSE_AFTER_FAILURE = 0.5


class Token(NamedTuple):
    """An API token, with the times of its refresh and of its expiry by the monotonic clock."""

    value: str
    refresh_at: float
    expires_at: float


class WorkloadIdentityAuth:
    """The API token of a workload identity, for any number of threads and event loops.

    At most one exchange runs at a time, in a thread of its own, so that no caller that is cancelled takes the exchange
    of the others with it. Callers get the present token while it is valid, also during an exchange. Callers without a
    valid token wait for the exchange, and all of them get its error if it fails.
    """

    def __init__(
        self,
        *,
        workload_identity: SubjectTokenWorkloadIdentity,
        token_exchange_url: str = TOKEN_EXCHANGE_URL,
        _wiring: Mapping[str, Any] | None = None,
    ) -> None:
        self._identity: Any = {**workload_identity}
        self._url = self._identity.get("token_exchange_url") or token_exchange_url
        # The client's options for its own sessions: the exchange goes through the same proxy.
        self._wiring = {
            name: (_wiring or {})[name] for name in ("proxy", "ssl", "trust_env") if name in (_wiring or {})
        }
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._token: Token | None = None
        self._exchange: Future[str] | None = None
        self._not_before = 0.0
        self._issued: deque[str] = deque(maxlen=8)

    def get_token(self) -> str:
        """Returns a valid token, from an exchange if there is none; blocks meanwhile.

        Raises OAuthError if the exchange is refused (400, 401, 403), SubjectTokenProviderError if the subject token
        cannot be had, OpenAIError for another reply, APIConnectionError and APITimeoutError.
        """
        found = self._present()
        if isinstance(found, str):
            return found
        try:
            return found.result()
        except OpenAIError as error:
            raise _copied(error) from error.__cause__

    async def get_token_async(self) -> str:
        """Returns a valid token, as `get_token` does, without blocking the event loop."""
        found = self._present()
        if isinstance(found, str):
            return found
        try:
            # Shielded: a caller that is cancelled must not cancel the exchange of the others.
            return await asyncio.shield(asyncio.wrap_future(found))
        except OpenAIError as error:
            raise _copied(error) from error.__cause__

    def invalidate_token(self, token: str | None = None) -> None:
        """Drops the present token; with `token`, only if the present token is that one."""
        with self._lock:
            if self._token is not None and token in (None, self._token.value):
                self._token = None

    def has_issued(self, token: str) -> bool:
        """Returns whether a token is one of the last few tokens of this identity."""
        return token in self._issued

    def _present(self) -> str | Future[str]:
        """Returns a valid token, or the exchange that brings one; starts an exchange if one is due."""
        if self._process != os.getpid():
            # The thread of an exchange did not survive the fork.
            self._start()
        with self._lock:
            now = time.monotonic()
            token = self._token
            valid = token is not None and now < token.expires_at
            if token is not None and valid and now < max(token.refresh_at, self._not_before):
                return token.value
            if self._exchange is None:
                self._exchange = Future()
                thread = threading.Thread(
                    target=self._run, args=(self._exchange,), name="aiopenai-token-exchange", daemon=True
                )
                thread.start()
            return token.value if token is not None and valid else self._exchange

    def _run(self, exchange: Future[str]) -> None:
        token: Token | None = None
        failure: BaseException | None = None
        try:
            token = self._exchanged()
        except BaseException as error:
            # An error of any kind belongs to the callers that wait.
            failure = error
        with self._lock:
            self._exchange = None
            if token is not None:
                self._token = token
                self._issued.append(token.value)
            else:
                self._not_before = time.monotonic() + PAUSE_AFTER_FAILURE
        if token is not None:
            exchange.set_result(token.value)
        else:
            assert failure is not None
            exchange.set_exception(failure)

    def _exchanged(self) -> Token:
        """Exchanges a new subject token. Raises OpenAIError, and the errors of the user's own source."""
        identity = self._identity
        source = identity["provider"]
        kind = SUBJECT_TOKEN_TYPES.get(source["token_type"])
        if kind is None:
            kinds = " or ".join(map(repr, SUBJECT_TOKEN_TYPES))
            raise OpenAIError(f"token_type of a subject token provider must be {kinds}, not {source['token_type']!r}.")
        subject_token: Any = source["get_token"]()
        if not isinstance(subject_token, str) or not subject_token:
            raise OpenAIError("The subject token provider returned no token: get_token() must return a non-empty str.")
        begun = time.monotonic()
        response = self._post(
            {
                "grant_type": GRANT_TYPE,
                "subject_token": subject_token,
                "subject_token_type": kind,
                "identity_provider_id": identity["identity_provider_id"],
                "service_account_id": identity["service_account_id"],
            }
        )
        return self._kept(*read_token(response), begun)

    def _kept(self, value: str, lifetime: float, begun: float) -> Token:
        buffer = min(self._identity.get("refresh_buffer_seconds", REFRESH_BUFFER_SECONDS), lifetime / 2)
        return Token(value, begun + lifetime - buffer, begun + lifetime)

    def _post(self, body: Mapping[str, str]) -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return fetch("POST", self._url, headers=headers, content=encode(body), timeout=EXCHANGE_TIMEOUT, **self._wiring)


def read_token(response: HTTPResponse) -> tuple[str, float]:
    """Returns the token of an exchange and its lifetime in seconds. Raises OAuthError and OpenAIError."""
    body: Any = None
    with contextlib.suppress(ValueError):  # reported below
        body = response.json()
    if response.status_code in (400, 401, 403):
        raise OAuthError(response=response, body=body)
    if not response.is_success:
        raise OpenAIError(f"The token exchange failed with status {response.status_code}.")
    if not is_mapping(body):
        raise OpenAIError("The reply of the token exchange is not a JSON object.")
    value, lifetime = body.get("access_token"), body.get("expires_in")
    if not isinstance(value, str) or not value:
        raise OpenAIError("The reply of the token exchange has no `access_token`.")
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or not 0 < lifetime < math.inf:
        raise OpenAIError("The reply of the token exchange has no positive number of seconds in `expires_in`.")
    return value, float(lifetime)


def _copied(error: OpenAIError) -> OpenAIError:
    # Each caller raises an error of its own: tracebacks of one error raised in many tasks would pile up.
    return copy.copy(error)
