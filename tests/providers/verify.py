"""Signatures of AWS in what a server received: the local server's check, which shares no code with the signer's."""

from __future__ import annotations

import hashlib
import re

from aiopenai.testing import ReceivedRequest
from aiopenai.testing.engine.signatures import verify_signature


def verify(request: ReceivedRequest, secret: str, *, access_key: str, region: str, service: str) -> set[str]:
    """Returns the names of the signed headers. Raises ApiError or AssertionError for a wrong signature."""
    verify_signature(request, {access_key: secret})
    # What the server takes from the request as it is, or does without.
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}",
        request.headers["authorization"],
    )
    assert found is not None, request.headers["authorization"]
    *scope, names = found.groups()
    assert scope == [region, service]
    assert request.headers["x-amz-content-sha256"] == hashlib.sha256(request.body).hexdigest()
    return set(names.split(";"))
