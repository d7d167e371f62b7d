"""Webhooks: the signature of a delivery, and its event.

Signatures follow Standard Webhooks: an HMAC-SHA256 over `id.timestamp.payload`. A delivery has several, separated by
spaces, while a secret is being replaced. Every fault of a delivery raises `InvalidWebhookSignatureError`, so receivers
have one error to handle.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import msgspec

from aiopenai._data.codec import Decoder
from aiopenai.errors import InvalidWebhookSignatureError

if TYPE_CHECKING:
    from aiopenai.types.webhooks import UnwrapWebhookEvent

__all__ = ["HeadersLike", "unwrap", "verify_signature"]

_PREFIX = "whsec_"
_SIGNATURE, _TIMESTAMP, _ID = _NAMES = ("webhook-signature", "webhook-timestamp", "webhook-id")


class _HasItems(Protocol):
    """Headers with `items`, which need not be a mapping, such as those of `http.server`."""

    def items(self) -> Iterable[tuple[str, str]]: ...


class _HasGet(Protocol):
    """Headers with `get` only, which takes names in any case."""

    def get(self, name: str, /) -> str | None: ...


HeadersLike: TypeAlias = Mapping[str, str] | _HasItems | _HasGet | Iterable[tuple[str | bytes, str | bytes]]


def unwrap(
    resource: Any, /, payload: str | bytes, headers: HeadersLike, *, secret: str | None = None
) -> UnwrapWebhookEvent:
    """`webhooks.unwrap`: verifies a delivery and decodes its event. An event of an unknown type is an open object.

    Raises as `verify_signature`, and ValueError for a signed payload that is not JSON.
    """
    verify_signature(resource, payload, headers, secret=secret)
    from aiopenai.types.webhooks import UnwrapWebhookEvent

    try:
        event: UnwrapWebhookEvent = Decoder.of(UnwrapWebhookEvent)(_raw(payload))
    except msgspec.DecodeError as error:
        raise ValueError(f"The webhook's payload is not JSON: {error}") from error
    return event


def verify_signature(
    resource: Any,
    /,
    payload: str | bytes,
    headers: HeadersLike,
    *,
    secret: str | None = None,
    tolerance: int = 300,
) -> None:
    """`webhooks.verify_signature`: checks that the API signed a payload.

    payload: the body of the request as received.
    headers: a mapping with names in any case, pairs, or an object with a `get` that takes any case.
    secret: by default the `webhook_secret` of the client; after `whsec_` it is base64.
    tolerance: the allowed age in seconds, and the allowed clock difference.

    Raises InvalidWebhookSignatureError, ValueError without a secret, TypeError for a parsed payload.
    """
    if secret is None:
        secret = resource._client.webhook_secret
    if not secret:
        # An empty secret is refused too: it protects nothing.
        raise ValueError(
            "No webhook secret: pass `secret`, or `webhook_secret` to the client, or set OPENAI_WEBHOOK_SECRET."
        )
    body = _raw(payload)
    found = _Headers(headers)
    signatures, timestamp, delivery = found[_SIGNATURE], found[_TIMESTAMP], found[_ID]
    try:
        age = int(time.time()) - int(timestamp)
    except ValueError:
        raise InvalidWebhookSignatureError("The webhook's timestamp is not a number.") from None
    if age > tolerance:
        raise InvalidWebhookSignatureError("The webhook's timestamp is too old.")
    if age < -tolerance:
        raise InvalidWebhookSignatureError("The webhook's timestamp is too new.")
    signed = b".".join((_encoded(delivery), _encoded(timestamp), body))
    expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    # Compared in constant time, as bytes, because `compare_digest` refuses text outside of ASCII.
    if not any(hmac.compare_digest(expected, _encoded(each.removeprefix("v1,"))) for each in signatures.split()):
        raise InvalidWebhookSignatureError("The webhook's signature does not match its content.")


def _raw(payload: object) -> bytes:
    if isinstance(payload, str):
        return _encoded(payload)
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", payload))
    raise TypeError(f"payload must be the body as it was received, str or bytes, not {type(payload).__name__}")


def _encoded(text: str) -> bytes:
    # An unpaired surrogate must not raise another error than that of a wrong signature.
    return text.encode("utf-8", "surrogatepass")


def _key(secret: str) -> bytes:
    """Returns the key of the HMAC. Raises ValueError; its message does not contain the secret."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX))
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"The webhook secret is not base64 after its {_PREFIX!r}.")
    return key


class _Headers:
    """Headers by lower-case name, from the mapping of a web framework, or from pairs."""

    def __init__(self, headers: Any) -> None:
        items: Any = getattr(headers, "items", None)
        self._by_name: dict[str, str] = {}
        pairs: Iterable[tuple[Any, Any]]
        if callable(items):
            pairs = cast("Any", items)()
        elif not hasattr(headers, "__iter__") and hasattr(headers, "get"):
            pairs = [(name, value) for name in _NAMES if (value := headers.get(name)) is not None]
        else:
            pairs = headers
        for name, value in pairs:
            self._by_name.setdefault(_text(name).lower(), _text(value))

    def __getitem__(self, name: str) -> str:
        try:
            return self._by_name[name]
        except KeyError:
            raise InvalidWebhookSignatureError(f"The webhook has no {name} header.") from None


def _text(value: Any) -> str:
    # ASGI headers are bytes.
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
