"""Webhooks: whether a delivery comes from the API, and what it says.

The signatures are those of Standard Webhooks: an HMAC-SHA256 over `id.timestamp.payload`, several of them separated by
spaces while a secret is being replaced. All that a delivery can be wrong in raises `InvalidWebhookSignatureError`, so
that whoever receives one has one error to answer.
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
    """The headers of frameworks that are no mapping: those of `http.server`, say."""

    def items(self) -> Iterable[tuple[str, str]]: ...


class _HasGet(Protocol):
    """Headers that can only be asked for by name, in any case."""

    def get(self, name: str, /) -> str | None: ...


HeadersLike: TypeAlias = Mapping[str, str] | _HasItems | _HasGet | Iterable[tuple[str | bytes, str | bytes]]


def unwrap(
    resource: Any, /, payload: str | bytes, headers: HeadersLike, *, secret: str | None = None
) -> UnwrapWebhookEvent:
    """`webhooks.unwrap`: verify a delivery and decode its event; one of an unknown type is an open object.

    Raises as `verify_signature`, and ValueError for a payload that is signed but not JSON.
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
    """`webhooks.verify_signature`: check that the API has sent this, `tolerance` seconds ago or less.

    `payload` is the request's body as it came; `headers` are a mapping, names in any case, or pairs, or have at least
    a `get` that takes any case. `secret` is the client's `webhook_secret` unless given; after `whsec_` it is base64.

    Raises InvalidWebhookSignatureError, ValueError where there is no secret, TypeError for a parsed payload.
    """
    if secret is None:
        secret = resource._client.webhook_secret
    if not secret:
        # An empty one too: anybody can sign with that.
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
    # Each is compared in constant time, as bytes: text that is not ASCII cannot be compared so.
    if not any(hmac.compare_digest(expected, _encoded(each.removeprefix("v1,"))) for each in signatures.split()):
        raise InvalidWebhookSignatureError("The webhook's signature does not match its content.")


def _raw(payload: object) -> bytes:
    if isinstance(payload, str):
        return _encoded(payload)
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", payload))
    raise TypeError(f"payload must be the body as it was received, str or bytes, not {type(payload).__name__}")


def _encoded(text: str) -> bytes:
    # Half a surrogate pair is no reason for another error than that of a wrong signature.
    return text.encode("utf-8", "surrogatepass")


def _key(secret: str) -> bytes:
    """The key of the HMAC. Raises ValueError, in which the secret is not."""
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
    """Headers by lower-case name, whatever they come in: the mappings of web frameworks, or pairs."""

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
    # ASGI has bytes.
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
