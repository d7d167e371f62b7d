"""Webhooks as the API sends them, for tests of their receivers.

The signature follows Standard Webhooks (https://www.standardwebhooks.com): an HMAC-SHA256 over `id.timestamp.payload`.
Its key is the secret, decoded from base64 after the prefix `whsec_`.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from typing import Any

from aiopenai.testing.engine.values import encode
from aiopenai.testing.memory.state import EPOCH

__all__ = ["sign_webhook", "webhook_event"]


def webhook_event(type: str = "response.completed", data: dict[str, Any] | None = None) -> bytes:
    """Returns the body of an event. data: the object of the event; by default an id, as in most events."""
    about = {"id": "resp_local"} if data is None else data
    return encode({"id": "evt_local", "object": "event", "created_at": EPOCH, "type": type, "data": about})


def sign_webhook(
    payload: bytes | str, secret: str, *, id: str = "wh_local", timestamp: int | None = None
) -> dict[str, str]:
    """Returns the headers with which the API sends a payload to the owner of `secret`.

    secret: with or without its prefix `whsec_`.
    timestamp: in seconds since the epoch; now by default.
    Raises `ValueError` for a secret that is not base64.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    sent = int(time.time()) if timestamp is None else timestamp
    key = b64decode(secret.removeprefix("whsec_"), validate=True)
    digest = hmac.new(key, f"{id}.{sent}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(sent),
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
