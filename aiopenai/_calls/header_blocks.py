"""The headers of an attempt: one block for each kind of request, and a new one only for a call with its own headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiopenai._base.cache import BoundedCache
from aiopenai._base.headers import OWN_HEADERS, drop, has, merged
from aiopenai._base.secret import Secret
from aiopenai._base.urls import same_origin
from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.provider import Attempt, Provider
from aiopenai._calls.request import Endpoint
from aiopenai._calls.shared_sessions import SharedSessions
from aiopenai.errors import OpenAIError

__all__ = ["HeaderBlocks"]


class _Block:
    """The headers of one kind of request, in the transport's form and as a dict. Its repr shows none of them."""

    __slots__ = ("authorized", "plain", "sent")

    def __init__(self, sent: Mapping[str, str], plain: Secret[dict[str, Any]], authorized: bool) -> None:
        self.sent = sent
        self.plain = plain
        self.authorized = authorized


class HeaderBlocks:
    """The header blocks of one configuration. A changed configuration starts with an empty cache.

    A block depends on the endpoint's `header_kind`, on whether there is a body, and on the read timeout. All else is
    fixed with the configuration.
    """

    def __init__(
        self,
        provider: Provider,
        sessions: SharedSessions,
        standard: Mapping[str, Any],
        defaults: Mapping[str, Any],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._standard = standard
        self._defaults = defaults
        # The number of blocks is small, unless each call has another read timeout.
        self._blocks: BoundedCache[tuple[Any, ...], _Block] = BoundedCache()

    def of(self, call: PreparedCall, taken: int) -> Mapping[str, str]:
        """Returns the headers of an attempt after `taken` others. Raises OpenAIError if a credential is missing."""
        request = call.request
        endpoint = request.endpoint
        found = self._blocks.get((endpoint.header_kind, call.body is None, call.timeout.read)) or self._make(call)
        if not (request.headers or taken or call.idempotency_key or request.path[:1] != "/"):
            if not found.authorized:
                self._provider.require(endpoint)
            return found.sent
        headers = self._own(call, taken, found)
        if not (found.authorized or self._has_credential(call, {}) or self._elsewhere(call)):
            self._provider.require(endpoint)
        return self._sessions.block(headers)

    async def authorized(self, call: PreparedCall, taken: int) -> Mapping[str, str]:
        """Returns the headers of an attempt to which the provider adds credentials of its own."""
        endpoint = call.request.endpoint
        found = self._blocks.get((endpoint.header_kind, call.body is None, call.timeout.read)) or self._make(call)
        headers = self._own(call, taken, found)
        attempt = Attempt(endpoint, call.url, headers.value, call.body, self._all_chosen(call), call.timeout)
        if self._elsewhere(call):
            if self._provider.own_origin_only:
                raise OpenAIError(
                    "The URL has another origin than the base URL: the credentials are for that one only."
                )
        else:
            await self._provider.authorize(attempt)
            if not self._has_credential(call, attempt.headers):
                self._provider.require(endpoint)
        return self._sessions.block(headers)

    def _make(self, call: PreparedCall) -> _Block:
        endpoint = call.request.endpoint
        plain = self._build(endpoint, call.timeout.read)
        if call.body is None:
            drop(plain.value, "content-type")
        authorized = any(
            has(plain.value, name) or has(self._defaults, name) for name in self._provider.credential_headers
        )
        made = _Block(self._sessions.block(plain), plain, authorized)
        self._blocks[endpoint.header_kind, call.body is None, call.timeout.read] = made
        return made

    def _build(self, endpoint: Endpoint, read_timeout: float | None) -> Secret[dict[str, Any]]:
        headers: dict[str, Any] = dict(self._provider.headers(endpoint))
        # Retries count themselves in headers of their own.
        headers["x-stainless-retry-count"] = "0"
        if read_timeout is not None:
            headers["x-stainless-read-timeout"] = str(read_timeout)
        headers = merged(headers, self._standard)
        if endpoint.accept:
            drop(headers, "accept")
            headers["Accept"] = endpoint.accept
        return Secret(merged(merged(headers, self._defaults), endpoint.headers))

    def _own(self, call: PreparedCall, taken: int, block: _Block) -> Secret[dict[str, Any]]:
        """Returns a dict of the headers of one attempt, with those that the call adds or omits."""
        given = call.request.headers or {}
        own = merged(dict(block.plain.value), given)
        if call.idempotency_key and not has(own, "idempotency-key"):
            own["Idempotency-Key"] = call.idempotency_key
        if taken and not has(given, "x-stainless-retry-count"):
            own["x-stainless-retry-count"] = str(taken)
        if self._elsewhere(call):
            # Credentials are for the API alone, unless the call gives some for this URL.
            for name in OWN_HEADERS:
                if not has(given, name):
                    drop(own, name)
        return Secret(own)

    def _elsewhere(self, call: PreparedCall) -> bool:
        """Returns whether the call goes to an absolute URL of another origin."""
        return call.request.path[:1] != "/" and not same_origin(self._provider.root, call.url)

    def _has_credential(self, call: PreparedCall, headers: Mapping[str, str]) -> bool:
        """Returns whether an attempt has a credential, or a header that the program sets or omits in its place."""
        places = (headers, self._defaults, call.request.headers or {})
        return any(has(place, name) for place in places for name in self._provider.credential_headers)

    def _all_chosen(self, call: PreparedCall) -> frozenset[str]:
        names = (*self._defaults, *(call.request.headers or {}))
        return frozenset(name.lower() for name in names)
